"""The pictures of one comparison: what was gathered, drawn, with titles and captions; or why there is none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from mllc.monitors import MONITORS
from mllc.plots import (
    intervals,
    label_frequency,
    precision_recall,
    threshold_curves,
    training_curves,
    tried_settings,
    verdict_matrix,
    words,
)
from mllc.plots.gather import Gathered
from mllc.plots.picture import Picture
from mllc.report.comparison import Row, repeat_word, repeats
from mllc.report.verdicts import Question, every_pair, seed_values
from mllc.wording import counted

MOST_PANELS, MOST_MATRIX = 24, 40
"""Rows of the picture of thresholds, and of the matrix: the first ones of the table."""

NOT_TESTED = "no run here was scored on test: mllc train, or a sweep's own command, does that"


@dataclass(frozen=True, eq=False)
class Scene:
    """One block of a comparison, about to be drawn.

    where   the line under each title: the data and the backbone
    ending  what the names of its pictures end in, where there are several blocks
    """

    data: Gathered
    where: str
    ending: str
    asked: Question

    @property
    def rows(self) -> Mapping[str, Row]:
        return self.data.rows

    @property
    def first(self) -> Row:
        return next(iter(self.rows.values()))

    @property
    def measured(self) -> str:
        """The metric and the split it was measured on."""
        return f"{words.spelled(self.data.metric)} on {words.SPLITS[self.first.split or 'val']}"

    def picture(
        self, name: str, title: str, caption: str, draw: Callable[..., Any], *data: Any, **known: Any
    ) -> Picture:
        title = title if title.startswith("mAP") else title[0].upper() + title[1:]
        figure = draw(*data, title=f"{title}\n{self.where}", **known)
        return Picture(name + self.ending, title, f"{title}{caption}.", figure)


def comparison(scene: Scene) -> Picture | str:
    if len(scene.rows) < 2:
        return "there is one row: nothing to compare"
    asked = scene.asked
    found = [_estimate(name, row, asked.metric) for name, row in scene.rows.items()]
    known = [(row.name, row.mean) for row in found if row.mean is not None]
    if not known:
        return f"no row has a value of {asked.metric}"
    caption = f" of {counted(len(found), 'row')}, from {_valued(*known[0])} to {_valued(*known[-1])}"
    baseline = asked.baseline if asked.baseline in dict(known) else None
    if baseline:
        told = [f"{row.name} {row.verdict}" for row in found if row.verdict in ("better", "worse")]
        caption += f"; against {baseline}: {', '.join(told) or 'none is better or worse for sure'}"
    return scene.picture(
        "comparison",
        scene.measured,
        caption,
        intervals.draw,
        found,
        axis=words.axis(asked.metric, scene.first.split),
        baseline=baseline,
        region=asked.region,
        repeat=repeat_word(list(scene.rows.values())),
        bounds=(0, 1) if all(0 <= value <= 1 for row in found for value in row.values) else (-inf, inf),
    )


def verdicts(scene: Scene) -> Picture | str:
    kept = dict(list(scene.rows.items())[:MOST_MATRIX])
    found = {pair: one for pair, one in every_pair(list(kept.values()), scene.asked).items() if one.verdict}
    if not found:
        return "it takes two rows on test with two seeds in common"
    opposite = {"better": "worse", "worse": "better"}
    words_of = {pair: str(one.verdict) for pair, one in found.items()}
    number = {word: list(words_of.values()).count(word) for word in verdict_matrix.SIGNS}
    names = [name for name in kept if any(name in pair for pair in found)]
    rows = counted(len(names), "row") + (f" of {len(scene.rows)}" if len(names) < len(scene.rows) else "")
    return scene.picture(
        "verdicts",
        f"Which row is better? {scene.measured}",
        f": of {counted(len(found), 'pair')} of {rows}, {number['better'] + number['worse']} differ, "
        f"{number['equivalent']} are equivalent and {number['inconclusive']} inconclusive; p is adjusted for all these "
        "pairs, in the table for those with the baseline",
        verdict_matrix.draw,
        names,
        words_of | {(b, a): opposite.get(word, word) for (a, b), word in words_of.items()},
        differences={(a, b): one.mean for (a, b), one in found.items()}
        | {(b, a): -one.mean for (a, b), one in found.items()},
        unit=words.spelled(scene.data.metric),
    )


def training(scene: Scene) -> Picture | str:
    histories = scene.data.histories
    if not histories:
        return "no run has a history.csv"
    run = scene.first.runs[0]
    vals = [run.val for row in scene.rows.values() for run in row.runs if run.val]
    true = vals[0].get("true_labels_per_sample") if vals else None
    caption = (
        f": loss, {words.spelled(run.monitor)} on validation, and labels predicted per sample by the own rule"
        + (f" ({true:.2f} are true)" if true else "")
        + ", over the epochs"
    )
    known = {"monitor": run.monitor, "true_labels": true}
    if len(scene.data.finished.results) == 1:
        title = f"Training curves of {run.name}, seed {run.seed}"
        verdict = run.collapse.get("verdict")
        caption += f"; the run is {verdict}" if verdict else ""
        known |= {"best_epoch": run.best_epoch, "collapse": run.collapse}
        (history,) = next(iter(histories.values()))
        return scene.picture("training_curves", title, caption, training_curves.draw_run, history, **known)
    caption = (
        f" of {counted(len(histories), 'row')}{caption}; mean and range over {repeat_word(list(scene.rows.values()))}s"
    )
    known |= {"baseline": scene.asked.baseline}
    return scene.picture("training_curves", "Training curves", caption, training_curves.draw_rows, histories, **known)


def thresholds(scene: Scene) -> Picture | str:
    if not scene.data.scored:
        return NOT_TESTED
    kept = dict(list(scene.data.scored.items())[:MOST_PANELS])
    gains = {
        name: float(np.mean([run.tuned[1] - run.own[1] for run in runs if run.tuned is not None] or [0.0]))
        for name, runs in kept.items()
    }
    name, gain = max(gains.items(), key=lambda pair: abs(pair[1]))
    return scene.picture(
        "f1_against_threshold",
        "Micro-F1 on test against the threshold",
        f" for {_of(kept, scene)}, with the own rule, the threshold tuned on validation and probability 0.5 marked; "
        f"tuning changes {name}{' most' if len(kept) > 1 else ''} ({gain:+.3f})",
        threshold_curves.draw,
        kept,
        scales=scene.data.scales(),
        rules={name: str(row.runs[0].settings.get("loss.rule", "own rule")) for name, row in scene.rows.items()},
    )


def precision_and_recall(scene: Scene) -> Picture | str:
    if not scene.data.scored:
        return NOT_TESTED
    labels = scene.data.chosen_labels()
    single = f" and for single labels ({'; '.join(labels.values())})" if labels else ""
    return scene.picture(
        "precision_recall",
        "Precision against recall on test",
        f" of {_of(scene.data.scored, scene)}: for all labels in one list{single}",
        precision_recall.draw,
        scene.data.scored,
        labels=labels,
        baseline=scene.asked.baseline,
    )


def frequency(scene: Scene) -> Picture | str:
    found = scene.data.mean_labels()
    if not found:
        return NOT_TESTED
    figure = words.spelled(scene.data.label_column)
    counts = np.mean([one.training for one in found.values()], 0)
    name, first = next(iter(found.items()))
    tail, _, head = label_frequency.by_group(counts, first.figures)
    return scene.picture(
        "label_frequency",
        f"{figure} of each label on test against its frequency in training",
        f", of {_of(found, scene)}: running median, and mean in each third of the labels "
        f"({name}: {tail:.3f} for the rarest third, {head:.3f} for the most frequent)",
        label_frequency.draw,
        {name: one.figures for name, one in found.items()},
        counts,
        axis=figure,
        baseline=scene.asked.baseline,
    )


def settings(scene: Scene) -> Picture | str:
    tried, ranges = scene.data.tried()
    varied = tried_settings.varied(tried)
    if not varied:
        return "every row tried one setting only"
    if not any(trial.value is not None for trials in tried.values() for trial in trials):
        return "no trial has a value on validation"
    monitor = scene.first.runs[0].monitor
    return scene.picture(
        "settings",
        f"{words.spelled(monitor)} on validation against each setting that was tried",
        f": {', '.join(varied[: tried_settings.MOST_PANELS])}; {counted(sum(map(len, tried.values())), 'run')}, the "
        "chosen ringed",
        tried_settings.draw,
        tried,
        axis=words.axis(monitor, "val"),
        ranges=ranges,
        baseline=scene.asked.baseline,
        lower_is_better=MONITORS.get(monitor) == "min",
    )


MAKERS: dict[str, Callable[[Scene], Picture | str]] = {
    "comparison": comparison,
    "verdicts": verdicts,
    "training_curves": training,
    "f1_against_threshold": thresholds,
    "precision_recall": precision_and_recall,
    "label_frequency": frequency,
    "settings": settings,
}
"""Name of a picture -> what makes it, or says why there is nothing to draw."""


def _estimate(name: str, row: Row, metric: str) -> intervals.Estimate:
    one = row.difference
    return intervals.Estimate(
        name=name,
        mean=row.metrics.get(metric),
        interval=row.interval,
        values=tuple(seed_values(row, metric)),
        difference=(one.mean, one.low, one.high) if one else None,
        verdict=(one.verdict or "") if one else "",
        mark=("†" if row.split == "val" else "") + ("!" if row.split and row.status != "done" else ""),
    )


def _valued(name: str, mean: float) -> str:
    return f"{name} ({mean:.3f})"


def _of(drawn: Mapping[str, object], scene: Scene) -> str:
    """How many rows are drawn, and where that is not all, how many there are and how many seeds of each."""
    rows = counted(len(drawn), "row")
    seeds = max(len(runs) for runs in scene.data.drawn.values())
    if len(drawn) == len(scene.rows) and seeds == max(len(row.runs) for row in scene.rows.values()):
        return rows
    return f"{rows} of {len(scene.rows)} ({repeats(seeds, list(scene.rows.values()))} each)"
