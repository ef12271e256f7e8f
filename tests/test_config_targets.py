"""Building what a YAML names: the allow-list, the signature, partial targets."""

import functools
import sys

import pytest

from mllc.config import compose as config
from mllc.errors import ConfigError
from mllc.schedules import cosine


def node(target, **settings):
    return {"name": "it", "_target_": target, "traits": {"summary": "x"}, **settings}


@pytest.fixture
def own_package(tmp_path, monkeypatch):
    (tmp_path / "own_losses.py").write_text(
        "import os\n"
        "def mine(logits, targets, *, scale, width=2):\n    return scale * width\n"
        "def anything(**settings):\n    return settings\n"
        "own_losses = mine\n"
        "number = 3\n"
    )
    (tmp_path / "broken_losses.py").write_text("import no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ("own_losses", "broken_losses"):
        sys.modules.pop(name, None)


def test_target_by_module_and_function():
    assert config.target(node("mllc.schedules.cosine")) is cosine


def test_a_module_stands_for_its_function(own_package):
    assert config.target(node("own_losses"), allow=["own_losses"]).__name__ == "mine"


def test_build_calls_with_settings(own_package):
    found = config.build(node("own_losses.mine", scale=3.0), "logits", allow=["own_losses"], targets="y")
    assert found == 6.0


def test_a_partial_target_waits():
    schedule = config.build(node("mllc.schedules.cosine", _partial_=True, final=0.5))
    assert isinstance(schedule, functools.partial)
    assert schedule(0.0) == 1.0


def test_reserved_settings_are_not_passed():
    schedule = config.build(node("mllc.schedules.cosine", _partial_=True, freeze=3), reserved=("freeze",))
    assert schedule.keywords == {}


def test_a_function_of_any_settings_takes_any(own_package):
    assert config.build(node("own_losses.anything", a=1), allow=["own_losses"]) == {"a": 1}


@pytest.mark.parametrize(
    ("target", "settings", "message"),
    [
        ("own_losses.mine", {"scale": 1.0, "wdith": 3}, r"takes no 'wdith'; did you mean 'width'\? It takes logits"),
        ("own_losses.mine", {}, r"own_losses.mine: missing a required argument: 'scale'"),
        ("own_losses.theirs", {}, r"_target_ own_losses.theirs is not a function or class"),
        ("own_losses.number", {}, r"is not a function or class"),
        ("own_losses.os.system", {"command": "false"}, r"outside mllc, torch.nn, torch.optim, torchvision, own_losses"),
        ("broken_losses.mine", {}, r"failed: ModuleNotFoundError: .* \(.*/broken_losses.py, line 1\)"),
        ("mllc.losses.no_such_loss", {}, r"is not a function or class"),
    ],
)
def test_refused(own_package, target, settings, message):
    with pytest.raises(ConfigError, match=message):
        config.build(node(target, **settings), 1, 2, allow=["own_losses", "broken_losses"])


@pytest.mark.parametrize("target", ["os.system", "builtins.eval", "torchx.f", "mllcx.f", "torch.os.system", "mllc"])
def test_outside_the_allow_list(target):
    with pytest.raises(
        ConfigError, match=r"_target_ .* (is outside mllc, torch.nn, torch.optim, torchvision|is not a function)"
    ):
        config.target(node(target))


def test_refused_before_it_is_imported(tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"if you trust it, type --allow-target evil"):
        config.target(node("evil.f"))
    with pytest.raises(ConfigError, match=r"there is no module nowhere to import"):
        config.target(node("nowhere.f"), allow=["nowhere"])
