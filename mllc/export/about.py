"""What an exported file says of itself: labels, thresholds, and what goes in and comes out."""

from typing import Any

from mllc import __version__
from mllc.trained import Trained

RESIZED = (
    "by antialiased bilinear interpolation (a JPEG of four times that size or more is decoded at a fraction of its "
    "size before, as by Pillow's draft)"
)
KEY = "mllc"
"""The entry of the metadata that holds all of it, as JSON."""


def about(trained: Trained) -> dict[str, Any]:
    """Plain data. `threshold` and `label_thresholds` were tuned on validation: a label is predicted beyond them."""
    conf, file = trained.config, trained.file
    shape = ["batch", len(file.label_names)]
    return {
        "labels": list(file.label_names),
        "threshold": file.threshold,
        "label_thresholds": list(file.label_thresholds),
        "rule": conf["loss"].get("rule", "above"),
        "scores": (conf["loss"].get("traits") or {}).get("scores", "logits"),
        "inputs": {"inputs": _described(trained)},
        "outputs": {
            "scores": {"dtype": "float32", "shape": shape, "is": "the larger, the surer; logits or log-odds"},
            "decisions": {"dtype": "bool", "shape": shape, "is": "the labels predicted by the rule of the loss"},
        },
        "dataset": conf["dataset"]["name"],
        "backbone": conf["backbone"]["name"],
        "loss": conf["loss"]["name"],
        "run": file.run_id,
        "mllc": __version__,
    }


def _described(trained: Trained) -> dict[str, Any]:
    file = trained.file
    if file.kind == "images":
        colour = {1: "grey", 3: "RGB"}.get(file.input_shape[0], f"{file.input_shape[0]} channels")
        is_ = f"{colour} pixels, 0 to 255, squeezed to this height and width {RESIZED}; normalised inside"
    else:
        is_ = "features as the data set's reader makes them; `encoding` is how"
    dtype = "uint8" if file.kind == "images" else "float32"
    return {"dtype": dtype, "shape": ["batch", *file.input_shape], "is": is_, "encoding": file.encoding}
