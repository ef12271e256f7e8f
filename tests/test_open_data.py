"""From a config to its data set: what is carved is what `carve` makes of the source, and it is carved once."""

from dataclasses import replace

import pytest
import torch

from mllc import build, open_data, seeding
from mllc.config.compose import compose
from mllc.data.rows import Sparse, dense
from mllc.data.splits import carve

MATRIX = ("dataset=digits", "dataset.samples=60", "dataset.grid=2", "device=cpu")


def a_conf(*overrides):
    return compose([*MATRIX, *overrides])


def carved(conf, source):
    return carve(source, **conf["split"], generator=seeding.generator(conf["dataset"]["name"], conf["seed"], "split"))


@pytest.mark.parametrize("kind", ["tensor", "sparse", "view"])
@pytest.mark.parametrize("given", [("dataset.test_samples=20",), ("split.folds=3", "split.fold=2"), ("seed=4",)])
@pytest.mark.parametrize("own_test", [True, False])
def test_inputs_are_selected_as_if_they_had_been_carved(given, kind, own_test):
    conf = a_conf(*given)
    source = open_data.read_source(conf)
    changed = {name: as_kind(split, kind) for name, split in source.splits.items()}
    source = replace(source, **changed | ({} if own_test else {"test": None}))
    expected, (found, places) = carved(conf, source), open_data.divided(conf, source)
    rows = torch.cat([dense(split.inputs) for split in source.splits.values()])
    assert list(found.splits) == ["train", "val", "test"]
    for name, split in expected.splits.items():
        assert type(found.split(name).inputs) is type(split.inputs)
        assert found.split(name).ids == split.ids
        assert torch.equal(dense(found.split(name).inputs), dense(split.inputs))
        assert torch.equal(dense(found.split(name).targets), dense(split.targets))
        assert torch.equal(rows[places[name]], dense(split.inputs))


class View:
    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]


def as_kind(split, kind):
    from scipy.sparse import csr_matrix

    flat = split.inputs.flatten(1)
    if kind == "sparse":
        flat = Sparse(csr_matrix(flat.numpy()))
    return replace(split, inputs=View(flat) if kind == "view" else flat)


def test_a_split_of_the_source_stays_as_it_is():
    conf = a_conf("dataset.test_samples=20")
    assert open_data.open_data(conf).split("test").inputs is open_data.read_source(conf).split("test").inputs


def test_a_cohort_is_carved_once(tmp_path, monkeypatch):
    """Also where features of frozen layers are kept, which are divided as the inputs are."""
    torch.manual_seed(0)
    from torchvision.models import resnet18

    torch.save(resnet18().state_dict(), tmp_path / "w.pth")
    calls = []
    monkeypatch.setattr(open_data, "carve", lambda *given, **told: calls.append(1) or carve(*given, **told))
    frozen = (
        "dataset.grid=4",
        "dataset.mean_filled=8",
        "backbone=resnet18",
        f"backbone.weights={tmp_path}/w.pth",
        "backbone.freeze=all",
    )
    shared = build.share(a_conf(*frozen, f"cache={tmp_path}"))
    assert len(next(shared.feed.split("train")).features)
    assert list(tmp_path.glob("features-*.npy"))
    assert calls == [1]
