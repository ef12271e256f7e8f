"""Runs that are really trained, on a tiny sheet of digits, and the sheets of its test split as image files."""

from pathlib import Path

import torch
from torchvision.io import write_png

from mllc import run
from mllc.config.compose import compose
from mllc.data.digits import digits

SHEET = {"samples": 200, "test_samples": 50, "grid": 3}


class Silent:
    """A screen that shows nothing."""

    def __getattr__(self, name):
        return lambda *args: None


def train(out: Path, *overrides: str) -> Path:
    """The folder of the one run that is trained in `out`."""
    chosen = {one.partition("=")[0] for one in overrides}
    sheet = [] if "dataset" in chosen else [f"dataset.{key}={value}" for key, value in SHEET.items()]
    size = [] if "backbone" in chosen else ["backbone.width=8", "backbone.bottleneck=4"]
    conf = compose([*sheet, *size, "epochs=2", "batch_size=16", "optimizer.lr=0.01", *overrides, f"out={out}"])
    (result,) = run.train([conf], score_test=True, screen=Silent())
    (folder,) = out.glob(f"*-{result.run_id}")
    return folder


def write_sheets(folder: Path) -> torch.Tensor:
    """Writes the test sheets as PNG files, in order, and returns them."""
    sheets = digits(**SHEET, mean_filled=2.0, noise=0.1, seed=0).test.inputs
    folder.mkdir()
    for number in range(len(sheets)):
        write_png(sheets[torch.tensor([number])][0], str(folder / f"{number:02}.png"))
    return sheets
