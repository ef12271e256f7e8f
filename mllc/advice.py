"""Rules of thumb that benchmarks have measured: plain numbers in, plain numbers out."""

from typing import NamedTuple

from mllc.errors import DataError

OWN_POWER, TUNED_POWER = 0.25, 0.55
"""Powers of negatives over positives, fitted by benchmarks/pos_weight_atlas.py; a test holds them to its results."""


class PositiveWeight(NamedTuple):
    """Weights of the positives in binary cross-entropy, one number for all labels.

    own    where labels are predicted at probability 1/2
    tuned  where the threshold is tuned on validation
    """

    own: float
    tuned: float


def positive_weight(num_labels: int, mean_true: float) -> PositiveWeight:
    """A weight to start from: (num_labels / mean_true - 1)^p, with a p for either way to set the threshold.

    num_labels  labels of the data set
    mean_true   mean number of true labels of a sample, above 0, at most num_labels
    returns     weights for micro-F1, at least 1: `loss=weighted_bce loss.weight=W`, torch's `pos_weight`
    raises      DataError for numbers outside their domain

    Where the threshold is tuned, much the same F1 is reached from a wide range of weights. Limits: made on 50 to 4000
    labels of which 1 to 20 are true, with small networks, Adam and a learning rate tuned for each weight; for micro-F1
    (mAP and macro-F1 still rise with more weight), and blind to what else matters: how well the labels can be told
    apart, and how long training lasts. benchmarks/README.md says what following it costs.

    >>> positive_weight(num_labels=4, mean_true=2)
    PositiveWeight(own=1.0, tuned=1.0)
    """
    if not 0 < mean_true <= num_labels:
        raise DataError(
            f"{num_labels} labels with a mean of {mean_true} true ones have no best weight: the mean must be above 0, "
            "and at most the number of labels"
        )
    odds = max(num_labels / mean_true - 1, 1.0)
    return PositiveWeight(odds**OWN_POWER, odds**TUNED_POWER)
