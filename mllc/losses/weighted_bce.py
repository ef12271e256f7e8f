"""Binary cross-entropy with a weight on the positives."""

import torch.nn.functional as F
from torch import Tensor

from mllc.losses.blocks import by_rows
from mllc.losses.checks import check_number, check_word
from mllc.losses.precision import full_precision


@full_precision
@by_rows()
def weighted_bce(
    logits: Tensor,
    targets: Tensor,
    *,
    weight: float | str | Tensor = 1.0,
    power: float = 1.0,
    cap: float | None = None,
    label_counts: Tensor | None = None,
    num_samples: int | None = None,
) -> Tensor:
    """Sigmoid cross-entropy with weighted positives: w y softplus(-z) + (1 - y) softplus(z).

    A weight w moves the best answer by log w on the logit scale: with `balanced` every label's constant answer is
    probability 1/2, so the threshold 1/2 predicts far more labels than are true.

    logits, targets  (batch, labels); targets in [0, 1]
    weight           a number > 0; a tensor, one weight a label; `balanced`, negatives per positive of each label in
                     training, (S - n) / n; or `sqrt`, its square root. Both counts are taken as at least 1, so that a
                     label that is never or always true has a finite weight > 0
    power            the exponent, >= 0, to which the weight is raised: between 0, where all weigh 1, and 1, the weight
                     as it is; `balanced` to the power 1/2 is `sqrt`
    cap              the largest weight of a label, > 0, after that; None: no limit
    label_counts     (labels,), positives n of each label in training; num_samples: S. For `balanced` and `sqrt`
    returns          (batch, labels), in nats
    raises           ValueError for a weight, power or cap outside its domain
    source           textbook; so weighted for rare events in King and Zeng 2001, Political Analysis 9 (from memory).
                     torch's pos_weight and TensorFlow's weighted_cross_entropy_with_logits are the same
    """
    if isinstance(weight, str):
        check_word("weight", weight, ("a number", "balanced", "sqrt"))
        if label_counts is None or num_samples is None:
            raise ValueError(f"weight {weight!r} needs label_counts and num_samples of the training split")
        ratio = (num_samples - label_counts).clamp(min=1) / label_counts.clamp(min=1)
        weight = ratio.sqrt() if weight == "sqrt" else ratio
    elif not isinstance(weight, Tensor):
        check_number("weight", weight, low=0, open_ends=True)
    check_number("power", power, low=0)
    factor = weight**power
    if cap is not None:
        check_number("cap", cap, low=0, open_ends=True)
        factor = factor.clamp(max=cap) if isinstance(factor, Tensor) else min(factor, cap)
    return factor * targets * -F.logsigmoid(logits) + (1 - targets) * -F.logsigmoid(-logits)
