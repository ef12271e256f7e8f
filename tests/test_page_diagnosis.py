"""The page of a diagnosis, and the command that writes it and the pictures: its figures are those of --format json."""

import json
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
import test_page
from chromium import EXECUTABLE, Browser
from made_scores import made, truth
from matplotlib.figure import Figure
from test_page import HOSTILE, Page
from typer.testing import CliRunner

from mllc.cli import app
from mllc.data.scored import Scored
from mllc.diagnose import diagnose
from mllc.page.diagnosis import diagnosis_page
from mllc.page.render import render
from mllc.plots import Picture
from mllc.report.diagnosis import as_dict

PICTURES = ("scores", "f1_against_threshold", "precision_recall", "label_frequency")


def page_of(scored, title="s.npy against t.npy", **options):
    """The page without its pictures, and what JSON says."""
    found = diagnose(scored, **options)
    text = render(diagnosis_page(found, title, [], files={"scores": "s.npy", "label names": ""}))
    return text, Page(text), as_dict(found)


def embedded(page):
    return json.loads(page.one("script", type="application/json")["text"])


def table(page, name):
    """Its lines, each a list of cells; read by the order of elements, not by the code that wrote them."""
    text = re.search(rf'<table id="{name}".*?</table>', page, re.DOTALL)[0]
    lines = re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL)
    return [[re.sub(r"<.*?>", "", cell).strip() for cell in re.findall(r"<t[hd][ >].*?</t[hd]>", one)] for one in lines]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A page with its pictures, as the command writes it, and what it prints."""
    folder = tmp_path_factory.mktemp("diagnosis")
    np.save(folder / "s.npy", made("silent but ranks").scores)
    np.save(folder / "t.npy", truth())
    names = [str(folder / name) for name in ("s.npy", "t.npy", "page.html")]
    done = CliRunner().invoke(app, ["diagnose", *names[:2], "--logits", "--format", "json", "--html", names[2]])
    assert done.exit_code == 0, done.output
    text = (folder / "page.html").read_text(encoding="utf-8")
    return folder / "page.html", text, Page(text), json.loads(done.stdout)


def test_it_says_what_json_says(written):
    _, text, page, row = written
    assert page.one("p", class_="lead")["text"] == row["verdict"]
    paragraphs = [one["text"] for one in page.every("p")]
    assert all(finding in paragraphs for finding in row["findings"].values())
    steps = [one["text"].strip() for one in page.every("li") if "ol" in one["parents"]]
    assert steps == row["next_steps"]
    titles = [one["text"].strip() for one in page.every("h2")]
    assert titles == ["Verdict", "What was found", "What to try next", "Pictures", "Labels", "How to repeat it"]

    head, *lines = table(text, "ways")
    assert head[1:6] == ["mAP", "micro F1", "macro F1", "sample F1", "Hamming loss"]
    by_name = {line[0].partition(" ")[0]: line for line in lines}
    names = ("micro_f1", "macro_f1", "sample_f1")
    for way, ending in (("own", ""), ("tuned", "_tuned"), ("one", "_per_label"), ("top", "_top_k")):
        line = by_name[way]
        assert line[1:5] == [f"{row['map']:.3f}", *(f"{row[name + ending]:.3f}" for name in names)]
        assert float(line[5]) == pytest.approx(row[f"hamming_loss{ending}"], abs=1e-4)
        assert line[6] == f"{row[f'labels_per_sample{ending}']:.2f}"
        assert float(line[7]) == pytest.approx(30 * row[f"never_predicted{ending}"])
    assert by_name["random"][1] == f"{row['map_chance']:.3f}"
    for name, figures in row["baselines"].items():
        assert by_name[name][1:3] == [f"{figures['map']:.3f}", f"{figures['micro_f1']:.3f}"]
    assert by_name["tuned"][0] == f"tuned (z &gt; {row['thresholds']['tuned']:.3g})"


def test_every_label_is_there_with_its_figures(written):
    _, _, page, row = written
    data = embedded(page)
    assert data["rows"] == []
    labels = {one["label"]: one for one in row["labels"]}
    assert sorted(data["names"]) == sorted(labels)
    assert [one["title"] for one in data["numbers"]] == ["positives", "predicted", "AP", "by chance", "threshold"]
    for place, name in enumerate(data["names"]):
        positives, predicted, ap, chance, threshold = (one["values"][place] for one in data["numbers"])
        label = labels[name]
        assert (positives, predicted) == (label["positives"], label["predicted"])
        assert ap == (None if label["ap"] is None else pytest.approx(label["ap"], abs=5e-4))
        assert chance == (None if label["chance"] is None else pytest.approx(label["chance"], abs=5e-4))
        assert threshold == pytest.approx(label["threshold"], rel=5e-3)
    assert data["numbers"][data["order"]]["values"] == sorted((one["positives"] for one in row["labels"]), reverse=True)
    assert data["numbers"][2]["values"][data["names"].index("label3")] is None


def test_it_is_complete_valid_and_can_be_heard(written):
    _, text, page, _ = written
    test_page.test_it_is_complete_in_itself((text, page))
    test_page.test_references_have_targets_and_ids_are_unique((text, page))
    assert len(page.every("svg")) == 4
    assert all(one["role"] == "img" for one in page.every("svg"))
    assert len(page.every("caption")) == len(page.every("table")) == 2
    assert len(text.encode()) < 400_000


def test_it_tells_what_it_was_made_from(written):
    file, _, page, row = written
    commands = page.every("pre")[-1]["text"].split("\n")
    if commands[0].startswith("# in the source tree of mllc "):  # where git knows the commit
        assert commands[1].startswith("pip install . ")
    else:
        assert commands[0].startswith("pip install mllc==")
    assert any(line.startswith("cd ") for line in commands)
    facts = dict(zip(*([one["text"].strip() for one in page.every(tag)] for tag in ("dt", "dd")), strict=True))
    assert (facts["scores"], facts["targets"]) == (str(file.with_name("s.npy")), str(file.with_name("t.npy")))
    assert (facts["scores are"], facts["decided at"], facts["seed of the halves"]) == ("logits", "z > 0", "0")
    assert facts["numpy"] == np.__version__
    assert {"made", "python", "mllc", "platform"} <= facts.keys()
    assert "label names" not in facts
    assert row["seed"] == 0


def test_hostile_names_are_text():
    names = [HOSTILE, "x" * 5000, *(f"l{i}" for i in range(28))]
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([0, 1], label=HOSTILE)
    picture = Picture("one", HOSTILE, HOSTILE, figure)
    found = diagnose(made("silent", label_names=names, notes=[HOSTILE]))
    text = render(diagnosis_page(found, HOSTILE, [picture], files={"scores": HOSTILE}))
    page = Page(text)
    assert len(page.every("script")) == 2
    assert "alert(1)" not in "".join(one["text"] for one in page.every("script") if "type" not in one)
    assert page.one("h1")["text"] == HOSTILE
    assert any(one["text"] == HOSTILE for one in page.every("dd"))
    assert {HOSTILE, "x" * 119 + "…"} <= set(embedded(page)["names"])
    assert text.count("<!--") == 0


def test_labels_for_which_there_is_no_room_are_told():
    draw = np.random.default_rng(0)
    targets = np.zeros((5, 30_000), np.uint8)
    targets[:, ::100] = 1
    targets[0, ::50] = 1
    scored = Scored.of(draw.normal(size=targets.shape).astype(np.float32), targets, unit="logits")
    text, page, _ = page_of(scored)
    data = embedded(page)
    assert f"for want of room {len(data['names'])} of 30000 labels" in text
    assert 10_000 < len(data["names"]) < 30_000
    assert len(text.encode()) < 1_200_000
    assert data["numbers"][0]["values"][:600] == [5] * 300 + [1] * 300


def test_two_samples_and_unknown_targets():
    scored = Scored.of([[0.1, 0.9], [0.2, 0.3]], [[1, 0], [-1, 1]], unit="probabilities")
    text, page, row = page_of(scored, threshold=0.25)
    assert "p &gt; 0.25" in text
    assert row["unknown"] == 1
    assert "1 target unknown" in page.one("main")["text"]
    assert embedded(page)["names"] == ["label0", "label1"]


# The command


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("s.npy", made("timid").scores)
    np.save("t.npy", truth())
    (tmp_path / "file").touch()
    return tmp_path


def test_the_command_writes_pictures_and_page_and_says_so(run_cli, files):
    plain = run_cli("diagnose", "s.npy", "t.npy", "--logits", "--format", "json")
    words = ["diagnose", "s.npy", "t.npy", "--logits", "--format", "json", "--plots", "a/b", "--html", "it's.html"]
    code, out, err = run_cli(*words)
    assert (code, out) == (0, plain[1])
    assert err == f"mllc: 4 pictures in a/b, each as PNG and SVG: {', '.join(PICTURES)}\nmllc: page: it's.html\n"
    assert {file.name for file in (files / "a/b").iterdir()} == {
        f"{name}.{e}" for name in PICTURES for e in ("png", "svg")
    }
    page = Page((files / "it's.html").read_text(encoding="utf-8"))
    assert shlex.split(page.every("pre")[-1]["text"].split("\n")[-1]) == ["mllc", *words]
    assert len(page.every("svg")) == 4


def test_what_is_not_drawn_is_told(run_cli, files):
    np.save("s2.npy", np.array([[1.0, 2], [0, 1]]))
    np.save("t2.npy", np.array([[1, 0], [0, 1]]))
    code, _, err = run_cli("diagnose", "s2.npy", "t2.npy", "--logits", "--plots", "p")
    assert code == 0
    assert "3 pictures in p" in err
    assert "mllc: nothing to draw: label_frequency (2 labels with positives: it takes three)" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--plots", "file"], "--plots file is a file; type the name of a folder"),
        (["--plots", "file/p"], "--plots file/p cannot be written"),
        (["--plots", "/proc/p"], "--plots /proc/p cannot be written"),
        (["--html", "."], "--html . is a folder; type the name of a file"),
        (["--html", "no/page.html"], "there is no folder no"),
        (["--html", "page.png"], "--html page.png has not the ending of a page; type --html page.html"),
        (["--html", "t.npy"], "--html t.npy has not the ending of a page"),
        (["--html", "page"], "type --html page.html"),
    ],
)
def test_a_bad_place_is_refused_before_the_work(run_cli, files, monkeypatch, arguments, message):
    def diagnose(*_, **__):
        raise AssertionError("worked")

    monkeypatch.setattr("mllc.diagnose.diagnose", diagnose)
    before = (files / "t.npy").read_bytes()
    code, out, err = run_cli("diagnose", "s.npy", "t.npy", "--logits", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert (files / "t.npy").read_bytes() == before


def test_wrong_input_leaves_nothing_behind(run_cli, files):
    before = {file.name for file in files.iterdir()}
    for words in (["s.npy", "none.npy"], ["s.npy", "t.npy", "--format", "latex"], ["s.npy"]):
        code, _, _ = run_cli("diagnose", *words, "--logits", "--plots", "p", "--html", "p.html")
        assert code == 2
    assert {file.name for file in files.iterdir()} == before


def test_the_words_alone_need_no_drawing(files):
    code = "import sys; from mllc.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    code += "print('LOADED', sorted({'matplotlib', 'jinja2'} & sys.modules.keys()))"
    words = ["diagnose", "s.npy", "t.npy", "--logits"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("LOADED []\n")


# In a browser


@pytest.mark.skipif(EXECUTABLE is None, reason="no chromium here: apt-get install chromium")
def test_it_renders_searches_and_sorts_in_a_browser(written, tmp_path):
    file, _, _, row = written
    browser = Browser(tmp_path / "profile")

    def texts(selector):
        return browser.evaluate(f"[...document.querySelectorAll({selector!r})].map(e => e.textContent.trim())")

    try:
        for width, dark in ((390, True), (1280, False)):
            browser.open(file, width, dark=dark)
            wide, seen = browser.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert wide <= seen, "the page itself does not scroll sideways; its tables do"
            heights = browser.evaluate(
                "[...document.querySelectorAll('svg')].map(e => e.getBoundingClientRect().height)"
            )
            assert len(heights) == 4
            assert min(heights) > 100
        assert not texts("select")
        assert not texts("fieldset")
        ordered = sorted(row["labels"], key=lambda one: -one["positives"])
        assert texts("#labels tbody td:nth-child(2)") == [str(one["positives"]) for one in ordered]
        heading = "document.querySelector('#labels thead th:nth-child(4) button')"
        browser.evaluate(f"{heading}.focus()")
        browser.press("Enter")
        shown = texts("#labels tbody td:nth-child(4)")
        by_ap = sorted((one["ap"] for one in ordered if one["ap"] is not None), reverse=True)
        assert shown == [*(f"{ap:.3f}" for ap in by_ap), ""], "what has none comes last"
        browser.press("Enter")
        assert texts("#labels tbody td:nth-child(4)") == [*(f"{ap:.3f}" for ap in reversed(by_ap)), ""]
        browser.evaluate("document.querySelector('#labels .search').focus()")
        browser.type("LABEL2")
        assert sorted(texts("#labels tbody th")) == sorted(["label2", *(f"label2{i}" for i in range(10))])
        assert texts("#labels .count") == ["11 of 30 labels"]
        browser.evaluate("document.querySelector('#ways thead th:nth-child(3) button').click()")
        assert texts("#ways tbody:first-of-type th")[0].startswith("tuned")
        assert len(texts("#ways tbody:last-of-type th")) == 4, "the baselines stay where they are"
        assert browser.complaints == []
        assert browser.requests == [file.as_uri()]
        browser.open(file, script=False)
        assert len(texts("#labels tbody th")) == 30
        assert [one for one in texts(".nojs") if one.startswith("Here:")]
    finally:
        browser.close()
