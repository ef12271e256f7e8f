"""How long the statistics of a finished comparison take: median seconds and quartiles of some rounds.

python benchmarks/verdict.py [--rounds 7] [--samples 2000] [--labels 1000]

    compare     30 losses x 10 seeds: intervals, tests and words against the baseline, and for each loss the bootstrap
                interval of its mean difference, 10 000 resamples
    pairwise    the same losses, each against each: 435 pairs
    across      30 losses x 12 data sets: ranks, Friedman, 435 Wilcoxon tests
    map         one seed: difference of two mAPs over 1000 resamples of the test samples, 2 true labels each
    micro_f1    one seed: difference of two micro-F1s over 10 000 resamples of the test samples
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from machine import machine, seconds_table, spread, write

from mllc.statistics import across, bootstrap_map, bootstrap_mean, bootstrap_micro_f1, compare, pairwise

GOAL_S = {"compare": 3.0}
LOSSES, SEEDS, DATA_SETS, REGION = 30, 10, 12, 0.005


def questions(samples: int, labels: int) -> dict[str, Callable[[], object]]:
    draw = np.random.default_rng(0)
    seeds = {f"loss{i}": draw.normal(0.3 + 0.002 * i, 0.01, SEEDS) for i in range(LOSSES)}
    data_sets = {f"loss{i}": draw.normal(0.3 + 0.002 * i, 0.01, DATA_SETS) for i in range(LOSSES)}
    targets = draw.random((samples, labels)) < 2 / labels
    scores, other = (draw.normal(size=targets.shape).astype(np.float32) + 3 * targets for _ in range(2))

    def against_baseline() -> None:
        compare(seeds, "loss0", region=REGION)
        for values in seeds.values():
            bootstrap_mean(values - seeds["loss0"], resamples=10_000)

    return {
        "compare": against_baseline,
        "pairwise": lambda: pairwise(seeds, region=REGION),
        "across": lambda: across(data_sets),
        "map": lambda: bootstrap_map(scores, targets, other=other, resamples=1000),
        "micro_f1": lambda: bootstrap_micro_f1(scores > 2, targets, other=other > 2, resamples=10_000),
    }


def seconds(question: Callable[[], object]) -> float:
    start = time.perf_counter()
    question()
    return time.perf_counter() - start


def table(found: dict[str, Any]) -> str:
    return seconds_table(found)


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--samples", type=int, default=2000, help="of the test split")
    parser.add_argument("--labels", type=int, default=1000)
    options = parser.parse_args(arguments)
    about = machine(torch.device("cpu"))
    asked = questions(options.samples, options.labels)
    first = {name: round(seconds(question), 3) for name, question in asked.items()}  # with the imports it needs
    rounds = [{name: round(seconds(question), 4) for name, question in asked.items()} for _ in range(options.rounds)]
    found = {
        "machine": about,
        "settings": vars(options) | {"losses": LOSSES, "seeds": SEEDS, "data_sets": DATA_SETS},
        "goal_s": GOAL_S,
        "seconds": {name: spread([one[name] for one in rounds]) for name in asked},
        "first": first,
        "rounds": rounds,
    }
    print(table(found))
    print(f"written to {write('verdict', found)}")
    return found


if __name__ == "__main__":
    main()
