"""Results of runs that never ran, for the tests of selection and report."""

from typing import Any

from mllc.result import RunResult

ZEROS = {"map": 0.004, "micro_f1": 0.0, "micro_f1_tuned": 0.0, "hamming_loss": 0.002, "hamming_loss_tuned": 0.002}
TRUE = {"true_labels_per_sample": 2.0, "map_chance": 0.004, "labels_skipped": 3.0}


def figures(score: float, own: float, tuned: float, labels: float = 2.0) -> dict[str, float | None]:
    return {
        "map": score,
        "lrap": 1 - score,
        "micro_f1": own,
        "macro_f1": own / 2,
        "sample_f1": own,
        "hamming_loss": 0.003 - 0.002 * own,
        "labels_per_sample": labels,
        "micro_f1_tuned": tuned,
        "macro_f1_tuned": tuned / 2,
        "sample_f1_tuned": tuned,
        "hamming_loss_tuned": 0.0018,
        "labels_per_sample_tuned": 2.0,
        "micro_f1_per_label": tuned,
        **TRUE,
    }


def make(loss: str = "bce", seed: int = 0, value: float | None = 0.5, *, lr: float = 0.1, **changes: Any) -> RunResult:
    """A finished run, scored on test, whose figures are all about `value`; `settings` and `shared` are added to."""
    zeros = ZEROS | TRUE | {"labels_per_sample": 0.0}
    baselines = {"all_zeros": zeros, "all_ones": zeros | {"labels_per_sample": 1000.0}, "label_prior": zeros}
    found = figures(value, value, value) if value is not None else None
    defaults: dict[str, Any] = {
        "run_id": f"{changes.get('name', loss)}-{lr}-{seed}",
        "name": loss,
        "dataset": "digits",
        "backbone": "patch",
        "loss": loss,
        "optimizer": "sgd",
        "seed": seed,
        "status": "done",
        "monitor": "val_map",
        "monitor_value": value,
        "best_epoch": 5,
        "epochs": 6,
        "val": found,
        "test": found,
        "baselines": {"val": baselines, "test": baselines},
        "threshold": -1.25,
        "collapse": {"verdict": None, "first_epoch": None, "last_epoch": None, "ranks": None, "others": []},
        "data": {
            "fingerprint": "ab",
            "split": f"s{seed}",
            "num_labels": 1000,
            "samples": {"train": 80, "val": 10, "test": 10},
            "notes": [],
        },
        "seconds": 10.0,
    }
    settings = {"optimizer.lr": lr, "schedule": "constant"} | changes.pop("settings", {})
    shared = {"epochs": 6, "batch_size": 128} | changes.pop("shared", {})
    return RunResult(**defaults | changes, settings=settings, shared=shared)
