"""The digit sheet: handwritten digits in a grid of cells; 1000 labels, about two of them true."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mllc.data.assemble import assemble
from mllc.data.image_samples import image_samples
from mllc.device import require_memory
from mllc.errors import ConfigError
from mllc.types import Dataset, Samples, Split

DIGIT = 8
"""Height and width of a source digit, in pixels."""

CELL_BYTES = 2 * (DIGIT * DIGIT + 10)
"""Memory for a cell of one sheet: pixels and targets, which are copied when validation is carved."""


def digits(*, samples: int, test_samples: int, grid: int, mean_filled: float, noise: float, seed: int) -> Dataset:
    """Sheets of `grid` x `grid` cells, some of which hold a digit; the labels are the pairs (cell, digit).

    samples, test_samples  sheets to make; the two splits use disjoint source digits (two thirds, one third)
    grid                   cells a side: 10 gives images 1 x 80 x 80 and 1000 labels, named `r3c7=5`
    mean_filled            mean number of filled cells; the number is Poisson distributed, so empty sheets occur
    noise                  standard deviation of the pixels' Gaussian noise, as a share of the full range (then clipped)
    seed                   of everything random here

    Images are uint8. Source: the 1797 digits of scikit-learn (Alpaydin and Kaynak 1998), 8 x 8 pixels, values 0 to 16.
    Raises ConfigError for settings outside their range.
    """
    from sklearn.datasets import load_digits  # takes a second to import

    for name, value, fine in (
        ("samples", samples, samples >= 1),
        ("test_samples", test_samples, test_samples >= 1),
        ("grid", grid, grid >= 1),
        ("mean_filled", mean_filled, 0 < mean_filled <= grid * grid),
        ("noise", noise, 0 <= noise <= 1),
    ):
        if not fine:
            allowed = {"noise": "from 0 to 1", "mean_filled": "above 0, at most the number of cells"}
            raise ConfigError(f"dataset.{name}={value}: {allowed.get(name, '1 or more')} is needed")
    sheets = samples + test_samples
    keys = "dataset.grid, dataset.samples or dataset.test_samples"
    require_memory(sheets * grid * grid * CELL_BYTES, f"{sheets} sheets of {grid} x {grid} cells", keys)
    images, classes = load_digits(return_X_y=True)
    images = np.rint(images.reshape(-1, DIGIT, DIGIT) * (255 / 16)).astype(np.uint8)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(images))
    cut = 2 * len(order) // 3
    return assemble(
        "images",
        [f"r{row}c{column}={digit}" for row in range(grid) for column in range(grid) for digit in range(10)],
        train=_sheets("train", samples, images[order[:cut]], classes[order[:cut]], grid, mean_filled, noise, rng),
        test=_sheets("test", test_samples, images[order[cut:]], classes[order[cut:]], grid, mean_filled, noise, rng),
    )


def samples(path: Path, settings: Mapping[str, Any], encoding: Mapping[str, Any]) -> Iterator[Samples]:
    """Sheets as image files (see `image_samples`), made grey and squeezed to the size of a sheet."""
    for ids, pixels in image_samples(path, settings, {"size": settings["grid"] * DIGIT}):
        yield Samples(ids, pixels.float().mean(1, keepdim=True).round().to(torch.uint8))


def _sheets(
    name: str,
    num: int,
    images: np.ndarray,
    classes: np.ndarray,
    grid: int,
    mean_filled: float,
    noise: float,
    rng: np.random.Generator,
) -> Split:
    cells = grid * grid
    filled = np.minimum(rng.poisson(mean_filled, num), cells)
    # The rank of a cell among random keys: the cells of rank below `filled` are a random subset of that size.
    ranks = rng.random((num, cells), dtype=np.float32).argsort(axis=1).argsort(axis=1)
    sheet, cell = np.nonzero(ranks < filled[:, None])
    source = rng.integers(len(images), size=len(sheet))

    pixels = np.zeros((num, grid, DIGIT, grid, DIGIT), np.uint8)
    pixels[sheet, cell // grid, :, cell % grid, :] = images[source]
    pixels = pixels.reshape(num, 1, grid * DIGIT, grid * DIGIT)
    if noise:
        for part in np.array_split(pixels, -(-num // 256)):  # small parts stay in the processor's cache
            noisy = rng.standard_normal(part.shape, dtype=np.float32)
            noisy *= np.float32(255 * noise)
            noisy += part
            np.rint(noisy, out=noisy)
            part[:] = noisy.clip(0, 255, out=noisy)

    targets = np.zeros((num, cells * 10), np.uint8)
    targets[sheet, cell * 10 + classes[source]] = 1
    return Split(torch.from_numpy(pixels), torch.from_numpy(targets), tuple(f"{name}:{i}" for i in range(num)))
