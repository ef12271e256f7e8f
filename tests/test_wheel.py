"""What an installation holds: the wheel alone, unpacked, lists, trains and reports; conf/ travels inside."""

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_wheel_alone_lists_trains_and_reports(tmp_path):
    isolation = ["--no-build-isolation"] if importlib.util.find_spec("hatchling") else []
    build = [sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", *isolation, "-w", str(tmp_path)]
    subprocess.run(build, check=True, capture_output=True, text=True)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    here = {file.relative_to(ROOT / "conf") for file in (ROOT / "conf").rglob("*.yaml")}
    assert {file.relative_to(tmp_path / "site/mllc/conf") for file in (tmp_path / "site").rglob("*.yaml")} == here

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def python(*words):
        return subprocess.run(
            [sys.executable, *words],
            cwd=elsewhere,
            env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert str(tmp_path / "site") in python("-c", "import mllc; print(mllc.__file__)")
    assert "zlpr" in python("-m", "mllc", "list", "losses")
    tiny = ["dataset.samples=100", "dataset.test_samples=50", "dataset.grid=2", "epochs=1"]
    assert "run folder: runs/digits-zlpr-s0-" in python("-m", "mllc", "train", "loss=zlpr", *tiny)
    python("-m", "mllc", "report", "--html", "report.html")
    assert "<h1>zlpr on digits</h1>" in (elsewhere / "report.html").read_text()
