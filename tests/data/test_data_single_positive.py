import torch

from mllc.data.single_positive import single_positive
from mllc.types import Dataset, Split


def make(targets, mask=None):
    split = Split(torch.zeros(len(targets), 2), targets, tuple(map(str, range(len(targets)))), mask)
    return Dataset("features", tuple("abcdef"[: targets.shape[1]]), (2,), split, split, split, "f")


def drawn(dataset, seed=0):
    return single_positive(dataset, torch.Generator().manual_seed(seed))


def test_each_training_sample_keeps_one_of_its_true_labels():
    targets = (torch.rand(200, 6, generator=torch.Generator().manual_seed(1)) < 0.4).to(torch.uint8)
    data = make(targets)
    found = drawn(data)
    assert torch.equal(found.train.targets.sum(1), targets.sum(1).clamp(max=1))
    assert (found.train.targets <= targets).all()
    assert found.train.targets.dtype == torch.uint8
    assert found.val is data.val
    assert found.test is data.test
    lost = int(targets.sum() - found.train.targets.sum())
    assert f"{lost} true labels of 200 training samples set to false" in found.notes[-1]


def test_every_true_label_is_as_likely_and_the_seed_decides():
    data = make(torch.tensor([[0, 1, 1, 0, 1, 0]], dtype=torch.uint8).expand(3000, 6).clone())
    counts = drawn(data).train.targets.sum(0).tolist()
    assert [counts[i] for i in (0, 3, 5)] == [0, 0, 0]
    assert all(900 < counts[i] < 1100 for i in (1, 2, 4))
    assert torch.equal(drawn(data).train.targets, drawn(data).train.targets)
    assert not torch.equal(drawn(data).train.targets, drawn(data, seed=1).train.targets)


def test_unknown_labels_are_never_the_one_that_is_kept():
    targets = torch.ones(50, 3, dtype=torch.uint8)
    mask = torch.tensor([True, False, True]).expand(50, 3).clone()
    mask[0] = False
    kept = drawn(make(targets, mask)).train
    assert not kept.targets[:, 1].any()
    assert not kept.targets[0].any()
    assert (kept.targets[1:].sum(1) == 1).all()
    assert torch.equal(kept.mask, mask)
