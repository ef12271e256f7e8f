"""A loss of the user's own, in a folder of theirs: what is wrong in its code is told with its file and line."""

import re
import subprocess
import sys

import pytest

from mllc import cli
from mllc.report import load

YAML = """_target_: mine.mine
rule: above
threshold: 0.5
k: null
reduction: sum
traits: {formula: f, source: example, shape: element}
"""
CODE = """import torch, sys
calls = 0
def mine(logits, targets):
    global calls
    calls += 1
    BODY
    return torch.nn.functional.softplus(-(2 * targets - 1) * logits)
"""
TINY = ["dataset.samples=100", "dataset.test_samples=50", "dataset.grid=2", "epochs=1"]


def words(folder, command, code):
    """`COMMAND loss=mine ...` for the code, written to `folder`."""
    (folder / "loss").mkdir()
    (folder / "loss" / "mine.yaml").write_text(YAML)
    (folder / "mine.py").write_text(code)
    return [command, "loss=mine", *TINY, "--config-dir", str(folder), "--allow-target", "mine"]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs `mllc COMMAND loss=mine` in this process, for the code in a folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def call(command, code):
        monkeypatch.setattr(sys, "argv", ["mllc", *words(tmp_path, command, code)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return (left.value.code or 0, *capsys.readouterr())

    yield call
    sys.modules.pop("mine", None)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def mine(:\n", "importing it failed: SyntaxError: .*mine.py, line 1"),
        ("x = 1\n1 / 0\n", "importing it failed: ZeroDivisionError: division by zero .*mine.py, line 2"),
        ("import no_such_module\n", "importing it failed: ModuleNotFoundError: .*mine.py, line 1"),
        ("import sys\nsys.exit()\n", "importing it failed: SystemExit: .*mine.py, line 2"),
        (CODE.replace("BODY", "return"), r"loss 'mine' \(mine.mine\) returns NoneType, not a tensor"),
        (CODE.replace("BODY", "return logits.sum(1)"), r"\(mine.mine\) returns shape \(3,\)"),
        (CODE.replace("BODY", "sys.exit(0)"), r"\(mine.mine\): SystemExit: 0 .*mine.py, line 6"),
        (CODE.replace("BODY", "{}['a']"), r"\(mine.mine\): KeyError: 'a' .*mine.py, line 6"),
        (CODE.replace("BODY", "torch.zeros(2) + torch.zeros(3)"), "RuntimeError: The size of .*mine.py, line 6"),
        (CODE.replace("BODY", "if calls > 1: sys.exit(0)"), "mine fails on its first batch: SystemExit: 0 .*line 6"),
    ],
)
def test_found_before_training(run, code, message):
    found, out, err = run("check", code)
    assert found == 2, err
    assert "ready to run" not in out
    assert len(err.splitlines()) == 1
    assert re.search(message, err), err


@pytest.mark.parametrize("body", ["if calls > 2: sys.exit(0)", "if calls > 2: 1 / 0"])
def test_a_run_that_fails_later_is_recorded(run, tmp_path, body):
    code, _, err = run("train", CODE.replace("BODY", body))
    assert code == 1
    (result,) = load([tmp_path / "runs"]).results
    assert result.status == "failed"
    assert f"{tmp_path}/mine.py, line 6" in result.message
    assert "failed: mine, seed 0" in err


def test_its_folder_is_where_its_code_is_looked_for(tmp_path):
    folder, elsewhere = tmp_path / "own", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    # a script, as the console script is: `python -m` would put the current folder on the path
    start = [sys.executable, "-c", "import sys; sys.path.remove(''); from mllc.cli import main; main()"]
    command = [*start, *words(folder, "check", CODE.replace("BODY", "pass"))]
    done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "1 trial ready to run" in done.stdout
    assert not [*elsewhere.iterdir()]
