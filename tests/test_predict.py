"""mllc predict: a run applied to its own test samples gives its own scores, decisions and figures; else words."""

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from formats import FORMATS
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from trained_runs import SHEET, Silent, train, write_sheets

from mllc import run
from mllc.config.compose import expand
from mllc.data.digits import digits
from mllc.data.score_csv import read_csv
from mllc.errors import ConfigError, StoreError
from mllc.evaluate import evaluate
from mllc.metrics.thresholds import Thresholds, decide
from mllc.model_file import ModelFile
from mllc.predict.inputs import batched, samples
from mllc.predict.labels import named
from mllc.predict.text import check_format, lines
from mllc.report.loading import load_one
from mllc.trained import load
from mllc.types import Predictions, Samples

ROOT = Path(__file__).parents[1]
LOSSES = ("zlpr", "softmax_ce", "softmax_count", "lsep")
"""One for each kind of rule: a cut of logits, of a softmax, of a product with a count, the k best."""

SETTINGS = {"googlenet": {"aux_logits": False, "init_weights": True}}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A run of each loss in a folder of its own, and the sheets of the test split."""
    folder = tmp_path_factory.mktemp("home")
    write_sheets(folder / "sheets")
    for loss in LOSSES:
        train(folder / loss, f"loss={loss}")
    return folder


@pytest.fixture
def copied(home, tmp_path):
    """A run that may be spoilt."""
    shutil.copytree(home / "zlpr", tmp_path / "zlpr")
    return load_one(tmp_path / "zlpr")[1]


def answers(folder, path, batch_size=None, **choice):
    """The scores of the samples in `path`, and the decisions."""
    trained = load(folder, device="cpu")
    chunks = samples(path, trained.config["dataset"], trained.file.encoding)
    found = list(named(trained, batched(chunks, batch_size or trained.config["batch_size"]), **choice))
    scores = torch.cat([one.scores for one in found])
    decisions = torch.zeros_like(scores, dtype=torch.bool)
    for row, chosen in enumerate(chosen for one in found for chosen in one.chosen):
        decisions[row, chosen] = True
    return scores, decisions


@pytest.mark.parametrize("loss", LOSSES)
def test_its_own_test_samples_get_the_scores_decisions_and_figures_of_the_run(home, loss):
    result, folder = load_one(home / loss)
    kept = load_file(folder / "scores.safetensors")
    scores, own = answers(folder, home / "sheets")
    assert torch.equal(scores, kept["scores"])
    assert torch.equal(own, kept["decisions"].bool())
    thresholds = ModelFile.from_json((folder / "model.json").read_text())
    tuned = Thresholds(thresholds.threshold, torch.tensor(thresholds.label_thresholds), torch.tensor(0.0))
    assert evaluate(Predictions(scores, own, kept["targets"]), tuned) == result.test
    for way, threshold in (("global", tuned.global_), ("per-label", tuned.per_label)):
        assert torch.equal(answers(folder, home / "sheets", threshold=way)[1], decide(scores, threshold))


def test_other_batches_change_scores_by_rounding_alone(home):
    _, folder = load_one(home / "zlpr")
    one, other = (answers(folder, home / "sheets", batch_size=size)[0] for size in (7, 1000))
    assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(
    "overrides",
    [("backbone=patch", "backbone.freeze=1"), ("backbone=mlp", "backbone.hidden=[8,8]", "backbone.freeze=1")],
)
def test_frozen_layers_are_in_the_folder(home, tmp_path, overrides):
    folder = train(tmp_path / "run", *overrides, "epochs=1")
    assert torch.equal(answers(folder, home / "sheets")[0], load_file(folder / "scores.safetensors")["scores"])
    frozen = load_file(folder / "frozen.safetensors")
    save_file({key: value + 1 for key, value in frozen.items()}, folder / "frozen.safetensors")
    with pytest.raises(StoreError, match=r"frozen.safetensors is not the file that the run wrote; make the run again"):
        load(folder)


@pytest.mark.parametrize("name", ["resnet18", pytest.param("googlenet", marks=pytest.mark.slow)])
def test_the_weights_file_may_be_gone(home, tmp_path, name):
    """GoogLeNet scales its inputs in another way where it got published weights."""
    from torchvision import models

    weights = tmp_path / "weights.safetensors"
    save_file(models.get_model(name, weights=None, **SETTINGS.get(name, {})).state_dict(), weights)
    backbone = ("backbone=torchvision", f"backbone.name={name}", f"backbone.weights={weights}", "backbone.freeze=all")
    folder = train(tmp_path / "run", *backbone, "dataset.grid=4", "epochs=1")
    weights.unlink()
    trained = load(folder, device="cpu")
    pixels = digits(**SHEET | {"grid": 4}, mean_filled=2.0, noise=0.1, seed=0).test.inputs
    scores = torch.cat([trained(part).scores for part in pixels.split(16)])
    assert torch.equal(scores, load_file(folder / "scores.safetensors")["scores"])


def test_runs_of_a_cohort_hold_one_file_of_frozen_layers(tmp_path):
    overrides = [
        "dataset.samples=100",
        "dataset.test_samples=20",
        "dataset.grid=2",
        "backbone=mlp",
        "backbone.freeze=1",
    ]
    configs = expand([*overrides, "backbone.hidden=[8,8]", "loss=bce,zlpr", "epochs=1", f"out={tmp_path}"], None)
    run.train(configs, score_test=False, screen=Silent())
    first, second = tmp_path.glob("*/frozen.safetensors")
    assert first.samefile(second)
    shutil.rmtree(first.parent)
    load(second.parent)  # one run is removed: the other keeps its layers


@pytest.mark.parametrize("format", sorted(FORMATS))
def test_every_format_is_applied_to_its_own_test_file(tmp_path, format):
    made = FORMATS[format](tmp_path)
    folder = train(tmp_path / "run", *made.overrides, "backbone=linear", "epochs=1", "batch_size=8")
    scores, _ = answers(folder, made.test)
    assert torch.equal(scores, load_file(folder / "scores.safetensors")["scores"])


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.integers(1, 11))
def test_batches_do_not_depend_on_the_readers_chunks(chunks, size):
    rows = torch.arange(sum(chunks)).view(-1, 1)
    given = [Samples([str(i) for i in part.flatten().tolist()], part) for part in rows.split(chunks)]
    found = list(batched(given, size))
    assert [len(one.ids) for one in found] == [len(part) for part in rows.split(size) if len(part)]
    assert torch.equal(torch.cat([one.inputs for one in found]) if found else rows[:0], rows)
    assert [one for batch in found for one in batch.ids] == [str(i) for i in range(len(rows))]


def test_csv(home, run_cli):
    code, out, err = run_cli("predict", home / "zlpr", home / "sheets")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    kept = load_file(load_one(home / "zlpr")[1] / "scores.safetensors")
    names = [f"r{r}c{c}={d}" for r in range(3) for c in range(3) for d in range(10)]
    assert [row["id"] for row in rows] == [f"{i:02}.png" for i in range(50)]
    for row, scores, decisions in zip(rows, kept["scores"], kept["decisions"], strict=True):
        labels = row["labels"].split("|") if row["labels"] else []
        assert sorted(labels) == sorted(names[i] for i in decisions.nonzero().flatten())
        told = [float(score) for score in row["scores"].split("|")] if row["scores"] else []
        assert told == sorted(told, reverse=True)
        assert torch.equal(torch.tensor(told), scores[[names.index(name) for name in labels]])
    assert "mllc: loading " in err
    assert f"mllc: 50 samples, {kept['decisions'].sum() / 50:.2f} labels a sample" in err


def test_json_lines_of_the_best_with_every_score(home, run_cli):
    _, out, _ = run_cli("predict", home / "lsep", home / "sheets", "--format", "jsonl", "--top-k", 3, "--scores")
    found = [json.loads(line) for line in out.splitlines()]
    kept = load_file(load_one(home / "lsep")[1] / "scores.safetensors")["scores"]
    assert torch.equal(torch.tensor([list(one["scores"].values()) for one in found]), kept)
    for one in found:
        best = sorted(one["scores"].items(), key=lambda item: -item[1])[:3]
        assert [(label["label"], label["score"]) for label in one["labels"]] == best


def test_every_score_is_a_table_that_diagnose_reads(home, run_cli, tmp_path):
    file = tmp_path / "scores.csv"
    _, out, _ = run_cli("predict", home / "softmax_ce", home / "sheets", "--scores", "--out", file)
    assert out.startswith(f"written: {file} (50 samples, ")
    table = read_csv(file, "SCORES")
    kept = load_file(load_one(home / "softmax_ce")[1] / "scores.safetensors")["scores"]
    assert torch.equal(torch.from_numpy(table.values).float(), kept)
    assert table.ids[:2] == ("00.png", "01.png")


def test_a_better_threshold_is_told(home, run_cli):
    _, folder = load_one(home / "softmax_count")
    result = json.loads((folder / "result.json").read_text())
    _, _, err = run_cli("predict", home / "softmax_count", home / "sheets" / "00.png")
    worse = result["val"]["micro_f1_tuned"] - result["val"]["micro_f1"] >= 0.05
    assert ("--threshold global takes it" in err) == worse


def test_names_with_a_bar_need_json(home):
    with pytest.raises(ConfigError, match=r"the label 'a\|b' has a \|.*--format jsonl"):
        check_format("csv", False, ["a|b"])
    check_format("jsonl", False, ["a|b"])
    check_format("csv", True, ["a|b"])


@pytest.mark.parametrize("format", ["csv", "jsonl"])
@pytest.mark.parametrize("every", [False, True])
def test_odd_names_come_back(format, every):
    names = ['a "quoted", name', "наука", "line\nbreak"]
    from mllc.predict.labels import Named

    batch = Named(["x,y", 'q"'], [[2, 0], []], torch.tensor([[0.5, -1.0, 3.25], [0.1, 0.2, 0.3]]))
    text = "".join(lines([batch], names, format, every_score=every))
    if format == "jsonl":
        found = [json.loads(line) for line in text.splitlines()]
        assert [one["id"] for one in found] == batch.ids
        assert [label["label"] for label in found[0]["labels"]] == [names[2], names[0]]
    else:
        header, *rows = csv.reader(io.StringIO(text, newline=""))
        assert [row[0] for row in rows] == batch.ids
        assert header == (["id", *names] if every else ["id", "labels", "scores"])
        assert rows[0][1:] == (["0.5", "-1.0", "3.25"] if every else [f"{names[2]}|{names[0]}", "3.25|0.5"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["/nowhere", "sheets"], "/nowhere is not a folder; type the folder of a run"),
        ([".", "sheets"], "holds 4 runs; type one of them: "),
        (["sheets", "sheets"], "no run in "),
        (["zlpr", "nothing"], "INPUT nothing: there is no such file or folder"),
        (["zlpr", "x" * 300], "x: there is no such file or folder"),
        (["zlpr", "zlpr"], "there is no image in the folder"),
        (["zlpr", "sheets", "--format", "xml"], "--format xml: type csv or jsonl"),
        (["zlpr", "sheets", "--threshold", "best"], "--threshold best: type own, global or per-label"),
        (["zlpr", "sheets", "--top-k", "91"], "--top-k 91: the run has 90 labels; type a number from 1 to 90"),
        (["zlpr", "sheets", "--top-k", "3", "--threshold", "global"], "leave out --threshold, or --top-k"),
        (["zlpr", "sheets", "--top-k", "3", "--scores"], "leave out --top-k, or type --format jsonl"),
        (
            ["zlpr", "sheets", "--out", "sheets"],
            "is a folder; type the name of a file: --out sheets/labels.csv",
        ),
        (["zlpr", "sheets", "--out", "no/where.csv"], "there is no folder no"),
        (["zlpr", "sheets", "--device", "abacus"], "--device abacus: type auto, cpu, cuda or cuda:N"),
        (["zlpr", "sheets", "--device", "cuda:99"], "type --device cpu or --device auto"),
        (["zlpr", "sheets", "--batch-size", "0"], "--batch-size"),
        (["zlpr"], "Missing argument 'INPUT'"),
        (["zlpr", "sheets", "--top-k", "0"], "--top-k 0: the run has 90 labels; type a number from 1 to 90"),
        (["zlpr", "sheets", "--config-dir", "nowhere"], "--config-dir nowhere is not a folder"),
    ],
)
def test_wrong_input_is_told(home, run_cli, monkeypatch, arguments, message):
    monkeypatch.chdir(home)
    code, out, err = run_cli("predict", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


def spoil_json(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def drop_labels(file, kept=3):
    content = json.loads(file.read_text())
    for name in ("label_names", "label_counts", "label_thresholds"):
        content[name] = content[name][:kept]
    file.write_text(json.dumps(content))


def flip(file):
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)


def edit_config(file, group, **changes):
    content = yaml.safe_load(file.read_text())
    content[group] |= changes
    file.write_text(yaml.safe_dump(content))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda run: (run / "result.json").unlink(), "1 unfinished run in "),
        (lambda run: spoil_json(run / "result.json", status="diverged"), "has no model to apply: its run diverged"),
        (lambda run: spoil_json(run / "result.json", status="failed", message="a bug"), r"its run failed \(a bug\)"),
        (lambda run: spoil_json(run / "result.json", status="pruned"), "given up early by its search"),
        (lambda run: (run / "model.json").unlink(), "has no model.json, as runs of.*make the run again: .* --force"),
        (lambda run: (run / "model.json").write_text("{"), "model.json cannot be used"),
        (lambda run: spoil_json(run / "model.json", format=9), "format 9, but this mllc reads format 2"),
        (lambda run: spoil_json(run / "model.json", format=1), "format 1, but this mllc reads format 2"),
        (lambda run: spoil_json(run / "model.json", threshold=9.0), "changed since the run wrote it.*--force"),
        (lambda run: spoil_json(run / "model.json", label_names=["a"]), "label_counts has 90 entries for 1 labels"),
        (lambda run: spoil_json(run / "model.json", threshold="high"), "threshold is"),
        (lambda run: drop_labels(run / "model.json"), "changed since the run wrote it"),
        (lambda run: (run / "checkpoint.safetensors").unlink(), "checkpoint.safetensors cannot be read"),
        (lambda run: flip(run / "checkpoint.safetensors"), "checkpoint.safetensors is not the file that the run wrote"),
        (lambda run: (run / "config.yaml").unlink(), "config.yaml cannot be read.*make the run again"),
        (lambda run: (run / "config.yaml").write_bytes(b"\xff"), "config.yaml cannot be read"),
        (lambda run: (run / "config.yaml").write_text("a: [\n"), "config.yaml cannot be read"),
        (lambda run: (run / "config.yaml").write_text("loss: 3\n"), "is damaged, or made by another version"),
        (lambda run: edit_config(run / "config.yaml", "loss", _target_="os.system"), "_target_ os.system is outside"),
        (lambda run: edit_config(run / "config.yaml", "backbone", width=9), "is damaged, or made by another version"),
    ],
)  # fmt: skip
def test_a_run_without_a_sound_model_is_told(copied, home, run_cli, spoil, message):
    spoil(copied)
    code, out, err = run_cli("predict", copied, home / "sheets")
    assert (code, out) == (2, "")
    assert re.search(message, err), err
    assert len(err.splitlines()) <= 2
    assert "Traceback" not in err


def test_a_data_set_that_is_generated_reads_no_samples(tmp_path, home, run_cli):
    small = ("dataset.samples=60", "dataset.test_samples=20", "dataset.labels=5", "dataset.features=4")
    folder = train(tmp_path / "run", "dataset=synthetic", *small, "backbone=linear", "epochs=1")
    code, _, err = run_cli("predict", folder, home / "sheets")
    assert code == 2
    assert "dataset=synthetic cannot read new samples; type mllc export RUN" in err


OWN = """
import torch
from mllc.data.synthetic import synthetic
from mllc.types import Samples

def mine():
    return synthetic(samples=60, test_samples=20, labels=5, mean_true=1, zipf=0, features=4, noise=1, seed=0)

def samples(path, settings, encoding):
    for line in path.read_text().split():
        values = [float(value) for value in line.split(",")]
        yield Samples([line], torch.tensor([values]))
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A run on a reader of the user's own, and the options that find it."""
    (tmp_path / "my/dataset").mkdir(parents=True)
    (tmp_path / "my/own_reader.py").write_text(OWN)
    text = "_target_: own_reader.mine\ntraits: {summary: mine, kind: features, backbone: linear, paths: []}\n"
    (tmp_path / "my/dataset/mine.yaml").write_text(text)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "my")])
    monkeypatch.delitem(sys.modules, "own_reader", raising=False)
    from mllc.config.compose import compose

    conf = compose(["dataset=mine", "epochs=1", f"out={tmp_path / 'runs'}"], tmp_path / "my")
    run.train([conf], score_test=True, screen=Silent(), allow=("own_reader",))
    return tmp_path / "runs", ("--allow-target", "own_reader", "--config-dir", tmp_path / "my")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there are no samples in it"),
        ("1,2,3", "from '1,2,3' to '1,2,3': a sample has 3 values, but the run was trained on samples of 4"),
        ("1,2,3,4 1,2", "samples of several shapes: (2,) and (4,)"),
        ("1,2,3,nan", "from '1,2,3,nan' to '1,2,3,nan': scores are not finite"),
    ],
)
def test_a_reader_of_ones_own(own, run_cli, tmp_path, text, message):
    folder, options = own
    file, out = tmp_path / "new.txt", tmp_path / "out.csv"
    file.write_text("1,2,3,4 0,0,0,0")
    code, text_out, err = run_cli("predict", folder, file, *options)
    assert (code, len(text_out.splitlines())) == (0, 3), err
    code, _, err = run_cli("predict", folder, file)
    assert (code, "--allow-target own_reader" in err) == (2, True)
    file.write_text(text)
    code, _, err = run_cli("predict", folder, file, "--out", out, *options)
    assert code == 2
    assert message in err
    assert [one.name for one in tmp_path.iterdir() if "out.csv" in one.name] == [], "nothing is left half-written"


def test_a_reader_without_samples_is_told_what_it_needs(own, monkeypatch):
    folder, _ = own
    monkeypatch.delattr(sys.modules["own_reader"], "samples")
    conf = yaml.safe_load((load_one(folder)[1] / "config.yaml").read_text())
    with pytest.raises(ConfigError, match=r"needs a function samples\(path, settings, encoding\).* in own_reader"):
        next(samples(Path(), conf["dataset"], {}, ("own_reader",)))


def test_a_reader_of_pipes_may_leave(home):
    command = f"{sys.executable} -m mllc predict {home / 'zlpr'} {home / 'sheets'} --batch-size 1 --scores | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.startswith("id,r0c0=0,")
    assert "Traceback" not in done.stderr


STREAM = """
import resource, sys, torch
from pathlib import Path
from mllc.predict.inputs import batched
from mllc.predict.labels import named
from mllc.predict.text import lines
from mllc.trained import load
from mllc.types import Samples

trained = load(Path(sys.argv[1]), device="cpu")

def chunks(number):
    for _ in range(number):
        yield Samples(["x"] * 100, torch.zeros(100, 1, 24, 24, dtype=torch.uint8))

def peak(number):
    written = sum(map(len, lines(named(trained, batched(chunks(number), 64)), trained.file.label_names)))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, written

before, _ = peak(5)
after, written = peak(400)
print(before, after, written)
"""


def test_memory_does_not_grow_with_the_input(home):
    """40000 images, 23 MB of pixels and 14 MB of scores, in the memory that 500 take."""
    _, folder = load_one(home / "lsep")
    done = subprocess.run([sys.executable, "-c", STREAM, folder], capture_output=True, text=True, cwd=ROOT, check=True)
    before, after, written = map(float, done.stdout.split())
    assert written > 1e6
    assert after - before < 8, f"{before} MiB, then {after} MiB"


def test_images_that_cannot_be_read_may_be_skipped_by_a_run_that_knows_none(home, run_cli, tmp_path):
    shutil.copytree(home / "sheets", tmp_path / "some")
    (tmp_path / "some" / "00.png").write_bytes(b"no image")
    code, out, err = run_cli("predict", home / "zlpr", tmp_path / "some")
    assert (code, out.count("\n") <= 1) == (2, True)
    assert "00.png" in err
    assert err.rstrip().endswith("type --on-bad-image skip")
    code, out, _ = run_cli("predict", home / "zlpr", tmp_path / "some", "--on-bad-image", "skip")
    assert (code, len(out.splitlines())) == (0, 1 + 49)
    code, _, err = run_cli("predict", home / "zlpr", tmp_path / "some", "--on-bad-image", "drop")
    assert (code, "--on-bad-image drop: type error or skip" in err) == (2, True)


def test_a_file_that_is_there_is_kept(home, run_cli, tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text("mine")
    code, _, err = run_cli("predict", home / "zlpr", home / "sheets", "--out", file)
    assert (code, file.read_text()) == (2, "mine")
    assert "is there already; type --force to write over it" in err
    assert run_cli("predict", home / "zlpr", home / "sheets", "--out", file, "--force")[0] == 0
    assert file.read_text().startswith("id,labels,scores")
