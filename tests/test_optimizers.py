"""Every conf/optimizer/*.yaml builds, steps and lowers a convex loss; what torch refuses is refused."""

import pytest
import torch

from mllc.config import catalogue
from mllc.config import compose as config
from mllc.errors import ConfigError

OPTIMIZERS = sorted(catalogue.choices("optimizer"))


def build(*overrides):
    return config.build(config.compose(list(overrides))["optimizer"])


def test_the_six_are_there():
    assert {"adam", "adamw", "adadelta", "adagrad", "rmsprop", "sgd"} <= set(OPTIMIZERS)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_downhill(name):
    weights = torch.nn.Parameter(torch.tensor([1.0, -2.0, 3.0]))
    optimizer = build(f"optimizer={name}")([weights])
    first = weights.square().sum().item()
    for _ in range(20):
        optimizer.zero_grad()
        weights.square().sum().backward()
        optimizer.step()
    assert weights.square().sum().item() < first


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_settings_arrive(name):
    optimizer = build(f"optimizer={name}", "optimizer.lr=0.125", "optimizer.weight_decay=0.25")([torch.zeros(1)])
    assert optimizer.param_groups[0]["lr"] == 0.125
    assert optimizer.param_groups[0]["weight_decay"] == 0.25


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_other_settings_are_torchs_defaults(name):
    """All but those that mllc chooses on purpose."""
    ours = build(f"optimizer={name}")
    theirs = ours.func([torch.zeros(1)]).defaults
    chosen = {"lr", "momentum"} if name == "sgd" else {"lr"}
    for key, value in ours.keywords.items():
        if key not in chosen:
            assert (tuple(value) if isinstance(value, list) else value) == theirs[key], key


def test_nesterov():
    overrides = ["optimizer=sgd", "optimizer.nesterov=true"]
    assert build(*overrides)([torch.zeros(1)]).param_groups[0]["nesterov"]
    with pytest.raises(ConfigError, match=r"optimizer.nesterov=true needs optimizer.momentum > 0"):
        build(*overrides, "optimizer.momentum=0")
