"""The page: what it says, that it is complete in itself, valid, accessible, escaped and small; without a browser."""

import base64
import csv
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from run_folders import about, comparison, save
from sample_runs import make

from mllc import report
from mllc.errors import ConfigError, StoreError
from mllc.page import labels as page_labels
from mllc.page.comparison import comparison_page
from mllc.page.file import check_place
from mllc.page.file import save as save_page
from mllc.page.origin import origins, setup, typed
from mllc.page.render import render
from mllc.plots import Picture
from mllc.report import Finished, Question
from mllc.study import Range, Study, Try

VOID = {"meta", "input", "br", "link", "img", "hr", "wbr"}
CLOSES = {"li": {"li"}, "option": {"option"}, "dt": {"dt", "dd"}, "dd": {"dt", "dd"}}
"""What the start of another one ends, as HTML has it."""
OPTIONAL = {"li", "option", "dt", "dd"}

HOSTILE = "<script>alert(1)</script>\"'&amp;]]> </script><!-- ünïcödé 名前 \u202e"


class Page(HTMLParser):
    """The elements of a page, in order: (tag, attributes, text inside); raises where tags do not match."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        assert len(dict(attributes)) == len(attributes), f"<{tag}> has an attribute twice"
        if self.open and self.open[-1]["tag"] in CLOSES.get(tag, ()):
            self.open.pop()
        element = {"tag": tag, "text": "", "parents": [one["tag"] for one in self.open], **dict(attributes)}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        while self.open[-1]["tag"] != tag and self.open[-1]["tag"] in OPTIONAL:
            self.open.pop()
        assert self.open.pop()["tag"] == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def every(self, tag, **wanted):
        wanted = {name.rstrip("_"): value for name, value in wanted.items()}
        return [e for e in self.elements if e["tag"] == tag and wanted.items() <= e.items()]

    def one(self, tag, **wanted):
        (element,) = self.every(tag, **wanted)
        return element


def page_of(finished, asked=None, **more):
    text = render(comparison_page(finished, asked or Question(), **more))
    return text, Page(text)


def with_environment(finished, **changes):
    """environment.json in every folder."""
    facts = {
        "mllc": "0.1.0",
        "packages": {"torch": "2.9.0+cu128"},
        "commit": None,
        "command": ["mllc", "sweep", "loss=bce,zlpr"],
        "folder": "/home/me",
        "started": "2026-01-02T03:04:05+00:00",
    }
    for folder in finished.folders.values():
        (folder / "environment.json").write_text(json.dumps(facts | changes))
    return finished


@pytest.fixture
def few_pictures(monkeypatch):
    """Two small pictures instead of those of the runs, which take seconds to draw."""

    def figures(finished, by, asked, *, only):
        assert finished.results
        pictures = {}
        for name in ("one", "two"):
            figure = Figure(figsize=(2, 1))
            figure.subplots().plot([0, 1], label=HOSTILE)
            pictures[name] = Picture(name, f"{name} {HOSTILE}", HOSTILE, figure)
        return pictures, {}

    monkeypatch.setattr("mllc.page.gallery.figures", figures)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return with_environment(comparison(tmp_path_factory.mktemp("runs"), ("zlpr", "bce", "focal"), seeds=6))


@pytest.fixture(scope="module")
def made(finished):
    return page_of(finished)


def test_it_says_what_the_report_says(finished, made):
    _, page = made
    (block,) = report.compared(finished.results, Question())
    lines = [line["text"] for line in page.every("tr") if "tbody" in line["parents"]]
    for row in block:
        (line,) = [line for line in lines if re.match(rf"\d*{row.name}{row.metrics['map']:.3f}", line)]
        if row.difference:
            assert f"{row.difference.mean:+.3f}" in line
            assert row.difference.verdict in line
            assert f"{row.difference.p_holm:.2g}{row.difference.p_flip_holm:.2g}{row.difference.wins}/6" in line
    lead = page.one("p", class_="lead")["text"]
    assert lead == report.conclusion.conclusion(block, Question())
    assert all(note in page.one("main")["text"] for note in report.notes.notes(block, Question()))
    titles = [one["text"].strip() for one in page.every("h2")]
    assert titles == ["Conclusion", "Comparison", "Pictures", "Labels", "Settings and budget", "How to repeat it"]


@pytest.mark.usefixtures("few_pictures")
def test_labels_that_differ_from_those_of_the_baseline_are_counted(tmp_path):
    finished = comparison(tmp_path, ("zlpr", "bce", "focal"))
    for run in finished.results:
        file = finished.folders[run.run_id] / "per_label.csv"
        if run.name == "zlpr" and file.exists():
            first, *rest = file.read_text().splitlines(keepends=True)
            at = first.split(",").index("ap")
            for number, shift in ((0, 0.05), (3, -0.3), (5, 0.2)):
                cells = rest[number].split(",")
                cells[at] = str(float(cells[at]) + shift + 0.001 * run.seed)
                rest[number] = ",".join(cells)
            file.write_text("".join([first, *rest]))
    _, page = page_of(finished)
    said = "differs from that of bce (paired t-test over seeds, false discovery rate 5 %): "
    assert f"{said}zlpr 2 higher, 1 lower of 7; focal 0 higher, 0 lower of 7." in page.one("main")["text"]


def test_cells_are_sorted_by_what_they_show(made):
    """A key is the number that its cell begins with, before rounding; times and rates apart."""
    _, page = made
    keys = [cell for cell in page.elements if "data-key" in cell and re.match(r"[+-]?\d+\.\d{3}\b", cell["text"])]
    assert len(keys) > 30
    for cell in keys:
        assert float(cell["data-key"]) == pytest.approx(float(cell["text"].split()[0]), rel=0.02, abs=5e-4)


def test_it_is_complete_in_itself(made):
    text, page = made
    policy = page.one("meta", **{"http-equiv": "Content-Security-Policy"})["content"]
    (script,) = (one for one in page.every("script") if "type" not in one)
    digest = base64.b64encode(hashlib.sha256(script["text"].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    addresses = [value for one in page.elements for name, value in one.items() if name in ("src", "href", "xlink:href")]
    assert addresses
    assert {address for address in addresses if not address.startswith("#")} == {"data:,"}
    assert "url(#" in text
    assert not re.search(r"url\((?!#)|@import", text)
    assert not [name for one in page.elements for name in one if name.startswith("on")]


def test_references_have_targets_and_ids_are_unique(made):
    _, page = made
    ids = [one["id"] for one in page.elements if "id" in one]
    assert [name for name, number in Counter(ids).items() if number > 1] == []
    wanted = set()
    for one in page.elements:
        for name in ("aria-labelledby", "aria-describedby", "for", "data-source", "data-filters", "data-counts"):
            wanted |= set(one.get(name, "").split())
        for name in ("href", "xlink:href"):
            wanted |= {one[name].removeprefix("#")} if one.get(name, "").startswith("#") else set()
        wanted |= set(re.findall(r"url\(#([^)]+)\)", " ".join(map(str, one.values()))))
    assert wanted - set(ids) == set()


def test_it_can_be_heard(made):
    _, page = made
    assert page.one("html")["lang"] == "en"
    assert page.every("title")[0]["text"]
    for landmark in ("main", "header", "footer", "nav", "h1"):
        page.one(landmark)
    assert page.elements[[one["tag"] for one in page.elements].index("body") + 1]["href"] == "#main"
    levels = [int(one["tag"][1]) for one in page.elements if re.fullmatch(r"h\d", one["tag"])]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    tables = page.every("table")
    assert len(tables) >= 5
    assert len([one for one in page.every("caption") if one["text"].strip()]) == len(tables)
    assert all(one.get("scope") in ("col", "row") for one in page.every("th"))
    for line in (one for one in page.elements if one["tag"] == "tr"):
        assert line["text"].strip()
    pictures = page.every("svg")
    assert len(pictures) >= 5
    for picture in pictures:
        assert picture["role"] == "img"
        assert picture["aria-labelledby"]
    for control in [*page.every("input"), *page.every("select")]:
        assert "label" in control["parents"]
    assert all(one["text"].strip() for one in page.every("button"))
    scrolled = [one for one in page.elements if "scroll" in one.get("class", "").split()]
    assert all(one["tabindex"] == "0" and (one.get("aria-labelledby") or one.get("aria-label")) for one in scrolled)


def test_the_figures_of_labels_are_means_over_seeds(finished, made):
    _, page = made
    data = json.loads(page.one("script", type="application/json")["text"])
    assert data["rows"] == ["zlpr", "focal", "bce"] or set(data["rows"]) == {"zlpr", "focal", "bce"}
    for place, row in enumerate(data["rows"]):
        values = {}
        for run in finished.results:
            if run.name == row and run.test is not None:
                with (finished.folders[run.run_id] / "per_label.csv").open() as file:
                    for line in csv.DictReader(file):
                        values.setdefault(line["label"], []).append(line)
        for at, name in enumerate(data["names"]):
            found = [float(line["ap"]) for line in values[name] if line["ap"]]
            expected = round(1000 * float(np.mean(found))) if found else None
            assert data["figures"]["average precision"][place][at] == expected
            assert data["numbers"][1]["values"][at] == round(
                np.mean([int(line["test_positives"]) for line in values[name]]), 1
            )
    assert [one["title"] for one in data["numbers"]] == ["train", "test"]
    assert data["numbers"][1]["values"] == sorted(data["numbers"][1]["values"], reverse=True)
    table = next(one for one in page.every("caption") if "Each label on test" in one["text"])
    assert "means over 6 seeds" in table["text"]


def test_without_script_the_first_labels_are_there(made):
    _, page = made
    data = json.loads(page.one("script", type="application/json")["text"])
    heads = [one["text"] for one in page.every("th", scope="row")]
    assert set(data["names"]) <= set(heads)


@pytest.mark.usefixtures("few_pictures")
def test_whatever_was_given_is_text(tmp_path):
    rows = (HOSTILE, "bce")
    finished = comparison(tmp_path, rows, seeds=2)
    for number, folder in enumerate(finished.folders.values()):
        file = folder / "per_label.csv"
        if file.exists():
            lines = list(csv.DictReader(file.read_text().splitlines()))
            lines[0]["label"], lines[1]["label"] = HOSTILE, "x" * 5000
            with file.open("w", newline="") as out:
                writer = csv.DictWriter(out, lines[0])
                writer.writeheader()
                writer.writerows(lines)
        command = ["mllc", "sweep", f"name={HOSTILE}", str(number)]
        (folder / "environment.json").write_text(json.dumps({"command": command, "folder": HOSTILE, "cpu": HOSTILE}))
    results = [
        replace(run, dataset=HOSTILE, backbone=HOSTILE, settings=run.settings | {"loss.note": HOSTILE})
        for run in finished.results
    ]
    text, page = page_of(Finished(results, finished.folders), command=HOSTILE)
    assert len(page.every("script")) == 2
    assert "alert(1)" not in "".join(one["text"] for one in page.every("script") if "type" not in one)
    assert HOSTILE in page.every("title")[0]["text"]
    assert HOSTILE in page.one("main")["text"]
    assert any(one["text"] == HOSTILE for one in page.every("dd"))
    data = json.loads(page.one("script", type="application/json")["text"])
    assert HOSTILE in data["names"]
    assert "x" * 119 + "…" in data["names"]
    assert HOSTILE in data["rows"]
    commands = [line for one in page.every("pre") for line in one["text"].split("\n") if line.startswith("mllc sweep")]
    assert len(commands) == len(results)
    assert shlex.split(commands[0])[2] == f"name={HOSTILE}"
    assert text.count("<!--") == 0


@pytest.mark.usefixtures("few_pictures")
def test_several_data_sets_have_a_section_each(tmp_path):
    one, two = comparison(tmp_path / "1"), comparison(tmp_path / "2")
    others = [
        replace(run, run_id=f"b{run.run_id}", dataset="sheets", data=run.data | {"fingerprint": "cd"})
        for run in two.results
    ]
    folders = one.folders | {f"b{name}": folder for name, folder in two.folders.items()}
    _, page = page_of(Finished([*one.results, *others], folders))
    test_references_have_targets_and_ids_are_unique((None, page))
    titles = [one["text"].strip() for one in page.every("h2")]
    assert len(titles) == 3
    assert titles[0].startswith("digits: ")
    assert titles[1].startswith("sheets: ")
    links = [one for one in page.every("a") if "nav" in one["parents"]]
    assert [link["text"] for link in links] == titles
    leads = [one["text"] for one in page.every("p", class_="lead")]
    assert len(leads) == 3
    assert "mean rank by mAP" in leads[0]
    assert len(page.every("h3")) >= 8


def test_the_commands_are_those_that_were_typed(tmp_path):
    folders = [tmp_path / str(i) for i in range(5)]
    sweep = ["__main__.py", "sweep", "loss=bce,zlpr", "out=my runs", "it's=$HOME"]
    for i, folder in enumerate(folders):
        folder.mkdir()
        about = {"mllc": "0.1.0", "folder": "/a b", "command": sweep, "started": f"2026-01-0{i + 1}T00:00:00"}
        if i == 3:
            about |= {"mllc": "0.2.0", "command": ["bench.py", "x"], "commit": "abc-dirty"}
        if i < 4:
            (folder / "environment.json").write_text(json.dumps(about))
    found, unknown = origins(folders)
    assert (len(found), unknown) == (2, 1)
    assert found[0].runs == 3
    assert found[0].commands == {"/a b": {"mllc sweep loss=bce,zlpr 'out=my runs' 'it'\"'\"'s=$HOME'": None}}
    assert shlex.split(next(iter(found[0].commands["/a b"])))[1:] == sweep[1:]
    assert found[1].commands == {"/a b": {"python bench.py x": None}}
    assert setup(found[1].facts) == [
        "# in the source tree of mllc 0.2.0, at commit abc with changes that were not committed",
        "pip install .",
    ]
    assert typed(None).startswith("#")


@pytest.mark.usefixtures("few_pictures")
@pytest.mark.parametrize("damage", ["{", "[]", "\xff", '{"command": 3, "packages": null}'])
def test_a_damaged_environment_is_told_not_fatal(tmp_path, damage):
    finished = comparison(tmp_path, seeds=2)
    for folder in finished.folders.values():
        (folder / "environment.json").write_bytes(damage.encode("latin-1"))
    _, page = page_of(finished)
    assert re.search(r"8 runs without a readable environment|not recorded", page.one("main")["text"])


@pytest.mark.usefixtures("few_pictures")
def test_a_damaged_table_of_labels_is_an_error(tmp_path):
    finished = comparison(tmp_path, seeds=2)
    file = next(file for file in tmp_path.rglob("per_label.csv"))
    file.write_text("index,label\n0,a\n")
    with pytest.raises(StoreError, match=re.escape(str(file))):
        page_of(finished)


@pytest.mark.usefixtures("few_pictures")
def test_rows_that_failed_or_were_not_tested_are_there(tmp_path):
    ended = {"status": "diverged", "val": None, "test": None, "monitor_value": None, "best_epoch": None}
    results = [make("bce", seed, 0.5) for seed in range(2)]
    results += [
        make("zlpr", 0, 0.6),
        make("zlpr", 1, None, **ended),
        make("focal", 0, None, **ended | {"status": "failed"}),
        make("untested", 0, 0.7, test=None),
    ]
    results = [about(run) for run in results]
    finished = Finished(results, {run.run_id: save(tmp_path, run) for run in results})
    text, page = page_of(finished)
    assert "zlpr !" in text
    assert "DIVERGED" in text
    assert "Diverged or failed runs" in page.one("main")["text"]
    runs = page.one("table", id="runs")["text"]
    assert "mAP on test" in runs
    assert re.search(r"untested †\s*0\s*done\s*0\.700", runs), "which is of validation, as its mark says"
    assert "4 rows; 2 seeds; 6 runs" in text


@pytest.mark.usefixtures("few_pictures")
def test_nothing_tested_and_a_single_run(tmp_path):
    untested = [make(name, 0, 0.5, test=None) for name in ("bce", "zlpr")]
    _, page = page_of(Finished(untested, {run.run_id: save(tmp_path, run) for run in untested}))
    assert page.one("p", class_="lead")["text"] == "No conclusion: nothing was scored on test."
    assert not page.every("script", type="application/json")
    assert "on validation" in page.every("caption")[0]["text"]
    alone = about(make("focal", 0, 0.5))
    _, page = page_of(Finished([alone], {alone.run_id: save(tmp_path, alone)}))
    assert "nothing to compare" in page.one("p", class_="lead")["text"]


@pytest.mark.usefixtures("few_pictures")
def test_settings_search_and_budget(tmp_path):
    found = comparison(tmp_path, ("zlpr", "bce"), seeds=2)
    tried = [replace(run, run_id=f"t{run.run_id}", test=None) for run in found.results if run.name == "zlpr"]
    values = [run.settings["optimizer.lr"] for run in tried]
    tests = [run for run in found.results if run.test is not None]
    study = Study(
        study_id="s",
        name="zlpr",
        fixed={"loss": "zlpr"},
        monitor="val_map",
        seed=0,
        test_split="t",
        sampler="tpe",
        wanted=4,
        space={"optimizer.lr": Range(0.001, 0.3, log=True, above=1.0)},
        tries=tuple(Try(i, run.run_id, {"optimizer.lr": values[i]}, "done", 0.5) for i, run in enumerate(tried)),
        chosen={"optimizer.lr": 0.3},
        final=tuple(run.run_id for run in tests if run.name == "zlpr"),
    )
    results = [replace(run, settings=run.settings | {f"loss.{run.name}": 1}) for run in tests]
    folders = found.folders | {f"t{run_id}": folder for run_id, folder in found.folders.items()}
    _, page = page_of(Finished([*results, *tried], folders, [study]))
    text = page.one("main")["text"]
    assert "0.3 (at the high end)" in [one["text"] for one in page.every("td")]
    assert "tpe, 4 of 4 trials: optimizer.lr=tag(log,interval(0.001,0.3))" in [one["text"] for one in page.every("td")]
    assert "loss.zlpr=1" in text
    chosen = page.one("table", id="budget")["text"]
    assert re.search(r"zlpr24601m00tpe", re.sub(r"\s", "", chosen)), "2 seeds, 4 settings, 6 trials, none failed"
    assert "batch_size" in [one["text"].strip() for one in page.every("dt")]


@pytest.mark.usefixtures("few_pictures")
def test_the_bootstrap_is_told_when_asked_for(finished):
    _, page = page_of(finished, bootstrap=True)
    assert "paired bootstrap of the mAP of seed 0" in page.one("section", id="conclusion")["text"]


@pytest.mark.usefixtures("few_pictures")
def test_another_metric_leads(finished):
    _, page = page_of(finished, Question("micro_f1_tuned", "focal"))
    assert "paired bootstrap" not in page.one("main")["text"]
    assert "against focal" in [one["text"] for one in page.every("th")]
    assert page.every("option")[0]["text"].strip() == "F1, one tuned threshold"
    with pytest.raises(ConfigError, match="did you mean"):
        comparison_page(finished, Question("micro_f2"))
    _, page = page_of(finished, Question("hamming_loss", region=0.0001))
    (first, *_) = [one for one in finished.results if one.test]
    assert f"{first.test['hamming_loss']:.5f}" in page.one("table", id="runs")["text"]


def test_what_there_is_no_room_for_is_told(finished, monkeypatch):
    monkeypatch.setattr(page_labels, "MOST_BYTES", 400)
    monkeypatch.setattr("mllc.page.gallery.MOST_BYTES", 60_000)
    text, page = page_of(finished)
    assert "for want of room" in text
    assert "Left out, for a page holds only so much" in text
    assert 0 < len(page.every("svg")) < 6
    data = json.loads(page.one("script", type="application/json")["text"])
    assert "bce" in data["rows"]
    assert len(data["figures"]) < len(page_labels.FIGURES)


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "seeds", "labels"), [(20, 10, 1000), (200, 1, 1000), (10, 2, 4000)])
def test_200_runs_stay_under_3_mb(tmp_path, rows, seeds, labels):
    names = ["bce", *(f"a_long_name_of_a_loss_{i}" for i in range(1, rows))]
    results = [
        about(make(name, seed, 0.9 - 0.004 * place + 0.001 * seed, run_id=f"{place}-{seed}"), labels)
        for place, name in enumerate(names)
        for seed in range(seeds)
    ]
    finished = Finished(results, {run.run_id: save(tmp_path, run, labels=labels) for run in results})
    text, _ = page_of(with_environment(finished))
    assert len(text.encode()) < 3_000_000


@pytest.fixture
def folder(tmp_path, finished):
    """The runs of `finished`, found by the command line."""
    return finished.folders[finished.results[0].run_id].parent


def mllc(*words, cwd):
    here = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.run(
        [sys.executable, "-m", "mllc", *map(str, words)], cwd=cwd, env=here, capture_output=True, text=True
    )


def test_the_command_writes_it(tmp_path, folder):
    done = mllc("report", folder, "--format", "json", "--html", "my page.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {row["loss"] for row in json.loads(done.stdout)} >= {"bce", "zlpr"}
    assert done.stderr == "mllc: page: my page.html\n"
    assert [file.name for file in tmp_path.iterdir()] == ["my page.html"]
    page = Page((tmp_path / "my page.html").read_text(encoding="utf-8"))
    assert page.every("pre")[-1]["text"] == f"mllc report {folder} --format json --html 'my page.html'"
    assert oct((tmp_path / "my page.html").stat().st_mode)[-3:] == oct(0o666 & ~_umask())[-3:]


@pytest.mark.parametrize("place", [".", "no/page.html", "file/page.html", "/dev/null", "page", "page.png"])
def test_a_place_that_cannot_be_is_refused_at_once(tmp_path, place):
    (tmp_path / "file").touch()
    done = mllc("report", "no_such_runs", "--html", place, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"mllc: error: --html {place}")
    assert done.stderr.count("\n") == 1


def test_a_page_is_whole_or_not_there(tmp_path):
    file = tmp_path / "page.html"
    save_page(file, "one")
    with pytest.raises(StoreError, match="cannot be written"):
        save_page(tmp_path / ("x" * 300), "one")
    save_page(file, "two \ud800")
    assert file.read_text() == "two ?"
    assert [one.name for one in tmp_path.iterdir()] == ["page.html"]
    check_place(file)


def test_the_table_alone_needs_no_drawing(tmp_path, folder):
    code = (
        "import sys; from typer.testing import CliRunner; from mllc.cli import app; "
        f"r = CliRunner().invoke(app, ['report', {str(folder)!r}]); assert r.exit_code == 0, r.output; "
        "print({'torch', 'matplotlib', 'jinja2'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
