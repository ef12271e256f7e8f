import importlib
from pathlib import Path

import pytest
import torch
import yaml

from mllc.losses import build_objective
from mllc.types import LabelStatistics

CONF = Path(__file__).parents[2] / "conf" / "loss"


@pytest.fixture
def statistics():
    """20 samples, 6 labels, among them one that is never and one that is always true."""
    return LabelStatistics(torch.tensor([0.0, 20.0, 3.0, 1.0, 10.0, 6.0]), 20, 2.0)


@pytest.fixture
def build(statistics):
    """build(name, **overrides): the objective of conf/loss/NAME.yaml with some keys replaced."""

    def build(name, statistics=statistics, **overrides):
        config = yaml.safe_load((CONF / f"{name}.yaml").read_text())
        module, function = config["_target_"].rsplit(".", 1)
        return build_objective(
            getattr(importlib.import_module(module), function), name, {**config, **overrides}, statistics
        )

    return build
