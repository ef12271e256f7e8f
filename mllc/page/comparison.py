"""Finished runs -> the page that compares them: what may be concluded, on what ground, and how to do it again."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mllc.page import origin
from mllc.page.document import Document, Fold, Notes, Part, Section, Text
from mllc.page.gallery import drawing, pictures_of
from mllc.page.labels import labels_of
from mllc.page.rows import comparison_table, legend
from mllc.page.settings import budget_table, runs_table, settings_table, shared
from mllc.plots import Picture
from mllc.plots.gallery import critical_difference_of
from mllc.report import compared
from mllc.report.comparison import Row, label, repeats
from mllc.report.conclusion import conclusion
from mllc.report.datasets import over_data_sets, told
from mllc.report.loading import Finished
from mllc.report.notes import notes, title
from mllc.report.resampling import over_test_samples
from mllc.report.selection import block_of, group_keys
from mllc.report.tables import duration
from mllc.report.verdicts import Question
from mllc.wording import counted, listed

Block = Sequence[Row]


def comparison_page(
    finished: Finished,
    asked: Question,
    *,
    by: str = "loss",
    bootstrap: bool = False,
    command: str = "mllc report",
) -> Document:
    """The page of finished runs: a section for each comparison, if there are several.

    bootstrap  adds what other test samples might have said
    command    what was typed to make the page

    ConfigError for a `by` or a metric that is not known; StoreError for a damaged file.
    """
    blocks = compared(finished.results, asked, by=by, studies=finished.studies)
    folders = finished.folders if bootstrap else {}
    if len(blocks) == 1:
        (block,) = blocks
        start: list[Part] = [Text(title(block, blocks))]
        sections = [Section("conclusion", "Conclusion", _concluded(block, folders, asked))]
        sections += _sections(block, finished, asked, by)
    else:
        start = _ranked(blocks, asked)
        sections = [
            Section(
                f"data-{i}",
                title(block, blocks),
                _concluded(block, folders, asked),
                _sections(block, _of_block(block, finished, by), asked, by, f"data-{i}-", 1 / len(blocks)),
            )
            for i, block in enumerate(blocks, 1)
        ]
    repeat = Section("repeat", "How to repeat it", origin.told(finished.folders.values(), command))
    return Document(_title(blocks), _about(blocks), [*sections, repeat], start)


def _concluded(block: Block, folders: Mapping[str, Path], asked: Question) -> list[Part]:
    texts = [Text(conclusion(block, asked), "lead")]
    return [*texts, *map(Text, filter(None, [over_test_samples(block, folders, asked)] if folders else []))]


def _sections(
    block: Block, finished: Finished, asked: Question, by: str, prefix: str = "", share: float = 1.0
) -> list[Section]:
    """The sections of one comparison, which has a `share` of the room of a page; their names begin with `prefix`."""
    trained = [row for row in block if row.runs]
    table = comparison_table(f"{prefix}rows", block, asked)
    labels = labels_of(f"{prefix}labels", trained, finished.folders, asked, share)
    found: dict[str, tuple[str, list[Part]]] = {
        "comparison": (
            "Comparison",
            [table, Fold("What the columns say", [legend(table)]), Notes(notes(block, asked))],
        ),
        "pictures": ("Pictures", pictures_of(finished, by, asked, prefix, share)),
        "per-label": ("Labels", labels),
        "settings": (
            "Settings and budget",
            [
                settings_table(f"{prefix}chosen", trained),
                budget_table(f"{prefix}budget", trained),
                Fold("What all rows share", [shared(trained)]),
                Fold("Every run", [runs_table(f"{prefix}runs", trained, asked.metric)]),
            ],
        ),
    }
    return [Section(prefix + name, heading, parts) for name, (heading, parts) in found.items() if parts]


def _of_block(block: Block, finished: Finished, by: str) -> Finished:
    """The runs of one comparison, with all that it chose from."""
    keys = group_keys(by, finished.results)
    runs = [run for run in finished.results if block_of(run, keys) == block[0].block]
    return Finished(runs, {run.run_id: finished.folders[run.run_id] for run in runs}, finished.studies)


def _ranked(blocks: Sequence[Block], asked: Question) -> list[Part]:
    """What may be said of several data sets together; nothing where blocks are not data sets of their own."""
    over = over_data_sets(blocks, asked)
    if over is None:
        return []
    picture = critical_difference_of(blocks, asked)
    return [Text(told(over, blocks, asked), "lead"), *([drawing(picture)] if isinstance(picture, Picture) else [])]


def _title(blocks: Iterable[Block]) -> str:
    rows = dict.fromkeys(label(row) for block in blocks for row in block if row.runs)
    data = dict.fromkeys(block[0].dataset for block in blocks)
    return f"{listed(list(rows), 4, str)} on {listed(list(data), 4, str)}"


def _about(blocks: Sequence[Block]) -> str:
    rows = [row for block in blocks for row in block if row.runs]
    parts = [counted(len(blocks), "comparison")] if len(blocks) > 1 else []
    repeated = {run.repeat for row in rows for run in row.runs}
    parts += [counted(len(rows), "row"), repeats(len(repeated), rows)]
    parts += [counted(sum(row.trials for row in rows), "run")]
    return "; ".join([*parts, f"{duration(sum(row.seconds for row in rows))} of training"])
