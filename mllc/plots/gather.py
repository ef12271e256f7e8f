"""The rows of a comparison and their run folders -> the plain data that pictures are drawn from."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from mllc.errors import ConfigError
from mllc.plots import precision_recall
from mllc.plots.folders import History, read_history, read_labels, read_scores
from mllc.plots.score_curves import ScoredRun, scored_run
from mllc.plots.style import points_each
from mllc.plots.threshold_curves import own_cut
from mllc.plots.tried_settings import Tried
from mllc.report.comparison import Row, label
from mllc.report.loading import Finished
from mllc.report.selection import select
from mllc.result import RunResult
from mllc.study import Range
from mllc.suggest import did_you_mean
from mllc.wording import counted, listed

MOST_RUNS, MOST_SCORES = 48, 100_000_000
"""Runs whose scores and labels are read, and scores in all: the first seeds of each row, at least one."""


GONE = "gone: "
"""How the reason begins where a row is missing in pictures because files of its runs are."""


@dataclass(frozen=True, eq=False)
class Labels:
    """Figures of each label: of one run, or the means of several.

    names     of the labels
    training  positives of each in the training split
    test      likewise
    figures   the wanted column, NaN for labels without one
    """

    names: Sequence[str]
    training: NDArray[np.float64]
    test: NDArray[np.float64]
    figures: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Gathered:
    """The trained rows of one block of a comparison, and what their run folders hold, read where it is asked for.

    rows      by name, in the order of the table
    wanted    names of the labels that precision and recall are drawn of; none: a head, a medium and a tail label
    """

    rows: Mapping[str, Row]
    finished: Finished
    by: str
    metric: str
    wanted: Sequence[str] = ()

    @property
    def label_column(self) -> str:
        """The column of per_label.csv that is nearest to the metric."""
        if "f1" not in self.metric:
            return "ap"
        return next((f"f1{way}" for way in ("_tuned", "_per_label") if self.metric.endswith(way)), "f1")

    @cached_property
    def histories(self) -> dict[str, list[History]]:
        """The curves of every run that left some; rows without any are left out."""
        found = {
            name: [history for run in row.runs if len((history := read_history(self._folder(run))).get("epoch", ()))]
            for name, row in self.rows.items()
        }
        return {name: histories for name, histories in found.items() if histories}

    @cached_property
    def drawn(self) -> dict[str, list[RunResult]]:
        """The runs of each row whose scores are read; see MOST_RUNS."""
        tested = {name: [run for run in row.runs if run.test is not None] for name, row in self.rows.items()}
        size = max((_size(run) for runs in tested.values() for run in runs), default=1)
        each = max(1, min(MOST_RUNS, MOST_SCORES // size) // len(tested))
        return {name: runs[:each] for name, runs in tested.items() if runs}

    @cached_property
    def of_labels(self) -> dict[str, dict[str, Labels]]:
        """Row -> run id -> what per_label.csv says; rows and runs without the file are left out."""
        columns = ("train_positives", "test_positives", self.label_column)
        rows: dict[str, dict[str, Labels]] = {}
        for name, runs in self.drawn.items():
            for run in runs:
                found = read_labels(self._folder(run), columns, run.data.get("num_labels"))
                if found is not None:
                    rows.setdefault(name, {})[run.run_id] = Labels(found[0], *(found[1][one] for one in columns))
        return rows

    def lost(self) -> dict[str, str]:
        """Row -> the files that its finished runs should have and that are gone, so that pictures lack them."""
        rows: dict[str, str] = {}
        for name, row in self.rows.items():
            gone = Counter(
                file
                for run in row.runs
                if run.status == "done"
                for file in ("history.csv", *(("per_label.csv", "scores.safetensors") if run.test else ()))
                if not (self._folder(run) / file).exists()
            )
            if gone:
                files = ", ".join(f"{file} of {counted(number, 'run')}" for file, number in gone.items())
                rows[name] = f"{GONE}{files}"
        return rows

    def mean_labels(self) -> dict[str, Labels]:
        """Row -> the means over its runs; a label without a figure in any of them has none."""
        return {
            name: Labels(
                next(iter(runs.values())).names,
                np.mean([one.training for one in runs.values()], 0),
                np.mean([one.test for one in runs.values()], 0),
                np.mean([one.figures for one in runs.values()], 0),
            )
            for name, runs in self.of_labels.items()
        }

    def chosen_labels(self) -> dict[int, str]:
        """Index -> how the label is introduced. ConfigError for a wanted name that the data does not have."""
        found = next((one for runs in self.of_labels.values() for one in runs.values()), None)
        if found is None:
            return {}
        if self.wanted:
            unknown = [name for name in self.wanted if name not in found.names]
            if unknown:
                hint = did_you_mean(unknown[0], list(found.names))
                raise ConfigError(
                    f"--label {unknown[0]!r} is not a label of this data{hint} There are {listed(found.names)}"
                )
            return {found.names.index(name): name for name in self.wanted}
        picked = precision_recall.examples(found.training, found.test)
        return {
            at: f"{group}: {found.names[at]} ({counted(int(found.training[at]), 'training sample')})"
            for group, at in picked.items()
        }

    @cached_property
    def scored(self) -> dict[str, list[ScoredRun]]:
        """The curves of every drawn run that has its scores, read one file at a time."""
        chosen = tuple(self.chosen_labels())
        points = points_each(len(self.drawn) * (3 + len(chosen)))
        rows: dict[str, list[ScoredRun]] = {}
        for name, run in ((name, run) for name, runs in self.drawn.items() for run in runs):
            found = read_scores(self._folder(run), run.data.get("num_labels"))
            if found is not None:
                labels = self.of_labels.get(name, {}).get(run.run_id)
                samples = run.data.get("samples", {}).get("train")
                mean = float(labels.training.sum()) / samples if labels is not None and samples else None
                cut = own_cut(run.settings, mean)
                curves = scored_run(found, tuned=run.threshold, own_cut=cut, labels=chosen, points=points)
                rows.setdefault(name, []).append(curves)
        return rows

    def scales(self) -> dict[str, str]:
        """Row -> what its scores are, by the traits of its loss: logits, softmax or product."""
        return {name: self._scale(runs[0]) for name, runs in self.drawn.items()}

    def tried(self) -> tuple[dict[str, list[Tried]], dict[str, dict[str, Range]]]:
        """Row -> every trial it was chosen from, and row -> where its study searched each setting."""
        rows: dict[str, list[Tried]] = {}
        ranges: dict[str, dict[str, Range]] = {}
        chosen_from = select(self.finished.results, self.by, self.finished.studies)
        selected = {_key(one.block, one.group): one for one in chosen_from}
        for name, row in self.rows.items():
            found = selected[_key(row.block, row.group)]
            for study in found.studies:  # its repeats have other validation samples: no points of this picture
                ranges.setdefault(name, {}).update(study.space)
                rows.setdefault(name, []).extend(
                    Tried(one.values, one.value if one.status == "done" else None, one.values == study.chosen)
                    for one in study.tries
                )
            if not found.studies:
                chosen = {run.run_id for run in row.runs}
                rows[name] = [
                    Tried(run.settings, run.monitor_value if run.status == "done" else None, run.run_id in chosen)
                    for run in found.trials
                ]
        return rows, ranges

    def _folder(self, run: RunResult) -> Path:
        return self.finished.folders[run.run_id]

    def _scale(self, run: RunResult) -> str:
        try:
            config = yaml.safe_load((self._folder(run) / "config.yaml").read_text(encoding="utf-8"))
            return str(config["loss"]["traits"]["scores"])
        except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
            return ""


def gather(block: Sequence[Row], finished: Finished, by: str, metric: str, wanted: Sequence[str] = ()) -> Gathered:
    """The trained rows of a block, by name."""
    return Gathered({label(row): row for row in block if row.runs}, finished, by, metric, wanted)


def _size(run: RunResult) -> int:
    """Scores on test."""
    return max(1, run.data.get("num_labels", 1) * run.data.get("samples", {}).get("test", 1))


def _key(block: Mapping[str, Any], group: Mapping[str, Any]) -> str:
    return repr((sorted(block.items(), key=str), sorted(group.items(), key=str)))
