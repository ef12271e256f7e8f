"""A data set before training: how often each label is true, how many a sample has, which go together."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mllc.inspection import Inspection
from mllc.plots import style
from mllc.plots.picture import Picture
from mllc.plots.style import styled
from mllc.wording import counted

MOST_BARS = 40
"""Numbers of labels that are drawn; samples with more are in the last bar."""


def picture(found: Inspection, title: str) -> Picture:
    """The three panels of `draw`."""
    whole, names = found.whole, found.label_names
    caption = (
        f"{counted(len(names), 'label')} by rank against their positives, from {whole.counts.max()} to "
        f"{whole.counts.min()}; {whole.cardinality:.2f} true labels a sample on average, {whole.empty} samples with "
        f"none; and how often the {len(found.frequent.labels)} most frequent labels are true together."
    )
    return Picture("data_set", f"The labels of {title}", caption, draw(found, title))


@styled
def draw(found: Inspection, title: str) -> Figure:
    """Left: positives by rank in each split. Middle: share of samples by true labels. Right: Jaccard indices."""
    heading = (
        f"The labels of {style.shorten(title, 80)}\n{counted(found.whole.num_samples, 'sample')}, "
        f"{counted(len(found.label_names), 'label')}, {found.whole.cardinality:.2f} true a sample"
    )
    figure, [[ranks, numbers, together]] = style.panels(1, 3, (13, 4.6), heading, width_ratios=[4, 3, 5])
    _ranks(ranks, found)
    _numbers(numbers, found)
    _together(together, found, figure)
    return figure


def _ranks(axes: Axes, found: Inspection) -> None:
    looks = style.looks(list(found.splits))
    handles = []
    for name, facts in found.splits.items():
        counts = np.sort(facts.counts)[::-1]
        counts = counts[counts > 0]
        shown = style.thinned(len(counts))
        never = f", {facts.never_true} never true" if facts.never_true else ""
        handles += axes.plot(1 + shown, counts[shown], label=f"{name}{never}", **looks[name].line(len(shown)))
    known = [facts.counts[facts.counts > 0] for facts in found.splits.values()]
    low, high = (end(map(end, filter(len, known)), default=1) for end in (min, max))
    axes.set_ylim(low / 1.5, max(high, low + 1) * 1.5)
    style.log_scale(axes, "y")
    axes.set_xlabel("label, by rank in its split")
    axes.set_ylabel("positives (count, log scale)")
    axes.set_title("How often labels are true")
    axes.legend(handles=handles, loc="best")


def _numbers(axes: Axes, found: Inspection) -> None:
    samples = found.whole.per_sample
    shown = samples[: MOST_BARS + 1].astype(float)
    if len(samples) > len(shown):
        shown[-1] += samples[len(shown) :].sum()
    axes.bar(range(len(shown)), 100 * shown / samples.sum(), color="0.75", edgecolor="0.4", linewidth=0.6)
    mean = found.whole.cardinality
    axes.axvline(mean, color=style.COLORS[1], linewidth=1.2, linestyle=(0, (5, 2)))
    style.note(axes, f"mean {mean:.2f}", (mean, 1), ("data", "axes fraction"), (4, -2), va="top")
    axes.grid(visible=False, axis="x")
    style.whole_numbers(axes)
    axes.set_xlabel(f"true labels of a sample{f' ({MOST_BARS}: or more)' if len(samples) > len(shown) else ''}")
    axes.set_ylabel("share of samples (%)")
    axes.set_title("How many a sample has")


def _together(axes: Axes, found: Inspection, figure: Figure) -> None:
    both = found.frequent.together.astype(float)
    number = len(both)
    axes.grid(visible=False)
    axes.set_title(f"Which go together: the {number} most frequent, in one order both ways")
    if not number:
        return
    own = both.diagonal()
    jaccard = both / (own[:, None] + own[None, :] - both)
    np.fill_diagonal(jaccard, np.nan)
    largest = np.nanmax(jaccard) if number > 1 else 0
    image = axes.imshow(jaccard, cmap="Greys", vmin=0, vmax=largest or 1, interpolation="nearest")
    names = [style.shorten(found.label_names[label], 16) for label in found.frequent.labels]
    size = 6.5 if number > 15 else 8
    axes.set_xticks([])
    axes.set_yticks(range(number), names, size=size)
    figure.colorbar(image, ax=axes, label="Jaccard index", shrink=0.8)
