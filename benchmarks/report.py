"""How long `mllc report` takes over many finished runs: median seconds and quartiles of fresh processes.

python benchmarks/report.py [--rounds 5] [--pages 3] [--seeds 10] [--labels 100]

Ten losses, five learning rates and SEEDS seeds on generated data, trained for an epoch each; the best rate of each loss
is scored on test.

    table    mllc report RUNS                             json    the same with --format json
    page     mllc report RUNS --html FILE, PAGES rounds; and the size of the file
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from command import mllc
from machine import machine, seconds_table, spread, write

GOAL_S = {"table": 2.0, "page": 15.0}
LOSSES = "bce,weighted_bce,focal,asymmetric,zlpr,softmax_ce,softmax_count,abs_kl,two_way,hill"
RATES = "0.001,0.003,0.01,0.03,0.1"


def train(out: Path, seeds: int, labels: int) -> int:
    """Fills `out` with runs; returns their number."""
    data = ["dataset=synthetic", f"dataset.labels={labels}", "dataset.samples=600", "dataset.test_samples=300"]
    model = ["backbone=mlp", "backbone.hidden=[32]", "optimizer=adam", f"optimizer.lr={RATES}", "epochs=1"]
    mllc("sweep", *data, *model, f"loss={LOSSES}", f"seed=range({seeds})", f"out={out}")
    return len(list(out.glob("*/result.json")))


def seconds(*words: str) -> float:
    start = time.perf_counter()
    mllc("report", *words)
    return round(time.perf_counter() - start, 2)


def table(found: dict[str, Any]) -> str:
    times = seconds_table(found, f"{found['runs']} runs")
    return f"{times}\n\nThe page has {found['page_mb']:.2f} MB."


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pages", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--labels", type=int, default=100)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        runs, page = Path(folder) / "runs", Path(folder) / "page.html"
        number = train(runs, options.seeds, options.labels)
        about = machine(torch.device("cpu"))
        rounds = {
            "table": [seconds(str(runs)) for _ in range(options.rounds)],
            "json": [seconds(str(runs), "--format", "json") for _ in range(options.rounds)],
            "page": [seconds(str(runs), "--html", str(page)) for _ in range(options.pages)],
        }
        size = page.stat().st_size / 1e6
    found = {
        "machine": about,
        "settings": vars(options),
        "runs": number,
        "goal_s": GOAL_S,
        "seconds": {name: spread(times) for name, times in rounds.items()},
        "page_mb": round(size, 2),
        "rounds": rounds,
    }
    print(table(found))
    print(f"written to {write('report', found)}")
    return found


if __name__ == "__main__":
    main()
