"""A diagnosis in words: the verdict, and what was found. What to try next is in mllc.report.next_steps."""

import math
from typing import Literal

from mllc.diagnose import FLAT, Diagnosis
from mllc.metrics.collapse import FLOOD_ABOVE, SILENT_BELOW, USEFUL_F1
from mllc.metrics.signs import ENOUGH
from mllc.wording import counted, listed

WORTH = 0.01
"""Gain of micro-F1 from which another way to decide is worth telling."""

FAR = 0.05
"""Gain of micro-F1 that is no matter of degree."""

FEW_POSITIVES = 100
"""Positives, of all labels together, under which every figure is uncertain."""

WAYS = {"_tuned": "one tuned threshold", "_per_label": "one threshold a label", "_top_k": "the surest labels"}

Tone = Literal["good", "warning", "bad"]


def verdict(found: Diagnosis) -> tuple[str, Tone]:
    """The diagnosis in one sentence."""
    sentence, tone = _verdict(found)
    few = _few(found)
    return f"{sentence} From {few} this is uncertain." if few else sentence, tone


def _verdict(found: Diagnosis) -> tuple[str, Tone]:
    if found.look == "decisions":
        return "These are decisions and not scores: what they rank, and what a threshold gives, is lost.", "warning"
    if as_probabilities(found):
        return "These look like probabilities, but are read as logits: type --probabilities.", "bad"
    if found.inverted:
        return "The scores are upside down: they rank once their sign is changed.", "bad"
    if misplaced(found):
        return "The columns of the scores are not in the order of the targets' columns.", "bad"
    if within_samples(found):
        return "It ranks the labels of a sample, but its scores do not compare between samples.", "warning"
    state = {
        "silent": "It is silent",
        "flood": "It floods",
        "constant": "It gives every sample (nearly) the same scores",
    }
    collapsed = state.get(found.collapsed or "")
    if not found.ranks:
        also = f"{collapsed}, and it does not rank" if collapsed else "It does not rank usefully"
        return f"{also}: no threshold helps.", "bad"
    if found.collapsed == "constant":
        return f"{collapsed}, but their order is useful: the scale is wrong, not the ranking.", "warning"
    if collapsed:
        return f"{collapsed}, but it ranks: the threshold is wrong, not the model.", "warning"
    best = better_way(found)
    if best is None:
        return "It ranks, and no other threshold does notably better than its own.", "good"
    return f"It ranks, and its threshold wastes some of that: {WAYS[best]} would do better.", "warning"


def findings(found: Diagnosis) -> dict[str, str]:
    """Name -> sentences; what there is nothing to say of is left out."""
    texts = {
        "scores": _scores(found),
        "ranking": _ranking(found),
        "collapse": _collapse(found),
        "threshold": _threshold(found),
        "baselines": _baselines(found),
        "labels": _labels(found),
        "note": _note(found),
    }
    return {name: text for name, text in texts.items() if text}


def misplaced(found: Diagnosis) -> bool:
    """Whether most labels that can be told about go with another label's column, and nearly each with one of its own.

    A model that has learned little gives many labels the column of a few frequent ones.
    """
    told = sum(row["positives"] >= ENOUGH for row in found.labels)
    return 2 * len(found.columns) > told and len(set(found.columns.values())) >= 0.9 * len(found.columns)


def as_probabilities(found: Diagnosis) -> bool:
    """Whether the scores look like probabilities and were said to be logits."""
    return found.unit == "logits" and found.look in ("probabilities", "softmax")


def better_way(found: Diagnosis) -> str | None:
    """The way to decide that is worth changing to: a key of WAYS. A simpler way goes before one that is hardly better.

    None: the own one is as good.
    """
    best, reached = None, 0.0
    for way in WAYS:
        if gain(found, way) >= reached + WORTH:
            best, reached = way, gain(found, way)
    return best


def within_samples(found: Diagnosis) -> bool:
    """Whether the surest labels of a sample are right far more often than any threshold or constant answer is."""
    others = [figure(found, name) for name in ("micro_f1", "micro_f1_tuned", "micro_f1_per_label")]
    return figure(found, "micro_f1_top_k") >= max(*others, constant_f1(found)) + FAR


def gain(found: Diagnosis, way: str) -> float:
    """What a way to decide adds to the micro-F1 of the own threshold."""
    return figure(found, f"micro_f1{way}") - figure(found, "micro_f1")


def constant_f1(found: Diagnosis) -> float:
    """The best micro-F1 that the same labels for every sample reach."""
    return found.baselines["label_prior"]["micro_f1_tuned"] or 0.0


def figure(found: Diagnosis, name: str) -> float:
    return found.metrics[name] or 0.0


def rule(found: Diagnosis, threshold: float | None) -> str:
    """The decision at a threshold, in the unit of the scores: `z > -2.2`; None: the decisions that were given."""
    if threshold is None:
        return "as saved"
    return f"{'p' if found.unit == 'probabilities' else 'z'} > {threshold:.3g}"


def sigmoid(threshold: float) -> str:
    """
    >>> sigmoid(0.0), sigmoid(-5.0), sigmoid(8.0), sigmoid(1e6)
    ('0.5', '0.00669', '1 - 0.000335', '1 - 0')
    """
    if threshold > 4:
        return f"1 - {math.exp(-threshold) / (1 + math.exp(-threshold)):.3g}"
    return f"{1 / (1 + math.exp(min(-threshold, 700.0))):.3g}"


def _scores(found: Diagnosis) -> str:
    if found.look == "decisions":
        return "Scores: they have but two values, so they are decisions already."
    if found.look is not None and found.unit == "logits":
        return "Scores: all lie between 0 and 1, as probabilities do, but are read as logits."
    if found.look == "softmax":
        return (
            "Scores: those of a sample sum to 1, as after a softmax, in which true labels take from each other: of "
            f"{found.k} none can be expected much above {1 / found.k:.2g}."
        )
    if misplaced(found) and not found.inverted:
        name = [row["label"] for row in found.labels]
        pairs = [f"{name[label]} with the column of {name[column]}" for label, column in found.columns.items()]
        return f"Scores: {counted(len(pairs), 'label')} fit another label's column better: {listed(pairs, 3, str)}."
    return ""


def _ranking(found: Diagnosis) -> str:
    skipped = round(figure(found, "labels_skipped"))
    over = f" over the {counted(found.num_labels - skipped, 'label')} that have positives" if skipped else ""
    text = (
        f"Ranking: mAP {figure(found, 'map'):.3f}{over}; a random order has {figure(found, 'map_chance'):.3f}, the "
        f"label prior (or any constant answer) {found.baselines['label_prior']['map']:.3f}. The surest label of a "
        f"sample is true {_percent(figure(found, 'p_at_1'))} of the time."
    )
    if found.ranks:
        return text
    if figure(found, "map") >= 2 * figure(found, "map_chance"):
        return f"{text} That is better than chance, but no threshold reaches a micro-F1 of {USEFUL_F1:g}."
    return f"{text} Useful is what has twice the odds of a random order."


def _collapse(found: Diagnosis) -> str:
    spread = figure(found, "score_spread")
    number = (
        f"it predicts {figure(found, 'labels_per_sample'):.2f} of {found.num_labels} labels a sample where "
        f"{figure(found, 'true_labels_per_sample'):.2f} are true ({rule(found, found.thresholds['own'])})"
    )
    flat = f"from sample to sample a score changes by {spread:.2g} on the logit scale (constant is under {FLAT:g})"
    if found.collapsed == "constant":
        return f"Collapse: constant; {flat}; {number}."
    if found.collapsed is None:
        every = "; that is nearly every label, as all_ones" if predicts_everything(found) else ""
        return f"Collapse: none; {number}{every}."
    silent = found.collapsed == "silent"
    limit = f"under {_percent(SILENT_BELOW)} of them" if silent else f"over {FLOOD_ABOVE:g} times as many"
    return f"Collapse: {found.collapsed}; {number}; {found.collapsed} is {limit}{f'; {flat}' * (spread < FLAT)}."


def predicts_everything(found: Diagnosis) -> bool:
    """Whether nearly every label is predicted, and far from all are true: a flood, where 10 times as many cannot be."""
    predicted, true = (figure(found, name) for name in ("labels_per_sample", "true_labels_per_sample"))
    return predicted > 0.95 * found.num_labels and true < 0.75 * found.num_labels


def _threshold(found: Diagnosis) -> str:
    own, tuned, per_label, top_k = (f"{figure(found, f'micro_f1{way}'):.3f}" for way in ("", *WAYS))
    at = found.thresholds["own"]
    how = "by the decisions saved beside the scores" if at is None else f"at {rule(found, at)}"
    return (
        f"Threshold: micro-F1 {own} {how}, {tuned} with one tuned threshold, "
        f"{per_label} with one a label, {top_k} with the top {found.k} of each sample."
    )


def _baselines(found: Diagnosis) -> str:
    own, zeros = figure(found, "hamming_loss"), found.baselines["all_zeros"]["hamming_loss"] or 0.0
    text = f"Baselines: the same labels for every sample reach a micro-F1 of {constant_f1(found):.3f} at best."
    if own <= zeros:
        return text
    return f"{text} By its own threshold its Hamming loss, {own:.4g}, is worse than predicting nothing, {zeros:.4g}."


def _labels(found: Diagnosis) -> str:
    never = sorted((row for row in found.labels if not row["predicted"]), key=lambda row: -row["positives"])
    empty = [row["label"] for row in found.labels if not row["positives"]]
    texts = []
    if never:
        names = listed([f"{row['label']} {row['positives']}" for row in never], 4, str)
        most = f" (positives: {names})" if len(never) < found.num_labels else ""
        waiting = sum(bool(row["ranks"]) for row in never)
        rank = f"; {waiting} of these rank well enough for a lower threshold" if waiting and found.ranks else ""
        texts.append(f"never predicted: {len(never)} of {found.num_labels}{most}{rank}")
    if empty:
        names = listed(empty, 4, str)
        texts.append(f"without a positive, so that nothing can be said of them: {len(empty)} ({names})")
    return f"Labels: {'; '.join(texts)}." if texts else ""


def _note(found: Diagnosis) -> str:
    texts = list(found.notes)
    if found.unknown:
        texts.append(f"{counted(found.unknown, 'target')} unknown, left out everywhere, of the counts a sample too")
    if few := _few(found):
        texts.append(f"only {few} in all, so that every figure here is uncertain")
    if found.num_labels > found.num_samples:
        texts.append(
            f"more labels than samples ({found.num_labels} and {found.num_samples}); if it is the other way round, "
            "save both transposed"
        )
    return f"Note: {'; '.join(texts)}." if texts else ""


def _few(found: Diagnosis) -> str:
    """How many positives there are, where they are few."""
    positives = sum(row["positives"] for row in found.labels)
    return counted(positives, "positive") if positives < FEW_POSITIVES else ""


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
