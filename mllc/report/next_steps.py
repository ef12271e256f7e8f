"""What to try next after a diagnosis, each step with its reason, the cheapest first."""

from collections.abc import Iterator

from mllc.advice import positive_weight
from mllc.diagnose import FLAT, Diagnosis
from mllc.report.findings import (
    WORTH,
    as_probabilities,
    figure,
    gain,
    misplaced,
    predicts_everything,
    rule,
    sigmoid,
    within_samples,
)

MANY = 3.0
"""Times the true number of labels from which weighted positives are suspected."""

ON_OWN_DATA = "mllc sweep dataset=arff dataset.train=FILE loss={losses} (or dataset=images)"


def next_steps(found: Diagnosis) -> list[str]:
    """The steps; they name thresholds, settings and losses of mllc that fit what was found."""
    if found.look == "decisions":
        return ["Save the scores before they are cut into decisions, and type this again."]
    if as_probabilities(found):
        return ["Type this again with --probabilities: the own threshold is then 0.5, and not 0."]
    if found.inverted:
        return ["Save -scores (or 1 - p) and type this again: a distance or a loss is small where a label is likely."]
    if misplaced(found):
        return [
            "Bring the columns into one order and type this again: label encoders sort names, data sets often do not. "
            "Headers in both CSV files let this command compare them."
        ]
    return list(_after_ranking(found) if found.ranks or within_samples(found) else _after_chance(found))


def _after_ranking(found: Diagnosis) -> Iterator[str]:
    if within_samples(found):
        yield (
            f"Predict the top {found.k} of each sample: micro-F1 {figure(found, 'micro_f1_top_k'):.3f}. Or take each "
            "sample's log-softmax before the threshold: a softmax loss leaves the level of every sample free."
        )
    else:
        yield from _other_thresholds(found)
    if found.collapsed == "constant":
        yield (
            "Train longer or with a larger learning rate: the order is right, and only the differences between samples "
            "are too small yet."
        )
    elif found.collapsed == "silent":
        yield (
            "If the threshold must stay where it is, train with a loss that predicts more: zlpr puts true labels above "
            "0 and all others below; asymmetric and weighted_bce let the many zeros count less (mllc list losses zlpr)."
            f"{_weight(found)}"
        )
    elif _floods(found) and found.ranks:
        yield (
            "If positives are weighted, weight them less: a weight w lifts every logit by about log w, and a threshold "
            f"raised by log w undoes it without training.{_weight(found)}"
        )
    known = sum(bool(row["positives"]) for row in found.labels)
    never = figure(found, "never_predicted_tuned") * found.num_labels - (found.num_labels - known)
    if not found.collapsed and 10 * never >= known:
        yield (
            "For rare labels that the tuned threshold never predicts: losses made for long tails, such as "
            "logit_adjusted, distribution_balanced and rebalanced_focal, or a threshold of their own."
        )
    yield (
        "What is left is in the ranking, which no threshold changes. Compare losses on your own data: "
        f"{ON_OWN_DATA.format(losses='bce,zlpr,asymmetric')}."
    )


def _other_thresholds(found: Diagnosis) -> Iterator[str]:
    """Ways to decide that need no training, each where it is better than the simpler one before it."""
    tuned, per_label = gain(found, "_tuned"), gain(found, "_per_label")
    if tuned >= WORTH:
        at = found.thresholds["tuned"]
        also = f" (sigmoid {sigmoid(at)})" if found.unit == "logits" else ""
        yield (
            f"Predict where {rule(found, at)}{also}: micro-F1 {figure(found, 'micro_f1'):.3f} becomes "
            f"{figure(found, 'micro_f1_tuned'):.3f}, and there is nothing to train."
        )
    if per_label >= max(tuned, 0.0) + WORTH:
        yield (
            f"Give each label its own threshold: micro-F1 {figure(found, 'micro_f1_per_label'):.3f}. --format json has "
            "them under thresholds.per_label; those of rare labels are drawn towards the common one."
        )
    if gain(found, "_top_k") >= max(tuned, per_label, 0.0) + WORTH:
        yield f"Predict the top {found.k} of each sample: micro-F1 {figure(found, 'micro_f1_top_k'):.3f}."


def _after_chance(found: Diagnosis) -> Iterator[str]:
    if figure(found, "score_spread") >= FLAT:
        yield (
            "Make sure that row n of both files is the same sample: predicting from a loader that shuffles looks like "
            "this, however good the model."
        )
        yield (
            "Type this for the training samples as well. If it ranks there, it has learned them by heart (more data or "
            "augmentation, a smaller model, weight decay); if not, it has not learned yet."
        )
    if _floods(found):
        yield (
            "If positives are weighted, weight them less, or lower the learning rate: a step towards positives that is "
            f"too large lifts all labels at once.{_weight(found)}"
        )
    if found.collapsed in ("silent", "constant"):
        yield (
            "Start the biases of the label outputs at log(p / (1 - p)), p each label's share of positives, and not at "
            "0 (mllc: head.bias_init=prior). From even odds a network first learns to say no to everything, and may "
            "stop there: on mllc's digit sheet this alone took bce from an mAP of 0.03 to 0.96."
        )
        yield (
            "If the loss is a mean over labels, sum it instead (mllc: loss.reduction=sum), or raise the learning rate: "
            f"the mean over {found.num_labels} labels makes SGD's steps {found.num_labels} times smaller."
        )
    yield (
        "Try losses that set the labels of a sample against each other, and so learn to rank from even odds as well: "
        f"{ON_OWN_DATA.format(losses='bce,zlpr,softmax_ce,two_way')}."
    )
    yield (
        "Train longer, and watch the mAP: the loss soon stands at that of the label frequencies, and the ranking "
        "begins behind that."
    )


def _weight(found: Diagnosis) -> str:
    """A positive weight to start from, where labels are rare."""
    true = figure(found, "true_labels_per_sample")
    if 10 * true > found.num_labels:
        return ""
    own, tuned = positive_weight(found.num_labels, true)
    return (
        f" For {found.num_labels} labels of which {true:.2f} are true start from a weight of about {own:.2g} where p > "
        f"1/2 predicts, {tuned:.2g} where the threshold is tuned (loss=weighted_bce loss.weight={own:.2g}): a rule of "
        "thumb that mllc's benchmarks measured."
    )


def _floods(found: Diagnosis) -> bool:
    many = figure(found, "labels_per_sample") > MANY * figure(found, "true_labels_per_sample")
    return many or predicts_everything(found)
