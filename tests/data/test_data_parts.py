"""What readers and runs share: batches, augmentation, statistics, assembly, the fingerprint, the YAMLs."""

from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mllc.data.assemble import assemble
from mllc.data.batches import batches
from mllc.data.fingerprint import fingerprint
from mllc.data.rows import Selected
from mllc.data.statistics import constant_labels, label_statistics
from mllc.errors import DataError
from mllc.types import Split


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def split(inputs=None, targets=((1, 0), (0, 0), (1, 1)), mask=None):
    rows = torch.tensor(targets, dtype=torch.uint8)
    inputs = torch.arange(len(rows), dtype=torch.float32)[:, None] if inputs is None else inputs
    return Split(inputs, rows, tuple(map(str, range(len(rows)))), mask)


@given(st.integers(2, 200), st.integers(1, 70))
def test_batches_cover_an_epoch(num_samples, batch_size):
    parts = list(batches(num_samples, batch_size, seeded()))
    seen = torch.cat(parts).tolist()
    assert len(set(seen)) == len(seen)
    assert all(len(part) == batch_size for part in parts[:-1])
    if batch_size > 1:
        assert all(len(part) > 1 for part in parts)
        assert len(seen) == num_samples - (num_samples % batch_size == 1)


def test_batches_are_shuffled_and_seeded():
    one, again, other = (torch.cat(list(batches(100, 32, seeded(seed)))).tolist() for seed in (0, 0, 1))
    assert one == again != other
    assert sorted(one) == list(range(100)) != one


def test_label_statistics():
    statistics = label_statistics(split())
    assert statistics.label_counts.tolist() == [2, 1]
    assert statistics.label_counts.dtype == torch.float32
    assert (statistics.num_samples, statistics.mean_cardinality) == (3, 1.0)
    assert statistics.priors.tolist() == pytest.approx([2 / 3, 1 / 3])
    masked = label_statistics(split(mask=torch.tensor([[False, True], [True, True], [True, True]])))
    assert masked.label_counts.tolist() == [1, 1]
    assert masked.mean_cardinality == pytest.approx(2 / 3)


def test_counts_do_not_wrap():
    assert label_statistics(split(targets=[(1, 0)] * 300)).label_counts.tolist() == [300, 0]


def test_fingerprint_is_of_the_content():
    names = ("a", "b")
    base = fingerprint(names, split(), None, split())
    assert fingerprint(names, split(), None, split()) == base
    assert len(base) == 32
    rows = torch.arange(3, dtype=torch.float32)[:, None]
    assert fingerprint(names, split(Selected(rows, torch.arange(3))), None, split()) == base
    mask = torch.ones(3, 2, dtype=torch.bool)
    others = [
        fingerprint(("a", "c"), split(), None, split()),
        fingerprint(names, split(), split(), None),
        fingerprint(names, split(rows.double()), None, split()),
        fingerprint(names, split(rows.reshape(3, 1, 1)), None, split()),
        fingerprint(names, split(rows.flip(0)), None, split()),
        fingerprint(names, split(targets=[(1, 0), (0, 1), (1, 1)]), None, split()),
        fingerprint(names, split(mask=mask), None, split()),
    ]
    assert len({base, *others}) == 1 + len(others)


def test_constant_labels():
    data = split(targets=[(1, 0, 1), (1, 0, 0)])
    assert constant_labels("abc", label_statistics(data)) == [
        "1 of 3 labels is never true in training: 'b'",
        "1 of 3 labels is always true in training: 'a'",
    ]
    unknown = split(targets=[(1, 0, 1), (1, 0, 0)], mask=torch.tensor([[False, True, False], [True, True, True]]))
    assert constant_labels("abc", label_statistics(unknown)) == ["2 of 3 labels are never true in training: 'b', 'c'"]


def test_assemble():
    data = assemble("features", ["a", "b"], train=split(targets=[(1, 0), (0, 0)]), test=split(), notes=["said"])
    assert data.notes == ("said",)
    assert data.input_shape == (1,)
    with pytest.raises(DataError, match="label names occur more than once: 'a'"):
        assemble("features", ["a", "a"], train=split())
    with pytest.raises(DataError, match="no labels"):
        assemble("features", [], train=split(targets=[(), ()]))
    empty = Split(torch.zeros(0, 1), torch.zeros(0, 2, dtype=torch.uint8), ())
    with pytest.raises(DataError, match="the validation split has no samples"):
        assemble("features", ["a", "b"], train=split(), val=empty)


def test_every_yaml_names_its_reader_and_settings():
    import importlib
    import inspect

    files = sorted((Path(__file__).parents[2] / "conf" / "dataset").glob("*.yaml"))
    assert {"arff", "digits", "images", "synthetic"} <= {file.stem for file in files}
    for file in files:
        node = yaml.safe_load(file.read_text())
        if file.stem == "auto":  # no reader: it becomes one of the others before anything is composed
            continue
        module, _, name = node.pop("_target_").rpartition(".")
        assert name == file.stem
        for common in ("augment", "single_positive"):  # of every reader's data, done after reading
            node.pop(common, None)
        node.pop("defaults", None)
        traits = node.pop("traits")
        assert {"summary", "source", "kind", "backbone", "paths"} <= traits.keys()
        assert traits["kind"] in ("features", "images")
        assert set(traits["paths"]) <= node.keys()
        reader = getattr(importlib.import_module(module), name)
        # The folder of the cache and the groups of a split are settings of the run.
        assert inspect.signature(reader).parameters.keys() - {"cache_folder", "group"} == node.keys()


def test_image_formats_share_their_common_settings():
    folder = Path(__file__).parents[2] / "conf" / "dataset"
    files = [file for file in sorted(folder.glob("*.yaml")) if "\non_bad_image:" in file.read_text()]
    assert {file.stem for file in files} == {"celeba", "coco", "deepfashion", "images", "path_labels", "voc", "yolo"}
    nodes = [yaml.safe_load(file.read_text()) for file in files]
    for key in ("size", "on_bad_image", "cache", "augment", "single_positive"):
        assert [node[key] for node in nodes] == [nodes[0][key]] * len(nodes), key
