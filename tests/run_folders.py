"""Run folders with made-up curves, scores and labels, for the tests of pictures."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from sample_runs import make

from mllc.plots.folders import Scores
from mllc.report.loading import Finished
from mllc.result import RunResult

SAMPLES, LABELS, EPOCHS = 60, 8, 5


def predictions(
    seed: int = 0, *, samples: int = SAMPLES, labels: int = LABELS, cut: float = 0.0, mask: bool = False
) -> Scores:
    """Scores that rank, rounded so that some tie; targets of falling frequency; decisions above `cut`."""
    draw = np.random.default_rng(seed)
    targets = draw.random((samples, labels)) < np.linspace(0.4, 0.1, labels)
    targets[0] = True
    scores = (2 * targets - 1.5 + draw.normal(size=targets.shape)).round(1).astype(np.float32)
    return Scores(scores, targets, scores > cut, draw.random(targets.shape) < 0.8 if mask else None)


def write_table(file: Path, rows: list[dict[str, Any]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def history(seed: int = 0, epochs: int = EPOCHS) -> list[dict[str, Any]]:
    draw = np.random.default_rng(seed)
    return [
        {
            "epoch": epoch,
            "train_loss": 5.0 / epoch**2,
            "val_loss": 4.0 / epoch,
            "val_map": 0.1 * epoch + 0.01 * draw.random(),
            "val_micro_f1": 0.05 * epoch,
            "val_macro_f1": "",
            "val_hamming_loss": 0.1,
            "val_labels_per_sample": 0.5 * (epoch - 1),
            "val_micro_f1_tuned": 0.08 * epoch,
            "lr": 0.1,
            "seconds": 1.0,
        }
        for epoch in range(1, epochs + 1)
    ]


def about(run: RunResult, labels: int = LABELS) -> RunResult:
    """The run as that of data with so many labels."""
    return replace(run, data={**run.data, "num_labels": labels})


def save(root: Path, result: RunResult, *, scale: str = "logits", labels: int = LABELS, mask: bool = False) -> Path:
    """Writes the folder that `result` would have left: without scores if it has no test figures."""
    folder = root / result.run_id
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(f"loss:\n  traits:\n    scores: {scale}\n")
    (folder / "result.json").write_text(result.to_json())
    if result.status != "failed":
        write_table(folder / "history.csv", history(result.seed, 2 if result.status == "diverged" else EPOCHS))
    if result.test is not None:
        found = predictions(result.seed, labels=labels, mask=mask)
        tensors = {name: value.astype("u1") for name, value in found._asdict().items() if value is not None}
        save_file(tensors | {"scores": found.scores}, folder / "scores.safetensors")
        positives = found.targets.sum(0)
        rows = [
            {
                "index": i,
                "label": f"label_{i}",
                "train_positives": 5 * positives[i],
                "val_positives": positives[i],
                "test_positives": positives[i],
                "ap": "" if i == 2 else 0.9 - 0.1 * i / labels,
                "f1": 0.5,
                "precision": 0.5,
                "recall": 0.5,
                "f1_tuned": 0.6,
                "f1_per_label": 0.7,
                "threshold": 0.0,
            }
            for i in range(labels)
        ]
        write_table(folder / "per_label.csv", rows)
    return folder


def comparison(
    root: Path, names: tuple[str, ...] = ("zlpr", "bce"), seeds: int = 3, lrs: tuple[float, ...] = (0.1, 0.3)
) -> Finished:
    """Rows by name, the first the best, each with `seeds` and learning rates; the last rate is scored on test."""
    draw = np.random.default_rng(0)
    results, folders = [], {}
    for place, name in enumerate(names):
        for seed in range(seeds):
            for lr in lrs:
                value = float(0.9 - 0.1 * place / len(names) * 5 + 0.02 * draw.random() - (lr != lrs[-1]) * 0.05)
                run = make(name, seed, value, lr=lr, settings={"loss.rule": "above", "loss.threshold": 0.5})
                run = replace(
                    about(run), run_id=f"{place}-{seed}-{lr}", threshold=-0.3, shared=run.shared | {"epochs": EPOCHS}
                )
                run = run if lr == lrs[-1] else replace(run, test=None)
                results.append(run)
                folders[run.run_id] = save(root, run)
    return Finished(results, folders)
