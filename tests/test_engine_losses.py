"""The losses of stacked replicas against the replicas' own calls: values and gradients, in float64."""

import functools
import importlib
import math
from pathlib import Path

import pytest
import torch
import yaml

from mllc.engine.stacked_losses import LossGroups, in_groups
from mllc.losses import bce, build_objective
from mllc.losses.rules import RULES
from mllc.types import LabelStatistics

CONF = Path(__file__).parents[1] / "conf" / "loss"
LOSSES = sorted(file.stem for file in CONF.glob("*.yaml"))
STATISTICS = LabelStatistics(torch.tensor([0.0, 20.0, 3.0, 1.0, 10.0, 6.0, 2.0, 5.0, 1.0]), 20, 2.0)
BATCH, LABELS = 8, len(STATISTICS.label_counts)
NOT_TOGETHER = {
    "large_loss": {"rate"},
    "smooth_ap": {"temperature"},
    "splc": {"change_epoch"},
    "tversky": {"beta"},
}
"""Settings that are no tensors: replicas that differ in them have calls of their own."""


@functools.cache
def yaml_of(name):
    return yaml.safe_load((CONF / f"{name}.yaml").read_text())


def build(name, function=None, **overrides):
    config = yaml_of(name)
    module, target = config["_target_"].rsplit(".", 1)
    function = function or getattr(importlib.import_module(module), target)
    return build_objective(function, name, {**config, **overrides}, STATISTICS)


def numbers(name):
    """The settings that are numbers, or may be."""
    config = yaml_of(name)
    search = config["traits"]["search"]
    found = {key: config[key] for key in config if type(config[key]) in (int, float) and key != "threshold"}
    return found | {key: one["low"] for key, one in search.items() if "low" in one and key not in found}


def varied(name, key, value):
    """Three values that are allowed, none of them 0."""
    if key == "change_epoch":
        return [1, 2, 3]
    if value == 0:
        return [0.1, 0.2, 0.3]
    return [value, value * 0.9, value * (1.1 if name != "class_balanced" else 0.5)]


def batch(objectives, mask, seed=0):
    draw = torch.Generator().manual_seed(seed)
    shape = (len(objectives), BATCH, LABELS)
    logits = 4 * torch.randn(shape, generator=draw, dtype=torch.float64)
    count = torch.randn(shape[:2], generator=draw, dtype=torch.float64)
    targets = (torch.rand(shape[1:], generator=draw) < 0.3).double()
    known = torch.rand(shape[1:], generator=draw) < 0.8 if mask else None
    return {"logits": logits.requires_grad_(), "count": count.requires_grad_()}, targets, known


def one_by_one(objectives, outputs, targets, mask, epoch):
    own = [{name: values[k] for name, values in outputs.items()} for k in range(len(objectives))]
    return torch.stack(
        [objective.mean(mine, targets, mask, epoch) for objective, mine in zip(objectives, own, strict=True)]
    )


def assert_equal(objectives, groups=None, *, mask=False, epoch=0):
    groups = groups or LossGroups(objectives, "cpu", torch.float64)
    outputs, targets, known = batch(objectives, mask)
    found = []
    for losses in (groups(outputs, targets, known, epoch), one_by_one(objectives, outputs, targets, known, epoch)):
        found.append((losses, torch.autograd.grad(losses.sum(), list(outputs.values()), materialize_grads=True)))
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-12, equal_nan=True)
    return groups


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_with_three_settings_is_what_each_is_alone(name):
    settings = numbers(name)
    cases = [[{}] * 3, *([{key: one} for one in varied(name, key, value)] for key, value in settings.items())]
    for values in cases:
        for reductions in (("sum",) * 3, ("mean", "sum", "mean")):
            objectives = [
                build(name, **one, reduction=reduction) for one, reduction in zip(values, reductions, strict=True)
            ]
            objectives = [objectives[place] for place in in_groups(objectives)]
            traits = objectives[0].traits
            for mask in (False, True) if traits.shape == "element" or "mask" in traits.needs else (False,):
                for epoch in (0, 2, 10) if "epoch" in traits.needs else (0,):
                    groups = assert_equal(objectives, mask=mask, epoch=epoch)
            alone = NOT_TOGETHER.get(name, set()) & values[0].keys()
            assert len(groups.groups) == (3 if alone else len(set(reductions))), (values, groups.groups)


def test_a_whole_sweep_takes_a_call_a_loss():
    objectives = [build(name) for name in LOSSES for _ in range(2)]
    groups = LossGroups(objectives, "cpu", torch.float64)
    assert len(groups.groups) == len(LOSSES)
    forms = {form: {g.members[0].name for g in groups.groups if g.form == form} for form in ("mapped", "each")}
    assert forms == {
        "mapped": {"large_loss", "sigmoid_f1", "soft_f1", "tversky", "two_way"},
        "each": {"smooth_ap"},
    }
    assert groups.uses_epoch
    assert not LossGroups(objectives[:2], "cpu").uses_epoch
    assert_equal(objectives, groups, epoch=7)


def test_the_test_can_fail():
    objectives = [build("focal", gamma=gamma) for gamma in (1.0, 2.0, 3.0)]
    others = [*objectives[:2], build("focal", gamma=3.0001)]
    with pytest.raises(AssertionError):
        assert_equal(objectives, LossGroups(others, "cpu", torch.float64))


def test_the_order_puts_what_can_share_a_call_side_by_side():
    mixed = [
        build("focal", gamma=1.0),
        build("weighted_bce", weight=3),
        build("focal"),
        build("weighted_bce"),
        build("focal", gamma=0),
        build("weighted_bce", weight=30.0),
        build("focal", gamma=1.0),
        build("focal", alpha=0.25),
    ]
    order = in_groups(mixed)
    assert order == [0, 6, 2, 1, 5, 3, 4, 7]
    groups = LossGroups([mixed[place] for place in order], "cpu").groups
    assert [len(group.members) for group in groups] == [3, 2, 1, 1, 1], "0 switches a part off and is by itself"
    assert [group.free for group in groups] == [("gamma",), ("weight",), (), (), ()]
    assert [group.form for group in groups] == ["together", "together", "each", "each", "each"]


def test_statistics_that_differ_are_not_mixed():
    other = LabelStatistics(STATISTICS.label_counts + 1, 20, 2.0)
    config = yaml_of("weighted_bce")
    function = importlib.import_module("mllc.losses").weighted_bce
    objectives = [build_objective(function, "weighted_bce", config, counts) for counts in (STATISTICS, other)]
    assert len(assert_equal(objectives).groups) == 2


def test_one_that_overflows_leaves_the_others_as_they_are():
    objectives = [build("asymmetric", margin=margin) for margin in (0.05, 0.1, 0.2)]
    groups = LossGroups(objectives, "cpu", torch.float64)
    outputs, targets, _ = batch(objectives, mask=False)
    found = []
    for spoilt in (False, True):
        logits = outputs["logits"].detach().clone()
        if spoilt:
            logits[1] = torch.nan
        losses = groups({"logits": logits.requires_grad_()}, targets)
        found.append((losses.detach(), torch.autograd.grad(losses.sum(), logits)[0]))
    (losses, slopes), (spoilt_losses, spoilt_slopes) = found
    assert math.isnan(spoilt_losses[1])
    assert torch.equal(losses[[0, 2]], spoilt_losses[[0, 2]])
    assert torch.equal(slopes[[0, 2]], spoilt_slopes[[0, 2]])


# functions of users ------------------------------------------------------------------------------------------------


def over_the_batch(logits, targets, *, weight=1.0):
    return bce(logits, targets) * weight / logits.detach().abs().mean()


def asks(logits, targets, *, weight=1.0):
    return bce(logits, targets) * (weight if weight > 2 else 1)


def draws(logits, targets, *, weight=1.0):
    return bce(logits + torch.randn_like(logits), targets) * weight


def needs_two_dimensions(logits, targets, *, weight=1.0):
    samples, labels = logits.shape
    return bce(logits, targets) * weight * torch.arange(samples).view(samples, 1).expand(samples, labels)


def exits(logits, targets, *, weight=1.0):
    if len(logits) == 6:
        raise SystemExit("no")
    return bce(logits, targets) * weight


USERS = [(over_the_batch, "mapped"), (asks, "each"), (draws, "drawing"), (needs_two_dimensions, "mapped")]


@pytest.mark.parametrize(
    ("function", "form"), [*USERS, (exits, "drawing")], ids=lambda value: getattr(value, "__name__", "")
)
def test_a_function_of_the_user_may_do_what_it_likes(function, form):
    config = {**yaml_of("bce"), "weight": 1.0}
    objectives = [
        build_objective(function, "mine", {**config, "weight": weight}, STATISTICS) for weight in (1.0, 2.0, 3.0)
    ]
    groups = LossGroups(objectives, "cpu", torch.float64)
    assert {group.form for group in groups.groups} == {form}
    outputs, targets, _ = batch(objectives, mask=False)
    torch.manual_seed(3)
    losses, wanted = groups(outputs, targets), []
    for k, objective in enumerate(objectives):
        torch.manual_seed(3)
        wanted.append(objective.mean({"logits": outputs["logits"][k]}, targets))
    torch.testing.assert_close(losses, torch.stack(wanted), rtol=1e-12, atol=1e-12)


def test_rules_are_no_part_of_a_group():
    objectives = [build("bce", rule=rule, k=2 if rule == "top_k" else None) for rule in ("above", "top_k")]
    assert {"above", "top_k"} <= set(RULES)
    assert len(LossGroups(objectives, "cpu").groups) == 1
