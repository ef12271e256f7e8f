"""What do tuned comparisons say: of losses on three data sets, and of losses and optimizers together?

python benchmarks/comparisons.py [only=NAME,NAME] [data=FOLDER] [out=DIR] [OVERRIDE ...]

Without `only` every comparison that the data is there for; FOLDER holds mulan/bibtex and mulan/corel5k. With out=DIR
the runs are kept, and what was cut off goes on where it was. A results file that is there keeps the comparisons that
were not run again. Overrides go to all sweeps.

digits, bibtex, corel5k    ten trials a loss (of learning rate, weight decay, the loss's own settings) on validation,
                           the best settings repeated over fresh seeds
digits_optimizers, bibtex_optimizers    losses x optimizers, the learning rate tuned in every cell
"""

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from command import mllc
from machine import machine, results_file, write

TEN = "loss=bce,weighted_bce,focal,asymmetric,zlpr,softmax_ce,softmax_count,abs_kl,two_way,hill"
CELLS = [
    *("loss=bce,softmax_count,abs_kl,zlpr,asymmetric", "optimizer=adam,adadelta,adagrad,rmsprop,sgd"),
    *("tune.trials=5", "tune.space=optimizer", "optimizer.weight_decay=0", "seed=range(3)"),
]
RECIPE = ["schedule=one_cycle", "clip=1.0"]
FILES = {
    "bibtex": {"train": "bibtex-train.arff", "test": "bibtex-test.arff", "labels": "bibtex.xml"},
    "corel5k": {"train": "Corel5k-train-sparse.arff", "test": "Corel5k-test-sparse.arff", "labels": "Corel5k.xml"},
}
KEPT = (
    *("name", "group", "status", "split", "rank", "seeds", "trials", "tried", "seconds", "chosen", "search"),
    *("map", "map_std", "low", "high", "difference", "difference_low", "difference_high", "difference_p_holm"),
    *("difference_narrowed", "wins", "verdict", "micro_f1", "micro_f1_tuned", "macro_f1", "macro_f1_tuned"),
    *("hamming_loss", "labels_per_sample", "true_labels_per_sample", "collapsed", "collapses"),
)
"""Of each row of the report, for the results file."""

PICTURES = {"digits": ("comparison", "f1_against_threshold")}
"""Those of `mllc report --plots` that are kept beside the results file."""


def comparisons(data: Path | None) -> dict[str, tuple[list[str], str]]:
    """Name -> the arguments of `mllc sweep`, and what its rows are."""
    found = {
        "digits": (["sweep=standard", "tune.trials=10", "seed=range(6)"], "loss"),
        "digits_optimizers": ([*CELLS, *RECIPE], "loss,optimizer"),
    }
    for name, files in FILES.items() if data else ():
        words = ["dataset=arff", *(f"dataset.{key}={data}/mulan/{name}/{file}" for key, file in files.items())]
        words += ["epochs=10", *RECIPE]
        found[name] = ([*words, TEN, "optimizer=adamw", "tune.trials=10", "seed=range(10)"], "loss")
        if name == "bibtex":
            found["bibtex_optimizers"] = ([*words, *CELLS], "loss,optimizer")
    return found


def grid(rows: list[dict[str, Any]]) -> str:
    """Losses down, optimizers across: mAP on test, its standard deviation, and the learning rate that was chosen."""
    cells = {(row["group"]["loss"], row["group"]["optimizer"]): row for row in rows if row["group"].get("optimizer")}
    losses, optimizers = (list(dict.fromkeys(key[i] for key in sorted(cells))) for i in (0, 1))
    lines = [f"| loss | {' | '.join(optimizers)} |", f"|---|{'--:|' * len(optimizers)}"]
    for loss in losses:
        shown = []
        for optimizer in optimizers:
            row = cells[loss, optimizer]
            rate = row["chosen"].get("optimizer.lr")
            edge = "!" if any(one["at_edge"] for one in row["search"]) else ""
            shown.append(
                row["status"]
                if row["map"] is None
                else f"{row['map']:.3f} ±{row['map_std'] or 0:.3f} ({rate:.2g}{edge})"
                if rate
                else f"{row['map']:.3f}"
            )
        lines.append(f"| {loss} | {' | '.join(shown)} |")
    return "\n".join(lines)


def two_searches(found: dict[str, Any]) -> str:
    """The same comparison after two searches: what each says of every loss against bce.

    NAME_random_start holds what `main` found when a search of TPE began with random draws; it begins as Sobol now.
    """
    lines = ["| data | loss | random draws first | Sobol first |", "|---|---|--:|--:|"]
    for name in [name for name in found if f"{name}_random_start" in found]:
        before, after = ({row["name"]: row for row in found[key]["rows"]} for key in (f"{name}_random_start", name))
        for loss, row in after.items():
            if row["search"] and row["verdict"]:
                told = (f"{one['difference']:+.3f} {one['verdict']}" for one in (before[loss], row))
                lines.append(f"| {name} | {loss} | {' | '.join(told)} |")
    return "\n".join(lines)


def main(arguments: list[str]) -> dict[str, Any]:
    own = dict(word.split("=", 1) for word in arguments if word.startswith(("only=", "data=", "out=")))
    overrides = [word for word in arguments if not word.startswith(("only=", "data=", "out="))]
    sweeps = comparisons(Path(own["data"]) if "data" in own else None)
    wanted = own.get("only", ",".join(sweeps)).split(",")
    about = machine(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    file = results_file("comparisons", about)
    file.parent.mkdir(exist_ok=True)
    found: dict[str, Any] = {}
    for name in wanted:
        words, by = sweeps[name]
        with tempfile.TemporaryDirectory() as temporary:
            out = Path(own.get("out", temporary)) / name
            before, started = out.exists(), time.perf_counter()
            mllc("sweep", *words, *overrides, "--by", by, f"out={out}")
            seconds = time.perf_counter() - started
            sweep = [word.replace(own.get("data", "DATA"), "DATA") for word in (*words, *overrides)]
            found = json.loads(file.read_text()) if file.exists() else {}  # read late: another may have added its own
            earlier = found.get(name, {})
            if before:  # this process did the rest
                seconds = earlier.get("wall_seconds") if earlier.get("sweep") == sweep else None
            rows = json.loads(mllc("report", str(out), "--by", by, "--format", "json"))
            found[name] = {
                "sweep": sweep,
                "wall_seconds": seconds and round(seconds, 1),
                "training_seconds": round(sum(row["seconds"] or 0 for row in rows), 1),
                "rows": [{key: row[key] for key in KEPT if key in row} for row in rows],
                "table": mllc("report", str(out), "--by", by, "--format", "md") if by == "loss" else grid(rows),
            }
            if name in PICTURES:
                mllc("report", str(out), "--by", by, "--plots", f"{temporary}/pictures")
                for picture in PICTURES[name]:
                    shutil.copy(f"{temporary}/pictures/{picture}.png", f"{file.with_suffix('')}-{name}-{picture}.png")
        found["machine"] = about
        print(found[name]["table"])
        print(write("comparisons", found))
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
