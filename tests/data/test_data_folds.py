"""Cross-validation and groups: every sample is tested once, no group is parted, labels in proportion, refusals."""

from dataclasses import replace

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from mllc.data.arff import arff
from mllc.data.groups import group_stratification
from mllc.data.rows import Mapped, Sparse, join
from mllc.data.splits import carve
from mllc.errors import DataError
from mllc.types import Dataset, Split


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def split(name, size, *, group_size=None, mask=False, seed=0):
    targets = (torch.rand(size, 20, generator=seeded(seed)) < 0.4 / torch.arange(1, 21)).to(torch.uint8)
    known = torch.rand(size, 20, generator=seeded(9)) < 0.9 if mask else None
    groups = None if group_size is None else tuple(f"{name}{row // group_size}" for row in range(size))
    rows = torch.arange(size, dtype=torch.float32)[:, None]
    return Split(rows, targets, tuple(f"{name}:{row}" for row in range(size)), known, groups)


def dataset(train, val=None, test=None):
    return Dataset("features", tuple(f"l{i}" for i in range(20)), (1,), train, val, test, "", ("as read",))


def folds_of(data, folds, seed=0, **settings):
    options = {"val": 0.2, "test": 0.2, "folds": folds} | settings
    return [carve(data, **options, fold=fold, generator=seeded(seed)) for fold in range(folds)]


def test_every_sample_is_tested_in_exactly_one_fold():
    data = dataset(split("train", 100), test=split("test", 30, seed=1))
    carved = folds_of(data, 5)
    tested = [name for one in carved for name in one.split("test").ids]
    assert sorted(tested) == sorted(data.train.ids + data.split("test").ids)
    for one in carved:
        parts = [one.split(name) for name in ("train", "val", "test")]
        assert sorted(name for part in parts for name in part.ids) == sorted(tested)
        for part in parts:  # inputs and targets went with their ids
            for row, name in enumerate(part.ids):
                source, place = name.split(":")
                original = data.split(source)
                assert part.inputs[torch.tensor([row])].item() == int(place)
                assert torch.equal(part.targets[row], original.targets[int(place)])
    assert {one.notes for one in carved} == {
        (
            "as read",
            "split.folds=5: 100 train and 30 test samples of the source are divided anew; "
            "each fold is the test split once",
        )
    }


def test_folds_have_their_share_of_each_label():
    data = dataset(split("train", 1000))
    total = data.train.targets.sum(0)
    for one in folds_of(data, 4):
        assert len(one.split("test")) == pytest.approx(250, abs=3)
        assert (one.split("test").targets.sum(0) - total / 4).abs().max() < 4


def test_another_seed_draws_other_folds():
    data = dataset(split("train", 60))
    one, again, other = (folds_of(data, 3, seed)[0].split("test").ids for seed in (0, 0, 1))
    assert one == again != other


def test_masks_and_validation_splits_are_joined():
    data = dataset(split("train", 40, mask=True), val=split("val", 20))
    for one in folds_of(data, 2):
        part = one.split("train")
        assert part.mask is not None
        for row, name in enumerate(part.ids):
            source, place = name.split(":")
            mask = data.split(source).mask
            expected = torch.ones(20, dtype=torch.bool) if mask is None else mask[int(place)]
            assert torch.equal(part.mask[row], expected)


@pytest.mark.parametrize(
    ("data", "folds", "fold", "message"),
    [
        (dataset(split("train", 10)), 11, 0, r"split\.folds=11: there are only 10 samples; give fewer folds"),
        (dataset(split("train", 40, group_size=20)), 3, 0, r"split\.folds=3: there are only 2 groups; give fewer"),
        (dataset(split("train", 10)), 5, 5, r"split\.fold=5 split\.folds=5: two folds or more .* counted from 0"),
        (dataset(split("train", 10)), 1, 0, r"split\.fold=0 split\.folds=1: two folds or more are needed"),
    ],
)
def test_folds_that_there_are_not(data, folds, fold, message):
    with pytest.raises(DataError, match=message):
        carve(data, val=0.2, test=0.2, folds=folds, fold=fold, generator=seeded())


def test_groups_stay_together_with_and_without_folds():
    data = dataset(split("train", 200, group_size=4))
    for one in (carve(data, val=0.2, test=0.2, group="film", generator=seeded()), *folds_of(data, 4, group="film")):
        groups = [set(one.split(name).groups or ()) for name in ("train", "val", "test")]
        assert all(groups)
        assert sum(map(len, groups)) == len(set().union(*groups)) == 50
        assert len(one.split("test")) == pytest.approx(45, abs=8)


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=30),
    weights=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    num_labels=st.integers(1, 6),
    seed=st.integers(0, 5),
)
@example(sizes=[1, 1, 1, 4], weights=[1, 1, 1, 2], num_labels=2, seed=0)
def test_no_group_is_ever_parted(sizes, weights, num_labels, seed):
    groups = [f"g{number}" for number, size in enumerate(sizes) for _ in range(size)]
    order = torch.randperm(len(groups), generator=seeded(seed)).tolist()
    groups = [groups[place] for place in order]
    targets = (torch.rand(len(groups), num_labels, generator=seeded(seed)) < 0.3).to(torch.uint8)
    fractions = [weight / sum(weights) for weight in weights]
    parts = group_stratification(targets, groups, fractions, seeded(seed))
    assert sorted(torch.cat(parts).tolist()) == list(range(len(groups)))
    assert all(torch.equal(part, part.sort().values) for part in parts)
    found = [{groups[row] for row in part.tolist()} for part in parts]
    assert sum(map(len, found)) == len(set(groups))
    for part, fraction in zip(parts, fractions, strict=True):
        assert len(part) - fraction * len(groups) <= (1 - 1 / max(len(parts), 2)) * max(sizes) + 1e-9


def test_groups_are_closer_to_their_share_than_at_random():
    data = split("train", 2000, group_size=5)
    assert data.groups is not None
    part = group_stratification(data.targets, data.groups, [0.8, 0.2], seeded())[1]
    shuffled = torch.randperm(400, generator=seeded())[:80]
    random = torch.cat([torch.arange(5) + 5 * group for group in shuffled.tolist()])
    total = data.targets.sum(0)
    mean = [(data.targets[rows].sum(0) - 0.2 * total).abs().mean() for rows in (part, random)]
    assert len(part) == 400
    assert mean[0] < mean[1] / 2


def test_groups_that_official_splits_part_are_counted():
    train, test = split("train", 40, group_size=10), split("test", 20, group_size=10)
    test = replace(test, groups=("train1",) * 10 + ("other",) * 10)
    carved = carve(dataset(train, test=test), val=0.25, test=0.2, group="film", generator=seeded())
    assert carved.notes == ("as read", "1 group is in train and in test, as the source has them: 'train1'")
    assert carved.test is test


def test_a_source_without_groups_is_refused():
    data = dataset(split("train", 40, group_size=10), test=split("test", 20))
    with pytest.raises(DataError, match=r"split\.group=film: the test split names no groups; give a file"):
        carve(data, val=0.2, test=0.2, group="film", generator=seeded())


def test_one_group_cannot_be_divided():
    with pytest.raises(
        DataError, match=r"split\.test=0\.2 of 40 training samples in 1 group leaves 40 .* and 0 for test"
    ):
        carve(dataset(split("train", 40, group_size=40)), val=0.2, test=0.2, generator=seeded())


def test_joined_rows_are_a_view_where_one_of_them_is():
    whole = torch.arange(12, dtype=torch.float32).view(6, 2)
    for parts in ([whole[:2], whole[2:]], [Mapped(whole[:2].numpy()), whole[2:3], Mapped(whole[3:].numpy())]):
        rows = join(parts)
        assert len(rows) == 6
        for index in ([5, 0, 2, 2, 1], [0, 1], [4], [], list(range(6))):
            assert torch.equal(rows[torch.tensor(index, dtype=torch.int64)], whole[index])


def write(file, rows, names="{a,b,'c d'}"):
    header = f"@relation r\n@attribute x numeric\n@attribute film {names}\n@attribute on {{0,1}}\n@data\n"
    file.write_text(header + "\n".join(rows) + "\n")
    return str(file)


def test_groups_of_an_arff_file(tmp_path):
    file = write(tmp_path / "a.arff", ["1,a,0", "2,'c d',1", "{0 3, 2 1}"])
    data = arff(train=file, num_labels=-1, standardize=False, group="film")
    assert data.train.groups == ("a", "c d", "a")
    assert data.input_shape == (1,)
    numbers = arff(train=write(tmp_path / "b.arff", ["1,7,0", "2,7.5,1"], "numeric"), num_labels=-1, group="film")
    assert numbers.train.groups == ("7", "7.5")


@pytest.mark.parametrize(
    ("rows", "group", "message"),
    [
        (["1,a,0"], "films", r"split\.group=films: .*a\.arff has no such attribute; did you mean split\.group=film\?"),
        (["1,a,0"], "on", r"split\.group=on: this is a label of .*a\.arff"),
        (["1,a,0", "1,?,0"], "film", r"a\.arff, line 7: split\.group=film is \?: every row needs one"),
    ],
)
def test_groups_of_an_arff_file_that_cannot_be_read(tmp_path, rows, group, message):
    with pytest.raises(DataError, match=message):
        arff(train=write(tmp_path / "a.arff", rows), num_labels=-1, group=group)


def test_sparse_targets_and_inputs_are_divided_as_dense_ones():
    groups = tuple(f"g{row // 3}" for row in range(90))
    dense = Split(torch.eye(90), split("train", 90).targets, split("train", 90).ids, groups=groups)
    sparse = replace(dense, inputs=as_sparse(dense.inputs), targets=as_sparse(dense.targets))
    for of in ({}, {"groups": None}):
        data = [
            dataset(replace(one, **of), test=replace(one, ids=split("test", 90).ids, **of)) for one in (dense, sparse)
        ]
        for one, other in zip(*(folds_of(each, 3) for each in data), strict=True):
            for name in ("train", "val", "test"):
                mine, theirs = one.split(name), other.split(name)
                assert isinstance(theirs.inputs, Sparse)
                assert isinstance(theirs.targets, Sparse)
                every = torch.arange(len(mine))
                assert mine.ids == theirs.ids
                assert torch.equal(mine.inputs[every], theirs.inputs[every])
                assert torch.equal(mine.targets[every], theirs.targets[every])


def as_sparse(tensor):
    return Sparse(csr_matrix(tensor.numpy()))
