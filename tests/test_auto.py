"""dataset=auto: what is recognised at a path is composed, read and named as if it had been typed."""

import logging

import pytest
from formats import FORMATS
from typer.testing import CliRunner

from mllc.build import share
from mllc.cli import app
from mllc.config.completion import complete_override
from mllc.config.compose import compose, expand, identity
from mllc.config.search import expand_tuned
from mllc.errors import ConfigError, DataError


@pytest.fixture(params=sorted(FORMATS))
def made(request, tmp_path):
    return FORMATS[request.param](tmp_path)


def test_every_format_is_recognised_as_it_is_typed(made):
    ways = ["dataset=auto", f"dataset.path={made.path}"], [*made.overrides]
    auto, typed = map(compose, ways)
    assert identity(auto) == identity(typed)
    assert auto["backbone"] == typed["backbone"]
    auto, typed = (share(compose([*way, "backbone=linear"])) for way in ways)
    assert auto.fingerprints == typed.fingerprints


def test_every_format_is_recognised_from_its_folder_as_it_is_called(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    conf = compose(["dataset=auto", "dataset.path=."])
    assert identity(conf) == identity(compose([*made.overrides]))


@pytest.fixture
def arff(tmp_path):
    FORMATS["arff"](tmp_path)
    return ["dataset=auto", f"dataset.path={tmp_path}"]


def test_what_is_typed_wins(arff, tmp_path):
    dataset = compose([*arff, "dataset.test=null", "dataset.num_labels=-4", "backbone=linear"])["dataset"]
    assert dataset == {
        **compose(["dataset=arff", "dataset.train=x"])["dataset"],
        "train": str(tmp_path / "made-train.arff"),
        "num_labels": -4,
    }
    with pytest.raises(ConfigError, match="dataset=arff has no setting 'size'"):
        compose([*arff, "dataset.size=3"])


def test_sweeps_and_searches(arff, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    FORMATS["images"](other)
    configs = expand(["dataset=auto", f"dataset.path={tmp_path},{other}", "loss=bce,zlpr"])
    assert [(c["dataset"]["name"], c["backbone"]["name"], c["loss"]["name"]) for c in configs] == [
        (dataset, backbone, loss)
        for dataset, backbone in (("arff", "mlp"), ("images", "resnet18"))
        for loss in ("bce", "zlpr")
    ]
    _, searches, _ = expand_tuned([*arff, "tune.trials=2", "loss=bce"])
    assert searches[0].start["dataset"]["name"] == "arff"


def test_it_is_said_once(arff, caplog):
    with caplog.at_level(logging.WARNING, "mllc"):
        expand([*arff, "loss=bce,zlpr", "seed=range(3)"])
    (record,) = caplog.records
    assert record.getMessage().startswith("dataset=auto: arff, as made-train.arff is ARFF; the same is dataset=arff ")


def test_the_commands_say_it_on_stderr(arff):
    result = CliRunner().invoke(app, ["check", *arff, "backbone.hidden=[4]", "device=cpu"])
    assert result.exit_code == 0, result.output
    assert result.stderr.count("mllc: dataset=auto: arff, as made-train.arff is ARFF") == 1
    assert "dataset=auto" not in result.stdout


def test_without_a_path_and_with_one_that_is_nothing(tmp_path):
    with pytest.raises(ConfigError, match=r"dataset=auto needs dataset\.path: type dataset\.path="):
        compose(["dataset=auto"])
    with pytest.raises(ConfigError, match=r"dataset=digits has no setting 'path'; it belongs to dataset=auto"):
        compose(["dataset.path=x"])
    with pytest.raises(DataError, match=r"dataset\.path=.*: no format was recognised"):
        compose(["dataset=auto", f"dataset.path={tmp_path}"])


def test_completion_offers_the_settings_of_what_is_recognised(arff):
    assert "dataset.num_labels=" in complete_override(arff, "dataset.num")
    assert complete_override(["dataset=auto"], "dataset.pa") == ["dataset.path="]
    assert complete_override(["dataset=auto", "dataset.path=/no/where"], "dataset.nu") == []
