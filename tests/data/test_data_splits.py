"""Stratification and carving: nothing lost, nothing twice, labels in proportion, refusals with counts."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mllc.data.arff import arff
from mllc.data.splits import carve, iterative_stratification, split_fingerprint
from mllc.errors import DataError
from mllc.types import Dataset, Split


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def sparse_targets(num_samples=2000, num_labels=200, seed=0):
    """Labels from frequent to rare (Zipf), about 2.5 true a sample."""
    shares = 0.4 / torch.arange(1, num_labels + 1)
    return (torch.rand(num_samples, num_labels, generator=seeded(seed)) < shares).to(torch.uint8)


def worst_and_mean_deviation(targets, part, share):
    """How far a part's count of each label is from its share, in samples."""
    deviation = (targets[part].sum(0) - share * targets.sum(0)).abs()
    return deviation.max().item(), deviation.mean().item()


def dataset(num=100, val=False, test=False, mask=False):
    def split(name, size):
        targets = sparse_targets(size, 20)
        rows = torch.arange(size, dtype=torch.float32)[:, None]
        known = torch.rand(size, 20, generator=seeded(9)) < 0.9 if mask else None
        return Split(rows, targets, tuple(f"{name}:{i}" for i in range(size)), known)

    return Dataset(
        "features",
        tuple(f"l{i}" for i in range(20)),
        (1,),
        split("train", num),
        split("val", 30) if val else None,
        split("test", 30) if test else None,
        "",
        ("as read",),
    )


@given(
    st.integers(1, 60),
    st.integers(1, 8),
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.integers(0, 5),
)
def test_every_sample_exactly_once(num_samples, num_labels, weights, seed):
    targets = (torch.rand(num_samples, num_labels, generator=seeded(seed)) < 0.3).to(torch.uint8)
    parts = iterative_stratification(targets, [weight / sum(weights) for weight in weights], seeded(seed))
    assert len(parts) == len(weights)
    assert sorted(torch.cat(parts).tolist()) == list(range(num_samples))
    assert all(torch.equal(part, part.sort().values) for part in parts)


def test_labels_are_closer_to_their_share_than_at_random():
    targets = sparse_targets()
    part = iterative_stratification(targets, [0.8, 0.2], seeded())[1]
    random = torch.randperm(len(targets), generator=seeded())[: len(part)]
    assert len(part) == pytest.approx(400, abs=4)
    worst, mean = worst_and_mean_deviation(targets, part, 0.2)
    assert (worst, mean) < (4.0, 0.5)
    assert mean < worst_and_mean_deviation(targets, random, 0.2)[1] / 2


def test_single_labels_are_exact():
    """With one label a sample nothing interferes: every label has its share, to rounding."""
    targets = torch.eye(10, dtype=torch.uint8).repeat_interleave(20, dim=0)
    parts = iterative_stratification(targets, [0.5, 0.3, 0.2], seeded())
    assert [targets[part].sum(0).tolist() for part in parts] == [[10] * 10, [6] * 10, [4] * 10]


def test_rare_positives_stay_in_the_larger_part():
    targets = torch.zeros(200, 30, dtype=torch.uint8)
    for label in range(30):
        targets[label * 3 : label * 3 + 1 + label // 10, label] = 1  # one, two or three positives
    kept, taken = iterative_stratification(targets, [0.85, 0.15], seeded())
    assert targets[taken].sum() == 0
    assert len(taken) == 30  # filled up with samples without labels
    assert len(kept) == 170


def test_rare_labels_with_four_positives_are_in_both_parts():
    targets = torch.eye(50, dtype=torch.uint8).repeat_interleave(4, dim=0)
    taken = iterative_stratification(targets, [0.8, 0.2], seeded())[1]
    assert targets[taken].sum(0).tolist() == [1] * 50


def test_the_generator_decides():
    targets = sparse_targets(500)
    one, again, other = (iterative_stratification(targets, [0.8, 0.2], seeded(seed))[1] for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_on_real_labels(real_data):
    folder = real_data / "mulan" / "bibtex"
    data = arff(train=str(folder / "bibtex-train.arff"), labels=str(folder / "bibtex.xml"))
    carved = carve(data, val=0.15, test=0.2, generator=seeded())
    assert carved.val is not None
    counts, total = carved.val.targets.sum(0), carved.train.targets.sum(0) + carved.val.targets.sum(0)
    assert (counts - 0.15 * total).abs().max() < 5
    assert (counts > 0).all()


def test_official_splits_are_kept():
    data = dataset(val=True, test=True)
    carved = carve(data, val=0.2, test=0.2, generator=seeded())
    assert (carved.train, carved.val, carved.test) == (data.train, data.val, data.test)


def test_validation_comes_from_training_never_from_test():
    data = dataset(test=True, mask=True)
    carved = carve(data, val=0.2, test=0.5, generator=seeded())
    assert carved.test is data.test
    assert carved.notes == ("as read",)
    assert carved.val is not None
    assert sorted(carved.train.ids + carved.val.ids) == sorted(data.train.ids)
    assert len(carved.val) == pytest.approx(20, abs=2)
    for split in (carved.train, carved.val):
        rows = [int(name.removeprefix("train:")) for name in split.ids]
        assert split.inputs[torch.arange(len(split))].flatten().tolist() == rows
        assert torch.equal(split.targets, data.train.targets[rows])
        assert data.train.mask is not None
        assert split.mask is not None
        assert torch.equal(split.mask, data.train.mask[rows])


def test_a_missing_test_is_carved_first_and_said():
    data = dataset(num=200)
    carved = carve(data, val=0.25, test=0.2, generator=seeded())
    assert carved.val is not None
    assert carved.test is not None
    assert len(carved.test) == pytest.approx(40, abs=3)
    assert len(carved.val) == pytest.approx(40, abs=3)  # a quarter of the 160 that remain
    ids = carved.train.ids + carved.val.ids + carved.test.ids
    assert sorted(ids) == sorted(data.train.ids)
    assert carved.notes[1] == f"the source has no test split: {len(carved.test)} of 200 training samples are held out"
    # Whatever the share for validation, the test samples are the same.
    assert carve(data, val=0.1, test=0.2, generator=seeded()).test.ids == carved.test.ids  # type: ignore[union-attr]


def test_rows_that_are_not_tensors_become_views():
    class Rows:
        def __len__(self):
            return 100

        def __getitem__(self, index):
            return index.float()[:, None]

    data = dataset(test=True)
    data = Dataset(**{**vars(data), "train": Split(Rows(), data.train.targets, data.train.ids)})
    train = carve(data, val=0.2, test=0.2, generator=seeded()).train
    assert len(train.inputs) == len(train)
    assert train.inputs[torch.tensor([2, 0])].flatten().tolist() == [int(train.ids[i][6:]) for i in (2, 0)]


def test_the_fingerprint_tells_who_went_where():
    data = dataset()
    carved = [carve(data, val=0.2, test=0.2, generator=seeded(seed)) for seed in (0, 0, 1)]
    prints = [split_fingerprint(one.train, one.val, one.test) for one in carved]
    assert prints[0] == prints[1] != prints[2]
    assert split_fingerprint(data.train, data.val, data.test) != prints[0]
    assert len(prints[0]) == 32


@pytest.mark.parametrize(
    ("val", "test"), [(0.0, 0.2), (1.0, 0.2), (-0.1, 0.2), (500, 0.2), (0.2, 1.5), (float("nan"), 0.2)]
)
def test_shares_out_of_range(val, test):
    with pytest.raises(DataError, match=r"split\.(val|test)=.*: a share of the training samples is needed"):
        carve(dataset(), val=val, test=test, generator=seeded())


def test_more_than_there_is():
    with pytest.raises(DataError, match=r"split\.val=0\.15 of 2 training samples leaves 2 for training and 0 for val"):
        carve(dataset(num=2, test=True), val=0.15, test=0.2, generator=seeded())
    with pytest.raises(DataError, match=r"split\.test=0\.9 of 2 training samples leaves 0 for training and 2 for test"):
        carve(dataset(num=2), val=0.5, test=0.9, generator=seeded())
