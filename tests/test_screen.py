import io
import re
import time
from pathlib import Path

import pytest
from rich.console import Console

from mllc.screen import VISIBLE, Screen

ROW = {
    "train_loss": 1.0,
    "val_loss": 5.25,
    "val_micro_f1": 0.125,
    "val_micro_f1_tuned": 0.5,
    "val_labels_per_sample": 1.5,
}


def row(value, **changes):
    return {**ROW, "val_map": value, **changes}


def run(plain, width=80, trials=2, **options):
    """What a screen writes while two epochs of one cohort pass."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=not plain, width=width, highlight=False)
    names = [f"loss{i} lr=[0.{i}]" for i in range(trials)]
    with Screen(total_trials=trials, plain=plain, console=console, **options) as screen:
        screen.cohort(names, 2, "digits, seed 0")
        for epoch in (1, 2):
            for step in range(1, 4):
                screen.step(epoch, step, 3)
            for i, name in enumerate(names):
                screen.epoch(name, epoch, row(0.3 * epoch - i / 100))
                screen._draw(at_once=True)
            if epoch == 1:
                screen.note("loss0 is [silent]")
    return file.getvalue()


def test_plain_lines_one_an_epoch_and_trial():
    lines = run(plain=True).splitlines()
    assert "\x1b" not in "".join(lines)
    assert sum("epoch 1/2" in line for line in lines) == 2
    line = next(line for line in lines if "loss1 lr=[0.1]: epoch 2/2" in line)
    for word in ("digits, seed 0", "loss 5.250", "mAP 0.590", "micro-F1 0.125", "tuned 0.500", "labels 1.500"):
        assert word in line
    assert "loss0 is [silent]" in lines
    assert lines[-1].startswith("digits, seed 0: 2 of 2 trials done")
    assert "best val_map 0.600: loss0 lr=[0.0], epoch 2" in lines[-1]
    assert "left" not in line


def test_plain_lines_are_never_wrapped():
    assert run(plain=True, width=20).count("\n") == run(plain=True, width=200).count("\n")


def test_without_a_terminal_the_default_is_plain_and_on_stderr(capsys):
    with Screen(total_trials=1) as screen:
        screen.cohort(["bce"], 1, "digits, seed 0")
        screen.epoch("bce", 1, row(0.5))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "bce: epoch 1/1" in captured.err
    assert "\x1b" not in captured.err


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_live_table_fits_and_leaves_the_terminal_as_it_was(width):
    text = run(plain=False, width=width)
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1
    frames = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text.replace("\r", "\n"))
    assert max(map(len, frames.splitlines())) <= width
    assert "loss1" in frames
    assert "0.600 (2)" in frames
    assert "loss0 is [silent]" in frames


def test_live_table_shows_the_best_trials_first():
    frames = run(plain=False, trials=VISIBLE + 3)
    last = frames[frames.rindex("validation") :].split("trials done")[0]
    assert "loss0" in last
    assert "and 3 more trials" in last
    assert f"loss{VISIBLE + 2} " not in last


def test_live_stops_when_the_body_raises():
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80)

    def body():
        with Screen(total_trials=1, plain=False, console=console) as screen:
            screen.cohort(["bce"], 2, "digits")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        body()
    assert "\x1b[?25h" in file.getvalue()
    assert "trials done" not in file.getvalue()


def test_no_color(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", run(plain=False))


def test_a_step_without_a_cohort_draws_nothing():
    file = io.StringIO()
    with Screen(total_trials=1, plain=False, console=Console(file=file, force_terminal=True)) as screen:
        screen._draw(at_once=True)
        screen.note("skipped")
    assert "validation" not in file.getvalue()


def test_what_every_cohort_would_say_is_said_once(capsys):
    with Screen(total_trials=2, plain=True) as screen:
        for _ in range(2):
            screen.note_once("3 labels are never true")
    assert capsys.readouterr().err.count("never true") == 1


@pytest.mark.parametrize(("monitor", "expected"), [("val_map", "0.600: a, epoch 2"), ("val_loss", "0.100: b, epoch 1")])
def test_the_best_trial_is_the_monitors(monitor, expected, capsys):
    with Screen(total_trials=2, plain=True, monitor=monitor) as screen:
        screen.cohort(["a", "b"], 2, "digits")
        screen.epoch("a", 1, row(0.1, val_loss=0.9))
        screen.epoch("b", 1, row(0.2, val_loss=0.1))
        screen.epoch("a", 2, row(0.6, val_loss=0.8))
        screen.epoch("b", 2, row(0.3, val_loss=0.4))
    assert f"best {monitor} {expected}" in capsys.readouterr().err


def test_a_diverged_trial_has_finished_and_a_cut_off_cohort_has_not(capsys):
    with Screen(total_trials=2, plain=True) as screen:
        screen.cohort(["a", "b"], 3, "digits")
        screen.epoch("a", 1, row(0.1))
        screen.cohort(["a"], 3, "digits, again")
        assert screen.done_trials == 0
        screen.epoch("a", 1, {"epoch": 1, "train_loss": float("nan"), "lr": 0.1})
        screen.cohort(["b"], 3, "digits, again")
        assert screen.done_trials == 1
    assert "digits, again: 1 of 2 trials done" in capsys.readouterr().err


def test_trials_that_were_done_before_count_and_are_told_once(capsys):
    with Screen(total_trials=4, plain=True) as screen:
        for name, folder in (("a lr=0.1", "a"), ("b", "b"), ("a", "a")):
            screen.skip(name, Path("runs", folder))
        screen.cohort(["c"], 1, "digits")
        screen.epoch("c", 1, row(0.1))
    lines = capsys.readouterr().err.splitlines()
    assert sum("skipped" in line for line in lines) == 2
    assert "digits: 3 of 4 trials done (2 were already) in" in lines[-1]


def test_time_left_counts_from_the_first_step_of_this_session(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("mllc.screen.time.monotonic", lambda: now[0])
    screen = Screen(total_trials=1, plain=True, console=Console(file=io.StringIO()))
    screen.cohort(["a"], 10, "digits")
    screen.step(6, 1, 10)  # resumed: half of it was done before
    assert screen.eta() == ""
    now[0] += 60
    screen.step(7, 1, 10)
    assert screen.eta() == "3:54"  # 3.9 epochs at a minute each


def test_a_step_is_cheap():
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    with Screen(total_trials=8, plain=False, console=console) as screen:
        screen.cohort([f"trial{i}" for i in range(8)], 2, "digits")
        started = time.perf_counter()
        for step in range(10_000):
            screen.step(1, step, 10_000)
        assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize("width", [80, 120])
def test_several_cohorts_at_once_are_told_apart(width, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("mllc.progress.time.monotonic", lambda: now[0])
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=width, highlight=False)
    with Screen(total_trials=8, plain=False, console=console) as screen:
        for lane in (0, 1):
            screen.cohort(["bce", "focal lr=0.1"], 2, f"digits, seed {lane}", lane=lane)
            screen.step(1, 1, 10, lane=lane)
        now[0] += 9
        for lane in (0, 1):
            screen.step(1, 10, 10, lane=lane)
            screen.epoch("bce", 1, row(0.3 + lane / 10), lane=lane)
        screen._draw(at_once=True)
        assert screen.eta() == "0:30"  # 6 of 8 trials are left, at .45 x 2 x 2 trials in 9 seconds
        text = file.getvalue()
        for name in ("bce", "focal lr=0.1"):
            screen.epoch(name, 2, row(0.5), lane=1)
        assert list(screen.lanes) == [0]
    frames = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text.replace("\r", "\n"))
    assert max(map(len, frames.splitlines())) <= width
    last = frames[frames.rindex("digits, seed 0 ·") :]
    for words in ("digits, seed 1 · epoch 1/2, step 10/10", "0:30 left", "0 of 8 trials done", "0.400 (1)"):
        assert words in last
    assert re.search(r"digits, seed 1 +bce +1 ", last)


def test_plain_lines_of_several_cohorts(capsys):
    with Screen(total_trials=2, plain=True) as screen:
        for lane in (0, 1):
            screen.cohort(["bce"], 1, f"digits, seed {lane}", lane=lane)
        for lane in (1, 0):
            screen.epoch("bce", 1, row(0.5), lane=lane)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines[2:]] == [f"digits, seed {lane}" for lane in (1, 1, 0, 0)]
    assert "2 of 2 trials done" in lines[-1]
