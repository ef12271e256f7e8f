"""What does each loss of the catalogue do: on the digit sheet, with either initial bias, and on real data?

python benchmarks/catalogue.py [FOLDER] [OVERRIDE ...]      a folder that holds mulan/bibtex; overrides go to all sweeps

digits: every loss with its defaults, one seed, with the output bias at zero and at the prior's log-odds. Losses differ
in scale by powers of ten, so every gradient is scaled to a norm of at most .01: with the learning rate of 30 a step is
as long for one loss as for another, .3 at the start. bibtex: AdamW, two learning rates.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from machine import machine, write

LOSSES = "loss=glob(*)"
DIGITS = ["optimizer=sgd", "optimizer.lr=30", "clip=0.01", "schedule=one_cycle", "head.bias_init=zero,prior"]
BIBTEX = ["optimizer=adamw", "optimizer.lr=0.001,0.004", "epochs=20"]


def sweeps(folder: Path | None) -> dict[str, list[str]]:
    """Name -> the arguments of `mllc sweep`, beside the losses."""
    if folder is None:
        return {"digits": DIGITS}
    files = {"train": "bibtex-train.arff", "test": "bibtex-test.arff", "labels": "bibtex.xml"}
    data = [f"dataset.{key}={folder / 'mulan' / 'bibtex' / file}" for key, file in files.items()]
    return {"digits": DIGITS, "bibtex": ["dataset=arff", *data, *BIBTEX]}


def mllc(*words: str) -> str:
    done = subprocess.run([sys.executable, "-m", "mllc", *words], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def main(arguments: list[str]) -> dict[str, Any]:
    folder = Path(arguments[0]) if arguments and "=" not in arguments[0] else None
    overrides = arguments[1:] if folder else arguments
    found: dict[str, Any] = {"machine": machine(torch.device("cuda" if torch.cuda.is_available() else "cpu"))}
    for name, words in sweeps(folder).items():
        with tempfile.TemporaryDirectory() as out:
            started = time.perf_counter()
            mllc("sweep", LOSSES, *words, *overrides, f"out={out}")
            by = "loss,head.bias_init" if name == "digits" else "loss"
            rows, table = (mllc("report", out, "--by", by, "--format", form) for form in ("json", "md"))
        found[name] = {
            "sweep": [LOSSES, *(word.replace(str(folder), "DATA") for word in words), *overrides],
            "seconds": round(time.perf_counter() - started, 1),
            "table": table,
            "rows": json.loads(rows),
        }
        print(table)
    print(write("catalogue", found))
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
