"""Sweeps: Hydra's own lists of values, and presets."""

import itertools

import pytest

from mllc.config import catalogue
from mllc.config import compose as config
from mllc.errors import ConfigError


def values(overrides, *keys, **settings):
    flats = [config.flat(conf) for conf in config.expand(overrides, **settings)]
    return [tuple(flat[key] for key in keys) for flat in flats]


def test_every_combination_in_order():
    found = values(["loss=zlpr,bce", "seed=range(2)", "optimizer.lr=choice(0.1,1)"], "loss", "seed", "optimizer.lr")
    assert found == list(itertools.product(["zlpr", "bce"], [0, 1], [0.1, 1.0]))


def test_values_of_a_range_are_rounded():
    assert values(["optimizer.lr=range(0.1,1,0.1)"], "optimizer.lr") == [(k / 10,) for k in range(1, 10)]


def test_lists_are_values():
    found = values(["backbone=mlp", "backbone.hidden=[512],[128,64]"], "backbone.hidden")
    assert found == [("[512]",), ("[128,64]",)]


def test_repeated_configs_count_once():
    assert values(["loss=focal", "loss.gamma=2,2.0,3"], "loss.gamma") == [(2.0,), (3.0,)]


def test_agrees_with_compose():
    (conf,) = config.expand(["loss=focal", "loss.gamma=3"], preset=None)
    assert conf == config.compose(["loss=focal", "loss.gamma=3"])


def test_the_standard_sweep_is_for_those_who_list_nothing():
    keys = ("name", "loss", "optimizer", "seed")
    standard = values([], *keys)
    assert standard == values(["sweep=standard"], *keys)
    assert {loss for _, loss, _, _ in standard} >= {"bce", "focal", "zlpr", "softmax_count"}
    assert {seed for *_, seed in standard} == {0, 1, 2}
    assert values(["epochs=2"], "epochs") == [(2,)] * len(standard)
    assert len(values(["seed=0,1"], *keys)) == 2


def test_rows_beside_the_grid_are_fixed():
    keys = ("name", "loss", "loss.reduction", "optimizer.lr", "clip", "head.bias_init", "seed")
    rows = values(["sweep=demo"], *keys)
    sgd = catalogue.settings("optimizer", "sgd")["lr"]
    untuned = [("untuned", "bce", "mean", sgd, None, "zero", seed) for seed in range(2)]
    informed = [("prior_bias", "bce", "sum", 0.3, 1.0, "prior", seed) for seed in range(2)]
    assert sorted(row for row in rows if row[0] is not None) == sorted(untuned + informed)
    assert (None, "bce", "sum", 0.3, 1.0, "zero", 0) in rows, "the same but for the bias"
    assert len({row[1] for row in rows}) == 6


def test_the_users_overrides_replace_the_presets():
    overrides = ["sweep=demo", "loss=zlpr,bce", "optimizer.lr=0.5", "seed=4", "epochs=1"]
    found = values(overrides, "name", "loss", "optimizer.lr", "seed", "epochs")
    sgd = catalogue.settings("optimizer", "sgd")["lr"]
    assert found == [
        (None, "zlpr", 0.5, 4, 1),
        (None, "bce", 0.5, 4, 1),
        ("untuned", "bce", sgd, 4, 1),
        ("prior_bias", "bce", 0.3, 4, 1),
    ]


@pytest.mark.parametrize("named", ["loss=focal", "sweep=demo loss=focal,focal_margin", "sweep=demo loss=glob(focal*)"])
def test_rows_of_losses_that_the_user_leaves_out_are_left_out(named):
    """Nor do they stand in the way of a setting that they lack."""
    found = values([*named.split(), "loss.gamma=3"], "name", "loss", "loss.gamma")
    assert {(name, gamma) for name, _, gamma in found} == {(None, 3.0)}
    assert {loss for _, loss, _ in found} <= {"focal", "focal_margin"}


def test_presets_of_the_users_folder(tmp_path):
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "mine.yaml").write_text("summary: x\ngrid: {loss: 'bce,zlpr'}\n")
    assert values(["sweep=mine"], "loss", config_dir=tmp_path) == [("bce",), ("zlpr",)]
    (tmp_path / "sweep" / "wrong.yaml").write_text("gird: {loss: 'bce,zlpr'}\n")
    with pytest.raises(ConfigError, match=rf"{tmp_path}/sweep/wrong.yaml: unknown key gird"):
        config.expand(["sweep=wrong"], tmp_path)


@pytest.mark.parametrize("name", catalogue.choices("sweep"))
def test_every_preset_expands(name):
    assert len(config.expand([f"sweep={name}"])) > 1


def test_a_preset_takes_the_rates_of_the_chosen_optimizer():
    rates = {name: catalogue.settings("optimizer", name)["traits"]["rates"] for name in ("adam", "adagrad")}
    found = values(
        ["optimizer=adam,adagrad", "loss=bce", "seed=0", "sweep=standard"], "name", "optimizer", "optimizer.lr"
    )
    assert [(name, float(rate)) for name in rates for rate in rates[name].split(",")] == [row[1:] for row in found[:-2]]
    assert [row[:2] for row in found[-2:]] == [("untuned", "sgd"), ("prior_bias", "sgd")]
    assert {
        row[2] for row in values(["optimizer=adam", "optimizer.lr=0.5", "seed=0"], "name", "loss", "optimizer.lr")
    } == {
        0.5,
        0.05,
        0.3,
    }


def test_an_optimizer_without_rates_wants_them_typed(tmp_path):
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "optimizer/mine.yaml").write_text("_target_: torch.optim.SGD\n_partial_: true\nlr: 0.1\n")
    with pytest.raises(ConfigError, match=r"type optimizer\.lr=") as caught:
        config.expand(["optimizer=mine"], tmp_path)
    assert "rates" in str(caught.value)
