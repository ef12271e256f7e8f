"""The comparison of `make demo`, whole: its table tells the story that the README tells."""

import json
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_the_demo_tells_its_story(tmp_path):
    sweep = [sys.executable, "-m", "mllc", "sweep", "sweep=demo", f"out={tmp_path}"]
    done = subprocess.run(sweep, capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, done.stderr
    assert "all_zeros" in done.stdout

    report = [sys.executable, "-m", "mllc", "report", str(tmp_path), "--format", "json"]
    rows = {row["name"]: row for row in json.loads(subprocess.run(report, capture_output=True, check=True).stdout)}
    losses = {"bce", "weighted_bce", "focal", "asymmetric", "zlpr", "softmax_ce"}
    assert rows.keys() >= losses | {"untuned", "all_zeros"}
    assert all(rows[name]["seeds"] == [0, 1] and rows[name]["trials"] == 4 for name in losses)

    assert rows["untuned"]["collapsed"] == "silent", "the textbook setting answers nothing"
    assert rows["zlpr"]["micro_f1"] >= 0.80, "and another loss solves the task by its own rule"
    gain = max(rows[name]["micro_f1_tuned"] - rows[name]["micro_f1"] for name in losses)
    assert gain >= 0.15, "for some losses the threshold explains much of the gap"
