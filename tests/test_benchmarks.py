"""Every benchmark runs end to end in a tiny configuration; benchmarks/README.md shows what its results files hold."""

import importlib
import json
import re
import shlex
from pathlib import Path

import pytest
import torch
from test_readme import write_features, write_photos

from mllc.advice import OWN_POWER, TUNED_POWER

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def script(monkeypatch, tmp_path):
    """script(name): the module of a benchmark; what it writes goes to tmp_path."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setattr(importlib.import_module("machine"), "RESULTS", tmp_path / "results")
    return importlib.import_module


def written(tmp_path):
    (file,) = (tmp_path / "results").glob("*.json")
    return json.loads(file.read_text())


@pytest.mark.slow
def test_train(script, tmp_path):
    tiny = shlex.split("--backbone patch --size 16 --batch 8 --images 24 --trials 2 --rounds 2 --device cpu")
    found = script("train").main(tiny)
    assert written(tmp_path) == found
    assert found["images_per_second"].keys() == {"bare", "trial", "cohort", "feed"}
    assert all(0 < rate["low"] <= rate["median"] <= rate["high"] for rate in found["images_per_second"].values())
    for name, share in found["share_of_bare"].items():
        shares = [one[name] / one["bare"] for one in found["rounds"]]
        assert min(shares) - 1e-3 <= share["median"] <= max(shares) + 1e-3
    assert found["machine"]["threads"] >= 1


@pytest.mark.slow
def test_epoch(script, tmp_path, monkeypatch, capsys):
    tiny = (
        "dataset=synthetic",
        "dataset.samples=200",
        "dataset.test_samples=20",
        "backbone=mlp",
        "backbone.hidden=[8]",
    )
    epoch = script("epoch")
    monkeypatch.setattr(epoch, "SCENES", {"tiny": tiny})
    found = epoch.main(["--epochs", "3", "--device", "cpu"])
    assert written(tmp_path) == found
    assert found["seconds"]["tiny"].keys() == set(epoch.PARTS)
    assert found["seconds"]["tiny"]["steps"]["median"] > 0  # the others may take less than a millisecond
    assert 0 < sum(one["median"] for one in found["share"]["tiny"].values()) < 1.2
    assert "| tiny |" in capsys.readouterr().out


@pytest.mark.slow
def test_data(script, tmp_path, capsys):
    write_photos(tmp_path / "corel")
    (tmp_path / "corel/labels.txt").write_text("r\ng\nb\n")
    tiny = "--images 24 --batch 8 --size 32 --decoded 2 --streamed 40 --rounds 2 --training-rounds 1 --device cpu"
    data = script("data")
    found = data.main([*shlex.split(tiny), "--parts", ",".join(data.PARTS), "--corel", str(tmp_path / "corel")])
    assert written(tmp_path) == found
    assert found["training"]["rate"].keys() == {"bare", "memory", "disk", "none"}
    assert found["streaming"]["images"] == 40
    assert 0 < found["streaming"]["before_gib"] <= found["streaming"]["peak_gib"]  # forty images are over in no time
    assert [*data.figures(found)] == list(data.GOALS)
    assert "| Corel-5k cached, s |" in capsys.readouterr().out
    assert str(tmp_path) not in json.dumps(found)


@pytest.mark.slow
def test_cohort(script, tmp_path, monkeypatch):
    cohort = script("cohort")
    monkeypatch.setattr(cohort, "LOSSES", ["bce", "softmax_count"])
    found = cohort.main(shlex.split("--images 40 --size 32 --epochs 1 --rounds 1 --device cpu"))
    assert written(tmp_path) == found
    assert found["same_figures"], "a trial in a cohort does the work of a process of its own"
    assert found["settings"]["samples"]["test"] == 8
    assert found["times_less"]["processor"]["median"] > 1


@pytest.mark.slow
def test_data_reading(script, tmp_path, monkeypatch):
    reading = script("data_reading")
    found = reading.main(shlex.split(f"--rounds 2 --samples 300 --features 500 --labels 40 --bibtex {tmp_path}/none"))
    assert written(tmp_path) == found
    assert found["files"].keys() == {"synthetic"}
    one = found["files"]["synthetic"]
    assert 0 < one["times_faster"]["low"] <= one["times_faster"]["median"] <= one["times_faster"]["high"]
    assert one["peak_over_arrays"]["median"] > 1


@pytest.mark.slow
def test_losses(script, tmp_path, capsys, monkeypatch):
    losses = script("losses")
    monkeypatch.setattr(losses, "PAIRWISE", (8, 30))
    monkeypatch.setattr(importlib.import_module("mllc.losses.blocks"), "AT_ONCE", 60)
    found = losses.main(
        shlex.split("--losses asymmetric,zlpr,lsep,softmax_count --shapes 8x30 --rounds 2 --device cpu")
    )
    assert written(tmp_path) == found
    assert found["against_bce"]["8x30"].keys() == {"asymmetric", "zlpr", "lsep", "softmax_count"}
    assert found["against_bce"]["8x30"]["asymmetric"]["eager"]["tensors"] <= 5.2
    assert found["against_published"].keys() == {"asymmetric", "zlpr", "lsep"}
    table = capsys.readouterr().out
    assert "| zlpr | 8x30 |" in table
    for name, form in losses.PUBLISHED.items():
        logits, targets = losses.random_batch((8, 30), torch.device("cpu"))
        value, inputs = losses.own(losses.build(name, targets), logits, targets)
        torch.testing.assert_close(form(logits, targets) / 8, value(*inputs), rtol=1e-4, atol=1e-5)


def test_verdict(script, tmp_path, capsys):
    found = script("verdict").main(shlex.split("--rounds 1 --samples 60 --labels 5"))
    assert written(tmp_path) == found
    assert found["seconds"].keys() == {"compare", "pairwise", "across", "map", "micro_f1"}
    assert "| compare |" in capsys.readouterr().out


@pytest.mark.slow
def test_metrics(script, tmp_path, capsys):
    pytest.importorskip("torchmetrics")
    found = script("metrics").main(shlex.split("--samples 40000 --labels 40 --large 50000 --rounds 1 --device cpu"))
    assert written(tmp_path) == found
    assert found["figures"].keys() == {"ap", "thresholds", "counts"}
    for one in found["figures"].values():
        assert one["difference"] < found["goal"]["difference"]
        assert one["seconds"].keys() == {"mllc", "all threads", "scikit-learn", "torchmetrics"}
    assert [one["shape"] for one in found["alone"]] == [[40000, 40], [50000, 40]]
    assert all(one["peak_over_scores"] > 1.5 for one in found["alone"]), "what is given is part of it"
    assert "| 40000 x 40 |" in capsys.readouterr().out


@pytest.mark.slow
def test_demo(script, tmp_path):
    found = script("demo").main(shlex.split("dataset.samples=200 dataset.test_samples=80 dataset.grid=2 epochs=1"))
    assert written(tmp_path) == found
    assert {"zlpr", "bce", "untuned", "all_zeros"} <= {row["name"] for row in found["rows"]}
    assert "| zlpr |" in found["table"]
    assert min(found["train_s"], found["demo_s"], found["peak_mib"]) > 0


@pytest.mark.slow
def test_real_data(script, tmp_path, monkeypatch):
    real_data = script("real_data")
    monkeypatch.setattr(real_data, "LOSSES", "loss=bce,zlpr")
    data = tmp_path / "data"
    mulan = {"bibtex": "bibtex-{}.arff bibtex.xml", "corel5k": "Corel5k-{}-sparse.arff Corel5k.xml"}
    for folder, names in mulan.items():
        (data / "mulan" / folder).mkdir(parents=True)
        write_features(data / "mulan" / folder)
        arff, xml = names.split()
        for name, place in {"labels.xml": xml, **{f"{s}.arff": arff.format(s) for s in ("train", "test")}}.items():
            (data / "mulan" / folder / name).rename(data / "mulan" / folder / place)
    write_photos(data / "corel5k")
    (data / "corel5k/labels.txt").write_text("r\ng\nb\n")
    found = real_data.main(data)
    assert written(tmp_path) == found
    for name in real_data.comparisons(data):
        assert {"zlpr", "bce", "all_zeros"} <= {row["name"] for row in found[name]["rows"]}
        assert "| zlpr |" in found[name]["table"]
        assert str(data) not in json.dumps(found[name]["sweep"])


@pytest.mark.slow
def test_catalogue(script, tmp_path, monkeypatch):
    catalogue = script("catalogue")
    monkeypatch.setattr(catalogue, "LOSSES", "loss=bce,smooth_ap,softmax_count")
    monkeypatch.setattr(catalogue, "DIGITS", [*catalogue.DIGITS, "dataset.samples=200", "dataset.grid=2"])
    folder = tmp_path / "data" / "mulan" / "bibtex"
    folder.mkdir(parents=True)
    write_features(folder)
    for name, place in {
        "labels.xml": "bibtex.xml",
        "train.arff": "bibtex-train.arff",
        "test.arff": "bibtex-test.arff",
    }.items():
        (folder / name).rename(folder / place)
    found = catalogue.main([str(tmp_path / "data"), "epochs=1"])
    assert written(tmp_path) == found
    for name in ("digits", "bibtex"):
        assert {"bce", "smooth_ap", "softmax_count"} <= {row["loss"] for row in found[name]["rows"]}
    assert str(tmp_path) not in json.dumps(found)


@pytest.mark.slow
def test_report(script, tmp_path, monkeypatch, capsys):
    report = script("report")
    monkeypatch.setattr(report, "LOSSES", "bce,zlpr")
    monkeypatch.setattr(report, "RATES", "0.01,0.1")
    found = report.main(shlex.split("--rounds 1 --pages 1 --seeds 2 --labels 6"))
    assert written(tmp_path) == found
    assert found["runs"] == 8
    assert found["seconds"].keys() == {"table", "json", "page"}
    assert 0.05 < found["page_mb"] < 3
    assert "| 8 runs | s |" in capsys.readouterr().out


@pytest.mark.slow
def test_comparisons(script, tmp_path, monkeypatch):
    comparisons = script("comparisons")
    monkeypatch.setattr(comparisons, "TEN", "loss=bce,zlpr")
    monkeypatch.setattr(comparisons, "PICTURES", {"bibtex": ("comparison",)})
    monkeypatch.setattr(comparisons, "CELLS", ["loss=bce,zlpr", "optimizer=adam,sgd", *comparisons.CELLS[2:]])
    folder = tmp_path / "data" / "mulan" / "bibtex"
    folder.mkdir(parents=True)
    write_features(folder)
    for name, place in comparisons.FILES["bibtex"].items():
        (folder / f"{name}{Path(place).suffix}").rename(folder / place)
    words = [f"data={tmp_path / 'data'}", f"out={tmp_path / 'runs'}", "epochs=1", "tune.trials=2", "seed=range(2)"]
    comparisons.main(["only=bibtex", *words])
    found = comparisons.main(["only=bibtex_optimizers", *words])
    assert written(tmp_path) == found
    assert comparisons.main(["only=bibtex", *words])["bibtex"] == found["bibtex"], "done before: read again, same time"
    (picture,) = (tmp_path / "results").glob("*-comparisons-bibtex-comparison.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert {"bibtex", "bibtex_optimizers", "machine"} == found.keys(), "what was not run again is kept"
    assert {"bce", "zlpr", "all_zeros"} <= {row["name"] for row in found["bibtex"]["rows"]}
    assert all(row["trials"] == 4 for row in found["bibtex"]["rows"] if row["status"] == "done")
    assert "| zlpr |" in found["bibtex"]["table"]
    head, _, *lines = found["bibtex_optimizers"]["table"].splitlines()
    assert head == "| loss | adam | sgd |"
    assert [line.split(" | ")[0] for line in lines] == ["| bce", "| zlpr"]
    assert str(tmp_path) not in json.dumps(found)


@pytest.mark.slow
def test_pos_weight_atlas(script, tmp_path, capsys):
    atlas = script("pos_weight_atlas")
    found = atlas.main(["cells=quick", f"out={tmp_path / 'runs'}"])
    (file,) = (tmp_path / "results").glob("*.json")
    assert json.loads(file.read_text()) == found
    assert file.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert "| 12x1 | 12 | 1 |" in printed
    assert "| 12x3 † | 12 | 3 |" in printed
    for cell in found["cells"]:
        forms = {form: [row for row in cell["rows"] if row["form"] == form] for form in ("one", "each")}
        assert all([row["power"] for row in rows] == [0, 0.5, 1] for rows in forms.values())
        none, other = (rows[0] for rows in forms.values())
        assert none["own"] == other["own"], "without a weight both forms are the same run"
        predicted = [row["own"]["labels_per_sample"] for row in forms["one"]]
        assert predicted[0] < predicted[-1], "more weight predicts more"
    again = atlas.main(["cells=quick", f"out={tmp_path / 'runs'}"])
    assert "is done" in (tmp_path / "runs/12x1.log").read_text()
    assert [cell["rows"] for cell in again["cells"]] == [cell["rows"] for cell in found["cells"]]
    assert atlas.main([f"results={file}"]) == again, "an earlier results file is drawn and printed without measuring"


def weighed(best, *, held_out=False, labels=100, mean_true=4.0, reached=0.5):
    """A data set whose figures fall off with the distance from the power `best`, twice as fast a number a label."""

    def row(form, power):
        value = reached - {"one": 0.1, "each": 0.2}[form] * (power - best) ** 2
        own = {"micro_f1": value, "labels_per_sample": 2.0 + 4 * power, "std": 0.01, "lr": 0.1}
        tuned = {"micro_f1_tuned": value, "map": value, "val": reached, "std": 0.02, "lr": 0.1}
        return {"form": form, "power": power, "own": own, "tuned": tuned}

    rows = [row(form, power / 4) for form in ("one", "each") for power in range(5)]
    about = {"name": f"best{best}", "group": "100 labels", "labels": labels, "mean_true": mean_true}
    return {**about, "true_labels_per_sample": mean_true, "held_out": held_out, "rows": rows}


def test_the_rule_is_made_of_what_is_not_held_out(script):
    rule = script("pos_weight_rule")
    made = rule.fit([weighed(0.5), weighed(0.5), weighed(1.0, held_out=True)])
    for way in ("own", "tuned"):
        assert made[way] == {"one": 0.5, "each": 0.5, "number": 5}, "(100 / 4 - 1)^0.5 = 4.9"
    between = rule.fit([weighed(0.25), weighed(0.5)])["own"]["one"]
    assert between == pytest.approx(0.375, abs=0.08)


def test_what_a_weight_loses(script):
    rule = script("pos_weight_rule")
    cell = weighed(0.5)
    for form, power, loss in (("one", 0, 0.025), ("each", 1, 0.05), ("one", 0.5, 0), ("one", 1.7, 0.025)):
        assert rule.lost(cell, form, power, "own", "micro_f1") == pytest.approx(loss)
    assert rule.power_of(cell, 24.0) == pytest.approx(1)
    assert 24 ** rule.calibrated(weighed(0.5, reached=0.4)) == pytest.approx(4)
    found = {"cells": [weighed(0.5), weighed(0.25, held_out=True), weighed(1.0, held_out=True)]}
    found |= {"rule": rule.fit(found["cells"]), "plan": {"seeds": 5, "rates": [0.1], "powers": [0, 0.25, 0.5, 0.75, 1]}}
    assert rule.tried(found)["no weight"]["own"] == (
        pytest.approx((0.1 / 16 + 0.1) / 2),
        pytest.approx(0.1),
        "best1.0",
    )
    assert "0.50 | 0.75 | 1.00 | 1.25 | 1.50 |" in script("pos_weight_text").figures(found), "for each true one"


@pytest.mark.slow
def test_startup(script, capsys):
    startup = script("startup")
    startup.main(2)
    table = capsys.readouterr().out
    assert all(f"| {name} |" in table for name in startup.COMMANDS)


RESULTS = [file for name in ("train", "cohort") for file in (BENCHMARKS / "results").glob(f"*-{name}.json")]


@pytest.mark.parametrize("file", RESULTS, ids=lambda file: file.stem)
def test_the_readme_shows_the_results(file):
    found = json.loads(file.read_text())
    text = (BENCHMARKS / "README.md").read_text()
    section = next(part for part in re.split(r"^## ", text, flags=re.M) if file.name in part)
    assert found["machine"]["torch"] in text
    if "times_less" in found:
        shown = [f"{rate['median']:.1f} |" for by_clock in found["seconds"].values() for rate in by_clock.values()]
        shown += [f"{times['median']:.1f} |" for times in found["times_less"].values()]
    else:
        shown = [f"{rate['median']:.0f} |" for rate in found["images_per_second"].values()]
        shown += [f"{share['median']:.2f} |" for share in found["share_of_bare"].values()]
    for figure in shown:
        assert f"| {figure}" in section, figure


def results(name):
    files = sorted((BENCHMARKS / "results").glob(f"*-{name}.json"))
    return pytest.mark.parametrize("file", files, ids=lambda file: file.stem)


@results("losses")
def test_the_readme_shows_the_cost_of_every_loss(file, script):
    found, text = json.loads(file.read_text()), (BENCHMARKS / "README.md").read_text()
    tables = script("losses").tables(found)
    assert all(line in text for line in tables.splitlines())
    names = {path.stem for path in (BENCHMARKS.parent / "conf/loss").glob("*.yaml")}
    assert set(found["against_bce"]["256x1000"]) == names
    assert set(found["against_bce"]["2048x10000"]) == names - {"smooth_ap"}


@results("losses")
def test_the_cost_of_losses_is_what_they_were_written_for(file):
    found = json.loads(file.read_text())
    large, published = found["against_bce"]["2048x10000"], found["against_published"]
    dear = {name for name, sides in large.items() if sides["eager"]["times"]["median"] > 6}
    assert dear <= {"warp", "multilabel_margin", "two_way"}, "the README says why"
    assert published["asymmetric"]["2048x10000"]["published"]["times"]["median"] >= 4
    assert max(shape["own"]["tensors"] for shape in published["asymmetric"].values()) <= 5
    assert published["zlpr"]["2048x10000"]["published"]["times"]["median"] >= 8
    assert published["lsep"]["64x1000"]["published"]["times"]["median"] >= 300


@results("epoch")
def test_the_readme_shows_what_an_epoch_costs(file, script):
    found = json.loads(file.read_text())
    assert script("epoch").table(found) in (BENCHMARKS / "README.md").read_text()
    for scene in found["share"].values():
        assert scene["validation"]["median"] <= found["goal"]


@results("order")
def test_the_readme_shows_that_taking_turns_is_no_slower(file, script):
    found = json.loads(file.read_text())
    assert script("order").table(found) in (BENCHMARKS / "README.md").read_text()
    assert all(one["times longer"]["median"] >= 1 for one in found["scenes"].values())


@results("sweep")
def test_the_readme_shows_what_a_sweep_takes(file, script):
    found, sweep = json.loads(file.read_text()), script("sweep")
    assert sweep.table(found).strip() in (BENCHMARKS / "README.md").read_text()
    assert found["scenes"].keys() == sweep.GOALS.keys()
    readme = (BENCHMARKS.parent / "README.md").read_text()
    for name in ("heads 5", "frozen 5"):
        ours, theirs = (found["scenes"][name]["seconds"][side]["wall"]["median"] for side in ("sweep", "process"))
        assert re.search(rf"\b{ours:.0f} s\b.{{0,80}}\b{theirs:.0f} s\b", readme, re.DOTALL), name
    for name, goal in sweep.GOALS.items():
        times = {side: one["wall"]["median"] for side, one in found["scenes"][name]["times_less"].items()}
        assert times["process"] >= goal
        assert times["lightning"] > times["process"]


@results("sweep_growth")
def test_the_readme_shows_how_a_sweep_grows(file, script):
    found = json.loads(file.read_text())
    text = (BENCHMARKS / "README.md").read_text()
    assert script("sweep_growth").table(found) in text
    assert f"results/{file.stem}.png" in text
    assert file.with_suffix(".png").exists()


@results("verdict")
def test_the_readme_shows_what_statistics_cost(file, script):
    found = json.loads(file.read_text())
    assert script("verdict").table(found) in (BENCHMARKS / "README.md").read_text()
    assert found["seconds"]["compare"]["median"] <= found["goal_s"]["compare"]


@results("metrics")
def test_the_readme_shows_what_figures_cost(file, script):
    found = json.loads(file.read_text())
    goal = found["goal"]
    assert script("metrics").tables(found) in (BENCHMARKS / "README.md").read_text()
    for what, one in found["figures"].items():
        assert one["times"]["scikit-learn"]["median"] >= goal[what]
        assert one["difference"] <= goal["difference"]
    assert all(one["peak_over_scores"] <= goal["memory"] for one in found["alone"])


@results("data_reading")
def test_the_readme_shows_how_fast_sparse_text_is_read(file, script):
    found = json.loads(file.read_text())
    assert script("data_reading").table(found) in (BENCHMARKS / "README.md").read_text()
    for one in found["files"].values():
        assert one["times_faster"]["low"] >= found["goal"]["seconds"]
        assert one["peak_over_arrays"]["high"] <= found["goal"]["memory"]


@results("data")
def test_the_readme_shows_what_images_cost(file, script):
    found = json.loads(file.read_text())
    text = (BENCHMARKS / "README.md").read_text()
    assert script("data").training_table(found) in text
    if not found["machine"]["cuda"]:
        assert script("data").table(found) in text


@results("report")
def test_the_readme_shows_how_long_the_report_takes(file, script):
    found = json.loads(file.read_text())
    assert found["runs"] == 500
    assert script("report").table(found) in (BENCHMARKS / "README.md").read_text()
    assert all(found["seconds"][name]["median"] <= goal for name, goal in found["goal_s"].items())


@results("catalogue")
def test_the_readmes_show_what_every_loss_does(file, script):
    found = json.loads(file.read_text())
    tables = script("catalogue").tables(found)
    assert tables["digits"] in (BENCHMARKS.parent / "README.md").read_text()
    assert tables["bibtex"] in (BENCHMARKS / "README.md").read_text()
    names = {path.stem for path in (BENCHMARKS.parent / "conf/loss").glob("*.yaml")}
    for sweep in ("digits", "bibtex"):
        assert names <= {row["loss"] for row in found[sweep]["rows"]}


@results("comparisons")
def test_the_readmes_show_the_tuned_comparisons(file, script):
    found = json.loads(file.read_text())
    first, other = ((folder / "README.md").read_text() for folder in (BENCHMARKS.parent, BENCHMARKS))
    searches = script("comparisons").two_searches(found)
    assert searches in other
    verdicts = [[cell.split()[-1] for cell in line.split("|")[3:5]] for line in searches.splitlines()[2:]]
    same = sum(one == two for one, two in verdicts)
    opposite = sum({one, two} == {"better", "worse"} for one, two in verdicts)
    assert (same, len(verdicts), opposite) == (15, 25, 1)
    assert "15 of the 25 verdicts are the same, and one is the opposite" in other
    for name in (name for name in found if name != "machine" and not name.endswith("_random_start")):
        text = first if name == "digits" else other
        rows = [line for line in found[name]["table"].splitlines() if line.startswith("|")]
        assert "\n".join(rows) in text
    for picture in file.parent.glob(f"{file.stem}-*.png"):
        assert f"(benchmarks/results/{picture.name})" in first


@results("comparisons")
def test_the_tuned_comparisons_are_what_they_are_measured_for(file):
    found = json.loads(file.read_text())
    assert found["digits"]["wall_seconds"] <= 3600
    for name, (losses, seeds) in {"digits": (8, 6), "bibtex": (10, 10), "corel5k": (10, 10)}.items():
        searched = [row for row in found[name]["rows"] if row["search"]]
        assert len(searched) == losses
        assert all(row["search"][0]["trials"] == 10 and len(row["seeds"]) == seeds for row in searched)
        assert all(row["verdict"] for row in searched if row["name"] != "bce")
    for name in ("digits_optimizers", "bibtex_optimizers"):
        cells = {tuple(row["group"].values()) for row in found[name]["rows"] if row["search"]}
        assert len(cells) == 25, "five losses with five optimizers, the learning rate tuned in each"


@results("pos_weight_atlas")
def test_the_readme_and_the_advice_are_those_of_the_atlas(file, script):
    found = json.loads(file.read_text())
    rule = script("pos_weight_rule")
    assert rule.fit(found["cells"]) == found["rule"]
    assert {way: found["rule"][way]["one"] for way in rule.WAYS} == {"own": OWN_POWER, "tuned": TUNED_POWER}
    assert script("pos_weight_text").section(found, file.stem) in (BENCHMARKS / "README.md").read_text()
    assert file.with_suffix(".png").exists()


@results("pos_weight_atlas")
def test_the_atlas_says_what_it_is_measured_for(file, script):
    found = json.loads(file.read_text())
    rule = script("pos_weight_rule")
    assert len(found["cells"]) == 22
    losses = {name: columns["own"][0] for name, columns in rule.tried(found).items()}
    assert losses["rule, one number"] < min(losses["no weight"], losses["balanced, one number"])
    for cell in found["cells"]:
        assert max(rule.predicted(cell, "one").values()) < cell["labels"] / cell["mean_true"] * 0.9, "not all ones"


REAL = list((BENCHMARKS / "results").glob("*-real_data.json"))


@pytest.mark.parametrize("file", REAL, ids=lambda file: file.stem)
def test_the_readme_shows_the_tables_of_real_data(file):
    found, text = json.loads(file.read_text()), (BENCHMARKS / "README.md").read_text()
    for name in ("bibtex", "corel5k_features", "corel5k_images"):
        rows = [line for line in found[name]["table"].splitlines() if line.startswith("|")]
        assert "\n".join(rows) in text


@pytest.mark.parametrize("file", REAL, ids=lambda file: file.stem)
def test_real_data_says_what_it_is_measured_for(file):
    found = json.loads(file.read_text())
    rows = {name: {row["name"]: row for row in found[name]["rows"]} for name in ("bibtex", "corel5k_features")}
    trained = {name: [row for row in rows[name].values() if row["trials"]] for name in rows}
    regression = found["logistic_regression"]["bibtex"]["map"]
    assert max(row["map"] for row in trained["bibtex"]) > regression
    nothing = rows["corel5k_features"]["all_zeros"]["hamming_loss"]
    assert all(row["hamming_loss"] > nothing for row in trained["corel5k_features"])


@pytest.mark.slow
def test_sweep(script, tmp_path, monkeypatch, capsys):
    pytest.importorskip("lightning")
    sweep = script("sweep")
    for module in (sweep, script("sweep_peers")):
        monkeypatch.setattr(module, "LOSSES", ("bce", "zlpr"))
        monkeypatch.setattr(module, "RUNS", 10)
    found = sweep.main(shlex.split("--small --rounds 1 --epochs 1 --scenario scratch"))
    assert written(tmp_path) == json.loads(json.dumps(found))
    one = found["scenes"]["scratch 1"]
    assert one["seconds"].keys() == {"first", "sweep", *sweep.PEERS}
    for side in sweep.PEERS:
        mine, ours = one["figures"][side]["map"]
        assert abs(mine - ours) < 0.2, "the sides do the same work"
    assert "| `mllc sweep` |" in capsys.readouterr().out
    assert sweep.main(["--table"]) == found
    assert str(tmp_path) not in json.dumps(found)


@pytest.mark.slow
def test_order(script, tmp_path, monkeypatch):
    order = script("order")
    monkeypatch.setattr(order, "SCENES", {"digits": ("dataset=digits", "dataset.samples=300")})
    found = order.main(shlex.split("--epochs 1 --rounds 1 --trials 2"))
    assert written(tmp_path) == found
    assert "digits x 1" in found["scenes"]
    assert "| digits | 1 | " in order.table(found)


@pytest.mark.slow
def test_sweep_growth(script, tmp_path, monkeypatch):
    growth = script("sweep_growth")
    monkeypatch.setattr(growth, "GROWS", {"losses": (1, 2), "labels": (10, 20)})
    monkeypatch.setattr(growth, "START", {"losses": 1, "seeds": 1, "samples": 200, "labels": 10})
    found = growth.main(shlex.split("--rounds 1 --small"))
    assert written(tmp_path) == found
    assert found["growth"].keys() == {"losses", "labels"}
    (picture,) = (tmp_path / "results").glob("*-sweep_growth.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
