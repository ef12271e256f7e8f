"""Random changes of training images, on the device, a batch at a time.

What happens is drawn for each image, on a generator of the CPU: the same on any device, whoever is in the batch. The
host never waits for the device.

shift         flips and crops                     colour  brightness, contrast, saturation, hue
rand_augment  operations drawn from a list        mixup   two images in one, with the labels of both
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mllc.data.augment.colour import colour
from mllc.data.augment.rand_augment import MAGNITUDES, rand_augment
from mllc.data.augment.shift import crop_at_random, flip_at_random
from mllc.errors import ConfigError

_FACTORS = ("brightness", "contrast", "saturation")
_COLOURS = (*_FACTORS, "hue")


def augment(images: Tensor, generator: torch.Generator, **settings: Any) -> Tensor:
    """Images (batch, channels, height, width), uint8 or floats in [0, 1], on any device, changed at random.

    In this order, each off by default:

    flip          probability of a horizontal flip, in [0, 1]
    crop          pixels of zero padding on each side, fewer than the image has, before a random crop of its size
    rand_augment  operations for each image, drawn from a list (RandAugment), of strength `magnitude`, 0 to 30
    brightness, contrast, saturation  strength s: the factor is uniform in [max(0, 1 - s), 1 + s]
    hue           the colours are turned by a share of the circle, uniform in [-hue, hue], hue to 0.5

    The dtype stays, except that any of the last four makes floats. ConfigError for settings outside their range.
    """
    check_augmentation(settings, images.shape)
    if settings.get("flip"):
        images = flip_at_random(images, generator, settings["flip"])
    if settings.get("crop"):
        images = crop_at_random(images, generator, settings["crop"])
    if settings.get("rand_augment"):
        images = rand_augment(images, generator, settings["rand_augment"], settings.get("magnitude", 9))
    strengths = {name: settings[name] for name in _COLOURS if settings.get(name)}
    return colour(images, generator, **strengths) if strengths else images


def is_random(settings: Mapping[str, Any]) -> bool:
    """Whether any of the settings under `dataset.augment` changes an image."""
    return any(value for name, value in settings.items() if name != "magnitude")


def check_augmentation(settings: Mapping[str, Any], shape: Sequence[int]) -> None:
    """ConfigError for a setting under `dataset.augment` that is outside its range; `shape` ends in height and width."""
    allowed = {
        "flip": (1, "a probability from 0 to 1"),
        "crop": (torch.inf, "a number of pixels, 0 or more,"),
        "rand_augment": (torch.inf, "a number of operations, 0 or more,"),
        "magnitude": (MAGNITUDES - 1, f"a strength from 0 to {MAGNITUDES - 1}"),
        **dict.fromkeys(_FACTORS, (torch.inf, "a strength, 0 or more,")),
        "hue": (0.5, "a share of the circle of colours, from 0 to 0.5,"),
        "mixup": (torch.inf, "a concentration, 0 or more,"),
    }
    for name, value in settings.items():
        most, what = allowed[name]
        if not 0 <= value <= most:
            raise ConfigError(f"dataset.augment.{name}={value}: {what} is needed")
    crop, side = settings.get("crop"), min(shape[-2:])
    if crop and crop >= side:
        raise ConfigError(
            f"dataset.augment.crop={crop}: images have {side} pixels on a side, and would be cut away; fewer are needed"
        )
