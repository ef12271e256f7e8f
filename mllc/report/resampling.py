"""What other test samples might have said: the paired bootstrap of one seed's scores, beside what seeds say."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mllc.errors import ConfigError, StoreError
from mllc.report.comparison import Row, label
from mllc.report.conclusion import figure_name, number, span
from mllc.report.verdicts import Question
from mllc.result import RunResult
from mllc.statistics import Bootstrap, bootstrap_map, bootstrap_micro_f1

BOOTSTRAPS = {"map": ("scores", bootstrap_map), "micro_f1": ("decisions", bootstrap_micro_f1)}
"""Metric -> the tensor of scores.safetensors that it needs, and how it is resampled."""


def over_test_samples(block: Sequence[Row], folders: Mapping[str, Path], asked: Question) -> str:
    """A sentence with each ranked row's difference from the baseline over resampled test samples, for one seed.

    It is the seed that most rows have, the lowest of several. Rows without it, or of other test samples, are named as
    left out. Empty where the baseline was not scored on test, or nothing compares. ConfigError for a metric that is not
    resampled; StoreError for scores that cannot be read.
    """
    if asked.metric not in BOOTSTRAPS:
        raise ConfigError(f"--bootstrap resamples {' and '.join(BOOTSTRAPS)}, not {asked.metric}: type --metric map")
    ranked = {label(row): {run.repeat: run for run in row.runs if run.test} for row in block if row.rank}
    baseline = ranked.pop(asked.baseline, {})
    having = {repeat: [runs[repeat] for runs in ranked.values() if repeat in runs] for repeat in baseline}
    if not any(having.values()):
        return ""
    repeat = min(having, key=lambda repeat: (-len(having[repeat]), repeat))
    seed, fold = repeat
    name, resample = BOOTSTRAPS[asked.metric]
    base = _scores(baseline[repeat], folders)
    found: dict[str, Bootstrap] = {}
    for row_label, runs in ranked.items():
        mine = _scores(runs[repeat], folders) if repeat in runs else {}
        if mine and np.array_equal(mine["targets"], base["targets"]):
            found[row_label] = resample(mine[name], base["targets"], base.get("mask"), other=base[name])
    if not found:
        return ""
    first = next(iter(found.values()))
    texts = [f"{one} {number(b.value, sign=True)} ({span((b.low, b.high))})" for one, b in found.items()]
    left = [one for one in ranked if one not in found]
    where = f", fold {fold}" if fold >= 0 else ""
    without = f" Left out, for lack of this seed on these samples: {', '.join(left)}." if left else ""
    return (
        f"Over test samples (paired bootstrap of the {figure_name(asked.metric)} of seed {seed}{where}, "
        f"{first.resamples} resamples), against {asked.baseline}: {'; '.join(texts)}. That is about other samples for "
        f"these trained weights, not about training again.{without}"
    )


def _scores(run: RunResult, folders: Mapping[str, Path]) -> dict[str, np.ndarray]:
    """scores, targets, decisions and maybe mask of a run on test."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    file = folders[run.run_id] / "scores.safetensors"
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise StoreError(f"{file} cannot be read ({error}): type its run's command again with --force") from None
