"""Folds and splits from the command line to the report: what is stored, how folds repeat, what is refused."""

import csv
import json

import pytest
import torch
from torchvision.utils import save_image
from typer.testing import CliRunner

from mllc.build import share
from mllc.cli import app
from mllc.config.compose import compose, expand
from mllc.config.search import expand_tuned
from mllc.errors import ConfigError
from mllc.report import load, render
from mllc.report.comparison import rows
from mllc.report.verdicts import judged
from mllc.statistics import interval
from mllc.trial import repeat_of

LABELS = ("even", "third", "rare", "always", "never")


def write(folder, num=60):
    header = "@relation r\n@attribute x numeric\n@attribute z numeric\n@attribute film numeric\n"
    header += "".join(f"@attribute {name} {{0,1}}\n" for name in LABELS) + "@data\n"
    lines = [f"{i % 2},{i % 3},{i // 3},{i % 2},{int(i % 3 == 0)},{int(i < 2)},1,0" for i in range(num)]
    (folder / "a.arff").write_text(header + "\n".join(lines) + "\n")
    return ["dataset=arff", f"dataset.train={folder}/a.arff", "dataset.num_labels=-5", "backbone=linear", "device=cpu"]


def mllc(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folds")
    typed = [*write(folder), "loss=bce,zlpr", "split.folds=3", "split.fold=0,1,2", "epochs=2", f"out={folder}/runs"]
    return folder, mllc("sweep", *typed, "split.group=film")


def test_the_split_is_stored_with_the_run(swept):
    folder, done = swept
    assert done.exit_code == 0, done.output
    runs = sorted((folder / "runs").glob("*-s0-*"))
    assert len(runs) == 6
    tested = {}
    for run in runs:
        with (run / "split.csv").open(newline="") as file:
            found = {row["id"]: row["split"] for row in csv.DictReader(file)}
        assert len(found) == 60
        result = json.loads((run / "result.json").read_text())
        films = {}
        for name, part in found.items():
            films.setdefault(int(name.removeprefix("train:")) // 3, set()).add(part)
        assert all(len(parts) == 1 for parts in films.values()), "no group is parted"
        tested.setdefault(result["loss"], []).extend(name for name, part in found.items() if part == "test")
        assert "split.fold" not in result["shared"]
    assert [sorted(names) for names in tested.values()] == [sorted(f"train:{row}" for row in range(60))] * 2


def test_folds_are_repeats_in_the_report(swept):
    folder, _ = swept
    found = load([folder / "runs"])
    table = rows(found.results)
    trained = [row for row in judged(table) if row.runs]
    assert [row.folds for row in trained] == [(0, 1, 2)] * 2
    assert [row.seeds for row in trained] == [(0, 0, 0)] * 2
    assert {row.difference.n for row in trained if row.difference} == {3}
    assert len(table) == 5, "one block, and its three baselines"
    for row in trained:
        values = [run.test["map"] for run in row.runs]
        assert row.interval == interval(values, overlap=1 / 2)
    text = " ".join(render(found.results, width=200).split())
    assert "over 3 folds" in text
    assert "each fold has a test set of its own" in text
    assert "corrected for it (Nadeau and Bengio 2003)" in text
    assert "3 folds: no" not in text
    assert "seeds" not in text
    told = json.loads(render(found.results, format="json"))
    assert told[0]["folds"] == [0, 1, 2]


def test_the_interval_of_folds_is_wider_by_the_formula():
    values = torch.tensor([0.1, 0.4, 0.2, 0.3, 0.6]).double().numpy()
    plain, wide = (interval(values, overlap=overlap) for overlap in (0.0, 1 / 4))
    assert plain is not None
    assert wide is not None
    assert (wide[1] - wide[0]) / (plain[1] - plain[0]) == pytest.approx((1 + 5 / 4) ** 0.5)


def test_labels_without_positives_are_counted_in_each_split(tmp_path):
    done = mllc("train", *write(tmp_path), "epochs=1", f"out={tmp_path}/runs")
    assert done.exit_code == 0, done.output
    (run,) = (tmp_path / "runs").glob("*-s0-*")
    with (run / "per_label.csv").open(newline="") as file:
        counts = list(csv.DictReader(file))
    told = json.loads((run / "result.json").read_text())["data"]["never_true"]
    assert told == {
        split: sum(row[f"{split}_positives"] == "0" for row in counts) for split in ("train", "val", "test")
    }
    assert told["train"] == 1
    assert told["val"] >= 1
    assert "Of 5 labels without a positive: 1 in train," in done.output


@pytest.mark.parametrize("loss", ["bce", "weighted_bce", "zlpr", "softmax_ce", "asymmetric", "logit_adjusted"])
def test_labels_that_are_never_or_always_true_leave_every_figure_sound(tmp_path, loss):
    done = mllc("train", *write(tmp_path), f"loss={loss}", "epochs=2", "head.bias_init=prior", f"out={tmp_path}/runs")
    assert done.exit_code == 0, done.output
    (run,) = (tmp_path / "runs").glob("*-s0-*")
    result = json.loads((run / "result.json").read_text())
    assert result["status"] == "done"
    for figures in (result["val"], result["test"], *result["baselines"]["test"].values()):
        assert all(value is not None for value in figures.values()), figures
        assert 0 <= figures["map"] <= 1
        assert figures["labels_scored"] + figures["labels_skipped"] == len(LABELS)
    with (run / "per_label.csv").open(newline="") as file:
        found = {row["label"]: row for row in csv.DictReader(file)}
    assert found["never"]["ap"] == found["never"]["f1"] == ""
    assert float(found["always"]["ap"]) == 1
    assert all(abs(float(row["threshold"])) < float("inf") for row in found.values())


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("split.folds=1", "split.folds=1 is not allowed"),
        ("split.fold=1", "split.fold=1 is one of how many folds? Type split.folds=5 as well"),
        ("split.folds=3 split.fold=3", "split.fold=3: split.folds=3 are counted from 0 to 2"),
        ("split.folds=2 split.fold=-1", "split.fold=-1 is not allowed"),
    ],
)
def test_folds_that_make_no_sense_are_refused_before_anything_is_read(override, message):
    with pytest.raises(ConfigError) as error:
        compose(override.split())
    assert message in str(error.value)


def test_more_folds_than_samples_and_formats_without_groups(tmp_path):
    typed = write(tmp_path)
    done = mllc("check", *typed, "split.folds=61")
    assert done.exit_code == 2
    assert "split.folds=61: there are only 60 samples; give fewer folds" in done.output
    done = mllc("check", "split.group=film")
    assert done.exit_code == 2
    assert "split.group=film: dataset=digits reads no groups; these do: arff" in done.output


def test_a_search_has_one_fold():
    with pytest.raises(ConfigError, match=r"split\.fold=0,1: each fold would need a search of its own"):
        expand_tuned(["tune.trials=2", "split.folds=2", "split.fold=0,1"], by=["loss"])
    expand_tuned(["tune.trials=2", "split.folds=2", "split.fold=1"], by=["loss"])


def test_initial_weights_do_not_depend_on_the_fold(tmp_path):
    typed = [*write(tmp_path), "split.folds=2", "split.fold=0,1"]
    one, other = (share(conf) for conf in expand(typed))
    assert set(one.data.split("test").ids) == set(other.data.train.ids) | set(other.data.split("val").ids)
    assert one.feed.seed == other.feed.seed


@pytest.mark.parametrize("cache", ["disk", "none"])
def test_images_of_one_group_stay_together_in_every_fold_whatever_holds_them(tmp_path, cache):
    for split, number in (("train", 12), ("test", 6)):
        lines = ["image,labels,film"]
        for row in range(number):
            level = 10 * row + (split == "test") * 5
            save_image(torch.full((3, 8, 8), level / 255), tmp_path / f"{split}{row}.png")
            lines.append(f"{split}{row}.png,{'a|b' if row % 2 else 'c'},{split}{row // 2}")
        (tmp_path / f"{split}.csv").write_text("\n".join(lines) + "\n")
    files = [f"dataset.{split}={tmp_path}/{split}.csv" for split in ("train", "test")]
    typed = ["dataset=images", f"dataset.root={tmp_path}", *files, "dataset.size=8", f"dataset.cache={cache}"]
    typed += [
        f"cache={tmp_path}/cache",
        "split.folds=3",
        "split.fold=0,1,2",
        "split.group=film",
        "device=cpu",
        "backbone=patch",
    ]
    tested = []
    for conf in expand(typed):
        shared = share(conf)
        seen = {}
        for split in ("train", "val", "test"):
            part = shared.data.split(split)
            rows = torch.cat([batch.features for batch in shared.feed.split(split)])
            assert len(rows) == len(part)
            for name, group, pixels in zip(part.ids, part.groups or (), rows, strict=True):
                seen.setdefault(group, set()).add(split)
                place = int("".join(letter for letter in name if letter.isdigit()))
                level = 10 * place + name.startswith("test") * 5
                assert torch.allclose(
                    pixels[0, 0, 0], shared.feed.front(torch.full((1, 3, 8, 8), level).byte())[0, 0, 0, 0]
                )
        assert all(len(parts) == 1 for parts in seen.values())
        tested += shared.data.split("test").ids
    assert sorted(tested) == sorted([f"train{row}.png" for row in range(12)] + [f"test{row}.png" for row in range(6)])


def test_the_screen_tells_folds_apart():
    (whole,) = expand(["dataset=digits"], None, preset=None)
    (fold,) = expand(["dataset=digits", "split.folds=3", "split.fold=2", "seed=4"], None, preset=None)
    assert (repeat_of(whole), repeat_of(fold)) == ("digits, seed 0", "digits, seed 4, fold 2")
