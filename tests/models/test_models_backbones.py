"""Backbones against torchvision's own forward, freezing, weights files, and what is refused."""

import urllib.error

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from mllc.errors import ModelError
from mllc.models.backbone import split_frozen
from mllc.models.linear import linear
from mllc.models.mlp import mlp
from mllc.models.model import Model, output_unit
from mllc.models.patch import patch
from mllc.models.torchvision_models import resnet18, resnet50, vgg19
from mllc.models.weights import load_weights, weights_fingerprint


def without_classifier(name):
    model = getattr(models, name)()
    if name == "vgg19":
        model.classifier[6] = nn.Identity()
    else:
        model.fc = nn.Identity()
    return model.eval()


@pytest.mark.parametrize(
    ("make", "name", "layers"),
    [(resnet18, "resnet18", 9), (resnet50, "resnet50", 17), pytest.param(vgg19, "vgg19", 18, marks=pytest.mark.slow)],
)
def test_stages_are_torchvision_without_its_classifier(make, name, layers, tmp_path):
    oracle = without_classifier(name)
    file = tmp_path / "weights.pth"
    torch.save(oracle.state_dict() | full_classifier(name), file)
    backbone = make((3, 64, 64), weights=str(file))
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = oracle(images)
        found = backbone.stages.eval()(images)
    assert found.shape == (2, backbone.num_features)
    torch.testing.assert_close(found, expected)
    assert sum(any(True for _ in stage.parameters()) for stage in backbone.stages) == layers


def full_classifier(name):
    unit = nn.Linear(4096 if name == "vgg19" else 2048 if name == "resnet50" else 512, 1000)
    prefix = "classifier.6" if name == "vgg19" else "fc"
    return {f"{prefix}.weight": unit.weight.detach(), f"{prefix}.bias": unit.bias.detach()}


def test_grey_images_enter_a_colour_network():
    backbone = resnet18((1, 32, 32), weights=None)
    grey = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        stages = backbone.stages.eval()
        torch.testing.assert_close(stages(grey), stages(grey.repeat(1, 3, 1, 1)))


@pytest.mark.parametrize(
    ("backbone", "shape"),
    [
        (linear((7,)), (7,)),
        (linear((1, 4, 4)), (1, 4, 4)),
        (mlp((7,), hidden=[5, 3], dropout=0.5), (7,)),
        (patch((1, 16, 24), patch=8, width=6, bottleneck=4, dropout=0.0), (1, 16, 24)),
    ],
)
def test_num_features_is_what_comes_out(backbone, shape):
    assert backbone.stages(torch.rand(3, *shape)).shape == (3, backbone.num_features)


def test_frozen_stages_are_the_front_and_stay_as_they_are():
    backbone = resnet18((3, 32, 32), weights=None)
    frozen, trained = split_frozen(backbone.stages, 1)
    assert [*frozen, *trained] == [*backbone.stages]
    assert not any(p.requires_grad for p in frozen.parameters())
    assert all(p.requires_grad for p in trained.parameters())
    assert len(list(trained.parameters())) == 6, "the last residual block: two convolutions, two batch norms"
    assert not any(module.training for module in frozen.modules())


@pytest.mark.parametrize(("freeze", "trained_stages"), [("none", 4), ("all", 0), (2, 2), (3, 3)])
def test_freeze_counts_layers_with_weights(freeze, trained_stages):
    stages = mlp((7,), hidden=[5, 4, 3], dropout=0.0).stages
    _, trained = split_frozen(stages, freeze)
    assert len(trained) == trained_stages


def test_dropout_behind_frozen_layers_still_acts():
    backbone = patch((1, 16, 16), patch=8, width=4, bottleneck=2, dropout=0.5)
    frozen, trained = split_frozen(backbone.stages, "all")
    assert len(frozen) == 2
    features = frozen(torch.rand(64, 1, 16, 16)) + 1
    assert (trained.train()(features) == 0).any()
    frozen, trained = split_frozen(resnet18((3, 32, 32), weights=None).stages, "all")
    assert len(trained) == 0, "without dropout the pooled features are what is kept"


@pytest.mark.parametrize("freeze", [0, "0"])
def test_training_no_layer_is_called_freezing_all(freeze):
    with pytest.raises(ModelError, match=r"N is how many .*: type all to train none of them, none to train all"):
        split_frozen(mlp((7,), hidden=[5, 4, 3], dropout=0.0).stages, freeze)


@pytest.mark.parametrize("freeze", [4, -1, "some", True, 1.5])
def test_freeze_outside_the_layers_is_refused(freeze):
    with pytest.raises(ModelError, match="1 to 3"):
        split_frozen(mlp((7,), hidden=[5, 4, 3], dropout=0.0).stages, freeze)


@pytest.mark.parametrize("make", [resnet18, resnet50, vgg19])
def test_images_are_wanted(make):
    with pytest.raises(ModelError, match="vectors of 12 features; use backbone=mlp"):
        make((12,), weights=None)


@pytest.mark.parametrize("make", [resnet18, vgg19])
def test_images_of_less_than_32_pixels_are_refused(make):
    with pytest.raises(ModelError, match=r"at least 32 x 32 pixels, and these have 31 x 64; raise dataset\.size"):
        make((3, 31, 64), weights=None)


@pytest.mark.parametrize("make", [resnet18, resnet50])
@pytest.mark.parametrize("size", [(32, 32), (33, 40)])
def test_a_resnet_takes_images_of_any_larger_size(make, size):
    backbone = make((3, *size), weights=None)
    assert backbone.stages(torch.rand(2, 3, *size)).shape == (2, backbone.num_features)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mlp((3,), hidden=[], dropout=0.0), "list of widths"),
        (lambda: mlp((3,), hidden=[4, 0], dropout=0.0), "list of widths"),
        (lambda: mlp((3,), hidden=[4], dropout=1.0), "dropout"),
        (lambda: patch((1, 20, 24), patch=8, width=4, bottleneck=2, dropout=0.0), "does not divide"),
        (lambda: patch((1, 16, 24), patch=8, width=0, bottleneck=2, dropout=0.0), "at least 1"),
    ],
)
def test_bad_settings(call, message):
    with pytest.raises(ModelError, match=message):
        call()


class TestWeights:
    def test_safetensors_and_pth_load_the_same(self, tmp_path):
        state = models.resnet18().state_dict()
        save_file(state, tmp_path / "w.safetensors")
        torch.save(state, tmp_path / "w.pth")
        first = resnet18((3, 32, 32), weights=str(tmp_path / "w.safetensors")).stages.state_dict()
        second = resnet18((3, 32, 32), weights=str(tmp_path / "w.pth")).stages.state_dict()
        assert first.keys() == second.keys()
        assert all(torch.equal(first[key], second[key]) for key in first)

    def test_a_classifier_of_another_size_does_not_matter(self, tmp_path):
        state = models.resnet18(num_classes=7).state_dict()
        torch.save(state, tmp_path / "w.pth")
        found = resnet18((3, 32, 32), weights=str(tmp_path / "w.pth")).stages.state_dict()
        assert torch.equal(found["1.conv1.weight"], state["conv1.weight"])

    @pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 truncated"])
    def test_a_damaged_file(self, tmp_path, content):
        (tmp_path / "w.pth").write_bytes(content)
        with pytest.raises(ModelError, match=r"w\.pth is not a readable weights file"):
            resnet18((3, 32, 32), weights=str(tmp_path / "w.pth"))

    def test_a_pickle_that_executes_is_not_executed(self, tmp_path):
        torch.save({"x": pytest.fail}, tmp_path / "w.pth")
        with pytest.raises(ModelError, match="not a readable weights file"):
            resnet18((3, 32, 32), weights=str(tmp_path / "w.pth"))

    def test_another_network_s_weights(self, tmp_path):
        torch.save(models.resnet50().state_dict(), tmp_path / "w.pth")
        with pytest.raises(ModelError, match="does not fit"):
            resnet18((3, 32, 32), weights=str(tmp_path / "w.pth"))

    @pytest.mark.parametrize("bad", [float("nan"), float("inf")])
    def test_weights_that_are_not_finite(self, tmp_path, bad):
        state = models.resnet18().state_dict()
        state["layer2.0.conv1.weight"][0, 0, 0, 0] = bad
        torch.save(state, tmp_path / "w.pth")
        with pytest.raises(ModelError, match=r"w\.pth: entry layer2\.0\.conv1\.weight holds NaN or infinite values"):
            resnet18((3, 32, 32), weights=str(tmp_path / "w.pth"))

    def test_no_such_file(self):
        with pytest.raises(ModelError, match="type a file, DEFAULT or null"):
            resnet18((3, 32, 32), weights="absent.pth")
        with pytest.raises(ModelError, match="type a file, DEFAULT or null"):
            weights_fingerprint("absent.pth")

    def test_a_download_that_fails_says_where_to_put_the_file(self, monkeypatch, tmp_path):
        def refuse(*_, **__):
            raise urllib.error.URLError("no network")

        monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
        monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refuse)
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        with pytest.raises(ModelError, match=rf"put it at {tmp_path}/hub/checkpoints/resnet18-\w+\.pth"):
            resnet18((3, 32, 32), weights="DEFAULT")

    def test_a_file_put_where_the_download_goes_is_used(self, monkeypatch, tmp_path):
        published = models.ResNet18_Weights
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        file = tmp_path / "hub/checkpoints" / published.DEFAULT.url.rsplit("/", 1)[-1]
        file.parent.mkdir(parents=True)
        torch.save(models.resnet18().state_dict(), file)
        model = models.resnet18()
        load_weights(model, published, "DEFAULT")
        assert torch.equal(model.conv1.weight, torch.load(file, weights_only=True)["conv1.weight"])

    def test_the_fingerprint_is_of_the_content(self, tmp_path):
        for name, content in {"a": b"1", "b": b"1", "c": b"2"}.items():
            (tmp_path / name).write_bytes(content)
        a, b, c = (weights_fingerprint(str(tmp_path / name)) for name in "abc")
        assert a == b != c
        assert weights_fingerprint(None) == ""


class TestModel:
    def test_extra_outputs_leave_the_label_outputs_alone(self):
        stages = mlp((7,), hidden=[5], dropout=0.0).stages
        plain = Model(stages, output_unit(5, 3, 11), {})
        counting = Model(stages, output_unit(5, 3, 11), {"count": output_unit(5, 1, 12, bias=2.0)})
        inputs = torch.rand(4, 7)
        outputs = counting(inputs)
        assert outputs["count"].shape == (4,)
        assert torch.equal(plain(inputs)["logits"], outputs["logits"])

    def test_a_unit_depends_on_its_seed_alone(self):
        torch.manual_seed(0)
        first = output_unit(5, 3, 11)
        torch.rand(100)
        second = output_unit(5, 3, 11)
        assert torch.equal(first.weight, second.weight)
        assert not torch.equal(first.weight, output_unit(5, 3, 12).weight)

    def test_outputs_keep_full_precision_under_autocast(self):
        model = Model(
            mlp((7,), hidden=[64], dropout=0.0).stages, output_unit(64, 3, 11), {"count": output_unit(64, 1, 2)}
        )
        with torch.autocast("cpu", dtype=torch.bfloat16):
            outputs = model(torch.rand(500, 7))
        assert {output.dtype for output in outputs.values()} == {torch.float32}
        assert outputs["logits"][:, 0].unique().numel() > 450, "in bfloat16 most would be ties"
