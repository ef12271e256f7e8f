"""Losses under torch.compile, torch.func.vmap and torch.func.grad; the losses are found by their YAMLs."""

import importlib
from pathlib import Path

import pytest
import torch
import yaml

from mllc.losses import asymmetric, blocks, weighted_bce, zlpr

FILES = sorted((Path(__file__).parents[2] / "conf" / "loss").glob("*.yaml"))
TRAITS = {file.stem: yaml.safe_load(file.read_text())["traits"] for file in FILES}
BY_ROW = [name for name, traits in TRAITS.items() if not traits["coupled"] and traits["shape"] in ("element", "sample")]

DRAW = torch.Generator().manual_seed(0)
LOGITS = 2 * torch.randn(5, 6, generator=DRAW, dtype=torch.float64)
COUNT = torch.rand(5, generator=DRAW, dtype=torch.float64) + 1
# rows: empty, full, one positive, two, three
TARGETS = torch.tensor([[0] * 6, [1] * 6, [0, 0, 0, 1, 0, 0], [0, 1, 0, 0, 1, 0], [1, 0, 1, 0, 0, 1]]).double()


def outputs_of(objective, logits, count):
    return {"logits": logits, **dict.fromkeys(objective.outputs, count)}


def slope(objective, targets=TARGETS):
    logits = LOGITS.clone().requires_grad_()
    return torch.autograd.grad(objective.loss(outputs_of(objective, logits, COUNT), targets).sum(), logits)[0]


def test_the_losses_are_found():
    assert {"bce", "asymmetric", "zlpr", "softmax_count"} <= set(BY_ROW)


@pytest.mark.parametrize("name", TRAITS)
def test_compiles_whole(name, build):
    torch._dynamo.reset()  # all losses share a wrapper, and its recompilations have a limit
    objective = build(name)
    logits = LOGITS.clone().requires_grad_()

    def value(logits):
        return objective.mean(outputs_of(objective, logits, COUNT), TARGETS, epoch=3)

    expected = value(logits)
    found = torch.compile(value, fullgraph=True, backend="aot_eager")(logits)
    torch.testing.assert_close(found, expected, equal_nan=True)
    torch.testing.assert_close(
        torch.autograd.grad(found, logits), torch.autograd.grad(expected, logits), equal_nan=True
    )


@pytest.mark.parametrize("name", TRAITS)
def test_functional_gradient(name, build):
    objective = build(name)
    found = torch.func.grad(lambda z: objective.loss(outputs_of(objective, z, COUNT), TARGETS).sum())(LOGITS)
    torch.testing.assert_close(found, slope(objective), equal_nan=True)


@pytest.mark.parametrize("name", BY_ROW)
def test_maps_over_samples_and_differentiates_each(name, build):
    objective = build(name)

    def one(logits, targets, count):
        return objective.loss(outputs_of(objective, logits.unsqueeze(0), count.unsqueeze(0)), targets.unsqueeze(0))[0]

    expected = objective.loss(outputs_of(objective, LOGITS, COUNT), TARGETS)
    torch.testing.assert_close(torch.func.vmap(one)(LOGITS, TARGETS, COUNT), expected)
    found = torch.func.vmap(torch.func.grad(one))(LOGITS, TARGETS, COUNT)
    torch.testing.assert_close(found, slope(objective))


# large batches, block by block ---------------------------------------------------------------------------------------


def in_blocks(name):
    """Whether the loss does large batches by blocks of rows: those that do keep nothing but their inputs."""
    module = importlib.import_module(f"mllc.losses.{name}")
    return hasattr(module, "by_rows")


IN_BLOCKS = [name for name in TRAITS if in_blocks(name)]


def test_losses_in_blocks_are_found():
    assert {"asymmetric", "zlpr", "distribution_balanced", "lsep"} <= set(IN_BLOCKS) <= set(BY_ROW)


@pytest.mark.parametrize("name", IN_BLOCKS)
def test_blocks_change_nothing(name, build, monkeypatch):
    objective = build(name)
    mask = torch.rand(TARGETS.shape, generator=DRAW) < 0.8 if TRAITS[name]["shape"] == "element" else None
    weights = torch.rand(5, 1, generator=DRAW, dtype=torch.float64)

    def run():
        logits, targets = LOGITS.clone().requires_grad_(), TARGETS.clone()
        values = objective.values({"logits": logits}, targets, mask, epoch=3)
        above = weights.expand(5, 6) * (LOGITS + 1) if values.dim() == 2 else weights[:, 0]
        gradient = torch.autograd.grad(values, logits, above)[0]
        assert torch.equal(logits, LOGITS)
        assert torch.equal(targets, TARGETS)
        return values.detach(), gradient

    whole = run()
    calls = []
    for function in (blocks._Blocks, blocks._KeptSlope):
        apply = function.apply
        monkeypatch.setattr(function, "apply", lambda *given, apply=apply: calls.append(given) or apply(*given))
    monkeypatch.setattr(blocks, "AT_ONCE", 12)
    for found, expected in zip(run(), whole, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)
    assert calls


@pytest.mark.parametrize("name", IN_BLOCKS)
def test_blocks_under_transformations(name, build, monkeypatch):
    objective = build(name)
    expected = slope(objective)
    stacked = torch.stack([LOGITS, LOGITS.flip(0)])
    alone = torch.stack([objective.loss({"logits": one}, TARGETS) for one in stacked])
    monkeypatch.setattr(blocks, "AT_ONCE", 12)
    found = torch.func.grad(lambda z: objective.loss({"logits": z}, TARGETS).sum())(LOGITS)
    torch.testing.assert_close(found, expected)
    found = torch.func.vmap(lambda z: objective.loss({"logits": z}, TARGETS))(stacked)
    torch.testing.assert_close(found, alone)
    targets = torch.stack([TARGETS, 1 - TARGETS])
    found = torch.func.vmap(lambda y: objective.loss({"logits": LOGITS}, y))(targets)
    torch.testing.assert_close(found[0], alone[0])
    per_model = torch.func.vmap(torch.func.grad(lambda z: objective.loss({"logits": z}, TARGETS).sum()))(stacked)
    torch.testing.assert_close(per_model[0], expected)


def test_blocks_keep_only_the_inputs(monkeypatch):
    monkeypatch.setattr(blocks, "AT_ONCE", 12)
    logits = LOGITS.clone().requires_grad_()
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        values = asymmetric(logits, TARGETS)
    assert [tensor.data_ptr() for tensor in kept] == [logits.data_ptr(), TARGETS.data_ptr()]
    values.sum().backward(retain_graph=True)
    once = logits.grad.clone()
    values.sum().backward()
    assert torch.equal(logits.grad, 2 * once)


def test_settings_that_want_a_gradient_get_it(monkeypatch):
    monkeypatch.setattr(blocks, "AT_ONCE", 12)
    weight = torch.ones(6, dtype=torch.float64).requires_grad_()
    weighted_bce(LOGITS, TARGETS, weight=weight).sum().backward()
    assert (weight.grad > 0).all()


def test_a_second_derivative_in_blocks_is_refused(monkeypatch):
    logits = LOGITS.clone().requires_grad_()
    (first,) = torch.autograd.grad(zlpr(logits, TARGETS).sum(), logits, create_graph=True)
    assert torch.autograd.grad(first.sum(), logits)[0].isfinite().all()
    monkeypatch.setattr(blocks, "AT_ONCE", 12)
    (first,) = torch.autograd.grad(zlpr(logits, TARGETS).sum(), logits, create_graph=True)
    with pytest.raises(RuntimeError, match=r"once_differentiable|does not require grad"):
        torch.autograd.grad(first.sum(), logits)


@pytest.mark.parametrize("at_once", [4, 2**16])
@pytest.mark.parametrize("gamma_neg", [0.5, 1.0, 2.0, 4.0])
def test_slope_of_sure_negatives_in_float32(gamma_neg, at_once, monkeypatch):
    monkeypatch.setattr(blocks, "AT_ONCE", at_once)
    found = []
    for dtype in (torch.float32, torch.float64):
        logits = torch.tensor([[-18.0, -20, -40, -80]] * 2, dtype=dtype).requires_grad_()
        losses = asymmetric(logits, torch.zeros_like(logits), gamma_neg=gamma_neg, margin=0.0)
        found.append(torch.autograd.grad(losses.sum(), logits)[0].double())
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-30)


@pytest.mark.parametrize("detach_focal", [False, True])
@pytest.mark.parametrize("margin", [0.0, 0.05, 1.0])
@pytest.mark.parametrize("gamma_neg", [0.0, 0.5, 1.0, 2.0, 2.5, 4.0])
@pytest.mark.parametrize("gamma_pos", [0.0, 0.5, 1.0, 2.0])
def test_slope_of_asymmetric(gamma_pos, gamma_neg, margin, detach_focal, monkeypatch):
    monkeypatch.setattr(blocks, "AT_ONCE", 10)
    logits = torch.tensor([[-50.0, -9, -4, -2.9, -1, 0, 1, 4, 9, 50]] * 2, dtype=torch.float64).requires_grad_()
    for y in (0.0, 0.3, 1.0):
        targets = torch.full_like(logits, y)
        value = asymmetric(
            logits, targets, gamma_neg=gamma_neg, gamma_pos=gamma_pos, margin=margin, detach_focal=detach_focal
        )
        p = torch.sigmoid(logits)
        pm = p if margin == 0 else (p - margin).clamp(min=1e-300)
        weights = (1 - p) ** gamma_pos, pm**gamma_neg
        if detach_focal:
            weights = weights[0].detach(), weights[1].detach()
        negative = torch.nn.functional.softplus(logits) if margin == 0 else -torch.log1p(-(p - margin).clamp(min=0))
        expected = y * weights[0] * torch.nn.functional.softplus(-logits) + (1 - y) * weights[1] * negative
        inner = slice(None), slice(1, -1)  # where 1 - p of the plain formula still has digits
        torch.testing.assert_close(value[inner], expected[inner], rtol=1e-6, atol=1e-9)
        found, plain = (torch.autograd.grad(one.sum(), logits)[0] for one in (value, expected))
        assert found.isfinite().all()
        torch.testing.assert_close(found[inner], plain[inner], rtol=1e-6, atol=1e-9)
