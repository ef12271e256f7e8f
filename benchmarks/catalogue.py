"""What does each loss of the catalogue do: on the digit sheet, with either initial bias, and on real data?

python benchmarks/catalogue.py [FOLDER] [out=DIR] [OVERRIDE ...]    a folder that holds mulan/bibtex

Overrides go to all sweeps. With out=DIR the runs are kept, and what was cut off goes on where it was.

digits: every loss with its defaults, one seed, with the output bias at zero and at the prior's log-odds. Losses differ
in scale by powers of ten, so every gradient is scaled to a norm of at most .01: with the learning rate of 30 a step is
as long for one loss as for another, .3 at the start. bibtex: AdamW, two learning rates.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from command import mllc
from machine import machine, write

LOSSES = "loss=glob(*)"
DIGITS = [
    *("optimizer=sgd", "optimizer.lr=30", "clip=0.01", "schedule=one_cycle", "backbone.bottleneck=24"),
    "head.bias_init=zero,prior",
]
BIBTEX = ["optimizer=adamw", "optimizer.lr=0.001,0.004", "epochs=20"]
KEPT = (
    *("loss", "group", "status", "collapsed", "collapses", "ranks", "split", "chosen", "seeds", "trials", "seconds"),
    *("map", "micro_f1", "micro_f1_tuned", "macro_f1", "macro_f1_tuned", "hamming_loss", "hamming_loss_tuned"),
    *("labels_per_sample", "true_labels_per_sample"),
)
"""Of each row of the report, for the results file."""


def sweeps(folder: Path | None) -> dict[str, list[str]]:
    """Name -> the arguments of `mllc sweep`, beside the losses."""
    if folder is None:
        return {"digits": DIGITS}
    files = {"train": "bibtex-train.arff", "test": "bibtex-test.arff", "labels": "bibtex.xml"}
    data = [f"dataset.{key}={folder / 'mulan' / 'bibtex' / file}" for key, file in files.items()]
    return {"digits": DIGITS, "bibtex": ["dataset=arff", *data, *BIBTEX]}


def figures(row: dict[str, Any]) -> list[str]:
    return [f"{row[key]:.3f}" for key in ("map", "micro_f1", "micro_f1_tuned")]


def tables(found: dict[str, Any]) -> dict[str, str]:
    """What the two READMEs show: the digit sheet with both biases, and bibtex where it was measured."""
    biases: dict[str, dict[str, Any]] = {}
    for row in found["digits"]["rows"]:
        biases.setdefault(row["loss"], {})[row["group"]["head.bias_init"]] = row
    trained = {loss: by for loss, by in biases.items() if {"zero", "prior"} <= by.keys()}
    lines = [
        "| loss | mAP | own | tuned | labels | collapse | mAP, prior | own | tuned | labels | collapse |",
        "|---|--:|--:|--:|--:|---|--:|--:|--:|--:|---|",
    ]
    for loss in sorted(trained, key=lambda loss: -(trained[loss]["zero"]["map"] or 0)):
        sides = [
            [*figures(row), f"{row['labels_per_sample']:.2f}", row["collapsed"] or ""]
            if row["map"] is not None
            else ["", "", "", "", row["status"]]
            for row in (trained[loss][bias] for bias in ("zero", "prior"))
        ]
        lines.append(f"| {loss} | {' | '.join(sides[0] + sides[1])} |")
    shown = {"digits": "\n".join(lines)}
    if "bibtex" in found:
        lines = ["| loss | mAP | own | tuned | Hamming | labels | collapse |", "|---|--:|--:|--:|--:|--:|---|"]
        for row in found["bibtex"]["rows"]:
            if row["map"] is not None:
                cells = [*figures(row), f"{row['hamming_loss']:.4f}", f"{row['labels_per_sample']:.2f}"]
                lines.append(f"| {row['loss']} | {' | '.join(cells)} | {row['collapsed'] or ''} |")
        shown["bibtex"] = "\n".join(lines)
    return shown


def main(arguments: list[str]) -> dict[str, Any]:
    folder = Path(arguments.pop(0)) if arguments and "=" not in arguments[0] else None
    kept = [word.removeprefix("out=") for word in arguments if word.startswith("out=")]
    overrides = [word for word in arguments if not word.startswith("out=")]
    found: dict[str, Any] = {"machine": machine(torch.device("cuda" if torch.cuda.is_available() else "cpu"))}
    with tempfile.TemporaryDirectory() as temporary:
        for name, words in sweeps(folder).items():
            out = Path(kept[0] if kept else temporary) / name
            by = ["--by", "loss,head.bias_init" if name == "digits" else "loss"]
            mllc("sweep", LOSSES, *words, *overrides, *by, f"out={out}")
            rows = json.loads(mllc("report", str(out), *by, "--format", "json"))
            found[name] = {
                "sweep": [LOSSES, *(word.replace(str(folder), "DATA") for word in words), *overrides],
                "training_seconds": round(sum(row["seconds"] or 0 for row in rows), 1),
                "rows": [{key: row[key] for key in KEPT if key in row} for row in rows],
            }
    for table in tables(found).values():
        print(table)
    print(write("catalogue", found))
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
