"""Random flips and crops, drawn per image, so that a batch's composition does not change what happens to an image."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mllc.errors import ConfigError


def augment(images: Tensor, generator: torch.Generator, *, flip: float = 0.0, crop: int = 0) -> Tensor:
    """Images (batch, channels, height, width) of any dtype, on any device, flipped and shifted at random.

    flip       probability of a horizontal flip, in [0, 1]
    crop       pixels of zero padding on each side before a random crop of the original size; 0: none
    generator  on the CPU: the same draws whatever the device

    Raises ConfigError for settings outside their range.
    """
    if not 0 <= flip <= 1:
        raise ConfigError(f"dataset.augment.flip={flip}: a probability from 0 to 1 is needed")
    if crop < 0:
        raise ConfigError(f"dataset.augment.crop={crop}: a number of pixels, 0 or more, is needed")
    batch, channels, height, width = images.shape
    device = images.device
    if flip:
        flipped = (torch.rand(batch, generator=generator) < flip).to(device, non_blocking=True)
        images = torch.where(flipped[:, None, None, None], images.flip(-1), images)
    if crop:
        offsets = torch.randint(2 * crop + 1, (2, batch, 1), generator=generator).to(device, non_blocking=True)
        rows = offsets[0] + torch.arange(height, device=device)
        columns = offsets[1] + torch.arange(width, device=device)
        images = F.pad(images, (crop, crop, crop, crop))[
            torch.arange(batch, device=device)[:, None, None, None],
            torch.arange(channels, device=device)[None, :, None, None],
            rows[:, None, :, None],
            columns[:, None, None, :],
        ]
    return images
