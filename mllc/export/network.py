"""The whole way of a batch as one module: pixels or features in, scores and the own rule's decisions out."""

import copy

import torch
from torch import Tensor, nn

from mllc.models.front import Front
from mllc.trained import Trained


class Network(nn.Module):
    """Inputs (batch, *input_shape), uint8 pixels or float32 features -> scores, float32, and decisions, bool.

    Always float32 and in the plain memory format: what is exported is the same wherever it was trained.
    """

    def __init__(self, trained: Trained) -> None:
        super().__init__()
        stages = copy.deepcopy(trained.front.stages).cpu().to(memory_format=torch.contiguous_format)
        self.front = Front(stages, trained.file.mean, trained.file.std, channels_last=False)
        self.model = copy.deepcopy(trained.model).cpu().to(memory_format=torch.contiguous_format)
        self.objective = trained.objective.to("cpu")
        self.eval().requires_grad_(False)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        outputs = self.model(self.front(inputs))
        return self.objective.scores(outputs), self.objective.decide(outputs)


def example_inputs(trained: Trained, samples: int = 3) -> Tensor:
    """Inputs of the right shape and type."""
    shape = (samples, *trained.file.input_shape)
    draw = torch.Generator().manual_seed(0)
    if trained.file.kind == "images":
        return torch.randint(256, shape, dtype=torch.uint8, generator=draw)
    return torch.randn(shape, generator=draw)
