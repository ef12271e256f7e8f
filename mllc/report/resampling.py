"""What other test samples might have said: the paired bootstrap of one seed's scores, beside what seeds say."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mllc.errors import ConfigError, StoreError
from mllc.report.comparison import Row, label
from mllc.report.conclusion import figure_name, number, span
from mllc.report.verdicts import Question
from mllc.statistics import Bootstrap, bootstrap_map, bootstrap_micro_f1

BOOTSTRAPS = {"map": ("scores", bootstrap_map), "micro_f1": ("decisions", bootstrap_micro_f1)}
"""Metric -> the tensor of scores.safetensors that it needs, and how it is resampled."""


def over_test_samples(block: Sequence[Row], folders: Mapping[str, Path], asked: Question) -> str:
    """A sentence with each ranked row's difference from the baseline over resampled test samples, for the lowest seed.

    Empty where the baseline was not scored on test. Rows whose test samples are others are left out. ConfigError for a
    metric that is not resampled; StoreError for scores that cannot be read.
    """
    if asked.metric not in BOOTSTRAPS:
        raise ConfigError(f"--bootstrap resamples {' and '.join(BOOTSTRAPS)}, not {asked.metric}: type --metric map")
    ranked = {label(row): row for row in block if row.rank}
    if asked.baseline not in ranked or len(ranked) < 2:
        return ""
    name, resample = BOOTSTRAPS[asked.metric]
    base = _scores(ranked.pop(asked.baseline), folders)
    found: dict[str, Bootstrap] = {}
    for row_label, row in ranked.items():
        mine = _scores(row, folders)
        if mine["targets"].shape == base["targets"].shape and (mine["targets"] == base["targets"]).all():
            found[row_label] = resample(mine[name], base["targets"], base.get("mask"), other=base[name])
    if not found:
        return ""
    first = next(iter(found.values()))
    seed = next(iter(ranked.values())).runs[0].seed
    texts = [f"{one} {number(b.value, sign=True)} ({span((b.low, b.high))})" for one, b in found.items()]
    return (
        f"Over test samples (paired bootstrap of the {figure_name(asked.metric)} of seed {seed}, {first.resamples} "
        f"resamples), against {asked.baseline}: {'; '.join(texts)}. That is about other samples for these trained "
        "weights, not about training again."
    )


def _scores(row: Row, folders: Mapping[str, Path]) -> dict[str, Any]:
    """scores, targets, decisions and maybe mask of a row's first run, as arrays."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    run = next(run for run in row.runs if run.status == "done")
    file = folders[run.run_id] / "scores.safetensors"
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise StoreError(f"{file} cannot be read ({error}): type its run's command again with --force") from None
