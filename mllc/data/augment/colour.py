"""Random brightness, contrast, saturation and hue: torchvision's adjust_* with a factor for each image."""

import torch
from torch import Tensor

LUMA = (0.2989, 0.587, 0.114)
"""Shares of red, green and blue in grey, as torchvision and Pillow have them."""


def colour(
    images: Tensor,
    generator: torch.Generator,
    *,
    brightness: float = 0.0,
    contrast: float = 0.0,
    saturation: float = 0.0,
    hue: float = 0.0,
) -> Tensor:
    """Images (batch, channels, height, width), uint8 or floats in [0, 1], as floats in [0, 1], changed in this order.

    A strength s draws factors uniformly from [max(0, 1 - s), 1 + s]: 0 is black, the mean grey, or grey, 1 the image
    itself. A hue h turns the colours by shares of the circle from [-h, h]. Saturation and hue are those of images with
    three channels; others have none to change.
    """
    if images.dtype == torch.uint8:
        images = images.float() / 255
    if brightness:
        images = (images * _factors(images, generator, brightness)).clamp_(0, 1)
    if contrast:
        images = _blended(images, _grey(images).mean((1, 2, 3), keepdim=True), _factors(images, generator, contrast))
    if saturation:
        factors = _factors(images, generator, saturation)
        images = _blended(images, _grey(images), factors) if images.shape[1] == 3 else images
    if hue:
        turns = _drawn(images, generator, -hue, hue)
        images = _turned(images, turns) if images.shape[1] == 3 else images
    return images


def _factors(images: Tensor, generator: torch.Generator, strength: float) -> Tensor:
    return _drawn(images, generator, max(0.0, 1 - strength), 1 + strength)


def _drawn(images: Tensor, generator: torch.Generator, low: float, high: float) -> Tensor:
    """A number for each image, uniform in [low, high]."""
    drawn = low + (high - low) * torch.rand(len(images), 1, 1, 1, generator=generator)
    return drawn.to(images.device, non_blocking=True)


def _grey(images: Tensor) -> Tensor:
    if images.shape[1] != 3:
        return images
    red, green, blue = images.unbind(1)
    return (LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue)[:, None]


def _blended(images: Tensor, other: Tensor, factors: Tensor) -> Tensor:
    return (factors * images + (1 - factors) * other).clamp_(0, 1)


def _turned(images: Tensor, turns: Tensor) -> Tensor:
    """The hue of HSV moved on by `turns` of the circle; its value and saturation stay."""
    red, green, blue = images.split(1, 1)
    value = images.amax(1, keepdim=True)
    chroma = value - images.amin(1, keepdim=True)
    by_red, by_green, by_blue = (
        shift + (one - other) / chroma.clamp(min=1e-9)
        for shift, one, other in ((0, green, blue), (2, blue, red), (4, red, green))
    )
    sixths = torch.where(value == red, by_red, torch.where(value == green, by_green, by_blue)) + 6 * turns
    places = (sixths + torch.arange(5, 0, -2, device=images.device)[:, None, None]) % 6  # of red, green and blue
    return value - chroma * torch.minimum(places, 4 - places).clamp(0, 1)
