"""Losses in other people's training loops: as modules, and behind a sigmoid."""

import importlib
import subprocess
import sys

import pytest
import torch
from test_losses_contract import CONFIGS, SOUND
from torch.testing import assert_close

from mllc.errors import ConfigError
from mllc.losses import as_module, asymmetric, bce, from_probabilities, softmax_count, weighted_bce, zlpr
from mllc.losses.traits import RESERVED

LOGITS = 3 * torch.randn(8, 5, generator=torch.Generator().manual_seed(0))
TARGETS = (LOGITS.roll(1, 0) > 1).float()


def module_of(name, statistics, **options):
    """The module of conf/loss/NAME.yaml, and what it takes with each batch."""
    config, traits = CONFIGS[name], CONFIGS[name]["traits"]
    function = getattr(importlib.import_module("mllc.losses"), name)
    known = {need: getattr(statistics, need) for need in traits["needs"] if hasattr(statistics, need)}
    later = {"epoch": 0} if "epoch" in traits["needs"] else {}
    later |= {"mask": None} if "mask" in traits["needs"] else {}
    settings = {key: value for key, value in config.items() if key not in RESERVED}
    return as_module(function, **settings, **known, **options), later


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_a_module_is_the_objectives_mean(name, reduction, build, statistics):
    objective = build(name, reduction=reduction)
    module, extra = module_of(name, statistics, reduction=reduction)
    outputs = {"logits": torch.randn(9, 6), **{out: torch.rand(9) for out in objective.outputs}}
    targets = (torch.rand(9, 6) < 0.3).float()
    extra |= {out: outputs[out] for out in objective.outputs}
    assert_close(module(outputs["logits"], targets, **extra), objective.mean(outputs, targets))
    assert module(outputs["logits"], targets, **extra).shape == ()


@pytest.mark.parametrize("epoch", [0, 10])
@pytest.mark.parametrize("name", SOUND)
def test_a_module_leaves_unknown_targets_out_as_the_objective_does(name, epoch, build, statistics):
    objective = build(name)
    module, extra = module_of(name, statistics)
    extra |= {"epoch": epoch} if "epoch" in extra else {}
    outputs = {"logits": torch.randn(9, 6), **{out: torch.rand(9) for out in objective.outputs}}
    targets, mask = (torch.rand(9, 6) < 0.3).float(), torch.rand(9, 6) < 0.7
    extra |= {out: outputs[out] for out in objective.outputs} | {"mask": mask}
    try:
        objective.require_mask()
    except ConfigError:
        with pytest.raises(ValueError, match="takes no mask"):
            module(outputs["logits"], targets, **extra)
        return
    found = module(outputs["logits"], targets, **extra)
    assert_close(found, objective.mean(outputs, targets, mask, epoch=epoch))
    assert_close(module(outputs["logits"], torch.where(mask, targets, 1 - targets), **extra), found)


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("value", [-1.0, 2.0, float("nan")])
def test_targets_outside_the_domain_are_refused(value, name, statistics):
    module, extra = module_of(name, statistics)
    extra |= {out: torch.rand(9) for out in CONFIGS[name]["traits"]["outputs"]}
    targets = torch.zeros(9, 6)
    targets[2, 3] = value
    with pytest.raises(ValueError, match=r"targets must lie in \[0, 1\]"):
        module(torch.randn(9, 6), targets, **extra)


def test_settings_are_checked_at_once():
    with pytest.raises(ConfigError, match="did you mean 'gamma_neg'"):
        as_module(asymmetric, gamma_neq=4)
    with pytest.raises(ValueError, match="gamma_neg must be"):
        as_module(asymmetric, gamma_neg=-4)
    with pytest.raises(ConfigError, match="reduction 'total' is not known"):
        as_module(bce, reduction="total")


def test_reductions():
    values = bce(LOGITS, TARGETS)
    assert_close(as_module(bce)(LOGITS, TARGETS), values.sum(1).mean())
    assert_close(as_module(bce, reduction="mean")(LOGITS, TARGETS), values.mean())
    assert_close(as_module(bce, reduction="none")(LOGITS, TARGETS), values)
    assert as_module(zlpr, reduction="none")(LOGITS, TARGETS).shape == (8,)


def test_a_mask_leaves_entries_out():
    mask = torch.ones_like(TARGETS, dtype=torch.bool)
    mask[1, 2] = False
    assert_close(as_module(bce)(LOGITS, TARGETS, mask), (bce(LOGITS, TARGETS) * mask).sum(1).mean())
    with pytest.raises(ValueError, match="zlpr has no value per element"):
        as_module(zlpr)(LOGITS, TARGETS, mask)


def test_tensors_move_and_are_saved_with_the_module():
    module = as_module(weighted_bce, weight=torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert list(module.state_dict()) == ["weight"]
    assert module.double().weight.dtype == torch.float64
    assert_close(
        module(LOGITS.double(), TARGETS.double()).item(),
        weighted_bce(LOGITS, TARGETS, weight=module.weight.float()).sum(1).mean().item(),
    )


def test_extra_outputs_come_with_the_batch():
    count = torch.rand(8)
    assert_close(
        as_module(softmax_count, penalty="poisson")(LOGITS, TARGETS, count=count),
        softmax_count(LOGITS, TARGETS, count=count, penalty="poisson").mean(),
    )


def test_it_trains_a_network():
    network = torch.nn.Linear(5, 5)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.1)
    loss = as_module(asymmetric, gamma_neg=2)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        value = loss(network(TARGETS), TARGETS)
        value.backward()
        optimizer.step()
        losses.append(value.item())
    assert losses[-1] < losses[0] / 2


def test_from_probabilities_is_the_clipped_form_that_is_written_by_hand():
    weight, probabilities = 7.0, LOGITS.double().sigmoid().requires_grad_()
    clipped = probabilities.clamp(1e-7, 1 - 1e-7)
    by_hand = -(weight * TARGETS * clipped.log() + (1 - TARGETS) * (1 - clipped).log())
    ours = from_probabilities(weighted_bce)(probabilities, TARGETS.double(), weight=weight)
    assert_close(ours, by_hand)
    assert_close(*(torch.autograd.grad(v.sum(), probabilities, retain_graph=True)[0] for v in (ours, by_hand)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_from_probabilities_is_finite_at_the_ends(dtype):
    probabilities = torch.tensor([[0.0, 1.0, 0.0, 1.0]], dtype=dtype, requires_grad=True)
    value = from_probabilities(bce)(probabilities, torch.tensor([[0.0, 1.0, 1.0, 0.0]]))
    assert value.isfinite().all()
    assert torch.autograd.grad(value.sum(), probabilities)[0].isfinite().all()
    assert (value[0, :2] < 1e-3).all()
    assert (value[0, 2:] > 10).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_from_probabilities_has_a_finite_gradient_behind_a_saturated_sigmoid(dtype):
    logits = torch.tensor([[-120.0, -87, -86, -80, -60, 17, 40]], dtype=dtype).requires_grad_()
    value = from_probabilities(weighted_bce)(logits.sigmoid(), torch.ones(1, 7), weight=499.0)
    slope = torch.autograd.grad(value.sum(), logits)[0]
    assert slope.isfinite().all()
    assert slope[0, 4].item() == pytest.approx(-499, rel=0.01)


def test_wrappers_compile_whole():
    wrapped = as_module(from_probabilities(weighted_bce), weight=2.0)
    probabilities = LOGITS.sigmoid()
    found = torch.compile(wrapped, fullgraph=True, backend="aot_eager")(probabilities, TARGETS)
    assert_close(found, wrapped(probabilities, TARGETS))


def test_logits_given_for_probabilities_are_refused():
    with pytest.raises(ValueError, match=r"probabilities must lie in \[0, 1\]"):
        from_probabilities(bce)(LOGITS, TARGETS)


def test_losses_import_torch_and_nothing_else():
    heavy = {"hydra", "omegaconf", "typer", "rich", "sklearn", "numpy", "scipy", "yaml", "torchvision"}
    code = (
        f"import sys, torch; known = {{*sys.modules}}; import mllc.losses; print(({{*sys.modules}} - known) & {heavy})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
