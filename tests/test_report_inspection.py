"""The words of an inspection: tables at every width, JSON, the shortlist and its reasons, the picture, the command."""

import json
import re
import shlex

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from mllc.cli import app
from mllc.config import catalogue
from mllc.config.search import expand_tuned
from mllc.inspection import inspect
from mllc.report.inspection import as_dict, render
from mllc.report.shortlist import advice, next_command, shortlist, weights
from mllc.types import Dataset, Split

SHEET = ["dataset.samples=240", "dataset.test_samples=80", "dataset.grid=3"]


def made(targets, mask=None, inputs=None):
    targets = torch.as_tensor(targets, dtype=torch.uint8)
    inputs = torch.arange(len(targets)).float()[:, None] if inputs is None else inputs
    one = Split(inputs, targets, tuple(map(str, range(len(targets)))), mask)
    return inspect(Dataset("features", tuple(f"l{i}" for i in range(targets.shape[1])), (1,), one, one, one, ""))


def sparse_targets(number=200, labels=100, true=2):
    """Every sample has `true` labels, all equally frequent."""
    targets = torch.zeros(number, labels, dtype=torch.uint8)
    for row in range(number):
        targets[row, [(row * true + i) % labels for i in range(true)]] = 1
    return targets


def mllc(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_json_has_the_promised_keys():
    done = mllc("inspect", *SHEET, "--format", "json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert {"num_samples", "image_size", "num_labels", "cardinality", "density"} <= told.keys()
    assert (told["num_samples"], told["image_size"], told["num_labels"]) == (320, [24, 24], 90)
    assert told["density"] == pytest.approx(told["cardinality"] / 90)
    assert set(told["splits"]) == {"train", "val", "test"}
    for facts in told["splits"].values():
        assert {"num_samples", "cardinality", "density"} <= facts.keys()
    assert sum(facts["num_samples"] for facts in told["splits"].values()) == 320
    assert len(told["labels"]) == 90
    assert told["baselines"]["test"]["all_zeros"]["micro_f1"] == 0
    assert "num_features" in as_dict(made([[1, 0], [0, 1]]), "x")


@pytest.mark.parametrize("width", [40, 80, 100, 120])
def test_tables_fit_the_terminal(width):
    found = made(sparse_targets())
    plain = render(found, "arff (a.arff)", width=width)
    *lines, command = plain.splitlines()
    assert max(map(len, lines)) <= width
    assert command.startswith("  mllc sweep ")
    colored = render(found, "arff (a.arff)", width=width, color=True)
    assert "\x1b[" in colored
    bare = re.sub(r"\x1b\[[0-9;]*m", "", colored)
    assert [line.rstrip() for line in bare.splitlines()] == plain.splitlines()


def test_markdown_has_the_same_tables_and_command():
    text = render(made(sparse_targets()), "x", ["dataset=arff"], format="md")
    assert "| split | samples | labels a sample |" in text
    assert "```console\n$ mllc sweep dataset=arff loss=bce" in text


def test_every_loss_proposed_is_in_the_catalogue_and_the_command_can_be_typed():
    typed = ["dataset=synthetic", "dataset.labels=50", "loss=focal", "seed=3", "split.val=0.2"]
    found = made(sparse_targets())
    command = next_command(shortlist(found), typed)
    words = shlex.split(command)
    assert words[:5] == ["mllc", "sweep", "dataset=synthetic", "dataset.labels=50", "split.val=0.2"]
    _, searches, _ = expand_tuned(words[2:])
    assert [search.start["loss"]["name"] for search in searches] == [one.loss for one in shortlist(found)]
    assert {search.trials for search in searches} == {10}


def losses(found):
    return [one.loss for one in shortlist(found)]


def test_the_shortlist_follows_the_facts():
    sparse = sparse_targets()
    assert losses(made(sparse)) == ["bce", "weighted_bce", "asymmetric", "zlpr", "softmax_ce"]
    varied = sparse.clone()
    varied[::2, 50:56] = 1
    assert "softmax_count" in losses(made(varied))
    assert "softmax_ce" not in losses(made(varied))
    empty = sparse.clone()
    empty[::4] = 0
    assert "softmax_count" in losses(made(empty))
    assert "softmax_ce" not in losses(made(empty))
    assert "empty" in advice(made(empty), [])
    unequal = sparse.clone()
    unequal[:, 0] = 1
    assert "logit_adjusted" in losses(made(torch.cat([unequal[:, :1], sparse_targets(200, 100, 1)], 1)))
    balanced = torch.tensor([[1, 0], [0, 1], [1, 1], [0, 0]])
    assert losses(made(balanced)) == ["bce", "softmax_count"]
    nothing = made(torch.zeros(4, 3))
    assert losses(nothing) == ["bce"]
    assert weights(nothing) is None
    assert render(nothing, "x")


def test_only_losses_that_leave_out_unknown_targets_are_proposed_where_there_are_any():
    targets = sparse_targets()
    mask = torch.ones(targets.shape, dtype=torch.bool)
    mask[0, 0] = False
    found = made(targets, mask)
    assert losses(found) == ["bce", "weighted_bce", "asymmetric"]
    for loss in losses(found):
        assert catalogue.settings("loss", loss)["traits"]["shape"] == "element"
    assert "unknown" in advice(found, [])


def test_copies_are_told_with_their_names():
    found = made([[1, 0], [0, 1], [1, 1]], inputs=torch.tensor([[1.0], [1.0], [2.0]]))
    text = render(found, "x", width=120)
    assert re.search(r"within train +1 +3 +1 +1 is 0", text)
    assert re.search(r"test from train +3 +3", text)
    assert "3 test samples are copies of training samples" in text
    assert "The same names: 3 in train and val" in text


def test_one_is_told_as_one():
    inputs = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    train = Split(inputs, torch.eye(4, dtype=torch.uint8), ("a", "b", "c", "d"))
    test = Split(inputs[:1], train.targets[:1], ("e",))
    val = Split(inputs[1:2] + 0.5, train.targets[1:2], ("f",))
    found = inspect(Dataset("features", ("w", "x", "y", "z"), (1,), train, val, test, ""))
    text = render(found, "x", width=200)
    assert "1 test sample is a copy of training samples" in text
    assert "samples have 1 true label, give or take 0: the largest is an answer" in text


def test_a_share_of_zeros_is_never_rounded_to_all_of_them():
    found = made(torch.cat([sparse_targets(20, 100, 1), torch.zeros(20, 19900)], 1))
    assert "99.995 % of the targets are 0" in render(found, "x")
    assert re.search(r"train +20 +1\.000 +0\.00 +99\.995 ", render(found, "x", width=120))


def test_predicting_nothing_is_told_where_the_baselines_are_left_out(monkeypatch):
    monkeypatch.setattr("mllc.inspection.BASELINES_LIMIT", 3)
    text = render(made([[1, 0], [0, 0]]), "x", width=300)
    assert "Predicting nothing has a Hamming loss of 0.25 on test and is right on 75.00 % of its targets" in text
    assert "Further baselines are left out" in text
    unknown = made([[1, 0], [0, 0]], mask=torch.tensor([[True, True], [False, False]]))
    assert "Hamming loss of 0.5 on test" in render(unknown, "x", width=300)


def test_a_sample_of_one_label_each_is_told():
    found = made(sparse_targets(true=1))
    assert "the ordinary" in advice(found, [])["single"]


def photos(folder):
    draw = torch.Generator().manual_seed(0)
    for split, number in (("train", 20), ("test", 6)):
        lines = ["image,labels"]
        for row in range(number):
            pixels = (torch.rand(8, 12, 3, generator=draw) * 255).to(torch.uint8)
            Image.fromarray(pixels.numpy()).save(folder / f"{split}{row}.png")
            lines.append(f"{split}{row}.png,{'a|b' if row % 2 else 'c'}")
        (folder / f"{split}.csv").write_text("\n".join(lines) + "\n")
    return [f"dataset.{key}={folder}/{key}.csv" for key in ("train", "test")] + [f"dataset.root={folder}"]


def test_images_their_sizes_and_what_cannot_be_read(tmp_path):
    typed = ["dataset=images", *photos(tmp_path), "dataset.size=8", f"cache={tmp_path}/cache"]
    for name in ("train3.png", "train7.png"):
        (tmp_path / name).write_bytes(b"no image")
    (tmp_path / "test5.png").write_bytes((tmp_path / "train5.png").read_bytes())
    done = mllc("inspect", *typed, "--format", "json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["image_size"] == [8, 8]
    assert told["num_samples"] == 24
    assert told["unreadable"] == {"train": 2}
    assert "training refuses them unless dataset.on_bad_image=skip" in told["findings"]["unreadable"]
    (note,) = (note for note in told["notes"] if "skipped" in note)
    assert re.fullmatch(r"2 images of train skipped; the first: .*line 5: train3\.png: .*; then 'train7\.png'", note)
    assert told["image_files"]["number"] == 24
    assert (told["image_files"]["distinct"], told["image_files"]["width"]) == (1, [12, 12, 12])
    copies = {name: one for name, one in told["copies"].items() if one["count"]}
    assert len(copies) == 1
    assert next(iter(copies.values()))["examples"] == [["test5.png", "train5.png"]]
    for file in tmp_path.glob("*.png"):
        file.unlink()
    done = mllc("inspect", *typed, "dataset.size=9")
    assert done.exit_code == 2
    assert "train.csv, line 2: train0.png: there is no such file" in done.output


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_picture_in_one_file(tmp_path, ending):
    done = mllc("inspect", *SHEET, "--plot", tmp_path / f"labels.{ending}")
    assert done.exit_code == 0, done.output
    content = (tmp_path / f"labels.{ending}").read_bytes()
    assert content.startswith({"png": b"\x89PNG", "svg": b"<svg", "pdf": b"%PDF"}[ending])


def test_pictures_in_a_folder_and_places_that_cannot_be(tmp_path):
    assert mllc("inspect", *SHEET, "--plot", tmp_path / "new").exit_code == 0
    assert {file.name for file in (tmp_path / "new").iterdir()} == {"data_set.png", "data_set.svg"}
    done = mllc("inspect", *SHEET, "--plot", tmp_path / "x.gif")
    assert (done.exit_code, (tmp_path / "x.gif").exists()) == (2, False)
    assert "pictures are .png, .svg or .pdf; type --plot" in done.stderr
    done = mllc("inspect", *SHEET, "--plot", tmp_path / "none" / "a.png")
    assert done.exit_code == 2
    assert "there is no folder" in done.output
    (tmp_path / "file").write_text("")
    done = mllc("inspect", *SHEET, "--plot", tmp_path / "file")
    assert done.exit_code == 2
    assert "--plot" in done.output
    assert "is a file; type the name of a folder" in done.output
    done = mllc("inspect", "--format", "jsn")
    assert done.exit_code == 2
    assert "did you mean" in done.output.lower()


@pytest.mark.parametrize("targets", [[[0, 0]] * 4, [[1]] * 4, [[1, 0], [0, 1], [1, 1]], sparse_targets(60, 1200, 3)])
def test_pictures_of_any_data(targets):
    from mllc.plots.data_set import picture

    assert picture(made(targets), "x").svg().startswith("<svg")
