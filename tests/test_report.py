import csv
import io
import json
import os
import re
import statistics
import subprocess
import sys
from dataclasses import replace

import pytest
from rich.cells import cell_len
from sample_runs import figures, make

from mllc import report
from mllc.errors import ConfigError, StoreError
from mllc.report.comparison import label
from mllc.report.notes import notes
from mllc.study import Range, Study, Try

NEEDED = {
    *("dataset", "backbone", "loss", "optimizer", "seed", "seeds", "status", "map", "micro_f1", "macro_f1"),
    *("hamming_loss", "micro_f1_tuned", "macro_f1_tuned", "hamming_loss_tuned", "labels_per_sample", "collapsed"),
    *("run_id", "run_ids", "name", "settings", "trials", "map_std"),
}


def sweep():
    """Three losses, two rates, three seeds (the better rate scored on test), and a silent row."""
    results = []
    for seed in range(3):
        for loss, value in (("bce", 0.2), ("softmax_ce", 0.7), ("zlpr", 0.8)):
            good = make(loss, seed, value + seed / 100, lr=0.1)
            if loss == "softmax_ce":
                flood = {"verdict": "flood", "first_epoch": 2, "last_epoch": 6, "ranks": True, "others": []}
                good = replace(good, test=figures(value, 0.01, 0.75, 420.0), collapse=flood)
            results += [good, make(loss, seed, value / 2, lr=0.01, test=None)]
        silent = {"verdict": "silent", "first_epoch": 1, "last_epoch": 6, "ranks": False, "others": []}
        mean = {"loss.reduction": "mean"}
        row = make("bce", seed, 0.01, name="untuned", settings=mean, collapse=silent)
        results.append(replace(row, test=figures(0.01, 0.0, 0.1, 0.0)))
    return results


def objects(results, **options):
    return {row["name"]: row for row in json.loads(report.render(results, format="json", **options))}


def save(folder, result):
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("")
    if result is not None:
        (folder / "result.json").write_text(result.to_json())


# Reading


def test_load_finds_runs_at_three_levels_once_and_tells_of_the_unfinished(tmp_path):
    save(tmp_path / "a", make(seed=0))
    save(tmp_path / "b/c/d", make(seed=1))
    save(tmp_path / "b/c/e/f", make(seed=2))
    save(tmp_path / "cut", None)
    said = []
    found = report.load([tmp_path, tmp_path / "a"], say=said.append).results
    assert [run.seed for run in found] == [0, 1]
    assert found[0] == make(seed=0)
    assert len(said) == 1
    assert f"1 unfinished run in {tmp_path}, {tmp_path / 'a'} ({tmp_path / 'cut'}); the command" in said[0]


def test_three_unfinished_runs_are_named_and_how_to_finish_them(tmp_path, monkeypatch):
    save(tmp_path / "done", make())
    for i in range(5):
        save(tmp_path / f"cut{i}", None)
    monkeypatch.chdir(tmp_path)
    said = []
    report.load(["."], say=said.append)
    assert "5 unfinished runs in . (cut0, cut1, cut2 and 2 more); the command that began a run also" in said[0]
    assert "environment.json" in said[0]


def test_load_speaks_on_stderr(tmp_path, capsys):
    save(tmp_path / "a", make())
    save(tmp_path / "b", None)
    report.load([tmp_path])
    assert "1 unfinished run" in capsys.readouterr().err


def test_load_takes_a_run_folder(tmp_path):
    save(tmp_path / "a", make())
    assert len(report.load([tmp_path / "a"], say=pytest.fail).results) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expecting value"),
        (make().to_json()[:200], "a/result.json"),
        (make().to_json().replace('"format": 1', '"format": 99'), "format 99"),
        ("[]", "format 'list'"),
        ("\0\0", "a/result.json"),
        (make().to_json().replace('"seed"', '"sead"'), "sead"),
        (make().to_json().replace('"map": 0.5', '"map": "abc"'), 'val.map is "abc", but a number or null is expected'),
        (make().to_json().replace('"map": 0.5', '"map": [0.5]'), "val.map is [0.5]"),
        (make().to_json().replace('"seconds": 10.0', '"seconds": null'), "seconds is null, but a number is expected"),
        (make().to_json().replace('"seconds": 10.0', '"seconds": NaN'), "seconds is NaN"),
        (make().to_json().replace('"seed": 0', '"seed": 0.5'), "seed is 0.5, but a whole number is expected"),
        (make().to_json().replace('"verdict": null', '"verdict": []'), "collapse.verdict is []"),
        (make().to_json().replace('"split": "s0"', '"split": {}'), "data.split is {}"),
        (make().to_json().replace('"train": 80', '"train": null'), "data.samples.train is null"),
        (replace(make(), shared=[]).to_json(), "shared is [], but an object is expected"),
    ],
)
def test_a_damaged_result_is_named_and_refused(tmp_path, text, message):
    save(tmp_path / "ok", make())
    save(tmp_path / "a", make())
    (tmp_path / "a/result.json").write_text(text)
    with pytest.raises(StoreError, match=re.escape(message)) as caught:
        report.load([tmp_path])
    assert "a/result.json" in str(caught.value)
    assert "type its command again" in str(caught.value)


def test_a_result_that_cannot_be_read_is_not_called_damaged(tmp_path):
    save(tmp_path / "a", None)
    (tmp_path / "a/result.json").mkdir()
    with pytest.raises(StoreError, match=r"a/result.json cannot be read \(Is a directory\): make it readable"):
        report.load([tmp_path / "a"])


def test_many_damaged_results_are_counted(tmp_path):
    for i in range(9):
        save(tmp_path / f"r{i}", make())
        (tmp_path / f"r{i}/result.json").write_text("x")
    with pytest.raises(StoreError, match="9 results") as caught:
        report.load([tmp_path])
    assert "and 4 more" in str(caught.value)


def test_zero_runs(tmp_path):
    with pytest.raises(StoreError, match=r"no run in .*type: mllc train"):
        report.load([tmp_path])
    with pytest.raises(StoreError, match="is not a folder"):
        report.load([tmp_path / "nowhere"])
    save(tmp_path / "cut", None)
    with pytest.raises(StoreError, match=r"1 unfinished run .*also finishes it"):
        report.load([tmp_path])


# Figures


def test_json_holds_what_is_promised_and_the_means_are_right():
    rows = objects(sweep())
    assert list(rows) == ["zlpr", "softmax_ce", "bce", "untuned", "all_zeros", "all_ones", "label_prior"]
    assert all(row.keys() >= NEEDED for row in rows.values())
    bce = rows["bce"]
    assert bce["map"] == pytest.approx(statistics.mean([0.2, 0.21, 0.22]))
    assert bce["map_std"] == pytest.approx(statistics.stdev([0.2, 0.21, 0.22]))
    assert bce["seeds"] == [0, 1, 2]
    assert bce["run_ids"] == ["bce-0.1-0", "bce-0.1-1", "bce-0.1-2"]
    assert (bce["status"], bce["split"], bce["trials"], bce["tried"]) == ("done", "test", 6, 2)
    assert bce["settings"]["optimizer.lr"] == 0.1
    assert bce["seconds"] == 60.0
    assert rows["softmax_ce"]["collapsed"] == "flood"
    assert rows["softmax_ce"]["ranks"] is True
    assert (rows["untuned"]["collapsed"], rows["untuned"]["loss"]) == ("silent", "bce")
    zeros = rows["all_zeros"]
    assert (zeros["loss"], zeros["hamming_loss"], zeros["status"]) == ("all_zeros", 0.002, "baseline")


def test_a_row_whose_seeds_collapsed_in_several_ways_tells_each():
    verdicts = ("silent", "constant", "silent")
    runs = [make(seed=seed, collapse={"verdict": kind, "ranks": False}) for seed, kind in enumerate(verdicts)]
    row = objects(runs)["bce"]
    assert (row["collapsed"], row["collapses"]) == ("silent", {"silent": 2, "constant": 1})
    text = report.render(runs, format="md")
    assert "| silent/constant |" in text
    assert "silent: its own rule" in text
    assert "constant: its validation loss" in text
    assert "| silent/constant 3/4 |" in report.render([*runs, make(seed=3)], format="md")


def test_the_settings_shown_are_those_that_vary():
    rows = objects(sweep())
    assert rows["zlpr"]["chosen"] == {"optimizer.lr": 0.1}
    assert rows["untuned"]["chosen"] == {"optimizer.lr": 0.1}
    results = [make(settings={"loss.reduction": r}) for r in ("sum", "mean")] + [make("zlpr")]
    assert objects(results)["bce"]["chosen"].keys() == {"loss.reduction"}
    assert objects(results)["zlpr"]["chosen"] == {}, "another loss's settings differ by nature"


def test_a_row_with_a_name_of_its_own_says_what_it_is():
    results = [make(loss, settings={"loss.reduction": "sum", "clip": 1.0}) for loss in ("bce", "zlpr", "focal")]
    results.append(make(name="untuned", settings={"loss.reduction": "mean", "clip": None}))
    text = " ".join(report.render(results, width=120).split())
    assert "Rows with a name of their own: untuned is bce loss.reduction=mean clip=none." in text


def test_rows_with_settings_that_others_lack_are_called_differently():
    runs = [make("focal", 0, 0.3, settings={"loss.gamma": 2.0}), make("focal", 0, 0.2, settings={"loss.alpha": 2.0})]
    names = [label(row) for row in report.rows(runs, "loss.gamma,loss.alpha") if row.runs]
    assert names == ["2.0", "- 2.0"]


def test_one_seed_has_no_spread():
    row = objects([make()])["bce"]
    assert (row["seed"], row["map_std"]) == (0, None)
    assert "One seed" in report.render([make()])


@pytest.mark.parametrize(("metric", "first"), [("map", "zlpr"), ("lrap", "bce"), ("hamming_loss", "zlpr")])
def test_rows_are_sorted_by_the_metric(metric, first):
    results = [make("bce", value=0.2), make("zlpr", value=0.8)]
    assert next(iter(objects(results, metric=metric))) == first


def test_rows_that_do_not_compare_on_test_come_last_and_are_marked():
    results = [make("tested", s, 0.1) for s in range(2)]
    results += [make("partly", 0, 0.8), make("partly", 1, None, status="diverged", val=None, test=None)]
    results += [make("untested", s, 0.9, test=None) for s in range(2)]
    results += [make("broken", s, None, status="failed", val=None, test=None) for s in range(2)]
    rows = objects(results)
    assert list(rows)[:4] == ["tested", "partly", "untested", "broken"]
    assert [rows[name]["split"] for name in ("tested", "partly", "untested", "broken")] == ["test", "test", "val", None]
    assert rows["partly"]["statuses"] == ["done", "diverged"]
    assert (rows["partly"]["status"], rows["broken"]["status"]) == ("diverged", "failed")
    assert rows["broken"]["map"] is None
    text = report.render(results, width=120)
    assert re.search(r"^2 +partly !.* diverged 1/2 ", text, re.M)
    assert re.search(r"^ +untested †", text, re.M), "what was not scored on test has no rank"
    assert re.search(r"^ +broken .* failed ", text, re.M)
    assert "partly: 1 of 2; broken: 2 of 2" in " ".join(text.split())
    assert "1 row not scored on test" in text


def test_nothing_scored_on_test_says_validation():
    text = report.render([make(seed=s, test=None) for s in range(2)])
    assert "VALIDATION" in text
    assert objects([make(test=None)])["all_zeros"]["split"] == "val"


def test_figures_that_are_undefined():
    lacking = make(test=figures(0.5, 0.5, 0.5) | {"micro_f1": None})
    assert objects([lacking])["bce"]["micro_f1"] is None
    assert objects([lacking, make(seed=1)])["bce"]["micro_f1"] is None
    for format in report.FORMATS:
        report.render([lacking, make("zlpr")], format=format)


@pytest.mark.parametrize("format", report.FORMATS)
def test_every_format_takes_runs_without_any_figures(format):
    failed = make(value=None, status="failed", val=None, test=None, baselines={}, data={}, message="out of memory")
    assert report.render([failed], format=format).endswith("\n")


def test_unknown_words_are_refused():
    with pytest.raises(ConfigError, match=r"'mapp'.*did you mean 'map'"):
        report.render([make()], metric="mapp")
    with pytest.raises(ConfigError, match=r"'jsn'.*did you mean 'json'.*table, md"):
        report.render([make()], format="jsn")
    with pytest.raises(ConfigError, match="--by"):
        report.render([make()], by="losss")


# What the notes say


def said(results, by="loss"):
    return " ".join(notes(report.rows(results, by), report.Question()))


def test_the_note_on_the_threshold():
    results = [make("a", test=figures(0.5, 0.0, 0.5)), make("b", test=figures(0.5, 0.8, 0.9))]
    assert "0.00 to 0.80 by the rows' own rules and 0.50 to 0.90" in said(results)
    assert "removes 50 % of the gap, and helps a most (0.00 to 0.50)" in said(results)
    worse = [make("a", test=figures(0.5, 0.4, 0.1)), make("b", test=figures(0.5, 0.5, 0.5))]
    assert "does not narrow the gap." in said(worse)
    close = [make("a", test=figures(0.5, 0.030, 0.041)), make("b", test=figures(0.5, 0.044, 0.042))]
    assert "tuning it narrows a gap that is small anyway, and helps a most" in said(close)
    closer = [make("a", test=figures(0.5, 0.040, 0.041)), make("b", test=figures(0.5, 0.044, 0.042))]
    assert "tuning it narrows a gap that is small anyway." in said(closer), "0.04 to 0.04 says nothing"
    assert "%" not in said(close)
    same = [make("a", test=figures(0.5, 0.5, 0.5)), make("b", test=figures(0.5, 0.5, 0.5))]
    assert "does not narrow the gap." in said(same)


@pytest.mark.parametrize(("own", "expected"), [((0.2, 0.9), "1 of 2 trained rows"), ((0.8, 0.9), "none of 2")])
def test_the_note_on_hamming(own, expected):
    results = [make(name, test=figures(0.5, f1, 0.5)) for name, f1 in zip("ab", own, strict=True)]
    assert f"Hamming loss of 0.002: {expected}" in said(results)


def test_notes_on_pairing_and_tuning():
    even = [make(loss, s) for loss in ("a", "b") for s in range(2)]
    assert "seeds:" not in said(even)
    assert "Not paired" not in said(even)
    assert "Unequal" not in said(even)
    assert "different seeds: a: 0 1; b: 0." in said([make("a", 0), make("a", 1), make("b", 0)])
    other = make("b", 0, data={"fingerprint": "ab", "split": "other"})
    assert "Not paired: for seed 0" in said([make("a", 0), other])
    assert "Not paired: for seed 0" in said([make("a", 0), make("a", 1), other]), "whatever else does not pair"
    assert "b: 1; a: 2." in said([make("a", lr=0.1), make("a", lr=0.2), make("b")])
    assert "fewer seeds" in said([make("a", 0, lr=0.1), make("a", 1, lr=0.1), make("a", 0, lr=0.2)])
    tuned = [make("focal", monitor="val_loss", settings={"loss.gamma": g}) for g in (1, 2)]
    assert "val_loss chose" in said(tuned)
    assert "val_loss chose" not in said([make("a", monitor="val_loss"), make("b", monitor="val_loss")])


# Formats


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
@pytest.mark.parametrize("color", [False, True])
def test_the_table_fits(width, color):
    results = [*sweep(), make("a_loss_with_quite_a_long_name_that_someone_chose", 0, 0.4)]
    text = report.render(results, width=width, color=color)
    assert ("\x1b[" in text) == color
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(cell_len(line) for line in plain.splitlines()) <= width
    for word in ("zlpr", "softmax_ce", "untuned", "all_zeros", "all_ones", "label_prior", "mAP", ".810 ±.025"):
        assert word in plain


def test_no_color_is_honoured(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", report.render(sweep(), color=True))


def test_the_columns_at_80_and_100():
    heads = {width: report.render(sweep(), width=width).split("─")[0] for width in (80, 100)}
    for word in ("loss", "mAP", "against", "verdict", "micro F1", "own/tuned", "lab.", "/2"):
        assert word in heads[80]
    for word in ("#", "macro F1", "Hamm.", "/zero", "collapse", "trials", "time"):
        assert word in heads[100]
    assert "more column" in report.render(sweep(), width=80)
    assert "more column" not in report.render(sweep(), width=100)


def test_markup_in_names_is_shown_as_it_is():
    assert "[red]x[/red]" in report.render([make("[red]x[/red]")], width=120)
    assert "[red]x[/red]" in report.run_table(make("[red]x[/red]"))


def test_the_metric_has_a_column_that_stays():
    assert "lrap" in report.render(sweep(), metric="lrap", width=60).split("─")[0]


def test_csv_is_rectangular_and_agrees_with_json():
    table = list(csv.DictReader(io.StringIO(report.render(sweep(), format="csv"))))
    rows = objects(sweep())
    assert [line["name"] for line in table] == list(rows)
    assert None not in {key for line in table for key in line}
    assert float(table[0]["map"]) == rows["zlpr"]["map"]
    assert table[0]["seeds"] == "0 1 2"
    assert "optimizer.lr=0.1" in table[0]["settings"]


def test_a_search_in_csv_is_as_plain_as_settings_are():
    tries = (Try(0, "x", {"optimizer.lr": 0.3}, "done", 0.5),)
    space = {"optimizer.lr": Range(0.001, 0.3, log=True, above=1.0)}
    about = ({"loss": "bce"}, "val_map", 7, "t", "tpe", 1)
    study = Study("s", "bce", *about, space, tries, chosen={"optimizer.lr": 0.3}, final=(make().run_id,))
    (line, *_) = csv.DictReader(io.StringIO(report.render([make()], studies=[study], format="csv")))
    assert line["search"] == "trials=1 seed=7 at_edge=optimizer.lr=high"


def test_markdown_is_a_table_with_all_baselines():
    lines = [line for line in report.render([*sweep(), make("a|b")], format="md").splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert all(f"| {name} |" in "\n".join(lines) for name in ("all_zeros", "all_ones", "label_prior"))
    assert len(lines) == 2 + 5 + 3
    assert any(r"a\|b" in line for line in lines)
    named = report.render([*sweep(), *(make("a|b", seed) for seed in range(3))], format="md", baseline="a|b")
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in named.splitlines() if line.startswith("|")}) == 1


def test_latex_is_a_booktabs_tabular():
    text = report.render(sweep(), format="latex")
    body = [line for line in text.splitlines() if not line.startswith("%")]
    assert body[0].startswith(r"\begin{tabular}{")
    assert (body[1], body[-2], body[-1]) == (r"\toprule", r"\bottomrule", r"\end{tabular}")
    spec = re.fullmatch(r"\\begin\{tabular\}\{([lr]+)\}", body[0])
    cells = [line for line in body if line.endswith(r"\\")]
    assert spec is not None
    assert {line.count(" & ") + 1 for line in cells} == {len(spec[1])}
    assert any(line.startswith(r"2 & softmax\_ce & ") for line in cells)
    assert not any(re.search(r"(?<!\\)[_%#]", line) for line in cells)


def test_blocks_are_apart_and_their_titles_tell_them_apart():
    results = [make(shared={"epochs": n}) for n in (3, 6)] + [make(dataset="bibtex", data={"fingerprint": "c"})]
    text = report.render(results)
    assert "epochs 3" in text
    assert "epochs 6" in text
    assert "bibtex" in text
    rows = json.loads(report.render(results, format="json"))
    assert sum(row["loss"] == "all_zeros" for row in rows) == 3
    assert {row["shared"]["epochs"] for row in rows} == {3, 6}


def test_two_data_sets_of_one_kind_are_told_apart():
    data = {name: make(dataset="arff").data | {"fingerprint": name, "files": {"train": name}} for name in ("a", "b")}
    results = [make(dataset="arff", data=one) for one in data.values()]
    text = report.render(results)
    assert "arff (a): 1000 labels" in text
    assert "arff (b): 1000 labels" in text
    rows = json.loads(report.render(results, format="json"))
    assert [row["files"] for row in rows if row["loss"] == "bce"] == [{"train": "a"}, {"train": "b"}]
    assert "train=a" in report.render(results, format="csv")


# One run


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("color", [False, True])
def test_run_table_fits_and_has_the_three_ways_and_the_baselines(width, color):
    text = report.run_table(sweep()[0], width, color)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert ("\x1b[" in text) == color
    assert max(cell_len(line) for line in plain.splitlines()) <= width
    for word in ("own rule", "all_zeros", "all_ones", "label_prior", "mAP"):
        assert word in plain
    assert "digits: 1000 labels; 80 train, 10 val, 10 test samples; backbone patch" in " ".join(plain.split())
    if width >= 80:
        assert "one tuned threshold (-1.25)" in plain
        assert "leave out 3 labels" in plain


def test_run_table_says_what_the_collapse_is():
    flood = next(run for run in sweep() if run.collapse["verdict"] == "flood")
    text = " ".join(report.run_table(flood, 200).split())
    assert "flood: its own rule predicts 420.00 labels a sample where 2.00 are true (epochs 2 to 6)" in text
    assert "only the threshold is wrong: try the tuned one (micro-F1 0.010 -> 0.750 on test)" in text
    silent = next(run for run in sweep() if run.collapse["verdict"] == "silent")
    text = " ".join(report.run_table(silent, 200).split())
    assert "silent: its own rule predicts 0.00 labels" in text
    assert "does not rank either (on validation mAP 0.010, a random order 0.004)" in text
    few = replace(silent, test={**silent.test, "map": 0.9})
    assert "(on validation mAP 0.010, " in report.run_table(few, 200), "the verdict was made there"
    assert "optimizer.lr, loss.reduction=sum, more epochs" in text, "it was mean"
    text = " ".join(report.run_table(replace(silent, settings={"loss.reduction": "sum"}), 200).split())
    assert "optimizer.lr, more epochs" in text
    constant = replace(make(), collapse={"verdict": "constant", "first_epoch": 3, "last_epoch": 3, "ranks": True})
    assert "(epoch 3); it ranks all the same" in " ".join(report.run_table(constant, 200).split())
    assert "does not rank" not in report.run_table(make())


def test_run_table_of_runs_that_went_wrong():
    failed = make(value=None, status="failed", val=None, test=None, message="out of GPU memory", epochs=0)
    assert report.run_table(failed) == "bce on digits, seed 0: FAILED after 0 epochs: out of GPU memory\n"
    assert "DIVERGED after 6 epochs" in report.run_table(make(status="diverged"))
    assert "validation" in report.run_table(make(test=None))
    assert "worse than that of predicting nothing" in " ".join(report.run_table(make(value=0.1)).split())


# Speed


def test_500_runs_are_read_and_rendered_in_time_without_torch(tmp_path):
    extra = {f"figure_{i}": i / 7 for i in range(40)}
    for i in range(500):
        result = make(f"loss{i % 25}", i % 5, 0.5, lr=0.1 * (1 + i // 125), run_id=str(i))
        save(tmp_path / f"run{i}", replace(result, test=figures(0.5, 0.5, 0.5) | extra))
    code = (
        "import sys; from mllc import report; results = report.load([sys.argv[1]]).results; "
        "text = report.render(results, width=100); "
        "assert len(results) == 500 and 'loss24' in text and 'torch' not in sys.modules"
    )
    before = os.times().children_user  # processor time: the machine may be busy with other tests
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert os.times().children_user - before < 2.0
