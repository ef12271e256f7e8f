"""The digit sheet: what is in a sheet is what its labels say, from disjoint digits, the same for one seed."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from mllc.data.digits import digits
from mllc.errors import ConfigError

DEFAULTS = {"samples": 300, "test_samples": 100, "grid": 10, "mean_filled": 2.0, "noise": 0.1, "seed": 0}


def make(**settings):
    return digits(**(DEFAULTS | settings))


def source_of():
    """Cell content -> (index, class) of the source digits, by their pixels as uint8."""
    images, classes = load_digits(return_X_y=True)
    pixels = np.rint(images * 255 / 16).astype(np.uint8)
    return {row.tobytes(): (index, label) for index, (row, label) in enumerate(zip(pixels, classes, strict=True))}


def test_shapes_and_names():
    data = make()
    assert data.train.inputs[torch.arange(300)].shape == (300, 1, 80, 80)
    assert data.train.inputs[torch.arange(300)].dtype == torch.uint8
    assert data.train.targets.shape == (300, 1000)
    assert data.label_names[375] == "r3c7=5"
    assert (data.kind, data.input_shape, data.val) == ("images", (1, 80, 80), None)
    assert data.test is not None
    assert len(data.test) == 100


def test_every_cell_holds_what_its_label_says():
    data = make(noise=0.0)
    sources, used = source_of(), {}
    for name, split in (("train", data.train), ("test", data.test)):
        assert split is not None
        cells = split.inputs[torch.arange(len(split))].numpy().reshape(-1, 10, 8, 10, 8).transpose(0, 1, 3, 2, 4)
        expected = np.zeros((len(split), 1000), np.uint8)
        used[name] = set()
        for sheet, row, column in np.argwhere(cells.any(axis=(3, 4))):
            index, label = sources[cells[sheet, row, column].tobytes()]
            expected[sheet, row * 100 + column * 10 + label] = 1
            used[name].add(index)
        assert np.array_equal(split.targets, expected)
    assert used["train"]
    assert not used["train"] & used["test"]


def test_filled_cells_are_poisson():
    counts = make(samples=20_000, grid=3, mean_filled=1.5, noise=0.0).train.targets.sum(1).double()
    assert counts.mean().item() == pytest.approx(1.5, abs=0.04)  # 4.6 standard errors
    assert counts.var().item() == pytest.approx(1.5, abs=0.08)  # (cut at 9 cells: nothing to see)
    assert (counts == 0).double().mean().item() == pytest.approx(np.exp(-1.5), abs=0.014)


def test_noise_has_the_given_spread():
    pixels = make(samples=50, noise=0.1, mean_filled=0.001).train.inputs[torch.arange(50)].double()
    above = pixels[pixels > 0]  # half of a normal distribution: its root mean square is that of the whole
    assert above.square().mean().sqrt().item() == pytest.approx(25.5, rel=0.03)
    assert (pixels > 0).double().mean().item() == pytest.approx(0.5, abs=0.02)


def test_one_seed_one_data_set():
    data = make()
    assert make().fingerprint == data.fingerprint
    assert make(seed=1).fingerprint != data.fingerprint
    assert make(noise=0.2).fingerprint != data.fingerprint


def test_more_sheets_than_the_memory_holds():
    with pytest.raises(
        ConfigError, match=r"1000 x 1000 cells: 592 TB of memory needed, .* lower dataset\.grid, dataset"
    ):
        make(grid=1000, samples=4_000_000 - 100)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("samples", 0), ("test_samples", -1), ("grid", 0), ("mean_filled", 0.0), ("mean_filled", 101.0), ("noise", 1.5)],
)
def test_settings_out_of_range(setting, value):
    with pytest.raises(ConfigError, match=rf"dataset\.{setting}={value}: .* is needed"):
        make(**{setting: value})
