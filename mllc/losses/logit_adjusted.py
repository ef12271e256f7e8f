"""Binary cross-entropy with the prior added to the logits in training, so that they need not learn it."""

from torch import Tensor

from mllc.losses.bce import bce
from mllc.losses.blocks import by_rows
from mllc.losses.checks import check_number, check_word
from mllc.losses.precision import full_precision


@full_precision
@by_rows()
def logit_adjusted(
    logits: Tensor,
    targets: Tensor,
    *,
    tau: float = 1.0,
    prior: str = "log",
    label_counts: Tensor,
    num_samples: int,
) -> Tensor:
    """Logit-adjusted cross-entropy: bce at z + tau log(pi), pi the label's share in training; predictions use z alone.

    At tau 1 z > 0 says "likelier than usual" rather than "likely": a model that has learned nothing is at about z = 0
    for every label, so the threshold 1/2 predicts far more labels than are true and has to be tuned.

    logits, targets  (batch, labels); targets in [0, 1]
    tau              >= 0; 0 is bce
    prior            what is added: `log`, log(pi), or `logit`, log(pi / (1 - pi)). For rare labels they are equal
    label_counts     (labels,), positives n of each label in training; num_samples: S. pi = n / S, with n, and for
                     `logit` S - n, taken as at least 1
    returns          (batch, labels), in nats
    raises           ValueError for a setting outside its domain
    source           Menon et al. 2021, arXiv:2007.07314, for a softmax, where the prior is log(pi) (not checked against
                     their code); for independent labels the exact counterpart is `logit`
    """
    check_number("tau", tau, low=0)
    check_word("prior", prior, ("log", "logit"))
    others = (num_samples - label_counts).clamp(min=1) if prior == "logit" else num_samples
    adjusted = logits + tau * (label_counts.clamp(min=1) / others).log()
    return bce(adjusted, targets)
