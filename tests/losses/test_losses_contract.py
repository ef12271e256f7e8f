"""What every loss promises: these tests find the losses by their YAMLs."""

import importlib
import inspect
import re
from dataclasses import fields
from itertools import combinations, product
from pathlib import Path

import pytest
import torch
import yaml

from mllc.config import catalogue
from mllc.config.settings import fit, words
from mllc.errors import ConfigError
from mllc.losses.objective import Objective
from mllc.losses.rules import RULES
from mllc.losses.traits import RESERVED, Traits
from mllc.types import LabelStatistics

FILES = sorted((Path(__file__).parents[2] / "conf" / "loss").glob("*.yaml"))
CONFIGS = {file.stem: yaml.safe_load(file.read_text()) for file in FILES}
SOUND = [name for name, config in CONFIGS.items() if config["traits"]["expected"] is None]

# rows: empty, full, one positive, two, the labels that are never and always true
TARGETS = torch.tensor(
    [[0] * 6, [1] * 6, [0, 0, 0, 1, 0, 0], [0, 1, 0, 0, 1, 0], [1, 0, 1, 0, 0, 1]], dtype=torch.uint8
)
EXTREMES = (0.0, 20.0, -20.0, 90.0, -90.0, 1e4, -1e4)

every_loss = pytest.mark.parametrize("name", CONFIGS)
sound_loss = pytest.mark.parametrize("name", SOUND)


def random_outputs(objective: Objective, rows: int = len(TARGETS), dtype=torch.float32, scale=2.0, seed=0):
    source = torch.Generator().manual_seed(seed)
    outputs = {"logits": scale * torch.randn(rows, 6, generator=source, dtype=torch.float64)}
    for extra in objective.outputs:
        outputs[extra] = scale * torch.randn(rows, generator=source, dtype=torch.float64)
    return {name: output.to(dtype).requires_grad_() for name, output in outputs.items()}


def gradients(objective, outputs, targets=TARGETS, epoch=0):
    value = objective.mean(outputs, targets, epoch=epoch)
    return value, dict(zip(outputs, torch.autograd.grad(value, list(outputs.values()), allow_unused=True), strict=True))


def function_of(name):
    module, function = CONFIGS[name]["_target_"].rsplit(".", 1)
    return getattr(importlib.import_module(module), function)


def own_settings(name):
    return set(CONFIGS[name]) - set(RESERVED)


def test_the_yamls_are_found():
    assert len(CONFIGS) >= 39


# the YAML ----------------------------------------------------------------------------------------------------------


@every_loss
def test_yaml_is_complete(name):
    config, traits = CONFIGS[name], CONFIGS[name]["traits"]
    assert list(traits) == [field.name for field in fields(Traits)]
    assert {"_target_", "reduction", "rule", "k", "traits"} <= config.keys()
    assert config["_target_"].split(".")[-1] == name
    assert config["rule"] in RULES
    assert ("threshold" in config) == (config["rule"] == "above")
    assert all(isinstance(traits[text], str) and traits[text] for text in ("formula", "source"))


@every_loss
def test_yaml_gives_each_setting_its_value(name):
    config, parameters = CONFIGS[name], inspect.signature(function_of(name)).parameters
    assert list(parameters)[:2] == ["logits", "targets"]
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in list(parameters.values())[2:])
    supplied = {*config["traits"]["needs"], *config["traits"]["outputs"]}
    assert own_settings(name) == set(parameters) - {"logits", "targets"} - supplied
    others = {setting for setting in own_settings(name) if config[setting] != parameters[setting].default}
    assert others == ({"weight"} if name == "weighted_bce" else set())


@every_loss
def test_yaml_has_a_comment_on_every_key(name):
    lines = next(file for file in FILES if file.stem == name).read_text().splitlines()
    assert re.fullmatch(r"# \S.{20,}", lines[0])
    keys = [line for line in lines[1:] if re.match(r"(  )?\w+:", line)]
    assert len(keys) == len(CONFIGS[name]) + len(CONFIGS[name]["traits"])
    assert [line for line in keys if not re.search(r"# \S", line)] == []
    assert max(map(len, lines)) <= 120


@every_loss
def test_settings_say_what_they_may_be(name):
    config, types = CONFIGS[name], CONFIGS[name]["traits"]["types"]
    assert set(types) == own_settings(name) | {"rule"}
    for setting, allowed in types.items():
        fit(config[setting], allowed)
    assert set(words(types["rule"])) <= set(RULES)
    assert "top_k" in words(types["rule"])


@every_loss
def test_every_word_that_a_setting_allows_builds(name, build):
    for setting, allowed in CONFIGS[name]["traits"]["types"].items():
        for word in words(allowed):
            build(name, **{setting: word})


@every_loss
def test_search_ranges_are_allowed_and_build(name, build):
    traits = CONFIGS[name]["traits"]
    assert set(traits["search"]) == own_settings(name)
    for setting, space in traits["search"].items():
        assert space.keys() <= {"low", "high", "log"} if "low" in space else space.keys() == {"choices"}
        values = space["choices"] if "choices" in space else [space["low"], space["high"]]
        assert "choices" in space or values[0] < values[1]
        for value in values:
            build(name, **{setting: fit(value, traits["types"][setting])})


@every_loss
def test_the_docstring_is_complete(name):
    said = inspect.getdoc(function_of(name))
    own = own_settings(name)
    for word in ("logits", "targets", "returns", "source", *own, *(["raises"] if own else [])):
        assert re.search(rf"\b{word}\b", said), word
    assert "gradient" in said or not CONFIGS[name]["traits"]["saturates"]


# numbers -----------------------------------------------------------------------------------------------------------


@sound_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("extreme", EXTREMES)
def test_value_and_gradient_are_finite(name, dtype, extreme, build):
    objective = build(name)
    mixed = random_outputs(objective)
    labels = [TARGETS, torch.zeros_like(TARGETS), torch.ones_like(TARGETS)]
    labels += [torch.full(TARGETS.shape, 0.3)] if objective.traits.soft_targets else []
    epochs = (0, 10) if "epoch" in objective.traits.needs else (0,)
    for outputs in (
        {key: torch.full_like(output, extreme) for key, output in mixed.items()},
        {key: torch.where(output > 0, extreme, output) for key, output in mixed.items()},
        {key: extreme * output.sign() for key, output in mixed.items()},
    ):
        given = {key: output.detach().to(dtype).requires_grad_() for key, output in outputs.items()}
        for targets, epoch in product(labels, epochs):
            with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
                value, found = gradients(objective, given, targets, epoch)
            assert value.dtype == torch.float32
            assert value.isfinite()
            assert all(gradient.isfinite().all() for gradient in found.values())


@every_loss
def test_divergence_happens_exactly_where_declared(name, build):
    objective = build(name)
    same = random_outputs(objective)
    outputs = [{key: torch.full_like(value, extreme) for key, value in same.items()} for extreme in EXTREMES]
    finite = all(objective.mean(output, TARGETS).isfinite() for output in outputs)
    assert finite == (objective.traits.expected != "diverges")


@sound_loss
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_arithmetic_is_float32_under_autocast(name, dtype, build):
    objective = build(name)
    outputs = {key: output.detach().to(dtype) for key, output in random_outputs(objective, scale=8.0).items()}
    with torch.autocast("cpu", dtype=dtype):
        narrow = objective.loss(outputs, TARGETS)
    assert torch.equal(narrow, objective.loss({key: output.float() for key, output in outputs.items()}, TARGETS))


@sound_loss
def test_inputs_and_grad_mode_stay_as_they_were(name, build):
    objective = build(name)
    outputs, targets = random_outputs(objective), TARGETS.clone()
    before = {key: output.detach().clone() for key, output in outputs.items()}
    for mode in (True, False):
        with torch.set_grad_enabled(mode):
            value = objective.mean(outputs, targets)
            objective.decide(outputs)
            objective.scores(outputs)
            assert torch.is_grad_enabled() == mode
            assert value.requires_grad == mode
        if mode:
            value.backward()
    assert all(torch.equal(before[key], outputs[key]) for key in outputs)
    assert torch.equal(targets, TARGETS)


@sound_loss
def test_gradient_is_the_derivative_unless_a_part_is_stepped(name, build):
    objective = build(name)
    if objective.traits.stepped:
        pytest.skip("the YAML says that the gradient is not the derivative")
    outputs = random_outputs(objective, dtype=torch.float64, seed=1)
    names = list(outputs)
    for targets in (TARGETS, TARGETS * 0.8 + 0.1) if objective.traits.soft_targets else (TARGETS,):
        assert torch.autograd.gradcheck(
            lambda *values, targets=targets: objective.loss(dict(zip(names, values, strict=True)), targets),
            list(outputs.values()),
        )


@sound_loss
def test_later_epochs_are_finite_too(name, build):
    objective = build(name)
    outputs = random_outputs(objective, scale=20.0)
    for epoch in (1, 10, 1000):
        value = objective.mean(outputs, TARGETS, epoch=epoch)
        assert value.isfinite()
        found = torch.autograd.grad(value, list(outputs.values()), allow_unused=True)
        assert all(gradient is None or gradient.isfinite().all() for gradient in found)
        if "epoch" not in objective.traits.needs:
            assert torch.equal(value, objective.mean(outputs, TARGETS))


@sound_loss
@pytest.mark.parametrize("logit", [-80.0, -1e4])
def test_a_confidently_wrong_positive_gets_a_gradient(name, logit, build):
    objective = build(name)
    saturated = []
    for label in range(6):
        outputs = {key: torch.zeros_like(output) for key, output in random_outputs(objective, rows=2).items()}
        outputs["logits"][0, label] = logit
        outputs["logits"].requires_grad_()
        targets = torch.zeros(2, 6)
        targets[0, label] = 1
        targets[1, (label + 1) % 6] = 1
        gradient = torch.autograd.grad(objective.mean(outputs, targets), outputs["logits"])[0]
        saturated.append(not gradient[0, label] < -1e-6)
    assert all(saturated) if objective.traits.saturates else not any(saturated)


# structure ---------------------------------------------------------------------------------------------------------


@sound_loss
def test_shape_is_the_declared_one(name, build):
    objective = build(name)
    outputs = random_outputs(objective, rows=5)
    shape = {"element": (5, 6), "sample": (5,), "label": (6,), "batch": ()}[objective.traits.shape]
    assert objective.values(outputs, TARGETS).shape == shape
    assert objective.loss(outputs, TARGETS).shape == ((5,) if objective.traits.shape in ("element", "sample") else ())
    assert objective.mean(outputs, TARGETS).shape == ()


@sound_loss
def test_reduction_mean_is_the_sum_divided_by_the_number_of_labels(name, build):
    total, mean = build(name, reduction="sum"), build(name, reduction="mean")
    outputs = random_outputs(total)
    torch.testing.assert_close(mean.loss(outputs, TARGETS), total.loss(outputs, TARGETS) / 6)
    values = total.values(outputs, TARGETS)
    if total.traits.shape == "element":
        torch.testing.assert_close(total.loss(outputs, TARGETS), values.sum(1))


@sound_loss
def test_order_of_samples_does_not_matter(name, build):
    objective = build(name)
    outputs, order = random_outputs(objective), torch.tensor([3, 0, 4, 1, 2])
    moved = objective.values({key: output[order] for key, output in outputs.items()}, TARGETS[order])
    values = objective.values(outputs, TARGETS)
    torch.testing.assert_close(moved, values[order] if objective.traits.shape in ("element", "sample") else values)


@sound_loss
def test_order_of_labels_does_not_matter(name, build, statistics):
    objective, order = build(name), torch.tensor([3, 0, 5, 4, 1, 2])
    other = build(name, LabelStatistics(statistics.label_counts[order], 20, 2.0))
    outputs = random_outputs(objective)
    moved = other.values({**outputs, "logits": outputs["logits"][:, order]}, TARGETS[:, order])
    values = objective.values(outputs, TARGETS)
    torch.testing.assert_close(moved, values[..., order] if objective.traits.shape in ("element", "label") else values)
    decisions = objective.decide(outputs)
    assert torch.equal(other.decide({**outputs, "logits": outputs["logits"][:, order]}), decisions[:, order])


@sound_loss
def test_shift_invariance_holds_exactly_where_declared(name, build):
    objective = build(name)
    outputs = random_outputs(objective, dtype=torch.float64)
    shifted = {**outputs, "logits": outputs["logits"] + torch.tensor([[3.0], [-2.0], [1.0], [5.0], [-4.0]])}
    change = (objective.loss(shifted, TARGETS) - objective.loss(outputs, TARGETS)).abs().max()
    assert (change < 1e-10) == objective.traits.shift_invariant
    if objective.traits.shift_invariant:
        assert torch.equal(objective.decide(shifted), objective.decide(outputs))


@sound_loss
def test_coupling_of_samples_holds_exactly_where_declared(name, build):
    objective = build(name)
    outputs, targets = random_outputs(objective, rows=4, dtype=torch.float64), TARGETS[1:]
    halves = [
        ({key: output[rows] for key, output in outputs.items()}, targets[rows]) for rows in (slice(2), slice(2, 4))
    ]
    apart = True
    for epoch in (0, 10):
        parts = torch.stack([objective.mean(*half, epoch=epoch) for half in halves]).mean()
        apart = apart and torch.allclose(parts, objective.mean(outputs, targets, epoch=epoch), rtol=1e-10)
    assert apart != objective.traits.coupled


@sound_loss
def test_elements_are_separable_exactly_where_declared(name, build):
    objective = build(name)
    if objective.traits.shape != "element":
        assert not objective.traits.separable
        return
    outputs = random_outputs(objective, dtype=torch.float64)
    mixed = torch.rand(TARGETS.shape, generator=torch.Generator().manual_seed(3)) < 0.5
    alone = True
    for epoch in (0, 10):
        values = objective.values(outputs, TARGETS, epoch=epoch)
        other_logits = torch.where(mixed, outputs["logits"], outputs["logits"].flip(0) - 1)
        changed = objective.values(
            {**outputs, "logits": other_logits}, torch.where(mixed, TARGETS, 1 - TARGETS), epoch=epoch
        )
        alone = alone and torch.allclose(changed[mixed], values[mixed], rtol=1e-10)
    assert alone == objective.traits.separable


@sound_loss
def test_masked_entries_do_not_matter_or_the_mask_is_refused(name, build):
    objective = build(name)
    outputs = random_outputs(objective)
    mask = torch.ones_like(TARGETS, dtype=torch.bool)
    mask[0, 1] = mask[3, 4] = mask[4, 0] = False
    if objective.traits.shape != "element" and "mask" not in objective.traits.needs:
        with pytest.raises(ConfigError, match=f"'{name}'"):
            objective.loss(outputs, TARGETS, mask)
        return
    flipped = torch.where(mask, TARGETS, 1 - TARGETS)
    wild = {**outputs, "logits": outputs["logits"].detach().masked_fill(~mask, 1e4).requires_grad_()}
    for epoch in (0, 10):
        value = objective.mean(outputs, TARGETS, mask, epoch)
        gradient = torch.autograd.grad(value, outputs["logits"])[0]
        assert (gradient[~mask] == 0).all()
        assert (gradient[mask] != 0).any()
        other = objective.mean(wild, flipped, mask, epoch)
        assert torch.equal(other, value)
        assert torch.equal(torch.autograd.grad(other, wild["logits"])[0], gradient)
        full = objective.values(outputs, TARGETS, torch.ones_like(mask), epoch)
        torch.testing.assert_close(full, objective.values(outputs, TARGETS, epoch=epoch))


@sound_loss
def test_decisions_and_scores(name, build):
    objective = build(name)
    for scale in (1.0, 90.0, 1e4):
        outputs = random_outputs(objective, rows=7, scale=scale, dtype=torch.bfloat16)
        decisions, scores = objective.decide(outputs), objective.scores(outputs)
        assert decisions.dtype == torch.bool
        assert scores.dtype == torch.float32
        assert decisions.shape == scores.shape == (7, 6)
        assert scores.isfinite().all()
        # the order of a row's labels is that of their logits, and no tie is made
        order = outputs["logits"].sort(dim=1, stable=True).indices
        different = outputs["logits"].gather(1, order).diff(dim=1) > 0
        assert ((scores.gather(1, order).diff(dim=1) > 0) == different).all()


@pytest.mark.gpu
@sound_loss
def test_a_gpu_gives_the_same_without_synchronising(name, build):
    objective = build(name)
    outputs = random_outputs(objective)
    value, found = gradients(objective, outputs)
    moved, targets = objective.to("cuda"), TARGETS.cuda()
    there = {key: output.detach().cuda().requires_grad_() for key, output in outputs.items()}
    gradients(moved, there, targets)
    try:
        torch.cuda.set_sync_debug_mode("error")
        with torch.autocast("cuda", dtype=torch.bfloat16):
            gpu_value, gpu_found = gradients(moved, there, targets)
        decisions, scores = moved.decide(there), moved.scores(there)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(gpu_value.cpu(), value)
    for key in found:
        torch.testing.assert_close(gpu_found[key].cpu(), found[key])
    assert torch.equal(decisions.cpu(), objective.decide(outputs))
    torch.testing.assert_close(scores.cpu(), objective.scores(outputs))


# use ---------------------------------------------------------------------------------------------------------------


@sound_loss
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_a_learnable_problem_is_learned_and_solved_by_the_own_rule(name, reduction, build):
    rows = torch.zeros(15, 6)
    for row, pair in zip(rows, combinations(range(6), 2), strict=True):
        row[list(pair)] = 1
    statistics = LabelStatistics(rows.sum(0), len(rows), 2.0)
    objective = build(name, statistics, reduction=reduction)
    torch.manual_seed(0)
    units = {"logits": torch.nn.Linear(6, 6), **{extra: torch.nn.Linear(6, 1) for extra in objective.outputs}}
    for extra, bias in objective.initial_bias.items():
        torch.nn.init.constant_(units[extra].bias, bias)

    def outputs():
        return {key: unit(rows) if key == "logits" else unit(rows).squeeze(1) for key, unit in units.items()}

    optimizer = torch.optim.AdamW([weight for unit in units.values() for weight in unit.parameters()], lr=0.2)
    losses = []
    for epoch in range(50):
        loss = objective.mean(outputs(), rows, epoch=epoch)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.7 * losses[0]
    assert torch.equal(objective.decide(outputs()), rows.bool())


def test_the_listing_knows_what_is_no_setting_of_a_losss_own():
    assert {*catalogue.OF_EVERY_LOSS, "_target_", "traits"} == set(RESERVED)
