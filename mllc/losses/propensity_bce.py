"""Binary cross-entropy for data in which true labels are missing, the rare ones more often."""

import math

from torch import Tensor

from mllc.losses.blocks import by_rows
from mllc.losses.checks import check_number
from mllc.losses.precision import full_precision
from mllc.losses.weighted_bce import weighted_bce


@full_precision
@by_rows()
def propensity_bce(
    logits: Tensor,
    targets: Tensor,
    *,
    a: float = 0.55,
    b: float = 1.5,
    label_counts: Tensor,
    num_samples: int,
) -> Tensor:
    """Propensity-weighted cross-entropy: (2/rho - 1) y softplus(-z) + (1 - y) softplus(z).

    The propensity rho is the probability that a true label was recorded, estimated from the counts alone:
    1/rho = 1 + (ln S - 1) ((b + 1) / (n + b))^a. The unbiased loss would weigh a positive by 1/rho and take back
    (1/rho - 1) times its negative loss, and has no lower bound; 2/rho - 1 is its convex surrogate.

    logits, targets  (batch, labels); targets in [0, 1]
    a, b             of the propensity, a >= 0 (0: the same for all labels) and b > 0
    label_counts     (labels,), positives n of each label in training; num_samples: S. A propensity that comes out
                     above 1, for S <= 2, is taken as 1
    returns          (batch, labels), in nats
    raises           ValueError for a setting outside its domain
    source           propensities: Jain et al. 2016, doi:10.1145/2939672.2939756; loss: Qaraei et al. 2021,
                     arXiv:2007.00237, its weight as in DiSMEC++ (neither paper's text was checked)
    """
    check_number("a", a, low=0)
    check_number("b", b, low=0, open_ends=True)
    inverse = (1 + (math.log(num_samples) - 1) * ((b + 1) / (label_counts + b)) ** a).clamp(min=1)
    return weighted_bce(logits, targets, weight=2 * inverse - 1)
