"""A small network for sheets of cells: one convolution that sees exactly one cell at a time."""

from collections import OrderedDict

from torch import nn

from mllc.errors import ModelError
from mllc.models.backbone import Backbone, require_images


def patch(input_shape: tuple[int, ...], *, patch: int, width: int, bottleneck: int, dropout: float) -> Backbone:
    """Convolution patch x patch, stride patch, to `width` channels; 1 x 1 convolution to `bottleneck`; flatten.

    Both convolutions are followed by batch norm and ReLU; dropout acts on the flattened features.

    >>> patch((1, 80, 80), patch=8, width=64, bottleneck=32, dropout=0.0).num_features
    3200
    """
    channels = require_images("patch", input_shape)
    height, breadth = input_shape[1:]
    if patch < 1 or height % patch or breadth % patch:
        raise ModelError(f"backbone.patch={patch} does not divide the image size {height} x {breadth}")
    if min(width, bottleneck) < 1 or not 0 <= dropout < 1:
        raise ModelError(f"backbone.width={width}, bottleneck={bottleneck}: at least 1; dropout={dropout}: in [0, 1)")
    cells = nn.Conv2d(channels, width, patch, stride=patch, bias=False)
    stages = {
        "cells": nn.Sequential(cells, nn.BatchNorm2d(width), nn.ReLU()),
        "bottleneck": nn.Sequential(nn.Conv2d(width, bottleneck, 1, bias=False), nn.BatchNorm2d(bottleneck), nn.ReLU()),
        "flatten": nn.Sequential(nn.Flatten(), nn.Dropout(dropout)),
    }
    return Backbone(nn.Sequential(OrderedDict(stages)), bottleneck * (height // patch) * (breadth // patch))
