"""Front: what happens to rows before the trained part of a network sees them, in training and in prediction alike."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Front(nn.Module):
    """Rows of a data set -> features at the deepest frozen tensor: pixels to floats, normalise, the frozen stages.

    stages         the frozen front of a backbone in eval mode, as `split_frozen` cuts it; may be empty
    mean, std      of pixels in [0, 1], one a channel; empty: pixels as they are
    amp            dtype of autocast around the stages, or None
    channels_last  memory format of images and of the stages' weights

    The state dict is that of the stages alone.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        stages: nn.Sequential,
        mean: Sequence[float] = (),
        std: Sequence[float] = (),
        amp: torch.dtype | None = None,
        channels_last: bool = True,
    ) -> None:
        super().__init__()
        self.stages, self.amp, self.channels_last = stages, amp, channels_last
        if channels_last and any(weight.ndim == 4 for weight in stages.parameters()):
            stages.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # Buffers: a copy to the device in each batch would make the host wait.
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    @property
    def is_frozen(self) -> bool:
        """Whether there are frozen stages, so that features are worth keeping."""
        return len(self.stages) > 0

    @torch.no_grad()
    def forward(self, rows: Tensor) -> Tensor:
        """Float32 features of rows on the module's device: uint8 (0 to 255) or floats, images if they are 4-D."""
        images = rows.ndim == 4
        rows = self.laid_out(rows)  # first, while a pixel is a byte
        ours = rows.dtype == torch.uint8  # what it becomes is changed in place: a third of the time
        if ours:
            rows = rows.float().div_(255)
        if images and self.mean.numel():
            ours &= rows.shape[1] == self.mean.shape[1]  # one channel, grey, becomes three
            rows = (rows.sub_(self.mean) if ours else self.laid_out(rows - self.mean)).div_(self.std)
        if not self.is_frozen:
            return rows
        with torch.autocast(rows.device.type, dtype=self.amp, enabled=self.amp is not None):
            return self.stages(rows).float()

    def laid_out(self, rows: Tensor) -> Tensor:
        """Images in the memory format that the stages want; others as they are."""
        return rows.contiguous(memory_format=torch.channels_last) if rows.ndim == 4 and self.channels_last else rows
