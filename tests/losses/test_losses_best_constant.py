import math

import pytest
import torch

from mllc.losses.best_constant import best_constant
from mllc.types import LabelStatistics

# 1000 labels, 2 true in each of 500 samples, each label true once
SPARSE = torch.zeros(500, 1000, dtype=torch.uint8).scatter_(1, torch.arange(1000).view(500, 2), 1)
SPARSE_STATISTICS = LabelStatistics(torch.ones(1000), 500, 2.0)


@pytest.mark.parametrize(
    ("name", "overrides", "probability"),
    [
        ("bce", {}, 0.002),
        ("zlpr", {}, 0.043),
        ("weighted_bce", {"weight": "sqrt"}, 0.043),
        ("weighted_bce", {}, 0.5),
        ("focal", {}, 0.092),
        ("focal", {"alpha": 0.25}, 0.064),
        ("asymmetric", {}, 0.249),
    ],
)
def test_probabilities_of_the_best_constant(name, overrides, probability, build):
    row, _ = best_constant(build(name, SPARSE_STATISTICS, **overrides), SPARSE)
    p = torch.sigmoid(row["logits"])
    assert p.shape == (1, 1000)
    assert torch.allclose(p, torch.full_like(p, probability), atol=6e-4)


@pytest.mark.parametrize(("average", "times"), [("label", 1000), ("sample", 1)])
def test_soft_f1_is_best_answered_by_everything(average, times, build):
    row, value = best_constant(build("soft_f1", SPARSE_STATISTICS, average=average), SPARSE, batch_size=500)
    assert (torch.sigmoid(row["logits"]) > 0.99).all()
    assert value == pytest.approx(times * (1 - 2 / 501), rel=1e-6)


def test_the_floor_of_bce_is_the_entropy(build):
    entropy = -(0.002 * math.log(0.002) + 0.998 * math.log(0.998))
    assert best_constant(build("bce", SPARSE_STATISTICS), SPARSE)[1] == pytest.approx(1000 * entropy, rel=1e-9)
    mean = build("bce", SPARSE_STATISTICS, reduction="mean")
    assert best_constant(mean, SPARSE)[1] == pytest.approx(entropy, rel=1e-9)
    assert 1000 * entropy == pytest.approx(14.43, abs=0.005)


def test_softmax_floors_are_known(build):
    # q is uniform; the count is 2 in every sample
    assert best_constant(build("softmax_ce", SPARSE_STATISTICS), SPARSE)[1] == pytest.approx(math.log(1000), rel=1e-6)
    row, value = best_constant(build("softmax_count", SPARSE_STATISTICS), SPARSE)
    assert value == pytest.approx(math.log(500), rel=1e-6)
    assert row["count"].tolist() == pytest.approx([2.0], rel=1e-4)


TARGETS = (
    torch.rand(40, 6, generator=torch.Generator().manual_seed(0)) < torch.tensor([0, 1, 0.2, 0.1, 0.5, 0.3])
).int()


@pytest.mark.parametrize("name", ["bce", "zlpr", "softmax_ce", "softmax_count", "asymmetric", "abs_kl"])
def test_no_neighbour_and_no_other_constant_is_better(name, build):
    objective = build(name)
    row, value = best_constant(objective, TARGETS)

    def cost(row):
        repeated = {key: output.expand(40, *output.shape[1:]) for key, output in row.items()}
        return objective.mean(repeated, TARGETS).item()

    assert cost(row) == pytest.approx(value, rel=1e-9)
    source = torch.Generator().manual_seed(1)
    for size in (0.01, 0.1, 1.0, 5.0):
        for _ in range(20):
            noise = {key: size * torch.randn(output.shape, generator=source).double() for key, output in row.items()}
            assert cost({key: output + noise[key] for key, output in row.items()}) > value - 1e-5


def test_a_coupled_loss_is_judged_by_batches_as_validation_is(build):
    objective = build("soft_f1")
    row, value = best_constant(objective, TARGETS, batch_size=16)
    batches = [TARGETS[start : start + 16] for start in range(0, len(TARGETS), 16)]
    costs = [objective.mean({"logits": row["logits"].expand(len(part), -1)}, part) * len(part) for part in batches]
    assert value == pytest.approx(sum(costs).item() / len(TARGETS), rel=1e-9)
    assert value != pytest.approx(best_constant(objective, TARGETS, batch_size=len(TARGETS))[1], rel=1e-3)


def test_masked_entries_do_not_count(build):
    mask = torch.ones_like(TARGETS, dtype=torch.bool)
    mask[:20, 4] = False
    row, _ = best_constant(build("bce"), TARGETS, mask)
    share = TARGETS[20:, 4].double().mean()
    assert torch.sigmoid(row["logits"][0, 4]).item() == pytest.approx(share.item(), abs=1e-5)


def test_targets_and_grad_mode_stay_as_they_were(build):
    targets = TARGETS.clone()
    with torch.no_grad():
        row, _ = best_constant(build("zlpr"), targets)
        assert not torch.is_grad_enabled()
    assert not row["logits"].requires_grad
    assert torch.equal(targets, TARGETS)
