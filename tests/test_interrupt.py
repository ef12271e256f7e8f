"""Ctrl-C: one line and exit code 130, whenever it comes and however often."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

CTRL_C = "os.kill(os.getpid(), signal.SIGINT)"
STOPPED = "mllc: stopped\n"


@pytest.fixture(autouse=True)
def _not_ignored():
    """What the tests start must mind Ctrl-C, also where they run behind `&` in a script, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def python(*arguments, **options):
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, **options)
    return done.returncode, done.stdout, done.stderr


def test_during_the_first_imports(tmp_path):
    (tmp_path / "typer.py").write_text(f"import os, signal\n{CTRL_C}\n")
    path = f"{tmp_path}:{Path(__file__).parents[1]}"
    assert python("-m", "mllc", "--help", env={"PYTHONPATH": path}) == (130, "", STOPPED)


BEGIN = "import os, signal, time; from mllc import interrupt; interrupt.leave_at_once(); interrupt.unwind()\n"
TWICE = f"""try:
    {CTRL_C}
except KeyboardInterrupt:
    {CTRL_C}
    print("put away")
"""


def test_the_second_does_not_disturb_what_the_first_began():
    assert python("-c", BEGIN + TWICE) == (0, "put away\n", "")


def test_a_later_one_ends_what_hangs():
    assert python("-c", BEGIN + "interrupt.PATIENCE_S = 0\n" + TWICE) == (130, "", STOPPED)


def test_ignored_where_the_caller_ignores_it():
    ignore = f"import os, signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n{BEGIN}"
    assert python("-c", f"{ignore}{CTRL_C}; print('on')") == (0, "on\n", "")


def test_a_program_that_imports_mllc_keeps_its_own():
    code = "import signal; from mllc import interrupt; interrupt.unwind(); print(signal.getsignal(2).__name__)"
    assert python("-c", code) == (0, "default_int_handler\n", "")


@pytest.mark.slow
def test_twice_while_training(tmp_path):
    words = ["train", "dataset.samples=2000", "dataset.grid=3", "epochs=500", f"out={tmp_path}", "device=cpu"]
    process = subprocess.Popen([sys.executable, "-m", "mllc", *words], stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.glob("*/history.csv")):
        assert process.poll() is None
        time.sleep(0.01)
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.endswith("mllc: stopped; what is finished is kept, and the same command continues where this one was\n")
    assert "Traceback" not in err
