import subprocess
import sys

import pytest
import torch

from mllc.errors import ConfigError
from mllc.losses import bce, build_objective, focal
from mllc.types import LabelStatistics

TRAITS = {"formula": "f", "source": "s", "shape": "element"}


@pytest.mark.parametrize(
    ("name", "overrides", "words"),
    [
        ("focal", {"gamma": -1}, r"loss 'focal': gamma must be .* got -1"),
        ("focal", {"gama": 1}, r"loss 'focal' has no setting 'gama'; did you mean 'gamma'\? It takes: gamma, alpha"),
        ("weighted_bce", {"num_samples": 3}, r"no setting 'num_samples'. It takes: weight, power, cap"),
        ("softmax_count", {"count": 3}, r"no setting 'count'. It takes: penalty, eps"),
        ("bce", {"gamma": 2}, r"loss 'bce' has no setting 'gamma'. It takes: none"),
        ("softmax_count", {"penalty": "msee"}, "penalty must be mse or poisson or product, got 'msee'"),
        ("bce", {"reduction": "men"}, r"reduction 'men' is not known; did you mean 'mean'\? Allowed: sum, mean"),
        ("bce", {"reduction": None}, "reduction None"),
        ("bce", {"rule": "abov"}, r"rule 'abov' is not known; did you mean 'above'\?"),
        ("bce", {"rule": "top_count"}, r"rule 'top_count' reads the extra output 'count', which loss 'bce'"),
        ("bce", {"threshold": 1}, "threshold must be"),
        ("bce", {"threshold": "x"}, "threshold must be"),
        ("bce", {"rule": "top_k", "k": 0}, "k must be"),
        ("bce", {"rule": "top_k", "k": 7}, r"loss\.k=7: there are only 6 labels; type a smaller number"),
        ("softmax_ce", {"k": 1}, r"k=1 is not used by rule 'softmax_above'; add loss.rule=top_k"),
        ("softmax_ce", {"rule": "above"}, "rule 'above' means nothing for loss 'softmax_ce'"),
        ("bce", {"traits": TRAITS | {"shape": "sample"}}, r"returns shape \(3, 6\).*shape is 'sample'"),
        ("bce", {"traits": TRAITS | {"shape": "rows"}}, "traits.shape 'rows'"),
        ("bce", {"traits": TRAITS | {"need": ["epoch"]}}, r"trait 'need' is not known; did you mean 'needs'"),
        ("bce", {"traits": TRAITS | {"needs": ["prior"]}}, r"traits.needs 'prior'.*did you mean 'priors'"),
        ("bce", {"traits": TRAITS | {"scores": "sigmoid"}}, "traits.scores 'sigmoid'"),
        ("bce", {"traits": {"shape": "element"}}, "no traits.formula, traits.source"),
    ],
)
def test_bad_settings_are_config_errors(name, overrides, words, build):
    with pytest.raises(ConfigError, match=words):
        build(name, **overrides)


def test_a_setting_without_a_value_is_named(statistics):
    def scaled(logits, targets, *, scale):
        return scale * bce(logits, targets)

    with pytest.raises(ConfigError, match="loss 'scaled' has no value for scale"):
        build_objective(scaled, "scaled", {"traits": TRAITS}, statistics)
    objective = build_objective(scaled, "scaled", {"traits": TRAITS, "scale": 2}, statistics)
    logits, targets = torch.zeros(2, 6, dtype=torch.bfloat16), torch.ones(2, 6)
    assert torch.equal(objective.values({"logits": logits}, targets), 2 * bce(logits, targets))


def test_statistics_epoch_and_mask_come_by_name(statistics):
    seen = {}

    def curious(logits, targets, *, label_counts, num_samples, priors, mean_cardinality, epoch, mask, count, scale):
        seen.update(locals())
        return bce(logits, targets).sum(-1)

    needs = ["label_counts", "num_samples", "priors", "mean_cardinality", "epoch", "mask"]
    traits = TRAITS | {"shape": "sample", "needs": needs, "outputs": ["count"]}
    objective = build_objective(curious, "curious", {"traits": traits, "scale": 3, "_target_": "x"}, statistics)
    outputs = {"logits": torch.zeros(2, 6), "count": torch.ones(2)}
    objective.loss(outputs, torch.ones(2, 6), epoch=7)
    assert seen["epoch"] == 7
    assert seen["mask"].all()
    assert seen["scale"] == 3
    assert seen["num_samples"] == 20
    assert seen["mean_cardinality"] == 2.0
    assert torch.equal(seen["priors"], statistics.label_counts / 20)
    assert torch.equal(seen["count"], torch.ones(2))
    mask = torch.zeros(2, 6, dtype=torch.bool)
    objective.loss(outputs, torch.ones(2, 6), mask)
    assert not seen["mask"].any()


def test_a_rule_takes_the_settings_of_its_loss(build):
    outputs = {"logits": torch.tensor([[3.0, 2.0, 1.0, 0.0, -1.0, -2.0]]), "count": torch.tensor([1.4])}
    assert build("softmax_count", penalty="mse").decide(outputs).sum() == 1
    # asinh(.7): Z = 1.92
    assert build("softmax_count", penalty="poisson").decide(outputs).sum() == 2
    assert build("softmax_count", rule="top_k", k=3).decide(outputs).sum() == 3
    assert build("bce", rule="top_k").decide(outputs).sum() == 2
    assert build("bce", threshold=0.8).decide(outputs).sum() == 2


def test_initial_bias(build):
    assert build("bce").initial_bias == {}
    assert build("softmax_count").initial_bias == {"count": 2.0}
    assert build("softmax_count", penalty="poisson").initial_bias == {"count": pytest.approx(1.5)}


def test_extra_outputs_are_named(build):
    assert build("bce").outputs == ()
    assert build("softmax_count").outputs == ("count",)


def test_statistics_move_with_the_objective(build):
    objective = build("weighted_bce")
    moved = objective.to("meta")
    assert moved.function.keywords["label_counts"].device.type == "meta"
    assert objective.function.keywords["label_counts"].device.type == "cpu"


def test_functions_work_on_their_own_under_autocast():
    logits, targets = torch.tensor([[-8.0, 3.0]], dtype=torch.bfloat16), torch.tensor([[True, False]])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = focal(logits, targets)
    assert value.dtype == torch.float32
    assert torch.equal(value, focal(logits.float(), targets))


def test_import_needs_nothing_but_torch():
    heavy = "hydra omegaconf typer rich sklearn scipy pandas matplotlib torchvision"
    code = f"import sys, mllc.losses; print([name for name in '{heavy}'.split() if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_one_label_and_no_positive_at_all():
    statistics = LabelStatistics(torch.zeros(1), 5, 0.0)
    objective = build_objective(bce, "bce", {"traits": TRAITS}, statistics)
    assert objective.mean({"logits": torch.zeros(2, 1)}, torch.zeros(2, 1)).isfinite()
