"""An Inspection in words: what was found. What follows from it is in mllc.report.shortlist."""

import math
from collections.abc import Mapping

import numpy as np

from mllc.inspection import Inspection
from mllc.inspection.duplicates import Copies
from mllc.inspection.pairs import LEAST_TOGETHER
from mllc.wording import counted, listed

FEW = 10
"""Training positives below which a label's figures are chance."""


def zeros(ones: float) -> str:
    """The share of what is not one, in percent: two decimals, or as many as it takes to differ from 100.

    >>> zeros(0.3026), zeros(0.000003), zeros(0)
    ('69.74', '99.9997', '100.00')
    """
    decimals = max(2, -math.floor(math.log10(100 * ones))) if ones else 2
    return f"{100 * (1 - ones):.{decimals}f}"


def about(found: Inspection, title: str) -> str:
    """One line: what it is, and how large."""
    shape = found.input_shape
    size = counted(shape[0], "feature") if found.kind == "features" else f"images of {shape[2]} x {shape[1]}"
    return f"{title}: {counted(found.whole.num_samples, 'sample')}, {size}, {counted(len(found.label_names), 'label')}"


def findings(found: Inspection) -> dict[str, str]:
    """Sentences by name, the most important first."""
    told = {
        "imbalance": _imbalance(found),
        "rare": _rare(found),
        "never_true": _never_true(found),
        "pairs": _pairs(found),
        "copies": _copies(found),
        "same_ids": _same_ids(found.ids),
        "unknown": _unknown(found),
        "baselines": _baselines(found),
        "image_files": _image_files(found),
        "unreadable": _unreadable(found.unreadable),
    }
    return {name: text for name, text in told.items() if text}


def _imbalance(found: Inspection) -> str:
    whole = found.whole
    if whole.mean_imbalance is None or whole.largest_imbalance is None:
        return "No label is true anywhere."
    rarest = found.label_names[int(np.nanargmax(whole.imbalance))]
    commonest = found.label_names[int(whole.counts.argmax())]
    return (
        f"Imbalance (positives of the most frequent label, {commonest!r}, over a label's own; Charte et al. 2015): "
        f"{whole.mean_imbalance:.4g} on average, {whole.largest_imbalance:.4g} at most ({rarest!r})."
    )


def _rare(found: Inspection) -> str:
    counts = found.splits["train"].counts
    few = int(((counts > 0) & (counts < FEW)).sum())
    verb = "has" if few == 1 else "have"
    return f"{few} of {len(counts)} labels {verb} 1 to {FEW - 1} positives in training." if few else ""


def _never_true(found: Inspection) -> str:
    numbers = {name: facts.never_true for name, facts in found.splits.items() if facts.never_true}
    if not numbers:
        return "Every label is true in every split."
    where = ", ".join(f"{number} in {name}" for name, number in numbers.items())
    never = [found.label_names[place] for place in np.flatnonzero(found.splits["train"].counts == 0)]
    which = f" In training: {listed(never)}." if never else ""
    of = f"Labels without a positive, of {len(found.label_names)}"
    return f"{of}: {where}; their figures are undefined there.{which}"


def _pairs(found: Inspection) -> str:
    if not found.pairs:
        return f"No two labels are true together in {LEAST_TOGETHER} samples." if len(found.label_names) > 1 else ""
    return (
        f"Together: pairs in at least {LEAST_TOGETHER} samples, by the Jaccard index (both / one of them); lift: times "
        "as often as if independent."
    )


def copies(found: Inspection) -> list[tuple[str, Copies, int]]:
    """Where samples have the inputs of another, which, and of how many; only where there are any."""
    rows = [(f"within {name}", one, name) for name, one in found.within.items()]
    rows += [(f"{other} from {first}", one, other) for (first, other), one in found.across.items()]
    return [(where, one, found.splits[name].num_samples) for where, one, name in rows if one.count]


def _copies(found: Inspection) -> str:
    what = f"pixels at {found.input_shape[2]} x {found.input_shape[1]}" if found.kind == "images" else "inputs"
    if not copies(found):
        return f"Copies: no two samples have the same {what}."
    return f"Copies have the same {what} as an earlier sample of their split, or as one of another."


def _same_ids(ids: Mapping[tuple[str, str], Copies]) -> str:
    texts = []
    for (first, other), one in ids.items():
        where = f"{first} twice" if first == other else f"{first} and {other}"
        texts.append(f"{one.count} in {where} ({listed([name for name, _ in one.examples])})")
    return f"The same names: {'; '.join(texts)}." if texts else ""


def _unknown(found: Inspection) -> str:
    entries = found.whole.num_samples * len(found.label_names)
    share = f"{100 * found.whole.unknown / entries:.3g} %"
    return f"{share} of the targets are unknown; here they count as not true." if found.whole.unknown else ""


def _baselines(found: Inspection) -> str:
    test = found.splits["test"]
    known = test.num_samples * len(found.label_names) - test.unknown
    if not known:
        return ""
    nothing = int(test.counts.sum()) / known
    left_out = "" if found.baselines else " Further baselines are left out: so many targets take a run to score."
    return (
        f"Predicting nothing has a Hamming loss of {nothing:.4g} on test and is right on {zeros(nothing)} % of its "
        f"targets: neither says that a model has learned anything.{left_out}"
    )


def _image_files(found: Inspection) -> str:
    files = found.image_files
    if files is None:
        return ""
    width, height = (f"{low} to {high} (median {middle:g})" for low, middle, high in (files.width, files.height))
    sizes = f"{counted(files.distinct, 'size')} among {counted(files.number, 'image file')}"
    return f"{sizes}: width {width}, height {height} pixels; read as {found.input_shape[2]} x {found.input_shape[1]}."


def _unreadable(unreadable: Mapping[str, int]) -> str:
    where = ", ".join(f"{number} of {split}" for split, number in unreadable.items() if number)
    if not where:
        return ""
    return f"Unreadable images, left out here: {where}; training refuses them unless dataset.on_bad_image=skip."
