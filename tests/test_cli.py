"""The command line: exit codes, messages, what is imported when, the thin calls into run and report."""

import inspect
import subprocess
import sys
from types import SimpleNamespace

import pytest

import mllc
from mllc import cli
from mllc.errors import RunError
from mllc.result import RunResult

TYPO = ["train", "loss=focl"]


@pytest.fixture
def fake_run(monkeypatch):
    """Stands for mllc.run, sweep and preflight, which would train: remembers its calls, gives the results it has."""
    result = RunResult("a1", "focal", "digits", "patch", "focal", "adam", 0, {}, {}, "done", "val_map")
    fake = SimpleNamespace(calls=[], results=[result], error=None)

    def call(name):
        def record(configs, **settings):
            fake.calls.append((name, configs, settings))
            if fake.error is not None:
                raise fake.error
            return ["ready"] if name == "check" else fake.results

        return record

    for name in ("train", "sweep", "check"):
        setattr(fake, name, call(name))
    for module in ("run", "sweep", "preflight"):
        monkeypatch.setitem(sys.modules, f"mllc.{module}", fake)
        monkeypatch.setattr(mllc, module, fake, raising=False)
    monkeypatch.setattr(
        "mllc.report.render", lambda results, **settings: f"table of {len(results)} by {settings['by']}\n"
    )
    return fake


def test_help_names_every_command(run_cli):
    code, out, _ = run_cli("--help")
    assert code == 0
    assert all(f"\n  {command} " in out for command in ("train", "sweep", "report", "list", "check"))


def test_version(run_cli):
    assert run_cli("--version")[:2] == (0, f"mllc {mllc.__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (TYPO, "mllc: error: loss 'focl' is not in conf/loss; did you mean 'focal'? See: mllc list losses\n"),
        (["train", "loss=bce,focal"], "use mllc sweep loss=bce,focal"),
        (["sweep", "epochs=0,1"], "epochs=0 is not allowed: type a whole number >= 1"),
        (
            ["sweep", "--by", "los"],
            "--by los: 'los' is not a setting of these runs; did you mean 'loss'? Known: accumulate, amp, ",
        ),
        (["sweep", "--by", "loss, gama"], "did you mean 'loss.gamma'?"),
        (["check", "optimizer.lr=fast"], "optimizer.lr=fast is not allowed: type a number > 0"),
        (["train", "--config-dir", "/nowhere"], "--config-dir /nowhere is not a folder"),
        (["train", "--allow-target", "a b"], "--allow-target 'a b': type the name of a package or module"),
        (["train", "--allow-target", ""], "--allow-target '': type the name of a package"),
        (["list", "loss"], "'loss' cannot be listed; did you mean 'losses'? Type one of losses, datasets"),
        (["report", "/nowhere"], "/nowhere"),
        (["trian"], "No such command 'trian'. Did you mean 'train'?"),
        (["train", "--fore"], "No such option: --fore"),
        (["--debgu"], "No such option: --debgu"),
    ],
)
def test_wrong_input_is_told_in_a_few_lines(run_cli, arguments, message):
    code, out, err = run_cli(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) <= 4
    assert "Traceback" not in err


@pytest.mark.parametrize("arguments", [["--debug", *TYPO], [*TYPO, "--debug"]])
def test_debug_shows_the_traceback(monkeypatch, arguments):
    monkeypatch.setattr(sys, "argv", ["mllc", *arguments])
    with pytest.raises(mllc.errors.ConfigError, match=r"did you mean 'focal'"):
        cli.main()


def test_train_is_one_run_scored_on_test(run_cli, fake_run):
    code, out, _ = run_cli("train", "loss=focal", "--force", "--allow-target", "mine", "loss.gamma=3")
    ((name, (conf,), settings),) = fake_run.calls
    assert (code, name, conf["loss"]["gamma"]) == (0, "train", 3.0)
    assert (settings["score_test"], settings["force"], settings["allow"]) == (True, True, ("mine",))
    assert "run folder: runs/digits-focal-s0-a1" in out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["train", "loss=focal"], "mllc: loading data set digits, backbone patch, loss focal\n"),
        (
            ["sweep", "loss=bce,zlpr", "seed=0,1"],
            "mllc: loading data set digits, backbone patch, loss bce, zlpr (4 trials)\n",
        ),
    ],
)
def test_the_first_line_comes_before_torch_is_imported(run_cli, fake_run, arguments, line):
    _, _, err = run_cli(*arguments)
    assert err == line


def test_sweep_runs_every_combination(run_cli, fake_run):
    code, out, _ = run_cli("sweep", "loss=bce,focal", "seed=0,1", "--by", "loss,optimizer.lr")
    ((name, configs, settings),) = fake_run.calls
    assert (code, name, len(configs), settings["by"]) == (0, "sweep", 4, "loss,optimizer.lr")
    assert out == "table of 1 by loss,optimizer.lr\n"


def test_check_is_of_what_was_typed(run_cli, fake_run):
    code, out, _ = run_cli("check", "loss=focal")
    ((name, configs, _),) = fake_run.calls
    assert (code, name, len(configs), out) == (0, "check", 1, "ready\n1 trial ready to run\n")


def test_a_failed_run_exits_1(run_cli, fake_run):
    failed = RunResult("b2", "zlpr", "digits", "patch", "zlpr", "adam", 7, {}, {}, "failed", "val_map", message="disk")
    fake_run.results = [fake_run.results[0], failed]
    code, out, err = run_cli("sweep", "loss=bce,focal")
    assert code == 1
    assert out, "the table is shown all the same"
    assert "failed: zlpr, seed 7 (b2): disk" in err


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (RunError("the loss is not a number"), 1, "mllc: error: the loss is not a number\n"),
        (KeyboardInterrupt(), 130, "the same command continues where this one was"),
        (
            ZeroDivisionError("division by zero\nmore"),
            1,
            "mllc: error: ZeroDivisionError: division by zero\nmllc: This",
        ),
    ],
)
def test_errors_and_exit_codes(run_cli, fake_run, error, code, message):
    fake_run.error = error
    found, _, err = run_cli("check")
    assert found == code
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize("kind", ["losses", "datasets", "backbones", "optimizers", "schedules", "trackers", "sweeps"])
def test_list_is_plain_when_piped(run_cli, kind):
    code, out, _ = run_cli("list", kind)
    titles, *rows = [line.split("\t") for line in out.splitlines()]
    assert code == 0
    assert titles[0] == mllc.config.catalogue.KINDS[kind]
    assert len(titles) == len(rows[0])
    assert [row[0] for row in rows] == list(mllc.config.catalogue.choices(mllc.config.catalogue.KINDS[kind]))
    assert all(len(row) == len(rows[0]) and all(row) for row in rows)


def test_list_tells_all_about_one(run_cli):
    code, out, _ = run_cli("list", "losses", "asymmetric")
    assert code == 0
    for part in ("mllc.losses.asymmetric", "gamma_neg: float = 4.0", "arXiv:2009.14119", "conf/loss/asymmetric.yaml"):
        assert part in out
    assert inspect.getdoc(mllc.losses.asymmetric) in out
    assert out.endswith((mllc.config.catalogue.conf_folder() / "loss/asymmetric.yaml").read_text())
    assert "6 losses" in run_cli("list", "sweeps", "demo")[1]
    code, _, err = run_cli("list", "losses", "asymetric")
    assert (code, "did you mean 'asymmetric'?" in err) == (2, True)


def test_list_shows_the_settings_and_the_statistics_of_losses(run_cli):
    _, out, _ = run_cli("list", "losses")
    rows = {row[0]: row for row in (line.split("\t") for line in out.splitlines())}
    assert rows["weighted_bce"][2:5] == [
        "weight=balanced, power=1.0, cap=null",
        "above",
        "label_counts, num_samples",
    ]
    assert rows["bce"][2:5] == ["-", "above", "-"]


@pytest.mark.parametrize("width", [80, 120, 160])
def test_list_fits_the_terminal(width):
    from mllc.config.listing import listing

    for kind in mllc.config.catalogue.KINDS:
        lines = listing(kind, None, width).splitlines()
        assert max(map(len, lines)) <= width
        assert not [line for line in lines if "…" in line]


def test_list_sees_the_users_folder(run_cli, tmp_path):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text("defaults: [focal]\ntraits: {formula: mine}\n")
    _, out, _ = run_cli("list", "losses", "--config-dir", str(tmp_path))
    assert "mine\tmine\tgamma=2.0, alpha=null\tabove\t" in out


def imported_by(*arguments):
    """Runs mllc in a fresh Python; its exit code, and which heavy packages it imported."""
    code = (
        "import sys; from mllc.cli import main\n"
        "try: main()\n"
        "except SystemExit as left: code = left.code\n"
        "heavy = {'torch', 'hydra', 'numpy', 'sklearn', 'rich'} & sys.modules.keys()\n"
        "print('\\nHEAVY', code, *sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].split()[1:], done


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--help"], ["0"]),
        (["list", "losses"], ["0"]),
        (["train", "loss=focl"], ["2", "hydra"]),
        (["train", "optimizer.lr=fast"], ["2", "hydra"]),
        (["sweep", "loss=glob(*)", "epochs=x"], ["2", "hydra"]),
    ],
)
def test_nothing_heavy_before_the_input_is_fine(arguments, expected):
    found, _ = imported_by(*arguments)
    assert found == expected


def test_python_m_mllc():
    command = [sys.executable, "-m", "mllc", "train", "epochs=0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "mllc: error: epochs=0 is not allowed: type a whole number >= 1.\n"


def test_a_closed_pipe_is_quiet():
    """`mllc list losses | head -0`"""
    command = f"{sys.executable} -m mllc list losses | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""


@pytest.mark.parametrize("arguments", ["--help", "list losses", "report RUNS"])
def test_a_full_disk_at_stdout(tmp_path, arguments):
    (tmp_path / "run").mkdir()
    result = RunResult("a1", "focal", "digits", "patch", "focal", "adam", 0, {}, {}, "failed", "val_map")
    (tmp_path / "run/result.json").write_text(result.to_json())
    command = f"{sys.executable} -m mllc {arguments.replace('RUNS', str(tmp_path))} > /dev/full"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "mllc: error: what was asked for cannot be written: No space left on device\n"


def test_a_closed_stdout():
    command = f"{sys.executable} -m mllc list losses >&-"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "n" * 300, "x"],
        ["export", "n" * 300, "--format", "onnx", "--out", "x.onnx"],
        ["export", ".", "--format", "onnx", "--out", "n" * 300],
        ["report", "n" * 300],
    ],
)
def test_a_path_that_no_file_can_have_is_told_in_one_line(run_cli, arguments):
    code, out, err = run_cli(*arguments)
    assert (code, out) == (2, "")
    assert "nnn cannot be opened: File name too long; type another path" in err
    assert len(err.splitlines()) == 1
