"""The sentences around a comparison: what it is of, what its figures mean, and what they do not say."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from mllc.report.comparison import Row, label, repeat_word, repeats
from mllc.report.search_note import search_note
from mllc.report.verdicts import Question
from mllc.statistics import Difference, smallest_p
from mllc.statistics.paired import ALPHA
from mllc.wording import counted

COLLAPSE = {
    "silent": "its own rule predicts under 1 % of the true number of labels",
    "flood": "its own rule predicts over 10 times the true number of labels",
    "constant": "its validation loss was never below that of the best constant answer",
}

SMALL_GAP = 0.05
"""Difference of micro-F1 of which no percentage is worth telling."""


def title(block: Sequence[Row], blocks: Sequence[Sequence[Row]]) -> str:
    """One line: the data, the backbone, and what tells this block from the others."""
    row = block[0]
    data = _data_of(block)
    known = {"dataset", "backbone", "fingerprint"}
    own = {key: row.block.get(key) for other in blocks for key in other[0].block if key not in known}
    differing = [
        f"{key} {value}"
        for key, value in own.items()
        if value is not None and any(other[0].block.get(key) != value for other in blocks)
    ]
    return about_data(row.dataset, data, row.block.get("backbone"), differing)


def _data_of(block: Sequence[Row]) -> dict[str, Any]:
    """What is known of the data; the number of samples as a span where the seeds' splits differ in it."""
    every = [run.data for row in block for run in row.runs]
    if not every:
        return {}
    sizes: dict[str, set[int]] = {}
    for data in every:
        for split, number in data.get("samples", {}).items():
            sizes.setdefault(split, set()).add(number)
    spans = {name: " to ".join(map(str, sorted({min(of), max(of)}))) for name, of in sizes.items()}
    return {**every[0], "samples": spans} if spans else dict(every[0])


def about_data(dataset: str, data: Mapping[str, Any], backbone: str | None, more: Sequence[str] = ()) -> str:
    """
    >>> about_data("arff", {"num_labels": 1, "samples": {"train": 8, "test": 2}, "files": {"train": "a.arff"}}, "mlp")
    'arff (a.arff): 1 label; 8 train, 2 test samples; backbone mlp'
    """
    parts = [counted(data["num_labels"], "label")] if "num_labels" in data else []
    if "samples" in data:
        parts.append(", ".join(f"{number} {split}" for split, number in data["samples"].items()) + " samples")
    parts += [f"backbone {backbone}"] if backbone else []
    parts += more
    files = ", ".join(data.get("files", {}).values())
    name = f"{dataset} ({files})" if files else dataset
    return f"{name}: " + "; ".join(parts) if parts else name


def notes(block: Sequence[Row], asked: Question) -> list[str]:
    """The sentences under the table of one block, which has been judged, the most important first."""
    trained = [row for row in block if row.status != "baseline"]
    zeros = next((row for row in block if row.name == "all_zeros" and row.status == "baseline"), None)
    split = "test" if any(row.split == "test" for row in trained) else "val"
    scored = [row for row in trained if row.split == split]
    found = [_what(trained, split), _tests(trained, asked), _threshold(scored), _hamming(scored, zeros)]
    found += [_collapse(trained), _failures(trained), _untested(trained)]
    found += [_chosen(trained), search_note(trained), _fixed(trained), _tuning(trained), _pairing(trained)]
    return [text for text in found if text]


def _what(trained: Sequence[Row], split: str) -> str:
    seeds = sorted({seed for row in trained for seed in row.seeds})
    monitor = trained[0].runs[0].monitor
    where = "test, scored once" if split == "test" else "VALIDATION (nothing was scored on test)"
    numbers = [len(row.seeds) for row in trained if row.split]
    fewest, most = min(numbers, default=0), max(numbers, default=0)
    if most == 0:
        spread = "No run has any figure."
    elif most == 1:
        word = repeat_word(trained)
        which = f"One {word} ({seeds[0]})" if len(seeds) == 1 and word == "seed" else f"One {word} a row"
        spread = f"{which}: no spread is known, so differences may be chance."
    else:
        number = most if fewest == most else f"{fewest} to {most}"
        spread = f"±: half of the 95 % t interval of the mean over {number} {repeat_word(trained)}s."
    return f"Figures on {where}; settings chosen by {monitor} on validation. {spread}"


def _tests(trained: Sequence[Row], asked: Question) -> str:
    found = [row.difference for row in trained if row.difference and row.difference.verdict]
    if not found:
        return ""
    fewest, most = (of(one.n for one in found) for of in (min, max))
    number = f"{most if fewest == most else f'{fewest} to {most}'} {repeat_word(trained)}s"
    least = smallest_p(most, len(found))
    sound = [row.difference for row in trained if row.difference and row.status == "done"]
    narrowed = [one.narrowed for one in sound if one.narrowed is not None]
    text = (
        f"Verdicts: paired t-test over {number}, Holm over "
        f"{counted(len(found), 'comparison')} with {asked.baseline}; better or worse also needs the interval to lie "
        f"beyond {asked.region:g}, which is when a difference matters, equivalent within it. The t-test takes "
        "differences as normal; the sign-flip test, which does not, can reach no adjusted p below "
        f"{least:.2g} with {repeats(most, trained)}{_by_flips(found) if least < ALPHA else ''}."
    )
    if any(row.folds for row in trained):
        text += (
            " Folds share training samples, so that their spread alone says too little: intervals and p are corrected "
            "for it (Nadeau and Bengio 2003)."
        )
    if narrowed:
        middle = " in the median" if len(narrowed) > 1 else ""
        spread = f"the spread of differences by {median(narrowed):.2f}{middle}"
        text += f" Pairing by {repeat_word(trained)} multiplied {spread}."
    return text


def _by_flips(found: Sequence[Difference]) -> str:
    """How many of the rows that are better or worse the sign-flip test tells from the baseline too."""
    p_values = [one.p_flip_holm or 0.0 for one in found if one.verdict in ("better", "worse")]
    if not p_values:
        return ""
    return f", and tells {sum(p < ALPHA for p in p_values)} of the {len(p_values)} that are better or worse apart too"


def _threshold(scored: Sequence[Row]) -> str:
    found = [(row.metrics.get("micro_f1"), row.metrics.get("micro_f1_tuned"), label(row)) for row in scored]
    pairs = [(own, tuned, name) for own, tuned, name in found if own is not None and tuned is not None]
    if len(pairs) < 2:
        return ""
    own, tuned, _ = zip(*pairs, strict=True)
    gap, rest = max(own) - min(own), max(tuned) - min(tuned)
    removed = f"removes {100 * (1 - rest / gap):.0f} % of the gap" if rest < gap else "does not narrow the gap"
    removed = "narrows a gap that is small anyway" if rest < gap < SMALL_GAP else removed
    before, after, name = max(pairs, key=lambda pair: pair[1] - pair[0])
    return (
        f"The threshold alone: micro-F1 spans {min(own):.2f} to {max(own):.2f} by the rows' own rules and "
        f"{min(tuned):.2f} to {max(tuned):.2f} with one threshold tuned on validation: tuning it {removed}"
        + (f", and helps {name} most ({before:.2f} to {after:.2f})." if after >= before + 0.01 else ".")
    )


def _hamming(scored: Sequence[Row], zeros: Row | None) -> str:
    nothing = zeros.metrics.get("hamming_loss") if zeros else None
    losses = [loss for row in scored if (loss := row.metrics.get("hamming_loss")) is not None]
    if nothing is None or not losses:
        return ""
    worse = sum(loss > nothing for loss in losses)
    return (
        f"Predicting nothing has a Hamming loss of {nothing:.3g}: "
        f"{worse or 'none'} of {counted(len(losses), 'trained row')} did worse, by their own rules."
    )


def _collapse(trained: Sequence[Row]) -> str:
    kinds = dict.fromkeys(kind for row in trained for kind in row.collapses)
    text = "; ".join(f"{kind}: {COLLAPSE.get(kind, 'collapsed')}" for kind in kinds)
    ranks = "; *: it ranks, so only its threshold or its scale is wrong" if any(row.ranks for row in trained) else ""
    return f"Collapse. {text}{ranks}." if text else ""


def _failures(trained: Sequence[Row]) -> str:
    bad = [row for row in trained if row.trials_failed]
    if not bad:
        return ""
    text = _listed(bad, lambda row: f"{row.trials_failed} of {row.trials}")
    missing = (
        " !: seeds are missing from its figures." if any(row.split and row.status != "done" for row in bad) else ""
    )
    what = "Diverged or failed runs (each counts as the worst when settings are chosen and rows compared)"
    return f"{what}: {text}.{missing}"


def _untested(trained: Sequence[Row]) -> str:
    waiting = [row for row in trained if row.split == "val"]
    if not waiting or len(waiting) == len(trained):
        return ""
    searched = sum(bool(row.studies) for row in waiting)
    does = "goes on with the search" if searched == len(waiting) else "scores them and repeats nothing"
    does = "scores them, or goes on with their search" if 0 < searched < len(waiting) else does
    return (
        f"†: {counted(len(waiting), 'row')} not scored on test; the figures are of validation, which chose the "
        f"settings, and flatter. The sweep's own command with this --by {does}."
    )


def _chosen(trained: Sequence[Row]) -> str:
    found = [row for row in trained if row.chosen and "done" in row.statuses]
    return f"Chosen: {_listed(found, lambda row: chosen(row.chosen), before=True)}." if found else ""


def _fixed(trained: Sequence[Row]) -> str:
    """Settings of a named row that it did not choose, and that the most common setting of the other rows is not."""
    texts = []
    for row in (row for row in trained if row.name != row.loss):
        others = [other.settings for other in trained if other is not row]
        found = [row.loss]
        for key, value in row.settings.items():
            group = key.partition(".")[0]
            usual = Counter(str(other[key]) for other in others if key in other).most_common(1)
            same_group = group in ("loss", key) or any(other.get(group) == row.settings.get(group) for other in others)
            if key not in ("loss", *row.chosen) and same_group and usual and usual[0][0] != str(value):
                found.append(f"{key}={'none' if value is None else value}")
        texts.append(f"{row.name} is {' '.join(found)}")
    return f"Rows with a name of their own: {'; '.join(texts)}." if texts else ""


def _tuning(trained: Sequence[Row]) -> str:
    text = ""
    if len({row.tried for row in trained}) > 1:
        tried = _listed(sorted(trained, key=lambda row: row.tried), lambda row: str(row.tried))
        text = f"Unequal chances (number of settings tried): {tried}. "
    apart = [row for row in trained if row.apart]
    if apart:
        text += (
            f"Runs that are no part of a row's search did not compete: {_listed(apart, lambda row: str(row.apart))}. "
        )
    few = [row for row in trained if row.too_few]
    if few:
        text += f"Settings with fewer seeds than others did not compete: {_listed(few, lambda row: str(row.too_few))}. "
    if trained[0].runs[0].monitor == "val_loss" and any(_has_own_settings(row) for row in trained):
        text += "val_loss chose between settings that change the loss itself: its values do not compare. "
    return text.strip()


def _pairing(trained: Sequence[Row]) -> str:
    text = ""
    sound = [row for row in trained if row.split]
    if len({(row.seeds, row.folds) for row in sound}) > 1:
        seeds = _listed(sound, lambda row: " ".join(map(str, row.folds or row.seeds)))
        text = (
            f"The rows have different {repeat_word(sound)}s: {seeds}. Two rows are compared over those that both have. "
        )
    splits: dict[tuple[int, int], set[Any]] = {}
    for run in (run for row in trained for run in row.runs):
        splits.setdefault(run.repeat, set()).add(run.data.get("split"))
    unpaired = list(dict.fromkeys(str(seed) for (seed, _), found in splits.items() if len(found) > 1))
    if unpaired:
        text += f"Not paired: for seed {', '.join(unpaired)} the rows were trained on different splits."
    return text.strip()


def _has_own_settings(row: Row) -> bool:
    return any(key.startswith("loss") for key in row.chosen)


def _listed(rows: Sequence[Row], text: Callable[[Row], str], before: bool = False) -> str:
    """`bce, focal: 3; zlpr: 2`: the rows' labels, those of the same text together; `before`: `bce, focal 3`."""
    same: dict[str, list[str]] = {}
    for row in rows:
        same.setdefault(text(row), []).append(label(row))
    return "; ".join(f"{', '.join(names)}{'' if before else ':'} {value}" for value, names in same.items())


def chosen(settings: Mapping[str, object]) -> str:
    """
    >>> chosen({"optimizer.lr": 0.01, "loss.reduction": "sum"})
    'lr=0.01 reduction=sum'
    """
    pairs = sorted(settings.items(), reverse=True)
    return " ".join(f"{key.rpartition('.')[2]}={plain(value)}" for key, value in pairs)


def plain(value: object) -> str:
    """A value as it is typed."""
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
