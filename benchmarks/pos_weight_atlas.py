"""Which positive weight works for how many labels and how many true ones? Does more of it flip all answers to one?

python benchmarks/pos_weight_atlas.py [FOLDER] [out=DIR] [cells=NAME,...|quick] [results=FILE]

FOLDER        holds mulan/bibtex and mulan/corel5k; without it generated data alone is measured
out=DIR       keeps the runs (8 GB), so that what was cut off goes on where it was
cells=quick   two tiny data sets, to try the script; cells=200x2,bibtex: these alone, of both kinds, held out and not
results=FILE  measures nothing: draws and prints what a results file holds

Binary cross-entropy, its positives weighted by a power of negatives over positives, from 0 (no weight) to 1 (balanced):
`each` label's own ratio, or `one` number for all labels. On generated data of 50 to 4000 labels with 1 to 20 true ones,
on one of these sets made easier, harder, trained for longer and from another initial bias, and on two real sets; a
network with one hidden layer, Adam. For each weight, and for either threshold (p > 1/2, or the best on validation), the
learning rate is the one whose figure on validation is best in the mean over the first seeds; it is then scored on test
over all seeds. A run's epoch is the one with the best tuned figure on validation. Sets are measured side by side, each
with one thread. The rule of thumb (pos_weight_rule.py) is made from every other set of the grid, and tried on the rest.
"""

import json
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch
from machine import machine, write
from pos_weight_picture import draw
from pos_weight_rule import WAYS, fit
from pos_weight_text import section
from real_data import arff
from rich.console import Console

from mllc import run
from mllc.config.compose import expand
from mllc.result import RunResult
from mllc.screen import Screen

Config = dict[str, Any]
Weight = tuple[str, float]
"""Form and power."""

KEPT = {
    "own": ("micro_f1", "macro_f1", "labels_per_sample"),
    "tuned": ("micro_f1_tuned", "macro_f1_tuned", "map"),
}
"""Figures on test of either threshold."""


@dataclass(frozen=True)
class Plan:
    """How each data set is measured."""

    powers: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    rates: tuple[float, ...] = (0.003, 0.01, 0.03)
    tuning_seeds: int = 2
    seeds: int = 5
    fixed: tuple[str, ...] = (
        *("loss=weighted_bce", "backbone=mlp", "backbone.hidden=[128]", "optimizer=adam", "schedule=cosine"),
        *("epochs=10", "batch_size=128", "monitor=val_micro_f1_tuned", "device=cpu"),
    )


@dataclass(frozen=True)
class Cell:
    """A data set and what belongs to it.

    group       the panels of the picture that show it
    mean_true   mean number of true labels
    overrides   that name the data, and what else differs from the plan
    held_out    no rule is made of it
    """

    name: str
    group: str
    labels: int
    mean_true: float
    overrides: tuple[str, ...]
    held_out: bool = True


def generated(labels: int, mean_true: float, *, held_out: bool, samples: int = 3200) -> Cell:
    settings = {"labels": labels, "mean_true": mean_true, "noise": 3, "samples": samples, "test_samples": samples // 4}
    words = [f"dataset.{key}={value}" for key, value in settings.items()]
    return Cell(f"{labels}x{mean_true}", f"{labels} labels", labels, mean_true, ("dataset=synthetic", *words), held_out)


def changed(cell: Cell, name: str, override: str) -> Cell:
    """One of the grid with one thing changed that a rule made of labels and true labels does not know of."""
    words = (*cell.overrides, override)
    return replace(cell, name=name, group=f"{cell.name}, changed", overrides=words, held_out=True)


def every_cell(folder: Path | None) -> list[Cell]:
    """All data sets, those with the most labels first."""
    grid = [
        generated(labels, mean_true, held_out=(row + column) % 2 == 1)
        for row, labels in enumerate((50, 200, 1000, 4000))
        for column, mean_true in enumerate((1, 2, 5, 20))
    ]
    middle = next(cell for cell in grid if cell.name == "200x2")
    cells = [
        *grid,
        changed(middle, "easy", "dataset.noise=1"),
        changed(middle, "hard", "dataset.noise=6"),
        changed(middle, "long", "epochs=30"),
        changed(middle, "prior", "head.bias_init=prior"),
    ]
    if folder is not None:
        for name, labels, mean_true, title, form in (
            ("bibtex", 159, 2.402, "bibtex", "bibtex-{}.arff"),
            ("corel5k", 374, 3.522, "Corel5k", "Corel5k-{}-sparse.arff"),
        ):
            words = arff(folder / "mulan" / name, form.format("train"), form.format("test"), f"{title}.xml")
            cells.append(Cell(name, "real data", labels, mean_true, tuple(words)))
    return sorted(cells, key=lambda cell: -cell.labels)


QUICK = Plan(powers=(0.0, 0.5, 1.0), rates=(0.01, 0.03), tuning_seeds=1, seeds=2)
QUICK_CELLS = [generated(12, true, held_out=true == 3, samples=300) for true in (1, 3)]


def measure(cell: Cell, plan: Plan, out: Path) -> dict[str, Any]:
    """Every weight on one data set: the rates chosen on validation, scored on test."""
    log = out / f"{cell.name}.log"
    configs = [config for form in ("each", "one") for config in to_tune(cell, plan, form, out)]
    tuned = train(configs, log, score_test=False)
    tried: dict[Weight, list[tuple[Config, RunResult]]] = defaultdict(list)
    for config, result in zip(configs, tuned, strict=True):
        tried[weight_of(config)].append((config, result))
    chosen = {(weight, way): best_rate(pairs, way) for weight, pairs in tried.items() for way in WAYS}
    repeated = [config | {"seed": seed} for config in chosen.values() for seed in range(plan.seeds)]
    scored = train(repeated, log, score_test=True)
    figures = defaultdict(dict)
    for number, ((weight, way), config) in enumerate(chosen.items()):
        results = scored[number * plan.seeds : (number + 1) * plan.seeds]
        figures[weight][way] = {"lr": config["optimizer"]["lr"], **summary(results, way)}
    none = figures["each", 0.0]  # in either form
    return {
        **asdict(cell),
        "true_labels_per_sample": max(tested(scored, "true_labels_per_sample")),
        "rows": [
            {"form": form, "power": power, **figures.get((form, power), none)}
            for form in ("one", "each")
            for power in plan.powers
        ],
        "seconds": round(sum({result.run_id: result.seconds for result in (*tuned, *scored)}.values())),
    }


def to_tune(cell: Cell, plan: Plan, form: str, out: Path) -> list[Config]:
    """A config for each power of a form, rate and tuning seed; no weight at all is among those of the form `each`."""
    weight = "balanced" if form == "each" else cell.labels / cell.mean_true - 1
    powers = plan.powers if form == "each" else plan.powers[1:]
    return expand(
        [
            *(*plan.fixed, *cell.overrides, f"loss.weight={weight}", f"loss.power={','.join(map(str, powers))}"),
            *(f"optimizer.lr={','.join(map(str, plan.rates))}", f"seed=range({plan.tuning_seeds})"),
            f'out="{out / cell.name}"',
        ]
    )


def weight_of(config: Config) -> Weight:
    return "each" if config["loss"]["weight"] == "balanced" else "one", config["loss"]["power"]


def train(configs: Sequence[Config], log: Path, *, score_test: bool) -> list[RunResult]:
    """The results of configs, progress going to a file; a run that failed ends the benchmark."""
    with log.open("a") as file, Screen(total_trials=len(configs), plain=True, console=Console(file=file)) as screen:
        results = run.train(configs, score_test=score_test, screen=screen)
    for result in results:
        if result.status == "failed":
            sys.exit(f"{result.message}; see {log}")
    return results


def best_rate(pairs: Sequence[tuple[Config, RunResult]], way: str) -> Config:
    """A config of the rate with the best mean figure on validation, where a run that diverged has 0."""
    values, configs = defaultdict(list), {}
    for config, result in pairs:
        rate = config["optimizer"]["lr"]
        values[rate].append((result.val or {}).get(WAYS[way]) or 0.0)
        configs[rate] = config
    return configs[max(values, key=lambda rate: fmean(values[rate]))]


def summary(results: Sequence[RunResult], way: str) -> dict[str, Any]:
    """Means over seeds, the spread of the first of them, and how many runs collapsed."""
    found: dict[str, Any] = {name: round(fmean(tested(results, name)), 4) for name in KEPT[way]}
    found["std"] = round(stdev(tested(results, WAYS[way])), 4)
    found["val"] = round(fmean((result.val or {}).get(WAYS[way]) or 0.0 for result in results), 4)
    verdicts = [result.collapse.get("verdict") or result.status for result in results]
    return found | {name: verdicts.count(name) for name in ("silent", "flood", "constant", "diverged")}


def tested(results: Sequence[RunResult], name: str) -> list[float]:
    """A figure on test of every run, 0 for one that diverged."""
    return [(result.test or {}).get(name) or 0.0 for result in results]


def measure_all(cells: Sequence[Cell], plan: Plan, out: Path) -> list[dict[str, Any]]:
    """Every cell, as many at once as there are cores."""
    out.mkdir(parents=True, exist_ok=True)
    found = {}
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        for future in as_completed([pool.submit(measure, cell, plan, out) for cell in cells]):
            cell = future.result()
            found[cell["name"]] = cell
            print(
                f"{len(found)}/{len(cells)}: {cell['name']}, {cell['seconds']} s of training",
                file=sys.stderr,
                flush=True,
            )
    return [found[cell.name] for cell in cells]


def atlas(folder: Path | None, names: str | None, out: str | None) -> Path:
    """Measures what is asked for; returns the results file."""
    plan, cells = (QUICK, QUICK_CELLS) if names == "quick" else (Plan(), every_cell(folder))
    if names not in (None, "quick"):
        known, cells = cells, [cell for cell in cells if cell.name in names.split(",")]
        if len({cell.held_out for cell in cells}) < 2:
            kinds = (" ".join(cell.name for cell in known if cell.held_out == kind) for kind in (False, True))
            sys.exit(
                f"cells={names}: the rule is made of {next(kinds)}; it is tried on {next(kinds)}; name some of both"
            )
    about = machine(torch.device("cpu"))
    with tempfile.TemporaryDirectory() as temporary:
        found = measure_all(cells, plan, Path(out or temporary))
    for cell in found:
        cell["overrides"] = [word.replace(str(folder), "DATA") for word in cell["overrides"]]
    results = {"machine": about, "plan": asdict(plan), "rule": fit(found), "cells": found}
    return write("pos_weight_atlas" if names is None else "pos_weight_atlas_part", results)


def main(arguments: list[str]) -> dict[str, Any]:
    options = dict(word.split("=", 1) for word in arguments if "=" in word)
    folder = next((Path(word) for word in arguments if "=" not in word), None)
    file = Path(options.get("results") or atlas(folder, options.get("cells"), options.get("out")))
    found = json.loads(file.read_text())
    draw(found, file.with_suffix(".png"))
    print(section(found, file.stem))
    print(file)
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
