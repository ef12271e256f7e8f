"""The tables behind a comparison: the settings of its rows, what they were given, and every run."""

from collections import Counter
from collections.abc import Callable, Sequence

from mllc.page.cells import EMPTY, ROW, SPLITS, figure, sort_key, time, whole
from mllc.page.document import Cell, Facts, Heading, Table
from mllc.report.comparison import Row, label, repeat_word
from mllc.report.conclusion import figure_name
from mllc.report.notes import plain
from mllc.report.tables import duration
from mllc.study import Study
from mllc.wording import counted


def settings_table(name: str, trained: Sequence[Row]) -> Table:
    """A line a row; a column for each telling setting that most rows have, the chosen first; the rest in words."""
    keys, chosen = telling(trained), {key for row in trained for key in row.chosen}
    having = Counter(key for row in trained for key in row.settings)
    columns = sorted((key for key in keys if having[key] * 2 > len(trained)), key=lambda key: key not in chosen)
    rest = [key for key in keys if key not in columns]
    lines = [
        [
            Cell(label(row)),
            *(_setting(row, key) for key in columns),
            Cell(", ".join(f"{key}={plain(row.settings[key])}" for key in rest if key in row.settings)),
        ]
        for row in trained
    ]
    headings = [
        Heading(key, number=any(sort_key(row.settings.get(key)) is not None for row in trained)) for key in columns
    ]
    caption = "The settings in which rows differ, and those that were chosen on validation, in bold"
    return Table(name, caption, [ROW, *headings, Heading("others", number=False)], [lines])


def shared(trained: Sequence[Row]) -> Facts:
    """What all rows have in common: data, network, budget, and settings of one value."""
    apart = telling(trained)
    common = trained[0].block | {key: value for key, value in trained[0].settings.items() if key not in apart}
    return Facts([(key, plain(value)) for key, value in common.items()])


def telling(trained: Sequence[Row]) -> list[str]:
    """The settings that some row chose, that have different values, or that only some rows have."""
    keys = dict.fromkeys(key for row in trained for key in row.settings)
    values = {key: {str(row.settings.get(key, "(none)")) for row in trained} for key in keys}
    return [key for key in keys if len(values[key]) > 1 or any(key in row.chosen for row in trained)]


def budget_table(name: str, trained: Sequence[Row]) -> Table:
    """What each row was given, and what it took."""
    columns: list[tuple[Heading, Callable[[Row], Cell]]] = [
        (ROW, lambda row: Cell(label(row))),
        (Heading(f"{repeat_word(trained)}s"), lambda row: whole(len(row.runs))),
        (Heading("settings tried"), lambda row: whole(row.tried)),
        (Heading("runs"), lambda row: whole(row.trials)),
        (Heading("diverged or failed"), lambda row: whole(row.trials_failed)),
        (Heading("training time"), time),
    ]
    if any(row.studies for row in trained):
        columns.append((Heading("search", number=False), lambda row: Cell("; ".join(map(_searched, row.studies)))))
    runs, seconds = sum(row.trials for row in trained), sum(row.seconds for row in trained)
    caption = f"What each row was given: {counted(runs, 'run')} in all, {duration(seconds)} of training"
    lines = [[cell(row) for _, cell in columns] for row in trained]
    return Table(name, caption, [heading for heading, _ in columns], [lines])


def runs_table(name: str, trained: Sequence[Row], metric: str) -> Table:
    """Every run whose figures the comparison shows."""
    lines = [
        [
            Cell(label(row) + " †" * (row.split == "val")),
            whole(run.seed) if run.fold is None else Cell(f"{run.seed}, fold {run.fold}"),
            Cell(run.status if run.status == "done" else run.status.upper()),
            figure(((run.test if row.split == "test" else run.val) or {}).get(metric), metric),
            figure(run.monitor_value, run.monitor.removeprefix("val_")),
            Cell(f"{run.best_epoch or '-'} of {run.epochs}", run.best_epoch),
            Cell(run.collapse.get("verdict") or ""),
            Cell(duration(run.seconds), run.seconds),
            Cell(run.run_id),
        ]
        for row in trained
        for run in row.runs
    ]
    measured = f"{figure_name(metric)} on {SPLITS[trained[0].split]}"
    headings = [ROW, Heading("seed"), Heading("status", number=False), Heading(measured)]
    headings += [Heading(trained[0].runs[0].monitor), Heading("best epoch"), Heading("collapse", number=False)]
    headings += [Heading("time"), Heading("run", number=False)]
    return Table(name, "The runs that the comparison shows", headings, [lines], filtered=True)


def _setting(row: Row, key: str) -> Cell:
    if key not in row.settings:
        return EMPTY
    ends = [study.at_edge()[key] for study in row.studies if key in study.at_edge()]
    text = plain(row.settings[key]) + "".join(f" (at the {end} end)" for end in ends)
    return Cell(text, sort_key(row.settings[key]), "chosen" if key in row.chosen else "")


def _searched(study: Study) -> str:
    """`tpe, 20 of 20 trials, 3 pruned: optimizer.lr=tag(log,interval(0.001,0.1))`"""
    pruned = sum(one.status == "pruned" for one in study.tries)
    space = " ".join(f"{key}={one}" for key, one in study.space.items())
    text = f"{study.sampler}, {study.completed()} of {study.wanted} trials"
    return f"{text}{f', {pruned} pruned' if pruned else ''}: {space}"
