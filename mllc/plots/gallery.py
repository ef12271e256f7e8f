"""Finished runs -> every picture that they allow, and for the others, why not."""

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby

from mllc.plots import critical_difference, judged, words
from mllc.plots.gather import gather
from mllc.plots.picture import Picture
from mllc.plots.scene import MAKERS, Scene
from mllc.report.comparison import Row, rows
from mllc.report.loading import Finished
from mllc.report.notes import title

REGION = 0.005
"""Half the width of the region of practical equivalence: half a point of a metric between 0 and 1."""


def figures(
    finished: Finished,
    by: str = "loss",
    metric: str = "map",
    *,
    baseline: str = "bce",
    region: float = REGION,
    labels: Sequence[str] = (),
    only: Collection[str] = tuple(MAKERS),
) -> tuple[dict[str, Picture], dict[str, str]]:
    """The pictures by name, and for each of the others why there is nothing to draw.

    A single run gets its own curves. Where the runs are of several comparisons, each has its pictures, with the name
    of its data in theirs.

    baseline  the row that the others are compared with, where there is one of that name
    region    half the width of the region of practical equivalence, in units of the metric
    only      names of the pictures that each comparison gets
    labels    names of those that precision and recall are drawn of; none: a head, a medium and a tail label

    ConfigError for a `by`, a metric or a label that is not known; StoreError for a damaged file.
    """
    made = rows(finished.results, by, metric, finished.studies)
    blocks = [list(block) for _, block in groupby(made, key=lambda row: row.block)]
    scenes = [
        Scene(gather(block, finished, by, metric, labels), title(block, blocks), ending, baseline, region)
        for block, ending in zip(blocks, _endings([block[0] for block in blocks]), strict=True)
    ]
    found = {name + scene.ending: make(scene) for scene in scenes for name, make in MAKERS.items() if name in only}
    found["critical_difference"] = critical_difference_of([scene.rows for scene in scenes], metric)
    return (
        {name: picture for name, picture in found.items() if isinstance(picture, Picture)},
        {name: reason for name, reason in found.items() if isinstance(reason, str)},
    )


def critical_difference_of(blocks: Sequence[Mapping[str, Row]], metric: str) -> Picture | str:
    """The ranks of the rows, by name, over several data sets; or why there are none."""
    found = judged.over_data_sets(blocks, metric)
    if found is None:
        return "it takes two data sets that share two rows"
    text = f"Mean ranks by {words.spelled(metric)} on test over {found.n} data sets"
    if found.verdict:
        friedman = f"Friedman p = {found.friedman_p:.2g}; " if found.friedman_p is not None else ""
        note = f"{friedman}a bar joins rows of which no pair differs (Wilcoxon, Holm, p < 0.05)"
    else:
        note = f"{found.n} data sets are too few for a test: ranks, no verdict"
    figure = critical_difference.draw(found.ranks, found.cliques, title=text, note=note)
    ranks = ", ".join(f"{name} {rank:.2f}" for name, rank in found.ranks.items())
    return Picture("critical_difference", text, f"{text}: {ranks}; {note}.", figure)


def _endings(firsts: Sequence[Row]) -> list[str]:
    """What tells the names of several comparisons' pictures apart: their data, numbered where it is the same."""
    if len(firsts) == 1:
        return [""]
    endings: list[str] = []
    for row in firsts:
        files = row.runs[0].data.get("files", {}).values() if row.runs else ()
        name = "_".join([row.dataset, *(file.partition(".")[0] for file in list(files)[:1])])
        ending = "-" + re.sub(r"[^A-Za-z0-9_]+", "_", name)
        endings.append(ending if ending not in endings else f"{ending}-{len(endings) + 1}")
    return endings
