"""Schedules against torch's schedulers and closed forms."""

import math
from itertools import pairwise

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, OneCycleLR

from mllc import schedules

STEPS = 400


def rates(schedule, **settings):
    return [schedule(step / STEPS, **settings) for step in range(STEPS)]


def torch_rates(make_scheduler, first=1.0):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=first)
    scheduler = make_scheduler(optimizer)
    found = []
    for _ in range(STEPS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize("final", [0.0, 0.1])
def test_cosine_is_torchs(final):
    expected = torch_rates(lambda optimizer: CosineAnnealingLR(optimizer, STEPS, eta_min=final))
    assert rates(schedules.cosine, final=final) == pytest.approx(expected, abs=1e-9)


def test_one_cycle_is_torchs_up_to_one_step():
    """torch reaches its last rate at the last step, and its peak one step earlier; we count progress in [0, 1)."""
    expected = torch_rates(lambda optimizer: OneCycleLR(optimizer, max_lr=1.0, total_steps=STEPS, cycle_momentum=False))
    one_step = math.pi / 2 / (0.3 * STEPS)
    assert rates(schedules.one_cycle) == pytest.approx(expected, abs=1.5 * one_step)
    assert max(rates(schedules.one_cycle)) == 1.0


def test_constant_with_warmup_is_torchs_lambda():
    expected = torch_rates(lambda optimizer: LambdaLR(optimizer, lambda step: min(1.0, step / (0.1 * STEPS))))
    assert rates(schedules.constant, warmup=0.1) == pytest.approx(expected, abs=1e-9)


def test_constant_without_warmup_never_moves():
    assert set(rates(schedules.constant)) == {1.0}


@pytest.mark.parametrize("schedule", [schedules.constant, schedules.cosine, schedules.one_cycle])
@pytest.mark.parametrize("warmup", [0.0, 0.05, 0.5])
def test_rises_to_the_full_rate_then_never_rises(schedule, warmup):
    found = rates(schedule, warmup=warmup)
    peak = math.ceil(warmup * STEPS)
    assert found[peak] == pytest.approx(1.0)
    assert all(a < b for a, b in pairwise(found[:peak]))
    assert all(a >= b for a, b in pairwise(found[peak:]))
    assert all(0.0 <= rate <= 1.0 for rate in found)
