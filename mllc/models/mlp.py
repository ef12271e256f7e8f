"""A multi-layer perceptron on feature vectors (images are flattened)."""

import itertools
import math
from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from mllc.errors import ModelError
from mllc.models.backbone import Backbone


def mlp(input_shape: tuple[int, ...], *, hidden: Sequence[int], dropout: float) -> Backbone:
    """Hidden layers of the widths `hidden`, called hidden1, hidden2, ..., each Linear, ReLU, Dropout(dropout).

    >>> mlp((10,), hidden=[32, 16], dropout=0.1).num_features
    16
    """
    if not hidden or any(not isinstance(width, int) or width < 1 for width in hidden):
        raise ModelError(f"backbone.hidden={hidden}: a list of widths of at least 1, for example [512] or [1024,512]")
    if not 0 <= dropout < 1:
        raise ModelError(f"backbone.dropout={dropout}: a share from 0 up to, not including, 1")
    widths = [math.prod(input_shape), *hidden]
    stages: dict[str, nn.Module] = {"flatten": nn.Flatten()}
    for number, (fan_in, fan_out) in enumerate(itertools.pairwise(widths), 1):
        stages[f"hidden{number}"] = nn.Sequential(nn.Linear(fan_in, fan_out), nn.ReLU(), nn.Dropout(dropout))
    return Backbone(nn.Sequential(OrderedDict(stages)), hidden[-1])
