"""Sparse rows and targets: the same numbers as dense ones, in every place that takes either."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from mllc.data.fingerprint import fingerprint
from mllc.data.rows import Sparse, dense, dense_if_small, positive_pairs, select, target_rows
from mllc.data.single_positive import single_positive
from mllc.data.splits import carve, iterative_stratification
from mllc.data.statistics import label_statistics
from mllc.errors import ConfigError
from mllc.feed import Feed
from mllc.models.front import Front
from mllc.types import Dataset, Split


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def some_targets(samples=60, labels=12, seed=0, density=0.2):
    return (torch.rand(samples, labels, generator=seeded(seed)) < density).to(torch.uint8)


def sparse(tensor):
    return Sparse(csr_matrix(tensor.numpy()))


def a_split(name, targets, inputs=None):
    inputs = sparse(torch.rand(len(targets), 7, generator=seeded(5)).round()) if inputs is None else inputs
    return Split(inputs, targets, tuple(f"{name}:{i}" for i in range(len(targets))))


def a_dataset(train, test=None):
    parts = {"val": None, "test": None if test is None else a_split("test", test)}
    return Dataset(
        "features", tuple(map(str, range(train.shape[1]))), (7,), train=a_split("train", train), fingerprint="", **parts
    )


@given(st.integers(1, 20), st.integers(1, 9), st.integers(0, 4), st.data())
def test_rows_at_an_index(samples, width, seed, data):
    tensor = some_targets(samples, width, seed).float() * torch.rand(samples, width, generator=seeded(seed))
    index = torch.tensor(data.draw(st.lists(st.integers(0, samples - 1), max_size=30)), dtype=torch.int64)
    rows = sparse(tensor)
    assert (len(rows), rows.shape) == (samples, (samples, width))
    assert torch.equal(rows[index], tensor[index])
    assert torch.equal(dense(select(rows, index)), tensor[index])
    assert torch.equal(dense(rows), tensor)


def test_dtypes_are_kept():
    assert sparse(some_targets())[torch.tensor([3, 0])].dtype == torch.uint8
    assert sparse(some_targets().float())[torch.tensor([], dtype=torch.int64)].shape == (0, 12)


def test_target_rows():
    rows = target_rows(np.array([0, 2, 2, 3]), np.array([3, 0, 1]), 4)
    assert dense(rows).tolist() == [[1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]]
    assert dense(rows).dtype == torch.uint8


def test_small_ones_become_one_tensor():
    rows = sparse(some_targets(10, 5))
    assert isinstance(dense_if_small(rows), torch.Tensor)
    assert dense_if_small(rows, 50) is not rows
    assert dense_if_small(rows, 49) is rows


def test_equal_rows_have_one_fingerprint():
    tensor = torch.tensor([[0.0, 1.5, 2.0], [0.0, 0.0, 0.0], [3.0, 0.0, 0.0]])
    starts, columns, values = np.array([0, 3, 3, 4]), np.array([2, 1, 0, 0]), np.array([2, 1.5, 0, 3], np.float32)
    messy = csr_matrix((values, columns.astype(np.int64), starts.astype(np.int64)), shape=(3, 3))
    targets = some_targets(3)

    def of(rows, targets=targets):
        return fingerprint("ab", a_split("train", targets, rows), None, None)

    assert of(Sparse(messy)) == of(sparse(tensor))
    others = [tensor, sparse(tensor.double()), sparse(tensor * 2), sparse(tensor.flip(1)), sparse(tensor[:, :2])]
    found = {of(sparse(tensor)), *map(of, others), of(sparse(tensor), sparse(targets)), of(sparse(tensor.flip(0)))}
    assert len(found) == len(others) + 3
    assert of(sparse(tensor), sparse(targets)) == of(sparse(tensor), sparse(targets))


def test_pairs_rise():
    targets = some_targets()
    for found in (positive_pairs(targets), positive_pairs(sparse(targets))):
        assert np.array_equal(np.stack(found, 1), targets.nonzero().numpy())


def test_statistics():
    targets = some_targets()
    one, other = (label_statistics(a_split("train", form)) for form in (targets, sparse(targets)))
    assert torch.equal(one.label_counts, other.label_counts)
    assert (one.num_samples, one.mean_cardinality) == (other.num_samples, other.mean_cardinality)


@given(st.integers(1, 60), st.integers(1, 8), st.sampled_from([(1.0,), (0.8, 0.2), (0.5, 0.3, 0.2)]), st.integers(0, 5))
def test_stratification_is_the_same(samples, labels, fractions, seed):
    targets = some_targets(samples, labels, seed)
    parts = [iterative_stratification(form, fractions, seeded(seed)) for form in (targets, sparse(targets))]
    assert all(torch.equal(a, b) for a, b in zip(*parts, strict=True))


def test_stratification_is_what_it_was():
    """Seeds of runs that exist draw the same splits: the digest of one was taken when targets were dense only."""
    kept, taken = iterative_stratification(some_targets(500, 40, 3, 0.06), [0.85, 0.15], seeded(7))
    assert (len(kept), len(taken)) == (425, 75)
    assert taken[:12].tolist() == STRATIFIED


STRATIFIED = [1, 6, 7, 10, 18, 24, 32, 38, 39, 41, 59, 79]


def test_carved():
    targets = some_targets(200)
    one, other = (carve(a_dataset(form), val=0.2, test=0.2, generator=seeded()) for form in (targets, sparse(targets)))
    for name in ("train", "val", "test"):
        assert one.split(name).ids == other.split(name).ids
        assert isinstance(other.split(name).targets, Sparse)
        assert torch.equal(dense(other.split(name).targets), one.split(name).targets)
        rows = [int(name[6:]) for name in other.split(name).ids]
        assert torch.equal(dense(other.split(name).inputs), dense(a_dataset(targets).train.inputs)[rows])


def test_single_positives():
    targets = some_targets(400, 6, density=0.4)
    found = single_positive(a_dataset(sparse(targets)), seeded())
    kept = dense(found.train.targets)
    assert torch.equal(kept.sum(1), targets.sum(1).clamp(max=1))
    assert (kept <= targets).all()
    assert kept.dtype == torch.uint8
    lost = int(targets.sum() - kept.sum())
    assert found.notes == (f"single positives: {lost} true labels of 400 training samples set to false",)
    assert torch.equal(dense(single_positive(a_dataset(sparse(targets)), seeded()).train.targets), kept)
    assert not torch.equal(dense(single_positive(a_dataset(sparse(targets)), seeded(1)).train.targets), kept)
    full = dense(single_positive(a_dataset(sparse(torch.ones(3000, 3).byte())), seeded()).train.targets)
    assert full.sum(0).tolist() == pytest.approx([1000] * 3, abs=104)  # 4 standard deviations


@pytest.mark.parametrize("limit", [0, 1 << 20])
def test_fed(monkeypatch, limit):
    """Batches are the same however rows and targets are kept; validation is dense, for the metrics."""
    monkeypatch.setattr("mllc.data.rows.TENSOR_LIMIT_BYTES", limit)
    monkeypatch.setattr("mllc.feed.TARGETS_LIMIT_BYTES", limit)
    targets = some_targets()
    feeds = []
    for form in (targets, sparse(targets)):
        data = a_dataset(form, form)
        data = replace(data, val=data.test)
        feeds.append(Feed("tiny", data, 0, 8, Front(torch.nn.Sequential()), torch.device("cpu")))
    assert isinstance(feeds[1]._source("train").rows, Sparse if limit == 0 else torch.Tensor)
    assert isinstance(feeds[1]._source("train").targets, Sparse if limit == 0 else torch.Tensor)
    for a, b in zip(*(feed.epoch(1) for feed in feeds), strict=True):
        assert torch.equal(a.features, b.features)
        assert torch.equal(a.targets, b.targets)
        assert b.targets.dtype == torch.float32
    assert torch.equal(feeds[1].truth("val").targets, targets)


def test_too_many_scores_are_refused_in_words():
    data = a_dataset(sparse(some_targets()))
    huge = target_rows(np.zeros(10**6 + 1, np.int32), np.zeros(0, np.int32), 10**8)
    feed = Feed(
        "tiny",
        replace(data, val=replace(data.train, targets=huge)),
        0,
        8,
        Front(torch.nn.Sequential()),
        torch.device("cpu"),
    )
    with pytest.raises(ConfigError, match=r"1,000,000 val samples x 100,000,000 labels: .* lower split.val"):
        feed.truth("val")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_rows_on_a_gpu():
    tensor = torch.rand(100, 30, generator=seeded()).round()
    index = torch.randperm(100, generator=seeded())[:40]
    assert torch.equal(sparse(tensor).on(index, torch.device("cuda")).cpu(), tensor[index])
