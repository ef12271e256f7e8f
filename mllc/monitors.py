"""The validation figures that may choose the best epoch; no torch here, so that configuration can check the names."""

from typing import Literal

MONITORS: dict[str, Literal["max", "min"]] = {
    "val_map": "max",
    "val_micro_f1": "max",
    "val_macro_f1": "max",
    "val_micro_f1_tuned": "max",
    "val_loss": "min",
    "val_hamming_loss": "min",
}
"""Monitor -> whether its largest or its smallest value is the best."""
