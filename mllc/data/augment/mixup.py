"""Mixup (Zhang, Cisse, Dauphin, Lopez-Paz 2018, arXiv:1710.09412) for labels that are 0 or 1."""

import numpy as np
import torch
from torch import Tensor

LEAST_SHARE = 0.25
"""What the images that have a label make up of the mixture, at least, where it counts as true in it.

Mixup's own targets are shares; but every loss here takes 0 and 1, and the statistics and the decision rules that
belong to them count true labels. So a mixture has the labels of both images (of a mean photograph, what stands in it at
a quarter of its contrast is still seen), and those of the larger part alone where the other is fainter than that: a
label that nothing visible bears out would be noise.
"""


def mixup(
    images: Tensor, targets: Tensor, mask: Tensor | None, generator: torch.Generator, alpha: float
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Each image mixed with another of the batch: images as floats in [0, 1], targets and mask of the mixtures.

    images   (batch, channels, height, width), uint8 or floats in [0, 1]
    targets  (batch, labels), 0 or 1; the dtype stays
    mask     (batch, labels), False where unknown, or None. Unknown in a mixture is what could be true or false, by
             what is unknown in its images
    alpha    the share of the second image is the smaller of x and 1 - x, with x from Beta(alpha, alpha)
    """
    batch, device = len(images), images.device
    partner = torch.randperm(batch, generator=generator).to(device, non_blocking=True)
    # PyTorch's Beta takes no generator; NumPy's is seeded from the one given.
    draw = np.random.default_rng(torch.randint(1 << 62, (1,), generator=generator).numpy())
    drawn = torch.from_numpy(draw.beta(alpha, alpha, (batch, 1)).astype(np.float32))
    second = torch.minimum(drawn, 1 - drawn).to(device, non_blocking=True)
    if images.dtype == torch.uint8:
        images = images.float() / 255
    images = torch.lerp(images, images[partner], second[..., None, None])

    def share(of: Tensor) -> Tensor:
        return (1 - second) * of + second * of[partner]

    known = torch.ones_like(targets, dtype=torch.bool) if mask is None else mask
    true = share(((targets > 0) & known).float())
    mixed = true >= LEAST_SHARE
    if mask is not None:
        mask = mixed | (true + share((~known).float()) < LEAST_SHARE)
    return images, mixed.to(targets.dtype), mask
