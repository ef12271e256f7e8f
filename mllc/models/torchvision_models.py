"""ResNet and VGG from torchvision, cut into the stages that `freeze` counts."""

from collections.abc import Callable
from typing import Any

from torch import nn
from torchvision import models

from mllc.models.backbone import Backbone, require_images
from mllc.models.weights import load_weights

_IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
"""Pixel statistics that torchvision's published weights were trained with."""


class GreyToRGB(nn.Module):
    """Repeats the channel of grey images: (batch, 1 or 3, height, width) -> (batch, 3, height, width)."""

    def forward(self, images):
        return images.expand(-1, 3, -1, -1)


def resnet18(input_shape: tuple[int, ...], *, weights: str | None) -> Backbone:
    """ResNet-18 (He et al. 2016, arXiv:1512.03385) without its classifier; 512 features, 9 layers to freeze by."""
    return _resnet("resnet18", models.resnet18, models.ResNet18_Weights, input_shape, weights)


def resnet50(input_shape: tuple[int, ...], *, weights: str | None) -> Backbone:
    """ResNet-50 (He et al. 2016, arXiv:1512.03385) without its classifier; 2048 features, 17 layers to freeze by."""
    return _resnet("resnet50", models.resnet50, models.ResNet50_Weights, input_shape, weights)


def vgg19(input_shape: tuple[int, ...], *, weights: str | None) -> Backbone:
    """VGG-19 (Simonyan and Zisserman 2015, arXiv:1409.1556) without its last layer; 4096 features, 18 layers.

    `freeze=2` trains its two fully connected layers, and the head as always.
    """
    require_images("vgg19", input_shape, smallest=32)  # halved five times
    model = models.vgg19()
    load_weights(model, models.VGG19_Weights, weights)
    stages: list[nn.Module] = [GreyToRGB()]
    for layer in model.features.children():
        if isinstance(layer, nn.Conv2d):
            stages.append(nn.Sequential())
        stages[-1].append(layer)  # type: ignore[operator]
    stages.append(nn.Sequential(model.avgpool, nn.Flatten()))
    fc1, relu1, dropout1, fc2, relu2, dropout2, _ = model.classifier.children()
    stages += [nn.Sequential(fc1, relu1, dropout1), nn.Sequential(fc2, relu2, dropout2)]
    return Backbone(nn.Sequential(*stages), 4096, **_IMAGENET)


def _resnet(
    name: str, make: Callable[[], models.ResNet], published: Any, input_shape: tuple[int, ...], weights: str | None
) -> Backbone:
    require_images(name, input_shape)
    model = make()
    load_weights(model, published, weights)
    blocks = [block for layer in (model.layer1, model.layer2, model.layer3, model.layer4) for block in layer]
    stages = nn.Sequential(
        GreyToRGB(),
        nn.Sequential(model.conv1, model.bn1, model.relu, model.maxpool),
        *blocks,
        nn.Sequential(model.avgpool, nn.Flatten()),
    )
    return Backbone(stages, model.fc.in_features, **_IMAGENET)
