"""What torchvision says of its published weights: sizes and pixels, without downloading any."""

import pytest
import torch
from torchvision import models
from torchvision.transforms.functional import normalize

from mllc.config.compose import compose
from mllc.errors import ModelError
from mllc.models.published import image_size, published
from mllc.models.torchvision_models import torchvision_model


def test_every_classification_model_says_what_its_weights_expect():
    for name in models.list_models(module=models):
        about = published(name)
        assert about.size >= about.smallest >= 1
        assert len(about.mean) == len(about.std) == 3


@pytest.mark.parametrize(
    ("overrides", "size"),
    [
        (["backbone=resnet18"], 64),
        (["backbone=resnet18", "backbone.weights=DEFAULT"], 224),
        (["backbone=torchvision", "backbone.name=efficientnet_b3", "backbone.weights=w.pth"], 300),
        (["backbone=torchvision", "backbone.name=efficientnet_b3"], 64),
        (["backbone=torchvision", "backbone.name=vit_b_16"], 224),
        (["backbone=torchvision", "backbone.name=inception_v3"], 299),
        (["backbone=patch"], 64),
    ],
)
def test_the_size_that_suits_a_backbone(overrides, size):
    assert image_size(compose(overrides)["backbone"]) == size


def test_pixels_are_scaled_as_the_weights_expect_whichever_are_used():
    backbone = torchvision_model((3, 32, 32), name="efficientnet_v2_l", weights=None)
    assert backbone.mean == backbone.std == (0.5, 0.5, 0.5)


OLD_NAMES = {"denselayer1.norm1": "denselayer1.norm.1", "denselayer1.conv2": "denselayer1.conv.2"}


@pytest.mark.parametrize("name", ["densenet121", "googlenet", "vgg11_bn"])
def test_published_files_of_older_form_are_read(name, monkeypatch):
    """DenseNet's of 2017 call their layers otherwise, Inception's hold further outputs, many count no batches."""
    options = {"init_weights": False} if name == "googlenet" else {}
    torch.manual_seed(1)
    whole = models.get_model(name, **options).eval()
    state = {key: value for key, value in whole.state_dict().items() if not key.endswith("num_batches_tracked")}
    for new, old in OLD_NAMES.items():
        state = {key.replace(new, old): value for key, value in state.items()}
    kind = type(published(name).weights.DEFAULT)
    monkeypatch.setattr(kind, "get_state_dict", lambda *_args, **_options: state)
    backbone = torchvision_model((3, 64, 64), name=name, weights="DEFAULT")
    pixels = torch.rand(2, 3, 64, 64)
    if name == "googlenet":
        whole.transform_input = True  # as torchvision does with published weights
    theirs = type(published(name).weights.DEFAULT).DEFAULT.transforms()
    expected = whole(normalize(pixels, theirs.mean, theirs.std))
    classify = list(whole.modules())[-1]
    found = classify(backbone.stages.eval()(normalize(pixels, backbone.mean, backbone.std)))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save(models.resnet18().state_dict(), tmp_path / "w.pth")
    with pytest.raises(ModelError, match="does not fit the model"):
        torchvision_model((3, 64, 64), name="mobilenet_v3_small", weights=str(tmp_path / "w.pth"))
