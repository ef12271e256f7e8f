"""Model: the part of a network that one trial owns: the trained stages, the label outputs, the extra outputs."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Model(nn.Module):
    """Trained stages, the hidden layer of the head (may be empty), then one linear unit a label and an extra output.

    Each extra output is a module of its own, so that the label outputs start the same whatever the objective asks for.
    """

    def __init__(
        self,
        stages: nn.Sequential,
        labels: nn.Linear,
        extra: Mapping[str, nn.Linear],
        hidden: nn.Sequential | None = None,
    ) -> None:
        super().__init__()
        self.stages = stages
        self.hidden = hidden if hidden is not None else nn.Sequential()
        self.labels = labels
        self.extra = nn.ModuleDict(extra)

    def forward(self, inputs: Tensor) -> dict[str, Tensor]:
        """Features (batch, ...) at the deepest frozen tensor -> `logits` (batch, labels) and extra outputs (batch,).

        The outputs keep the precision of their weights under autocast: in 8 bits of mantissa most scores of a label
        would be ties, which costs some losses more mAP than others.
        """
        features = self.hidden(self.stages(inputs))
        with torch.autocast(features.device.type, enabled=False):
            features = features.to(self.labels.weight.dtype)
            outputs = {name: unit(features).squeeze(1) for name, unit in self.extra.items()}
            return {"logits": self.labels(features), **outputs}


def output_unit(num_features: int, num_outputs: int, seed: int, bias: Tensor | float = 0.0) -> nn.Linear:
    """A linear layer whose initial weights depend on `seed` alone, and whose bias starts at `bias`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unit = nn.Linear(num_features, num_outputs)
    with torch.no_grad():
        unit.bias.copy_(torch.as_tensor(bias))
    return unit


def hidden_layer(num_features: int, width: int, dropout: float, seed: int) -> nn.Sequential:
    """Linear, ReLU, dropout; the initial weights depend on `seed` alone, and start as a backbone's do."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(num_features, width), nn.ReLU(), nn.Dropout(dropout))
