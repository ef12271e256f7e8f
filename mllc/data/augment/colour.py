"""Random brightness, contrast and saturation: torchvision's adjust_* with a factor for each image."""

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
) -> Tensor:
    """Images (batch, channels, height, width), uint8 or floats in [0, 1], as floats in [0, 1], changed in this order.

    A strength s draws factors uniformly from [max(0, 1 - s), 1 + s]: 0 is black, the mean grey, or grey, 1 the image
    itself. Saturation is that of images with three channels; others have none to change.
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
    return images


def _factors(images: Tensor, generator: torch.Generator, strength: float) -> Tensor:
    low, high = max(0.0, 1 - strength), 1 + strength
    drawn = low + (high - low) * torch.rand(len(images), 1, 1, 1, generator=generator)
    return drawn.to(images.device, non_blocking=True)


def _grey(images: Tensor) -> Tensor:
    if images.shape[1] != 3:
        return images
    red, green, blue = images.unbind(1)
    return (LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue)[:, None]


def _blended(images: Tensor, other: Tensor, factors: Tensor) -> Tensor:
    return (factors * images + (1 - factors) * other).clamp_(0, 1)
