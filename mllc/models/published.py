"""What torchvision publishes of a model with its weights: the size of the images, and how their pixels were scaled."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from torchvision import models

from mllc.errors import ModelError
from mllc.suggest import did_you_mean

USUAL_SIZE = 64
"""Pixels along the side of an image where no published weights ask for another."""

LEAST_SIZE = 32
"""Pixels along the shorter side of an image at least: nearly all of these networks halve an image five times."""

SCALE_THEMSELVES = ("googlenet", "inception_v3")
"""Models that bring the pixels of published weights from ImageNet's scale to [-1, 1] inside (`transform_input`)."""


class Published(NamedTuple):
    """Of a model's best published weights.

    weights    torchvision's enum of them (`ResNet18_Weights`)
    size       of the images they were made for, in pixels
    smallest   image that the model can take
    mean, std  that pixels in [0, 1] were normalised by, one a channel
    """

    weights: Any
    size: int
    smallest: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


def published(name: str) -> Published:
    """Of torchvision's classification model `name`; ModelError, with the nearest name, where there is none."""
    known = models.list_models(module=models)
    if name not in known:
        raise ModelError(
            f"backbone.name={name} is no classification model of torchvision{did_you_mean(name, known)} "
            f"It has {len(known)}, such as resnet50, convnext_tiny, efficientnet_b0, vit_b_16, swin_t"
        )
    weights = models.get_model_weights(name)
    best: Any = weights.DEFAULT  # type: ignore[attr-defined]
    transforms = best.transforms()
    smallest, mean, std = max(best.meta["min_size"]), tuple(transforms.mean), tuple(transforms.std)
    if name in SCALE_THEMSELVES:
        mean = std = (0.5, 0.5, 0.5)
    return Published(weights, transforms.crop_size[0], smallest, mean, std)


def image_size(backbone: Mapping[str, Any]) -> int:
    """The size of images, in pixels, that suits a config's backbone: what `dataset.size=auto` stands for.

    The size of the published weights where weights are given, or where the model takes hardly anything else; else 64.
    """
    if not backbone["_target_"].startswith("mllc.models.torchvision_models."):
        return USUAL_SIZE
    about = published(backbone["name"])
    return about.size if backbone.get("weights") is not None or about.smallest > USUAL_SIZE else USUAL_SIZE
