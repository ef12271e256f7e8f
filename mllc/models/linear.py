"""No hidden layer: the head sees the inputs themselves (logistic regression, under the loss of choice)."""

import math

from torch import nn

from mllc.models.backbone import Backbone


def linear(input_shape: tuple[int, ...]) -> Backbone:
    """Flattens inputs (batch, *input_shape); the head on top makes it a linear model."""
    return Backbone(nn.Sequential(nn.Flatten()), math.prod(input_shape))
