"""One run at a glance: its figures in the three ways of deciding, the baselines beside them, and what they mean."""

from collections.abc import Callable

from mllc.report.comparison import BASELINES
from mllc.report.grid import Column, fit, to_text
from mllc.report.notes import COLLAPSE, about_data
from mllc.result import Metrics, RunResult
from mllc.wording import counted

LONG = {"test": "test", "val": "validation"}
WAYS = (("own rule", ""), ("one tuned threshold", "_tuned"), ("one threshold a label", "_per_label"))
FIGURES = (
    ("mAP", "map", 3, 0),
    ("micro\nF1", "micro_f1", 3, 0),
    ("macro\nF1", "macro_f1", 3, 2),
    ("sample\nF1", "sample_f1", 3, 3),
    ("Hamming\nloss", "hamming_loss", 5, 1),
    ("labels a\nsample", "labels_per_sample", 2, 1),
)
"""Title, figure, decimals, and the order in which columns are dropped where they do not fit."""

Line = tuple[str, Metrics, str]
"""A line of the table: way of deciding or baseline, its figures, and the suffix of their names."""


def run_table(result: RunResult, width: int = 100, color: bool = False) -> str:
    """What `mllc train` shows at the end; no line is longer than `width` (at least 30 columns)."""
    width = max(width, 30)
    split, figures = ("test", result.test) if result.test else ("val", result.val)
    fold = "" if result.fold is None else f", fold {result.fold} of {result.shared.get('split.folds')}"
    head = (f"{result.name} on {result.dataset}, seed {result.seed}{fold}: {_state(result)}", "bold")
    if not figures:
        return to_text([head], width, color)
    baselines = result.baselines.get(split, {})
    items: list[Line] = [(way, figures, suffix) for way, suffix in WAYS]
    items += [(name, baselines[name], "") for name in BASELINES if name in baselines]
    columns: list[Column[Line]] = [Column(LONG[split], lambda line: _way(line, result), right=False, wrap=12)]
    columns += [Column(title, _cell(name, digits), drop) for title, name, digits, drop in FIGURES]
    table, _ = fit(
        items,
        columns,
        width,
        style=lambda line: "dim" if line[0] in BASELINES else "",
        section=lambda line: line[0] in BASELINES,
    )
    below = [(_others(LONG[split], figures), "dim"), (_never_true(result), "dim")]
    below += [(_hamming(figures, baselines), ""), (verdict(result), "yellow")]
    data = (about_data(result.dataset, result.data, result.backbone), "dim")
    return to_text([head, data, ("", ""), table, ("", ""), *(part for part in below if part[0])], width, color)


def verdict(result: RunResult) -> str:
    """The verdict on collapse in words, with what to try; empty if the run did not collapse.

    silent and flood that rank well have a wrong threshold and not a wrong model; the others have learned nothing yet.
    """
    kind = result.collapse.get("verdict")
    figures, suffix = (result.test, "on test") if result.test else (result.val or {}, "on validation")
    if kind is None or not figures:
        return ""
    labels, true = (figures.get(name) for name in ("labels_per_sample", "true_labels_per_sample"))
    text = f"{kind}: {COLLAPSE.get(kind, 'it collapsed')}"
    if kind != "constant" and labels is not None and true is not None:
        text = f"{kind}: its own rule predicts {labels:.2f} labels a sample where {true:.2f} are true"
    text += f" ({_epochs(result)})"
    judged = result.val or figures  # what the verdict was made on; few test samples may say otherwise
    place = "on validation " if result.val else ""
    ranking = f"{place}mAP {_text(judged.get('map'), 3)}, a random order {_text(judged.get('map_chance'), 3)}"
    if result.collapse.get("ranks") and kind != "constant":
        return (
            f"{text}; it ranks ({ranking}), so only the threshold is wrong: try the tuned one (micro-F1 "
            f"{_text(figures.get('micro_f1'), 3)} -> {_text(figures.get('micro_f1_tuned'), 3)} {suffix}), or another "
            "loss or learning rate"
        )
    if result.collapse.get("ranks"):
        return f"{text}; it ranks all the same ({ranking}), so its scale is off: try a smaller optimizer.lr"
    averaged = result.settings.get("loss.reduction") == "mean"
    return (
        f"{text}; it does not rank either ({ranking}), so no threshold helps: try a larger or smaller optimizer.lr, "
        f"{'loss.reduction=sum, ' * averaged}more epochs"
    )


def _way(line: Line, result: RunResult) -> str:
    return f"{line[0]} ({result.threshold:.3g})" if line[2] == "_tuned" and result.threshold is not None else line[0]


def _cell(name: str, digits: int) -> Callable[[Line], str]:
    """Cells of one figure; mAP and the baselines have but one value for the three ways."""
    return lambda line: _text(line[1].get(name + line[2], line[1].get(name)), digits)


def _state(result: RunResult) -> str:
    if result.status == "done":
        return f"epoch {result.best_epoch} of {result.epochs} was the best by {result.monitor}, {result.seconds:.1f} s"
    ended = f"{result.status.upper()} after {counted(result.epochs, 'epoch')}"
    return f"{ended}: {result.message}" if result.message else ended


def _others(split: str, figures: Metrics) -> str:
    names = ("lrap", "p_at_1", "p_at_3", "p_at_5", "subset_accuracy", "never_predicted")
    known = [f"{name} {_text(value, 3)}" for name in names if (value := figures.get(name)) is not None]
    true = figures.get("true_labels_per_sample")
    start = [f"{true:.2f} labels a sample are true"] if true is not None else []
    skipped = figures.get("labels_skipped")
    start += (
        [f"mAP and macro-F1 leave out {counted(round(skipped), 'label')} that {split} has no positive of"]
        if skipped
        else []
    )
    return "; ".join([*start, ", ".join(known)] if known else start)


def _hamming(figures: Metrics, baselines: dict[str, Metrics]) -> str:
    own, nothing = figures.get("hamming_loss"), baselines.get("all_zeros", {}).get("hamming_loss")
    if own is None or nothing is None or own <= nothing:
        return ""
    return f"By its own rule its Hamming loss ({own:.5f}) is worse than that of predicting nothing ({nothing:.5f})."


def _never_true(result: RunResult) -> str:
    """How many labels cannot be learned, or not be chosen or scored by, for want of a positive."""
    counts = {name: number for name, number in result.data.get("never_true", {}).items() if number}
    if not counts:
        return ""
    where = ", ".join(f"{number} in {LONG.get(name, name)}" for name, number in counts.items())
    return f"Of {counted(result.data['num_labels'], 'label')} without a positive: {where}"


def _epochs(result: RunResult) -> str:
    first, last = result.collapse.get("first_epoch"), result.collapse.get("last_epoch")
    return f"epoch {first}" if first == last else f"epochs {first} to {last}"


def _text(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
