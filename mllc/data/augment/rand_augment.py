"""RandAugment (Cubuk, Zoph, Shlens, Le 2020, arXiv:1909.13719), as torchvision has it: its list, its strengths.

Images that drew the same operation are changed in one call. Departure from torchvision: all shifts, shears and turns
are one call with a matrix for each image, because torchvision's would make the host wait for the device, as would its
autocontrast and its sharpness.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

GEOMETRIC = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
ADJUSTED = ("adjust_brightness", "adjust_saturation", "adjust_contrast", "adjust_sharpness")
PLAIN = ("posterize", "solarize", "autocontrast", "equalize")
OPERATIONS = ("identity", *GEOMETRIC, *ADJUSTED, *PLAIN)

MAGNITUDES = 31
"""Strengths are 0 to 30."""


def rand_augment(images: Tensor, generator: torch.Generator, num_operations: int, magnitude: int) -> Tensor:
    """Images (batch, channels, height, width) of the dtype that they have, uint8 or floats in [0, 1].

    Each image draws `num_operations` operations, and for those that have two directions, which.
    """
    floats = images.is_floating_point()
    images = (images * 255).round().to(torch.uint8) if floats else images.clone()
    for _ in range(num_operations):
        drawn = torch.randint(len(OPERATIONS), (len(images),), generator=generator).numpy()
        signs = torch.randint(2, (len(images),), generator=generator).numpy() * 2 - 1
        _change_some(images, drawn, signs, magnitude)
        for name in ADJUSTED:
            for sign in (-1, 1):
                chosen = (drawn == OPERATIONS.index(name)) & (signs == sign)
                _change_alike(images, chosen, name, sign, magnitude)
        for name in PLAIN:
            _change_alike(images, drawn == OPERATIONS.index(name), name, 1, magnitude)
    return images.float() / 255 if floats else images


def operate(images: Tensor, name: str, sign: int, magnitude: int) -> Tensor:
    """One operation on uint8 images, all with this strength and direction; not those of GEOMETRIC."""
    from torchvision.transforms.v2 import functional as change  # takes a second to import

    share = magnitude / (MAGNITUDES - 1)
    if name in ADJUSTED:
        adjust = sharpness if name == "adjust_sharpness" else getattr(change, name)
        return adjust(images, 1 + sign * 0.9 * share)
    if name == "posterize":
        return change.posterize(images, 8 - round(4 * share))
    if name == "solarize":
        return change.solarize(images, 255 * (1 - share))
    return autocontrast(images) if name == "autocontrast" else change.equalize(images)


def sharpness(images: Tensor, factor: float) -> Tensor:
    """uint8 images moved away from their smoothed form (0: that form, 1: no change); as torchvision does it.

    Smoothing weighs a pixel 5 and its neighbours 1 each; the pixels at the border stay.
    """
    changed = images.float()
    if min(images.shape[2:]) > 2:
        inner = changed[..., 1:-1, 1:-1]
        smooth = ((9 * F.avg_pool2d(changed, 3, stride=1) + 4 * inner) / 13).round_()
        inner.add_(smooth.sub_(inner), alpha=1 - factor)
    return changed.clamp_(0, 255).to(torch.uint8)


def autocontrast(images: Tensor) -> Tensor:
    """Each channel of uint8 images stretched to 0 to 255, one of a single value as it is; as torchvision does it."""
    low, high = (extreme((2, 3), keepdim=True).float() for extreme in (images.amin, images.amax))
    flat = low == high
    scale = torch.where(flat, 1.0, (high - low) * (1 / 255))
    return ((images - torch.where(flat, 0.0, low)) / scale).clamp_(0, 255).to(torch.uint8)


def _change_alike(images: Tensor, chosen: np.ndarray, name: str, sign: int, magnitude: int) -> None:
    if chosen.any():
        where = torch.from_numpy(chosen.nonzero()[0]).to(images.device, non_blocking=True)
        images.index_copy_(0, where, operate(images[where], name, sign, magnitude))


def _change_some(images: Tensor, drawn: np.ndarray, signs: np.ndarray, magnitude: int) -> None:
    """Shifts, shears and turns, nearest pixel, black outside."""
    chosen = np.isin(drawn, [OPERATIONS.index(name) for name in GEOMETRIC]).nonzero()[0]
    if not len(chosen):
        return
    height, width = images.shape[2:]
    share = magnitude / (MAGNITUDES - 1)
    maps = [
        inverse_map(OPERATIONS[operation], sign * share, height, width)
        for operation, sign in zip(drawn[chosen], signs[chosen], strict=True)
    ]
    device = images.device
    where, theta = (
        part.to(device, non_blocking=True) for part in (torch.from_numpy(chosen), torch.tensor(maps).float())
    )
    taken = images[where].float()
    grid = F.affine_grid(theta, list(taken.shape), align_corners=False)
    moved = F.grid_sample(taken, grid, mode="nearest", padding_mode="zeros", align_corners=False)
    images.index_copy_(0, where, moved.to(torch.uint8))


def inverse_map(name: str, share: float, height: int, width: int) -> list[list[float]]:
    """For F.affine_grid: from places in the new image to places in the old one; `share` of the strength, in [-1, 1]."""
    shear = 0.3 * share
    if name == "shear_x":  # about the upper left corner
        return [[1, shear * height / width, shear * height / width], [0, 1, 0]]
    if name == "shear_y":
        return [[1, 0, 0], [shear * width / height, 1, shear * width / height]]
    if name == "translate_x":
        return [[1, 0, -2 * int(150 / 331 * width * share) / width], [0, 1, 0]]
    if name == "translate_y":
        return [[1, 0, 0], [0, 1, -2 * int(150 / 331 * height * share) / height]]
    cos, sin = math.cos(math.radians(30 * share)), math.sin(math.radians(30 * share))
    return [[cos, -sin * height / width, 0], [sin * width / height, cos, 0]]
