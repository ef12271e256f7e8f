"""Finished runs -> every picture that they allow, and for the others, why not."""

import re
from collections.abc import Collection, Sequence

from mllc.plots import critical_difference, words
from mllc.plots.gather import gather
from mllc.plots.picture import Picture, parted
from mllc.plots.scene import MAKERS, Scene
from mllc.report import compared
from mllc.report.comparison import Row
from mllc.report.datasets import over_data_sets
from mllc.report.loading import Finished
from mllc.report.notes import title
from mllc.report.verdicts import Question


def figures(
    finished: Finished,
    by: str = "loss",
    asked: Question = Question(),
    *,
    labels: Sequence[str] = (),
    only: Collection[str] = tuple(MAKERS),
) -> tuple[dict[str, Picture], dict[str, str]]:
    """The pictures by name, and for each of the others why there is nothing to draw.

    A single run gets its own curves. Where the runs are of several comparisons, each has its pictures, with the name
    of its data in theirs.

    labels  names of those that precision and recall are drawn of; none: a head, a medium and a tail label
    only    names of the pictures that each comparison gets

    ConfigError for a `by`, a metric or a label that is not known; StoreError for a damaged file.
    """
    blocks = compared(finished.results, asked, by=by, studies=finished.studies)
    scenes = [
        Scene(gather(block, finished, by, asked.metric, labels), title(block, blocks), ending, asked)
        for block, ending in zip(blocks, _endings([block[0] for block in blocks]), strict=True)
    ]
    found = {name + scene.ending: make(scene) for scene in scenes for name, make in MAKERS.items() if name in only}
    found["critical_difference"] = critical_difference_of(blocks, asked)
    for scene in scenes:
        found |= {f"{name} in some pictures{scene.ending}": reason for name, reason in scene.data.lost().items()}
    return parted(found)


def critical_difference_of(blocks: Sequence[Sequence[Row]], asked: Question) -> Picture | str:
    """The ranks of the rows, by name, over several data sets; or why there are none."""
    found = over_data_sets(blocks, asked)
    if found is None:
        return "it takes several data sets, each compared once, that share two rows"
    text = f"Mean ranks by {words.spelled(asked.metric)} on test over {found.n} data sets"
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
