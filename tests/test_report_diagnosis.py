"""A diagnosis in words: the verdict on each kind of model, steps that fit it, and text that fits the terminal."""

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from made_scores import made, truth
from rich.cells import cell_len
from test_cli import imported_by

from mllc.config.catalogue import choices
from mllc.data.score_files import read_scored
from mllc.data.scored import Scored
from mllc.diagnose import diagnose
from mllc.errors import ConfigError
from mllc.report.diagnosis import render
from mllc.report.findings import better_way, findings, verdict
from mllc.report.next_steps import next_steps

README = (Path(__file__).parents[1] / "README.md").read_text()

KINDS = {
    "healthy": ("It ranks, and no other threshold does notably better than its own.", "good"),
    "timid": ("It ranks, and its threshold wastes some of that: one tuned threshold would do better.", "warning"),
    "silent but ranks": ("It is silent, but it ranks: the threshold is wrong, not the model.", "warning"),
    "silent": ("It is silent, and it does not rank: no threshold helps.", "bad"),
    "silent and constant": ("It is silent, and it does not rank: no threshold helps.", "bad"),
    "constant": ("It gives every sample (nearly) the same scores, and it does not rank: no threshold helps.", "bad"),
    "constant but ranks": (
        "It gives every sample (nearly) the same scores, but their order is useful: the scale is wrong, not the "
        "ranking.",
        "warning",
    ),
    "chance": ("It does not rank usefully: no threshold helps.", "bad"),
    "inverted": ("The scores are upside down: they rank once their sign is changed.", "bad"),
    "moved columns": ("The columns of the scores are not in the order of the targets' columns.", "bad"),
    "free level": ("It ranks the labels of a sample, but its scores do not compare between samples.", "warning"),
    "decisions": (
        "These are decisions and not scores: what they rank, and what a threshold gives, is lost.",
        "warning",
    ),
}
STEPS = {
    "healthy": ["What is left is in the ranking"],
    "timid": ["Predict where z > ", "What is left is in the ranking"],
    "silent but ranks": ["Predict where z > ", "If the threshold must stay", "What is left is in the ranking"],
    "silent": [
        "Make sure that row n",
        "Type this for the training",
        "Start the biases",
        "If the loss is a mean",
        "Try losses",
    ],
    "silent and constant": ["Start the biases", "If the loss is a mean", "Try losses that set", "Train longer"],
    "constant": ["Start the biases", "If the loss is a mean", "Try losses that set", "Train longer"],
    "constant but ranks": ["Predict where z > ", "Train longer or with a larger", "What is left is in the ranking"],
    "chance": ["Make sure that row n", "Type this for the training", "Try losses that set", "Train longer"],
    "inverted": ["Save -scores"],
    "moved columns": ["Bring the columns into one order"],
    "free level": ["Predict the top 3 of each sample", "What is left is in the ranking"],
    "decisions": ["Save the scores before they are cut"],
}


@cache
def of(kind):
    return diagnose(made(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_the_verdict_and_the_steps(kind):
    found = of(kind)
    assert verdict(found) == KINDS[kind]
    steps = next_steps(found)
    assert len(steps) >= len(STEPS[kind])
    for step, start in zip(steps, STEPS[kind], strict=False):
        assert step.startswith(start)


def flooding(kind):
    targets = (np.random.default_rng(0).random((400, 30)) < 0.05).astype(np.uint8)
    return diagnose(made(kind, targets=targets))


def test_flood():
    found = flooding("flood but ranks")
    assert verdict(found)[0] == "It floods, but it ranks: the threshold is wrong, not the model."
    assert any(step.startswith("If positives are weighted") and "log w" in step for step in next_steps(found))
    assert "Collapse: flood; it predicts 30.00 of 30 labels a sample" in findings(found)["collapse"]
    found = flooding("flood")
    assert verdict(found)[0] == "It floods, and it does not rank: no threshold helps."
    assert any(step.startswith("If positives are weighted") for step in next_steps(found))


def test_the_threshold_to_use_is_the_one_that_is_told():
    scored = made("timid")
    found = diagnose(scored)
    shown = float(re.search(r"z > (\S+) \(sigmoid", next_steps(found)[0])[1])
    assert shown == pytest.approx(found.thresholds["tuned"], rel=0.005)


def test_the_findings_name_what_they_should():
    found = diagnose(made("silent but ranks", label_names=[f"n{i}" for i in range(30)]))
    said = findings(found)
    assert "mAP 0.895 over" in said["ranking"]
    assert "the 29 labels that have positives; a random order has 0.127" in said["ranking"]
    assert "silent is under 1 % of them" in said["collapse"]
    assert "never predicted: 30 of 30; 29 of these rank well enough" in said["labels"]
    assert "without a positive, so that nothing can be said of them: 1 (n3)" in said["labels"]
    found = of("constant")
    assert "is worse than predicting nothing" in findings(found)["baselines"]
    assert "constant is under 0.1" in findings(found)["collapse"]
    never = [row for row in found.labels if not row["predicted"]]
    most = max(never, key=lambda row: row["positives"])
    assert f"(positives: {most['label']} {most['positives']}, " in findings(found)["labels"]


def test_probabilities_read_as_logits_are_suspected():
    scored = made("timid")
    shares = Scored.of(1 / (1 + np.exp(-scored.scores)), scored.targets, unit="logits")
    found = diagnose(shares)
    assert "as probabilities do, but are read as logits" in findings(found)["scores"]
    assert verdict(found)[0].startswith("These look like probabilities, but are read as logits")
    assert next_steps(found) == ["Type this again with --probabilities: the own threshold is then 0.5, and not 0."]


def test_a_softmax_is_recognised():
    scored = made("timid")
    odds = np.exp(scored.scores)
    found = diagnose(Scored.of(odds / odds.sum(1, keepdims=True), scored.targets, unit="probabilities"))
    assert "as after a softmax" in findings(found)["scores"]
    assert next_steps(found)[0].startswith("Predict where p > 0.0")


def test_doubts_are_told():
    draw = np.random.default_rng(0)
    targets = (draw.random((20, 60)) < 0.05).astype(float)
    targets[0, 0] = np.nan
    found = diagnose(Scored.of(draw.normal(size=(20, 60)), targets, unit="logits", notes=["column 'id' is an id"]))
    note = findings(found)["note"]
    for part in (
        "column 'id' is an id",
        "1 target unknown",
        "positives in all",
        "more labels than samples (60 and 20)",
    ):
        assert part in note


@pytest.mark.parametrize("kind", KINDS)
def test_no_line_is_wider_than_the_terminal(kind):
    names = ["a label with a rather long name that nobody would shorten", *(f"l{i}" for i in range(29))]
    found = diagnose(made(kind, label_names=names))
    for width in (40, 80, 120):
        check_width(render(found, "scores.npy against targets.npy", width=width), width)


def check_width(text, width):
    assert max(cell_len(line) for line in text.splitlines()) <= width
    assert "\x1b" not in text
    assert "…" not in text


def test_colour_changes_nothing_but_colour():
    found = of("silent")
    plain, coloured = (render(found, "x", width=80, color=color) for color in (False, True))
    assert "\x1b[1;31m" in coloured
    without = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in without.splitlines()] == plain.splitlines()


def test_at_80_columns_every_figure_has_its_column():
    text = render(of("timid"), "x", width=80)
    head = "\n".join(text.splitlines()[4:7])
    for word in ("mAP", "micro", "macro", "sample", "Hamming", "labels a", "never"):
        assert word in head


def test_json_has_what_scripts_need():
    found = of("timid")
    row = json.loads(render(found, "a against b", format="json"))
    assert {"map", "micro_f1", "micro_f1_tuned", "collapsed", "labels_per_sample", "num_samples", "num_labels"} <= set(
        row
    )
    assert {"verdict", "findings", "next_steps", "baselines", "thresholds", "never_predicted_labels"} <= set(row)
    assert (row["title"], row["num_samples"], row["num_labels"]) == ("a against b", 400, 30)
    assert set(row["baselines"]) == {"all_zeros", "all_ones", "label_prior"}
    assert len(row["thresholds"]["per_label"]) == len(row["labels"]) == 30
    assert row["labels_without_positives"] == ["label3"]
    never = [label["label"] for label in row["labels"] if not label["predicted"]]
    assert row["never_predicted_labels"] == never
    assert row["never_predicted"] == pytest.approx(len(never) / 30)


def test_markdown_is_a_table_and_lists():
    text = render(of("timid"), "x", format="md")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in rows}) == 1
    assert len(rows) == 10
    assert "\n1. Predict where" in text


def test_an_unknown_format():
    with pytest.raises(ConfigError, match="--format 'tabel' is unknown; did you mean 'table'"):
        render(of("timid"), "x", format="tabel")


def test_every_loss_and_setting_in_the_steps_exists():
    text = " ".join(step for kind in KINDS for step in next_steps(of(kind)))
    text += " ".join(next_steps(flooding("flood but ranks")))
    losses = set(choices("loss"))
    compared = {name for names in re.findall(r"loss=(\S+)", text) for name in names.split(",")}
    assert {"bce", "zlpr", "softmax_ce", "two_way", "asymmetric"} <= compared <= losses
    assert {"weighted_bce", "logit_adjusted", "distribution_balanced", "rebalanced_focal"} <= losses
    assert "head.bias_init=prior" in text
    assert "loss.reduction=sum" in text


def test_what_the_initial_bias_did_is_what_the_readme_shows():
    (row,) = re.findall(r"^\| bce \| .*silent.*$", README, re.MULTILINE)
    zero, prior = (row.split("|")[column] for column in (2, 7))
    (step,) = (step for step in next_steps(of("silent")) if "digit sheet" in step)
    assert f"from an mAP of {float(zero):.2f} to {float(prior):.2f}" in step


# The command


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    np.save("s.npy", made("timid").scores)
    np.save("t.npy", truth())
    np.savez("both.npz", logits=made("timid").scores, targets=truth())
    return tmp_path


def test_the_command(run_cli, files):
    code, out, err = run_cli("diagnose", "s.npy", "t.npy", "--logits")
    assert (code, err) == (0, "")
    assert out.startswith("s.npy against t.npy: 400 samples, 30 labels, 3.31 true a sample")
    assert KINDS["timid"][0].split(":")[0] in out
    assert max(map(len, out.splitlines())) <= 80
    again = run_cli("diagnose", "both.npz", "--logits")[1]
    assert again.partition("\n\n")[2] == out.partition("\n\n")[2]


def test_the_command_s_options(run_cli, files):
    (files / "names.txt").write_text("".join(f"name{i}\n" for i in range(30)))
    options = ["--threshold", "-2", "--seed", "3", "--labels", "names.txt", "--format", "json"]
    row = json.loads(run_cli("diagnose", "s.npy", "t.npy", "--logits", *options)[1])
    assert (row["thresholds"]["own"], row["seed"], row["labels"][2]["label"]) == (-2.0, 3, "name2")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["s.npy", "t.npy"], "so they are no probabilities: type --logits"),
        (["s.npy", "t.npy", "--probabilities"], "and probabilities lie between 0 and 1; type --logits"),
        (
            ["s.npy", "t.npy", "--logits", "--probabilities"],
            "type --logits or --probabilities, whichever the scores are",
        ),
        (["s.npy", "--logits"], "TARGETS are missing: type mllc diagnose s.npy TARGETS"),
        (["s.npy", "none.npy", "--logits"], "TARGETS=none.npy: there is no such file"),
        (["s.npy", "t.npy", "--logits", "--format", "latex"], "--format 'latex' is unknown"),
        (["s.npy", "t.npy", "--logits", "--threshold", "nan"], "--threshold nan is none for logits"),
        (["s.npy", "t.npy", "--logits", "--seed", "-1"], "--seed"),
        (["s.npy", "t.npy", "--logits", "--seed", "99999999999999999999"], "--seed"),
        (["s.npy", "", "--logits"], "TARGETS= is a folder; type a file"),
        ([], "Missing argument 'scores'"),
    ],
)
def test_wrong_input_is_told_in_a_few_lines(run_cli, files, arguments, message):
    code, out, err = run_cli("diagnose", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) <= 4


def test_torch_is_not_imported_for_input_that_is_wrong(files):
    found, _ = imported_by("diagnose", "s.npy", "t.npy")
    assert found == ["2", "numpy"]


def test_piped_output_is_plain(files):
    safetensors.numpy.save_file({"scores": made("silent").scores, "targets": truth()}, "run.safetensors")
    command = [
        sys.executable,
        "-m",
        "mllc",
        "diagnose",
        "run.safetensors:scores",
        "run.safetensors:targets",
        "--logits",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "It is silent, and it does not rank: no threshold helps." in done.stdout
    assert ("\x1b" in done.stdout, done.stderr) == (False, "")


def test_columns_that_many_labels_share_are_no_other_order():
    draw = np.random.default_rng(0)
    targets = draw.random((600, 40)) < 0.1
    hub = np.array([targets[:, 0], targets[:, 1]]).any(0)
    targets[hub, 2:] |= draw.random((hub.sum(), 38)) < 0.6
    scores = draw.normal(size=(600, 40)) + 8 * np.outer(hub, np.arange(40) < 2)
    found = diagnose(Scored.of(scores, targets, unit="logits"))
    assert len(found.columns) > 20, "nearly every label goes with one of two columns"
    assert "columns" not in verdict(found)[0]


def test_a_model_that_predicts_everything_is_told_though_ten_times_cannot_be():
    draw = np.random.default_rng(0)
    targets = draw.random((300, 20)) < 0.5
    found = diagnose(Scored.of(targets + draw.normal(size=targets.shape) + 9, targets, unit="logits"))
    assert "that is nearly every label, as all_ones" in findings(found)["collapse"]
    assert any(step.startswith("If positives are weighted, weight them less") for step in next_steps(found))


def test_the_sentence_and_the_steps_name_the_same_way():
    for kind in ("timid", "silent but ranks"):
        found = diagnose(made(kind))
        way = better_way(found)
        steps = " ".join(next_steps(found))
        assert (way == "_per_label") == (
            "Give each label its own threshold" in steps and "Predict the top" not in steps
        )


def test_few_positives_make_every_verdict_uncertain():
    found = diagnose(Scored.of([[2.0, -1.0], [-1.0, 2.0], [1.0, -2.0]], [[0, 1], [1, 0], [0, 1]], unit="logits"))
    assert verdict(found)[0].endswith("From 3 positives this is uncertain.")


def test_a_run_s_scores_have_the_names_that_lie_beside_them(tmp_path):
    safetensors.numpy.save_file({"scores": np.eye(3), "targets": np.eye(3)}, tmp_path / "scores.safetensors")
    (tmp_path / "per_label.csv").write_text('index,label\n0,sun\n1,"sea, high"\n2,sky\n')
    found = read_scored(str(tmp_path / "scores.safetensors"), None, unit="logits")
    assert found.label_names == ("sun", "sea, high", "sky")
