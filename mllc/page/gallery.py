"""The pictures of a comparison as parts of a page: as many as it has room for, and can be waited for."""

from dataclasses import replace

from mllc.page.document import Drawing, Part, Text
from mllc.plots import Picture, figures
from mllc.plots.gallery import MAKERS
from mllc.plots.gather import GONE
from mllc.report.loading import Finished
from mllc.report.verdicts import Question

MOST_BYTES = 1_500_000
"""Of all pictures of a page; the largest are left out first."""

MOST_PICTURES = 28
"""On a page, each of which takes a quarter of a second: of many comparisons, the first kinds of each."""


def pictures_of(finished: Finished, by: str, asked: Question, prefix: str = "", share: float = 1.0) -> list[Part]:
    """The pictures of one comparison, which has a `share` of what a page may hold, and which are left out.

    Their ids begin with `prefix`. StoreError for a damaged file.
    """
    kinds = list(MAKERS)[: max(2, int(share * MOST_PICTURES))]
    found, missing = figures(finished, by, asked, only=kinds)
    drawn = {picture: drawing(picture, prefix) for picture in found.values()}
    sizes = {picture: len(one.svg.encode()) for picture, one in drawn.items()}
    while sum(sizes.values()) > share * MOST_BYTES:
        del sizes[max(sizes, key=lambda picture: sizes[picture])]
    left = [name for name in MAKERS if name not in kinds] + [one.name for one in drawn if one not in sizes]
    text = f"Left out, for a page holds only so much: {', '.join(left)}. All of them: mllc report --plots DIR"
    gone = [f"{name} ({reason})" for name, reason in missing.items() if reason.startswith(GONE)]
    parts = [Text(f"Incomplete: {'; '.join(gone)}.")] if gone else []
    return [*(drawn[picture] for picture in sizes), *([Text(text)] if left else []), *parts]


def drawing(picture: Picture, prefix: str = "") -> Drawing:
    """A picture whose ids begin with `prefix`, and picture-."""
    svg = replace(picture, name=f"{prefix}picture-{picture.name}").svg()
    return Drawing(picture.title, picture.caption, svg)
