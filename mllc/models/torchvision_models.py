"""Every classification model of torchvision as a backbone, by its name there."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torchvision import models

from mllc.errors import ModelError
from mllc.models.backbone import Backbone, require_images
from mllc.models.cut import cut
from mllc.models.published import LEAST_SIZE, SCALE_THEMSELVES, published
from mllc.models.weights import load_weights


class GreyToRGB(nn.Module):
    """Repeats the channel of grey images: (batch, 1 or 3, height, width) -> (batch, 3, height, width)."""

    def forward(self, images: Tensor) -> Tensor:
        return images.expand(-1, 3, -1, -1)


def resnet18(input_shape: tuple[int, ...], *, weights: str | None) -> Backbone:
    """ResNet-18 (He et al. 2016, arXiv:1512.03385) without its classifier; 512 features, 9 layers to freeze by."""
    return torchvision_model(input_shape, name="resnet18", weights=weights)


def resnet50(input_shape: tuple[int, ...], *, weights: str | None) -> Backbone:
    """ResNet-50 (He et al. 2016, arXiv:1512.03385) without its classifier; 2048 features, 17 layers to freeze by."""
    return torchvision_model(input_shape, name="resnet50", weights=weights)


def vgg19(input_shape: tuple[int, ...], *, weights: str | None) -> Backbone:
    """VGG-19 (Simonyan and Zisserman 2015, arXiv:1409.1556) without its last layer; 4096 features, 18 layers.

    `freeze=2` trains its two fully connected layers, and the head as always.
    """
    return torchvision_model(input_shape, name="vgg19", weights=weights)


def torchvision_model(input_shape: tuple[int, ...], *, name: str, weights: str | None) -> Backbone:
    """A classification model of torchvision without its last layer, in the stages that mllc.models.cut finds.

    Its features are what its last layer sees; where that is a convolution (SqueezeNet), the mean over the positions.
    Pixels are normalised as for the published weights, whichever are used. ModelError for an unknown name, and for
    images that the model cannot take.
    """
    about = published(name)
    channels = require_images(name, input_shape, LEAST_SIZE)
    if channels not in (1, 3):
        raise ModelError(f"backbone={name} takes images of 1 or 3 channels, and these have {channels}")
    model = _untrained(name)
    load_weights(model, about.weights, weights)
    _require_fit(name, model, input_shape, about.size, about.smallest)
    found = cut(model)
    stages = nn.Sequential(GreyToRGB(), *found.stages)
    if isinstance(model.get_submodule(found.classifier), nn.Conv2d):
        stages.append(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    num_features = model.get_parameter(f"{found.classifier}.weight").shape[1]
    return Backbone(stages, num_features, mean=about.mean, std=about.std)


def _untrained(name: str) -> nn.Module:
    """The model with random weights, without the outputs that help only in training on ImageNet.

    It leaves pixels as they are: mllc.models.published says how they are scaled, whatever the weights.
    """
    settings: dict[str, Any] = {}
    if name in SCALE_THEMSELVES:
        settings = {"aux_logits": False, "init_weights": True, "transform_input": False}
    return models.get_model_builder(name)(weights=None, **settings)


def _require_fit(name: str, model: nn.Module, shape: tuple[int, ...], size: int, smallest: int) -> None:
    """ModelError where images of `shape` cannot go through; tried with tensors that have no values, in no time."""
    state = {key: value.to("meta") for key, value in model.state_dict().items()}
    try:
        with torch.no_grad():
            functional_call(model.eval(), state, torch.empty(2, 3, *shape[1:], device="meta"))
    except Exception as error:  # torch and torchvision say it in many ways
        require_images(name, shape, smallest)
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(
            f"backbone={name} cannot take images of {shape[1]} x {shape[2]} pixels ({reason}); its own size is "
            f"dataset.size={size}"
        ) from None
    finally:
        model.train()
