"""Label-distribution-aware margins (LDAM): the rarer a label, the further its positives must be on the right side."""

import torch.nn.functional as F
from torch import Tensor

from mllc.losses.blocks import by_rows
from mllc.losses.checks import check_number
from mllc.losses.precision import full_precision


@full_precision
@by_rows()
def ldam(
    logits: Tensor,
    targets: Tensor,
    *,
    max_margin: float = 0.5,
    scale: float = 1.0,
    label_counts: Tensor,
) -> Tensor:
    """Cross-entropy with margins D ~ n^-1/4 on positives: y softplus(-s (z - D)) + (1 - y) softplus(s z).

    logits, targets  (batch, labels); targets in [0, 1]
    max_margin       D of the rarest label, >= 0, in logits
    scale            s > 0; the gradient grows with it, so the learning rate has to shrink. With max_margin 0 and
                     scale 1 it is bce
    label_counts     (labels,), positives n of each label in training, taken as at least 1
    returns          (batch, labels), in nats
    raises           ValueError for a setting outside its domain
    source           Cao et al. 2019, arXiv:1906.07413, and the authors' code, for a softmax of a single label. The form
                     for many labels is ours: no published one was found. Their s is 30, for logits that are cosines; on
                     those of a linear layer it saturates, so it is 1 here. Their reweighting in late epochs is left out
    """
    check_number("max_margin", max_margin, low=0)
    check_number("scale", scale, low=0, open_ends=True)
    margins = label_counts.clamp(min=1) ** -0.25
    margins = max_margin * margins / margins.amax()
    positive, negative = scale * (logits - margins), scale * logits
    return targets * -F.logsigmoid(positive) + (1 - targets) * -F.logsigmoid(-negative)
