"""Any torchvision network in stages: what comes out, what trains, what is counted, and what cannot be cut."""

import copy
from functools import cache

import pytest
import torch
from torch import nn
from torchvision import models

from mllc.errors import ModelError
from mllc.models.backbone import split_frozen
from mllc.models.cut import cut
from mllc.models.torchvision_models import torchvision_model

# name -> side of the images that it is tried on, stages with weights
QUICK = {
    "resnet18": (32, 9),
    "vgg11_bn": (32, 10),
    "alexnet": (64, 7),
    "densenet121": (32, 8),
    "mobilenet_v3_small": (32, 27),
    "efficientnet_b0": (32, 38),
    "mnasnet0_5": (32, 32),
    "shufflenet_v2_x0_5": (32, 18),
    "squeezenet1_0": (32, 17),
    "regnet_y_400mf": (32, 17),
    "convnext_tiny": (32, 22),
    "swin_t": (32, 28),
    "googlenet": (32, 12),
}
SLOW = {
    "resnet50": (32, 17),
    "vgg19": (32, 18),
    "vit_b_16": (224, 25),
    "maxvit_t": (224, 58),
    "inception_v3": (75, 16),
    "swin_v2_t": (32, 28),
}
ALL = [
    *(pytest.param(name, *of, id=name) for name, of in QUICK.items()),
    *(pytest.param(name, *of, id=name, marks=pytest.mark.slow) for name, of in SLOW.items()),
]


def whole(name):
    options = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
    torch.manual_seed(0)
    return models.get_model(name, **options).eval()


def with_weights(stages):
    return sum(any(True for _ in stage.parameters()) for stage in stages)


@pytest.mark.parametrize(("name", "size", "layers"), ALL)
def test_a_network_in_stages_is_the_network(name, size, layers):
    model = whole(name)
    found = cut(model)
    assert with_weights(found.stages) == layers
    images = torch.rand(2, 3, size, size)
    with torch.no_grad():
        features, expected = found.stages.eval()(images), model(images)
        classify = model.get_submodule(found.classifier)
        if isinstance(classify, nn.Conv2d):  # SqueezeNet's last layer is one, and averages what comes out of it
            torch.testing.assert_close(classify(features).relu().mean((2, 3)), expected, rtol=1e-5, atol=1e-5)
        else:
            torch.testing.assert_close(classify(features), expected, rtol=1e-5, atol=1e-5)
    names = {name for name, _ in model.named_parameters() if not name.startswith(found.classifier)}
    kept = {name.partition(".")[2]: weight for name, weight in found.stages.named_parameters()}
    assert kept.keys() == names, "every weight is in one stage, under its own name"
    assert all(weight is model.get_parameter(name) for name, weight in kept.items())


@pytest.mark.parametrize(("name", "size", "layers"), ALL)
def test_its_gradients_reach_every_trained_weight_and_no_frozen_one(name, size, layers):
    backbone = torchvision_model((3, size, size), name=name, weights=None)
    half = layers // 2
    frozen, trained = split_frozen(backbone.stages, half)
    assert with_weights(trained) == half
    trained.train()
    trained(frozen(torch.rand(2, 3, size, size))).square().sum().backward()
    assert all(weight.grad is None for weight in frozen.parameters())
    assert all(weight.grad is not None for weight in trained.parameters())
    assert not any(module.training for module in frozen.modules())
    assert all(module.training for module in trained.modules())


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_b0", "swin_t", "densenet121"])
def test_dropout_and_drop_paths_act_in_training_only(name):
    stages = torchvision_model((3, 64, 64), name=name, weights=None).stages
    if name == "swin_t":
        drops = [module for module in stages.modules() if type(module).__name__ == "StochasticDepth" and module.p > 0]
        assert drops
    images = torch.rand(4, 3, 64, 64)
    with torch.no_grad():
        stages.eval()
        assert torch.equal(stages(images), stages(images))
        before = copy.deepcopy(stages.state_dict())
        torch.manual_seed(0)
        first = stages.train()(images)
        stages.load_state_dict(before)
        torch.manual_seed(1)
        assert torch.equal(first, stages(images)) == (name in ("resnet18", "densenet121"))


def test_a_copy_and_a_state_dict_hold_all_there_is():
    stages = torchvision_model((3, 32, 32), name="convnext_tiny", weights=None).stages.eval()
    twin, other = copy.deepcopy(stages), torchvision_model((3, 32, 32), name="convnext_tiny", weights=None).stages
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        expected = stages(images)
        assert torch.equal(twin(images), expected)
        other.load_state_dict(stages.state_dict())
        assert torch.equal(other.eval()(images), expected)
        next(twin.parameters()).zero_()
        assert torch.equal(stages(images), expected), "a copy shares no weights"
    assert "2.features.1.0.block.0.weight" in stages.state_dict()


def test_a_convolution_that_classifies_is_seen_by_its_mean_features():
    torch.manual_seed(0)
    backbone = torchvision_model((3, 64, 64), name="squeezenet1_0", weights=None)
    images = torch.rand(2, 3, 64, 64)
    torch.manual_seed(0)
    model = models.squeezenet1_0().eval()
    with torch.no_grad():
        found = backbone.stages.eval()(images)
        torch.testing.assert_close(found, model.features(images).mean((2, 3)))
    assert found.shape == (2, backbone.num_features)


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("vit_b_16", 64, "at least 224 x 224 pixels, and these have 64 x 64"),
        ("vit_b_16", 256, "cannot take images of 256 x 256 pixels .*Expected 224.*its own size is dataset.size=224"),
        ("inception_v3", 64, "at least 75 x 75 pixels"),
        (
            "convnext_tny",
            64,
            r"name=convnext_tny is no classification model.*; did you mean 'convnext_tiny'\?",
        ),
        ("fasterrcnn_resnet50_fpn", 64, "no classification model"),
    ],
)
def test_what_is_refused(name, size, message, capfd):
    with pytest.raises(ModelError, match=message):
        torchvision_model((3, size, size), name=name, weights=None)
    assert capfd.readouterr() == ("", "")


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.outer = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, rows):
        return self.outer(rows) if rows.sum() > 0 else self.outer(self.inner(rows))


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right, self.both = nn.Linear(4, 4), nn.Linear(4, 4), nn.Bilinear(4, 4, 2)

    def forward(self, rows):
        return self.both(self.left(rows), self.right(rows))


class SkipsTheClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.outer = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, rows):
        hidden = self.inner(rows)
        return self.outer(hidden.relu()) + hidden


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Branches(), "Branches cannot be traced by torch.fx .*control flow"),
        (TwoInputs(), "TwoInputs does not end in a linear layer"),
        (SkipsTheClassifier(), "SkipsTheClassifier cannot be cut: more than its classifier"),
        (nn.Sequential(nn.ReLU()), "does not end in a linear layer"),
    ],
)
def test_what_cannot_be_cut(model, message):
    with pytest.raises(ModelError, match=message):
        cut(model)


@cache
def stages_of(name, size):
    """Once: only where they are parted is asked of them."""
    return torchvision_model((3, size, size), name=name, weights=None).stages


class TestFreezeByName:
    def stages(self, name="resnet18", size=32):
        return stages_of(name, size)

    def test_everything_up_to_and_including_the_module_is_frozen(self):
        frozen, trained = split_frozen(self.stages(), "layer3")
        assert {key.split(".")[1] for key in frozen.state_dict()} == {"conv1", "bn1", "layer1", "layer2", "layer3"}
        assert {key.split(".")[1] for key in trained.state_dict()} == {"layer4"}

    @pytest.mark.parametrize(
        ("name", "freeze", "layers"),
        [
            ("resnet18", "layer3", 2),
            ("resnet18", "maxpool", 8),
            ("resnet18", "layer2.0.bn2", None),
            ("vgg11_bn", "features.5", 8),
            ("vgg11_bn", "features", 2),
            ("vgg11_bn", "classifier.3", 0),
            ("convnext_tiny", "features.5", 4),
            ("densenet121", "features.transition2", 3),
        ],
    )
    def test_it_is_the_count_that_follows_from_the_network(self, name, freeze, layers):
        if layers is None:
            with pytest.raises(ModelError, match=r"within a block.*type backbone\.freeze=layer2\.0"):
                split_frozen(self.stages(name), freeze)
        else:
            assert with_weights(split_frozen(self.stages(name), freeze)[1]) == layers

    def test_dropout_behind_the_last_frozen_module_acts(self):
        by_name, all_frozen = (split_frozen(self.stages("vgg11_bn"), freeze)[1] for freeze in ("classifier.3", "all"))
        for rest in (by_name, all_frozen):
            assert (rest.train()(torch.ones(2, 4096)) == 0).any()

    def test_no_stage_changes_what_enters_it(self):
        """MobileNet's dropout works in place, and the trials of a cohort are given the same features."""
        for name in ("mobilenet_v3_small", "densenet121", "shufflenet_v2_x0_5"):
            images = torch.rand(2, 3, 64, 64)
            for stage in self.stages(name, 64).train():
                before = images.detach().clone()
                after = stage(images)
                assert torch.equal(images, before)
                images = after.detach()

    def test_an_unknown_name_is_refused_with_the_nearest(self):
        with pytest.raises(ModelError, match=r"freeze=layer5: .*1 to 9.*conv1, bn1.*layer4.*; did you mean 'layer4'\?"):
            split_frozen(self.stages(), "layer5")
