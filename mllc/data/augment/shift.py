"""Random flips and crops."""

import torch
import torch.nn.functional as F
from torch import Tensor


def flip_at_random(images: Tensor, generator: torch.Generator, probability: float) -> Tensor:
    """Each of the images (batch, channels, height, width) mirrored left to right with this probability."""
    flipped = (torch.rand(len(images), generator=generator) < probability).to(images.device, non_blocking=True)
    return torch.where(flipped[:, None, None, None], images.flip(-1), images)


def crop_at_random(images: Tensor, generator: torch.Generator, pixels: int) -> Tensor:
    """Each of the images (batch, channels, height, width) padded with zeros all round and cut to its size again."""
    batch, channels, height, width = images.shape
    device = images.device
    offsets = torch.randint(2 * pixels + 1, (2, batch, 1), generator=generator).to(device, non_blocking=True)
    rows = offsets[0] + torch.arange(height, device=device)
    columns = offsets[1] + torch.arange(width, device=device)
    return F.pad(images, (pixels, pixels, pixels, pixels))[
        torch.arange(batch, device=device)[:, None, None, None],
        torch.arange(channels, device=device)[None, :, None, None],
        rows[:, None, :, None],
        columns[:, None, None, :],
    ]
