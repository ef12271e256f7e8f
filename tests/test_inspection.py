"""What an inspection counts, against naive loops, published figures and a run's own baselines."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.sparse import csr_matrix

from mllc.build import share
from mllc.config.compose import compose
from mllc.data.rows import Sparse
from mllc.inspection import inspect
from mllc.inspection.duplicates import row_digests
from mllc.inspection.image_files import image_files
from mllc.inspection.labels import label_facts, label_sets, positives
from mllc.inspection.pairs import most_frequent, strongest_pairs
from mllc.open_data import open_data
from mllc.types import Dataset, Split


def split(targets, inputs=None, mask=None, name="train"):
    targets = torch.as_tensor(targets, dtype=torch.uint8)
    inputs = torch.arange(len(targets)).float()[:, None] if inputs is None else torch.as_tensor(inputs)
    return Split(inputs, targets, tuple(f"{name}:{row}" for row in range(len(targets))), mask)


def facts(*splits):
    matrices = [positives(one) for one in splits]
    return label_facts(splits, matrices, [label_sets(matrix) for matrix in matrices])


def dataset(train, val, test, num_labels):
    return Dataset("features", tuple(f"l{i}" for i in range(num_labels)), (1,), train, val, test, "", ("as read",))


targets_of = st.integers(1, 6).flatmap(
    lambda labels: st.lists(st.lists(st.integers(0, 1), min_size=labels, max_size=labels), min_size=1, max_size=25)
)


@given(targets_of)
def test_label_facts_are_those_of_a_loop(rows):
    found, (samples, labels) = facts(split(rows)), np.array(rows).shape
    sums = [sum(row) for row in rows]
    assert found.num_samples == samples
    assert found.cardinality == pytest.approx(sum(sums) / samples)
    assert found.density == pytest.approx(sum(sums) / samples / labels)
    assert found.spread == pytest.approx(np.std(sums))
    assert found.per_sample.tolist() == [sums.count(n) for n in range(max(sums) + 1)]
    assert (found.empty, found.full) == (sums.count(0), sums.count(labels))
    assert found.label_sets == len({tuple(row) for row in rows})
    counts = [sum(column) for column in zip(*rows, strict=True)]
    assert found.never_true == counts.count(0)
    ratios = [max(counts) / count for count in counts if count]
    assert found.mean_imbalance == (pytest.approx(sum(ratios) / len(ratios)) if ratios else None)
    assert found.largest_imbalance == (pytest.approx(max(ratios)) if ratios else None)


def test_sparse_targets_and_several_splits_count_the_same():
    draw = torch.Generator().manual_seed(0)
    targets = (torch.rand(60, 9, generator=draw) < 0.2).to(torch.uint8)
    sparse = replace(split(targets), targets=Sparse(csr_matrix(targets.numpy())))
    for found in (facts(sparse), facts(split(targets[:20]), split(targets[20:]))):
        expected = facts(split(targets))
        assert np.array_equal(found.counts, expected.counts)
        assert np.array_equal(found.per_sample, expected.per_sample)
        assert found.label_sets == expected.label_sets


def test_unknown_entries_are_not_true_and_counted():
    found = facts(split([[1, 1], [0, 1]], mask=torch.tensor([[True, False], [True, True]])))
    assert found.counts.tolist() == [1, 1]
    assert found.per_sample.tolist() == [0, 2]
    assert found.unknown == 1


@given(targets_of, st.integers(1, 3), st.integers(1, 5))
def test_pairs_are_those_of_a_loop_whatever_the_block(rows, least, most):
    matrix, columns = positives(split(rows)), list(zip(*rows, strict=True))
    expected = []
    for first, second in combinations(range(len(columns)), 2):
        a, b = columns[first], columns[second]
        both = sum(x and y for x, y in zip(a, b, strict=True))
        if both >= least:
            jaccard = both / sum(x or y for x, y in zip(a, b, strict=True))
            expected.append((-jaccard, first, second, both, both * len(rows) / (sum(a) * sum(b))))
    expected = sorted(expected)[:most]
    for entries in (1, 1 << 20):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("mllc.inspection.pairs.BLOCK_ENTRIES", entries)
            found = strongest_pairs([matrix], len(columns), most, least)
        told = [(-one.jaccard, one.first, one.second, one.together, one.lift) for one in found]
        assert [one[:4] for one in told] == [one[:4] for one in expected]
        assert [one[4] for one in told] == pytest.approx([one[4] for one in expected])


def test_the_most_frequent_labels_together():
    rows = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0]])
    found = most_frequent([positives(split(rows[:1])), positives(split(rows[1:]))], 4, most=3)
    assert found.labels.tolist() == [1, 2, 0]
    assert np.array_equal(found.together, (rows.T @ rows)[np.ix_([1, 2, 0], [1, 2, 0])])


def test_copies_within_and_across_splits():
    train = split([[1, 0], [0, 1], [1, 0]], [[1.0], [2.0], [1.0]])
    val = split([[1, 1]], [[0.0]], name="val")
    test = split([[1, 0], [1, 1], [0, 0]], [[2.0], [9.0], [-0.0]], name="test")
    found = inspect(dataset(train, val, test, 2))
    assert (found.within["train"].count, found.within["train"].other_labels) == (1, 0)
    assert found.within["train"].examples == (("train:2", "train:0"),)
    assert found.within["val"].count == found.within["test"].count == 0
    assert (found.across["train", "test"].count, found.across["train", "test"].other_labels) == (1, 1)
    assert found.across["train", "test"].examples == (("test:0", "train:1"),)
    assert found.across["val", "test"].examples == (("test:2", "val:0"),), "0 and -0 are the same"
    assert found.ids == {}
    again = inspect(dataset(train, val, replace(test, ids=("train:1", "x", "x")), 2))
    assert {pair: one.count for pair, one in again.ids.items()} == {("test", "test"): 1, ("train", "test"): 1}


def test_digests_of_sparse_rows_tell_the_same_rows_apart():
    rows = torch.tensor([[0.0, 2.0], [0.0, 2.0], [2.0, 0.0], [0.0, 0.0]])
    sparse = Sparse(csr_matrix(rows.numpy()))
    dense, of_dense, of_sparse = (
        [places.index(one) for one in places]
        for places in (list(row_digests(*one)) for one in ((rows, False), (sparse, False), (sparse, True)))
    )
    assert dense == of_dense == of_sparse == [0, 0, 2, 3]


def test_the_baselines_are_those_that_a_run_reports(tmp_path):
    typed = ["dataset.samples=240", "dataset.test_samples=80", "dataset.grid=3", "device=cpu"]
    conf = compose(typed)
    shared = share(conf)
    found = inspect(open_data(conf), shrinkage=conf["thresholds"]["shrinkage"])
    assert found.baselines == shared.baselines(True, conf["thresholds"]["shrinkage"])
    assert found.notes == shared.data.notes


def test_baselines_of_too_many_targets_are_left_out(monkeypatch):
    monkeypatch.setattr("mllc.inspection.BASELINES_LIMIT", 3)
    one = split([[1, 0], [0, 1]])
    assert inspect(dataset(one, one, one, 2)).baselines == {}


@pytest.mark.parametrize("rows", [[[0, 0], [0, 0]], [[1, 1], [1, 1]], [[1, 0], [1, 0]]])
def test_splits_of_nothing_or_everything(rows):
    one = split(rows)
    found = inspect(dataset(one, one, one, 2))
    assert found.whole.num_samples == 6
    assert found.pairs == ((found.pairs[0],) if rows == [[1, 1], [1, 1]] else ())


def test_sizes_of_image_files_are_read_from_their_headers(tmp_path):
    for name, size in (("a.png", (4, 8)), ("b.png", (10, 2)), ("c.png", (4, 8))):
        Image.new("RGB", size).save(tmp_path / name)
    (tmp_path / "d.png").write_bytes(b"no image")
    one = replace(split([[1]] * 5), ids=("a.png", "b.png", "c.png", "d.png", "none.png"))
    found = image_files(tmp_path, {"train": one})
    assert found is not None
    assert (found.number, found.distinct, found.width, found.height) == (3, 2, (4, 4, 10), (2, 8, 8))
    assert image_files(tmp_path / "elsewhere", {"train": one}) is None
