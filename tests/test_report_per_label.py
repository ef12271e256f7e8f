"""The labels of one run: figures and layout of scikit-learn's classification_report."""

import csv
import io
import json
import re
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy
from rich.cells import cell_len
from sample_runs import make
from sklearn.metrics import classification_report, precision_recall_fscore_support

from mllc.errors import ConfigError, StoreError
from mllc.report import load
from mllc.report.per_label import figures, label_report

NAMES = [f"label {i}" for i in range(12)]
AVERAGES = ("micro avg", "macro avg", "weighted avg", "samples avg")


def truth(samples=80, seed=0):
    """Targets and scores of 12 labels; label 5 has no positive, label 7 is never predicted."""
    draw = np.random.default_rng(seed)
    targets = draw.random((samples, 12)) < np.linspace(0.05, 0.4, 12)
    targets[:, 5] = False
    scores = (draw.normal(size=targets.shape) + 2 * targets - 1).astype(np.float32)
    scores[:, 7] -= 9
    return targets, scores


def save(folder, mask=None, names=NAMES, **changes):
    """A run's folder, as `mllc train` leaves it."""
    targets, scores = truth()
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(make("zlpr", threshold=-0.25, **changes).to_json())
    tensors = {"scores": scores, "targets": targets.astype(np.uint8), "decisions": (scores > 0).astype(np.uint8)}
    if mask is not None:
        tensors["mask"] = mask.astype(np.uint8)
    safetensors.numpy.save_file(tensors, folder / "scores.safetensors")
    with (folder / "per_label.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["index", "label", "threshold"])
        writer.writeheader()
        writer.writerows({"index": i, "label": name, "threshold": i / 10 - 0.5} for i, name in enumerate(names))
    return folder


@pytest.fixture
def run(tmp_path):
    return load([save(tmp_path / "run")])


def oracle(decisions, **options):
    return classification_report(truth()[0], decisions, target_names=NAMES, zero_division=0, **options)


@pytest.mark.parametrize(
    ("threshold", "limits"),
    [("own", 0.0), ("global", -0.25), ("per-label", np.arange(12, dtype=np.float64) / 10 - 0.5)],
)
def test_json_is_scikit_learn_s_output_dict(run, threshold, limits):
    found = json.loads(label_report(run, threshold=threshold, format="json"))
    expected = oracle(truth()[1] > limits, output_dict=True)
    assert list(found) == list(expected)
    for name in expected:
        assert found[name] == pytest.approx(expected[name], abs=1e-12)


def test_the_table_is_scikit_learn_s_to_the_character(run):
    text = label_report(run)
    assert oracle(truth()[1] > 0) in text
    assert text.startswith("zlpr on digits, seed 0: test, decided by its own rule\n")
    assert "1 label without support" in text


def test_the_macro_average_of_labels_with_support_is_told(run):
    targets, scores = truth()
    some = [i for i in range(12) if i != 5]
    f1 = precision_recall_fscore_support(targets, scores > 0, average=None, zero_division=0)[2][some].mean()
    assert f"over the other 11 macro-F1 is {f1:.2f}." in " ".join(label_report(run).split())


def rows(run, **options):
    """Names and figures of the shown labels."""
    table = list(csv.reader(io.StringIO(label_report(run, format="csv", **options))))
    assert table[0] == ["label", "precision", "recall", "f1-score", "support"]
    assert tuple(row[0] for row in table[-4:]) == AVERAGES
    return [(name, *map(float, values)) for name, *values in table[1:-4]]


def test_sorting(run):
    assert [row[0] for row in rows(run)] == NAMES
    assert [row[0] for row in rows(run, sort="label")] == sorted(NAMES)
    for sort, column in (("precision", 1), ("recall", 2), ("f1", 3), ("support", 4)):
        values = [row[column] for row in rows(run, sort=sort)]
        assert values == sorted(values, reverse=True)
    assert [row[0] for row in rows(run, sort="f1")[-2:]] == ["label 5", "label 7"], "the worst of equals has positives"


def test_the_first_and_the_last(run):
    everything = rows(run, sort="f1")
    assert rows(run, sort="f1", top=3) == everything[:3]
    assert rows(run, sort="f1", bottom=2) == everything[-2:]
    assert rows(run, sort="f1", top=3, bottom=2) == everything[:3] + everything[-2:]
    assert rows(run, sort="f1", top=10, bottom=10) == everything
    assert rows(run, top=100) == rows(run)
    text = label_report(run, sort="f1", top=3, bottom=2)
    assert text.count("\n         ...\n") == 1
    assert "5 of 12 labels, by f1; the averages are over all." in text
    full, short = (json.loads(label_report(run, format="json", top=n)) for n in (None, 1))
    assert [short[name] for name in AVERAGES] == [full[name] for name in AVERAGES]


def test_unknown_entries_count_nowhere(tmp_path):
    targets, scores = truth()
    mask = np.random.default_rng(1).random(targets.shape) < 0.6
    mask[:5] = False
    found = json.loads(label_report(load([save(tmp_path / "run", mask)]), format="json"))
    for i, name in enumerate(NAMES):
        known = mask[:, i]
        p, r, f, _ = precision_recall_fscore_support(
            targets[known, i], scores[known, i] > 0, average="binary", zero_division=0
        )
        expected = {"precision": p, "recall": r, "f1-score": f, "support": targets[known, i].sum()}
        assert found[name] == pytest.approx(expected)
    p, r, f, _ = precision_recall_fscore_support(targets[mask], scores[mask] > 0, average="binary")
    micro = {"precision": p, "recall": r, "f1-score": f, "support": (targets & mask).sum()}
    assert found["micro avg"] == pytest.approx(micro)
    samples = [
        precision_recall_fscore_support(t[m], s[m] > 0, average="binary", zero_division=0)[:3]
        for t, s, m in zip(targets, scores, mask, strict=True)
        if m.any()
    ]
    expected = dict(zip(("precision", "recall", "f1-score"), np.mean(samples, 0), strict=True))
    assert {key: found["samples avg"][key] for key in expected} == pytest.approx(expected)


def test_nothing_true_and_nothing_predicted():
    nothing = np.zeros((3, 2), bool)
    lines, averages = figures(nothing, nothing, None, ["a", "b"])
    assert {value for line in (*lines, *averages) for value in line.values} == {0}


@pytest.mark.parametrize("width", [60, 80, 120])
def test_long_names_are_cut_to_the_terminal(tmp_path, width):
    names = ["a name that is a good deal longer than any terminal would like to show " * 2, "犬" * 50, *NAMES[2:]]
    found = load([save(tmp_path / "run", names=names)])
    text = label_report(found, width=width)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    assert "a name that is a" in text
    assert names[0] in json.loads(label_report(found, format="json"))


def test_colour_changes_nothing_but_colour(run):
    plain, coloured = (label_report(run, color=color) for color in (False, True))
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_markdown(tmp_path):
    found = load([save(tmp_path / "run", names=["a|b*c", *NAMES[1:]])])
    lines = label_report(found, format="md", top=2).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert table[2].startswith(r"| a\|b\*c | ")
    assert len(table) == 2 + 2 + 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"sort": "f2"},
            "--sort 'f2' is unknown with --per-label. Known: index, label, precision, recall, f1, support",
        ),
        ({"threshold": "globl"}, "--threshold 'globl' is unknown with --per-label; did you mean 'global'?"),
        ({"format": "latex"}, "--format 'latex' is unknown with --per-label. Known: table, md, csv, json"),
    ],
)
def test_unknown_words(run, options, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        label_report(run, **options)


def test_more_runs_than_one(tmp_path):
    save(tmp_path / "a", run_id="a")
    save(tmp_path / "b", run_id="b")
    with pytest.raises(
        ConfigError, match=r"is about one run, and there are 2: type its folder, such as mllc report .*/a "
    ):
        label_report(load([tmp_path]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test": None}, "was not scored on test"),
        ({"status": "diverged", "test": None}, "diverged"),
        ({"status": "failed", "test": None}, "failed"),
    ],
)
def test_a_run_without_test_figures(tmp_path, changes, message):
    with pytest.raises(ConfigError, match=f"run: this run {message}, so there is nothing to report"):
        label_report(load([save(tmp_path / "run", **changes)]))


@pytest.mark.parametrize("name", ["per_label.csv", "scores.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "empty", "junk"])
def test_damaged_files(tmp_path, name, damage):
    found = load([save(tmp_path / "run")])
    file = tmp_path / "run" / name
    file.unlink() if damage == "missing" else file.write_text("junk" if damage == "junk" else "")
    with pytest.raises(StoreError, match=r"run: per_label.csv (or|and) scores.safetensors .*make the run again"):
        label_report(found)


@pytest.mark.parametrize("damage", [",high", "", ","])
def test_a_threshold_that_is_none(tmp_path, damage):
    found = load([save(tmp_path / "run")])
    file = tmp_path / "run/per_label.csv"
    head, first, *rest = file.read_text().splitlines()
    file.write_text("\n".join([head, first.partition(",")[0] + damage, *rest]))
    with pytest.raises(StoreError, match=r"run: per_label.csv or .* is missing or damaged \(.*make the run again"):
        label_report(found, threshold="per-label")


def test_files_of_different_runs(tmp_path):
    found = load([save(tmp_path / "run", names=NAMES[1:])])
    with pytest.raises(StoreError, match="do not belong together"):
        label_report(found)


def mllc(*arguments):
    code = (
        "import sys; from mllc.cli import main\n"
        "try: main()\n"
        "except SystemExit as left: code = left.code or 0\n"
        "print('torch' in sys.modules, code, file=sys.stderr)"
    )
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)


def test_the_command_needs_no_torch(tmp_path):
    save(tmp_path / "run")
    done = mllc("report", str(tmp_path), "--per-label")
    assert done.stderr == "False 0\n"
    assert oracle(truth()[1] > 0) in done.stdout


def test_options_of_the_labels_without_the_labels(tmp_path):
    save(tmp_path / "run")
    done = mllc("report", str(tmp_path), "--top", "3")
    assert (done.stdout, done.stderr.endswith("False 2\n")) == ("", True)
    assert "--top and --bottom are about the labels of one run: add --per-label" in done.stderr
