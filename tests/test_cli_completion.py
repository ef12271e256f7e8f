"""Completion of overrides: what is offered, and that bash itself gets it right."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mllc.config import catalogue
from mllc.config.completion import complete_override


@pytest.mark.parametrize(
    ("typed", "incomplete", "expected"),
    [
        ([], "loss=fo", ["loss=focal", "loss=focal_margin"]),
        ([], "loss=", [f"loss={name}" for name in catalogue.choices("loss")]),
        ([], "sched", ["schedule=", "schedule.warmup="]),
        ([], "schedule=c", ["schedule=constant", "schedule=cosine"]),
        (["loss=focal"], "loss.ga", ["loss.gamma=2.0"]),
        (["loss=asymmetric"], "loss.gam", ["loss.gamma_neg=", "loss.gamma_pos="]),
        ([], "loss.ga", []),
        ([], "loss.red", ["loss.reduction=mean", "loss.reduction=sum"]),
        (["loss=weighted_bce"], "loss.weight=s", ["loss.weight=sqrt"]),
        (["backbone=mlp"], "backbone.hid", ["backbone.hidden=[512]"]),
        ([], "amp=b", ["amp=bf16"]),
        ([], "split.v", ["split.val=0.15"]),
        ([], "dataset.augment.fl", ["dataset.augment.flip=0.0"]),
        ([], "cl", ["clip="]),
        ([], "sweep=d", ["sweep=demo"]),
        ([], "tune.tr", ["tune.trials=0"]),
        ([], "tune.s", ["tune.seed=", "tune.space=", "tune.sampler="]),
        ([], "tune.sampler=", ["tune.sampler=random", "tune.sampler=sobol", "tune.sampler=tpe"]),
        ([], "tune.pruning=m", ["tune.pruning=median"]),
        ([], "tune.no", []),
        (["dataset=arff"], "dataset.tr", ["dataset.train="]),
        (["loss=no_such", "loss"], "loss.ga", []),
        ([], "split=", []),
        ([], "nonsense=", []),
    ],
)
def test_offers(typed, incomplete, expected):
    assert complete_override(typed, incomplete) == expected


def test_offers_the_users_own(tmp_path):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "forgiving.yaml").write_text("defaults: [focal]\nmercy: 1.0\n")
    assert complete_override([], "loss=for", tmp_path) == ["loss=forgiving"]
    assert complete_override(["loss=forgiving"], "loss.me", tmp_path) == ["loss.mercy=1.0"]
    assert complete_override(["loss=forgiving"], "loss.gam", tmp_path) == ["loss.gamma=2.0"]


def test_a_broken_yaml_offers_nothing(tmp_path):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "bce.yaml").write_text("a: [")
    assert complete_override([], "loss.", tmp_path) == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "loss", "=", "foc"], "focal focal_margin"),
        (["train", "optimizer", "="], " ".join(catalogue.choices("optimizer"))),
        (["train", "loss", "=", "focal", "loss.ga"], "loss.gamma=2.0"),
        (["train", "loss", "=", "focal", "loss.gamma", "="], "2.0"),
        (["sweep", "sweep", "=", "de"], "demo"),
        (["list", "opt"], "optimizers"),
    ],
)
def test_bash(words, expected):
    """bash cuts the line at `=`; what comes back replaces the last piece only."""
    script = """
        eval "$(_MLLC_COMPLETE=source_bash mllc)"
        COMP_WORDS=(mllc "$@"); COMP_CWORD=$#
        _mllc_completion mllc; echo "${COMPREPLY[*]}"
    """
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", *words], capture_output=True, text=True, check=True, env={"PATH": path}
    )
    assert done.stdout.strip() == expected
