"""`mllc report --code`: the snippet, run, has the loss, the steps, the decisions and the figures of the run."""

import inspect
import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file
from sample_runs import make
from sklearn.metrics import f1_score
from test_report import save
from test_run import configs_of, folder_of, trained

from mllc.build import build_replica, share
from mllc.config import catalogue, compose
from mllc.losses import build_objective, counts, rules, scores, traits
from mllc.report.snippet import ARGUMENTS, STATISTICS, Snippet
from mllc.types import LabelStatistics

LABELS, FEATURES = 6, 5

CASES = [
    *(f"loss={name}" for name in catalogue.choices("loss")),
    "loss=bce loss.reduction=mean loss.threshold=0.3",
    "loss=focal loss.gamma=3 loss.rule=top_k loss.k=2",
    "loss=softmax_ce loss.rule=top_k",
    *(f"loss=softmax_count loss.rule={rule}" for rule in rules.RULES if rule != "above"),
    *(f"loss=softmax_count loss.penalty=poisson loss.rule={rule}" for rule in ("top_count", "product_above")),
    "loss=weighted_bce loss.weight=sqrt loss.cap=2 head.bias_init=prior",
    "loss=zlpr head.bias_init=prior clip=0.5",
    *(f"optimizer={name}" for name in catalogue.choices("optimizer")),
    *(f"schedule={name} schedule.warmup=0.2" for name in catalogue.choices("schedule")),
]

RUNS = {
    "above": "loss=weighted_bce optimizer=sgd optimizer.lr=0.03 schedule=one_cycle clip=1.0 head.bias_init=prior",
    "top_k": "loss=two_way optimizer=rmsprop",
    "softmax_above": "loss=softmax_ce optimizer=adagrad schedule=cosine schedule.warmup=0.3",
    "top_count": "loss=softmax_count optimizer=adam head.bias_init=prior",
    "product_above": "loss=softmax_count loss.penalty=product loss.rule=product_above optimizer=adadelta",
    "mean": "loss=abs_kl loss.reduction=mean",
    "epoch": "loss=large_loss optimizer=adamw",
    "hidden": "loss=focal head.kind=mlp head.hidden=16 head.bias_init=prior",
}


class Network(torch.nn.Module):
    """A model of the user's: logits, and extra outputs where the loss wants them."""

    def __init__(self, extra):
        super().__init__()
        torch.manual_seed(0)
        self.labels = torch.nn.Linear(FEATURES, LABELS)
        self.extra = torch.nn.ModuleDict({name: torch.nn.Linear(FEATURES, 1) for name in extra})

    def forward(self, features):
        logits = self.labels(features)
        return (logits, *(unit(features).squeeze(1) for unit in self.extra.values())) if self.extra else logits


class AsTheirs(torch.nn.Module):
    """A model of mllc's that returns what the snippet wants."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, features):
        outputs = self.model(features)
        return tuple(outputs.values()) if len(outputs) > 1 else outputs["logits"]


class Batches:
    """Those of a run: another order in each epoch."""

    def __init__(self, feed):
        self.feed, self.epoch = feed, 0

    def __len__(self):
        return self.feed.steps

    def __iter__(self):
        yield from ((batch.features, batch.targets) for batch in self.feed.epoch(self.epoch))
        self.epoch += 1


def execute(text, labels, extra, **yours):
    """What the snippet has defined; `labels` and `extra` are the layers whose biases it may set."""
    names = yours | {"label_layer": labels} | {f"{name}_layer": unit for name, unit in extra.items()}
    exec(compile(text, "snippet.py", "exec"), names)
    return names


@pytest.mark.parametrize("overrides", CASES)
def test_the_snippets_loss_and_decisions_are_the_objectives(overrides):
    conf = compose.compose([*overrides.split(), "epochs=3"])
    draw = torch.Generator().manual_seed(1)
    features = torch.randn(40, FEATURES, generator=draw)
    targets = (torch.rand(40, LABELS, generator=draw) < 0.3).float()
    statistics = LabelStatistics(targets.sum(0), len(targets), targets.sum().item() / len(targets))
    objective = build_objective(compose.target(conf["loss"]), conf["loss"]["name"], conf["loss"], statistics)
    network = Network(objective.outputs)
    found = execute(
        Snippet(conf, threshold=-0.25).text(),
        network.labels,
        network.extra,
        model=network,
        batches=[(features[:20], targets[:20]), (features[20:], targets[20:])],
        train_targets=targets,
    )

    made = network(features)
    outputs = dict(zip(("logits", *objective.outputs), made if objective.outputs else (made,), strict=True))
    extra = {name: outputs[name] for name in objective.outputs}
    extra |= {"epoch": 2} if "epoch" in objective.traits.needs else {}
    ours, theirs = found["loss_function"](made[0] if objective.outputs else made, targets, **extra), objective.mean
    torch.testing.assert_close(ours, theirs(outputs, targets, epoch=2), rtol=1e-6, atol=0, equal_nan=True)
    assert torch.equal(found["decide"](*outputs.values()), objective.decide(outputs))
    assert torch.equal(found["decide_tuned"](*outputs.values()), objective.scores(outputs) > -0.25)
    assert found["epoch"] == 2, "the loop ran"
    optimizer, node = found["optimizer"], conf["optimizer"]
    assert type(optimizer) is compose.target(node)
    for key in optimizer.defaults.keys() & node.keys() - {"lr"}:
        assert optimizer.defaults[key] == pytest.approx(node[key]), key
    assert optimizer.param_groups[0].get("initial_lr", optimizer.defaults["lr"]) == node["lr"]
    assert ("schedule" in found) == (conf["schedule"]["name"] != "constant" or conf["schedule"]["warmup"] > 0)


def test_what_the_snippet_hands_over_is_what_the_functions_ask_for():
    functions = rules.RULES | scores.SCORES | {"initial_count": counts.initial_count}
    for name, function in functions.items():
        assert set(ARGUMENTS.get(name, ())) == inspect.signature(function).parameters.keys() - {"outputs"}, name
    assert ARGUMENTS.keys() <= functions.keys()
    assert STATISTICS.keys() == set(traits.STATISTICS)
    assert set(catalogue.OF_EVERY_LOSS) == set(traits.RESERVED) - {"_target_", "traits"}


@pytest.mark.parametrize("overrides", RUNS.values(), ids=RUNS)
def test_it_takes_the_steps_of_the_run_and_has_its_figures(tmp_path, run_cli, overrides):
    given = ("epochs=2", "monitor=val_loss", "split.val=0.3", *overrides.split())
    (result,), _ = trained(tmp_path / "runs", *given)
    file = tmp_path / "best.py"
    status, out, err = run_cli("report", str(tmp_path / "runs"), "--code-file", str(file))
    assert (status, out) == (0, f"written: {file} and {tmp_path / 'best.json'}\n"), err

    (conf,) = configs_of(tmp_path, *given)
    shared = share(conf)
    model = build_replica(conf, "", shared).model.train()
    for unit in (*model.extra.values(), *([model.labels] if "prior" in overrides else [])):
        torch.nn.init.ones_(unit.bias)  # which the snippet sets
    yours = {"model": AsTheirs(model), "batches": Batches(shared.feed), "train_targets": shared.data.train.targets}
    found = execute(file.read_text(), model.labels, model.extra, **yours, __file__=str(file))
    run_folder = folder_of(tmp_path / "runs", result)
    kept = load_file(run_folder / "checkpoint.safetensors")
    weights = {name.removeprefix("model/"): value for name, value in kept.items()}
    assert result.best_epoch == 2, "so that the run's weights are the last ones, as the snippet's are"
    for name, ours in model.state_dict().items():
        torch.testing.assert_close(ours, weights[name], rtol=1e-4, atol=1e-5, msg=name)

    model.load_state_dict(weights)
    model.eval()
    with torch.no_grad():
        batches = [model(batch.features) for batch in shared.feed.split("test")]
    outputs = [torch.cat([batch[name] for batch in batches]) for name in batches[0]]
    saved = load_file(run_folder / "scores.safetensors")
    assert torch.equal(found["decide"](*outputs), saved["decisions"].bool())
    for name, figure in (("decide", ""), ("decide_tuned", "_tuned"), ("decide_per_label", "_per_label")):
        micro = f1_score(saved["targets"], found[name](*outputs), average="micro", zero_division=0)
        assert micro == pytest.approx(result.test[f"micro_f1{figure}"], abs=1e-9)
        assert f"(micro-F1 {micro:.3f} on test, seed 0)" in found[name].__doc__

    held = json.loads((tmp_path / "best.json").read_text())
    assert (held["loss"], held["rule"]) == (result.loss, conf["loss"]["rule"])
    assert (held["threshold"], held["thresholds_of"]) == (result.threshold, result.run_id)
    assert held["runs"] == [result.run_id]
    assert held["labels"] == list(shared.data.label_names)
    assert held["settings"]["optimizer.lr"] == conf["optimizer"]["lr"]


@pytest.fixture
def finished(tmp_path):
    """Saves results as run folders, and answers `mllc report` on them."""
    conf = compose.compose(["loss=focal"])

    def write(*results, per_label="label,threshold\nsun,0.5\nsun,-1.25\n"):
        for result in results:
            folder = tmp_path / "runs" / result.run_id
            save(folder, result)
            (folder / "config.yaml").write_text(json.dumps(conf))
            (folder / "per_label.csv").write_text(per_label)
        return str(tmp_path / "runs")

    return write


def test_without_a_name_it_is_the_best_row(finished, run_cli):
    runs = finished(make("bce", value=0.3), *(make("focal", seed, 0.6) for seed in (0, 1)), make("zlpr", value=0.2))
    _, out, _ = run_cli("report", runs, "--code")
    assert out.startswith("# focal: number 1 of 3 rows on test, mAP 0.600 (0.600 to 0.600 at 95 %)\n")
    assert "focal-0.1-0 (seed 0), focal-0.1-1 (seed 1)" in out
    assert "# one threshold a label: mllc report --code-file FILE.py" in out
    assert "json" not in out
    assert "The run's figures are of its epoch 5, the best by val_map" in out
    assert run_cli("report", runs, "--code", "--loss", "zlpr")[1].startswith("# zlpr: number 3 of 3 rows")
    assert run_cli("report", runs, "--code", "--metric", "hamming_loss")[1].startswith("# focal: number 1")
    compile(out, "snippet.py", "exec")


def test_the_name_of_a_row_comes_before_the_loss_of_another(finished, run_cli):
    untuned = make("bce", value=0.5, name="untuned", run_id="u", settings={"loss.reduction": "mean"})
    runs = finished(untuned, make("bce", value=0.3, run_id="b"), make("focal", value=0.6))
    assert "runs b " in run_cli("report", runs, "--code", "--loss", "bce")[1]
    assert "runs u " in run_cli("report", runs, "--code", "--loss", "untuned")[1]
    only = run_cli("report", f"{runs}/u", "--code", "--loss", "bce")
    assert "runs u " in only[1]


def test_each_comparison_has_its_code_and_a_file_takes_one(finished, run_cli, tmp_path):
    runs = finished(make(), make(run_id="longer", shared={"epochs": 12}))
    _, out, _ = run_cli("report", runs, "--code")
    assert out.count("# bce: number 1 of 1 row on test") == 2
    status, _, err = run_cli("report", runs, "--code-file", str(tmp_path / "a.py"))
    assert (status, len(err.splitlines())) == (2, 1)
    assert "--code-file takes one comparison, and these runs are 2" in err
    assert run_cli("report", f"{runs}/longer", "--code-file", str(tmp_path / "a.py"))[0] == 0
    held = json.loads((tmp_path / "a.json").read_text())
    assert (held["labels"], held["thresholds"]) == (["sun", "sun"], [0.5, -1.25]), "two labels of one name stay two"


def test_runs_that_were_not_scored_on_test_have_no_thresholds_of_labels(finished, run_cli, tmp_path):
    runs = finished(make(test=None))
    status, _, err = run_cli("report", runs, "--code-file", str(tmp_path / "a.py"))
    assert status == 0, err
    text = (tmp_path / "a.py").read_text()
    assert "not ranked on test; mAP 0.500 on val" in text
    assert "micro-F1 0.500 on validation" in text
    assert "json" not in text
    assert json.loads((tmp_path / "a.json").read_text())["thresholds"] == []


def test_a_seed_that_diverged_gives_way_to_one_that_is_done(finished, run_cli):
    bad = make("focal", 0, None, status="diverged", test=None, val=None, threshold=None)
    runs = finished(bad, make("focal", 1, run_id="good"))
    _, out, err = run_cli("report", runs, "--code")
    assert "(micro-F1 0.500 on test, seed 1)" in out, err
    assert "number 1 of 1 row on test, mAP 0.500, 1 of 2 seeds did not diverge or fail" in out
    status, _, err = run_cli("report", f"{runs}/{bad.run_id}", "--code")
    assert status == 2
    assert "no run of focal is done, so there is no code to copy" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--code", "--loss", "focl"], "--loss 'focl' is no row; did you mean 'focal'? There are focal"),
        (["--loss", "focal"], "--loss focal is for code: add --code"),
        (["--code", "--per-label"], "type one of the two"),
        (["--per-label", "--loss", "focal"], "leave out --loss"),
        (["--per-label", "--metric", "lrap"], "leave out --metric"),
        (["--code", "--region", "0.1"], "leave out --region"),
        (["--code", "--bootstrap"], "--bootstrap adds a sentence to the comparison"),
        (["--code", "--format", "json"], "--code prints Python, and no json: leave --format out"),
        (
            ["--code-file", "best.txt"],
            "--code-file best.txt: type a name that ends in .py; thresholds go into the .json",
        ),
        (["--code-file", "."], "--code-file .: type a name that ends in .py"),
        (["--code-file", ""], "--code-file .: type a name that ends in .py"),
        (["--code-file", "/nowhere/best.py"], "--code-file /nowhere/best.py cannot be written (No such file"),
    ],
)
def test_wrong_words(finished, run_cli, words, message):
    status, _, err = run_cli("report", finished(make("focal")), *words)
    assert (status, len(err.splitlines())) == (2, 1), err
    assert message in err


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.yaml", None),
        ("config.yaml", "loss: [1"),
        ("config.yaml", "epochs: 3"),
        ("config.yaml", ""),
        ("per_label.csv", None),
        ("per_label.csv", "label,threshold\nsun,high\n"),
        ("per_label.csv", "label\nsun\n"),
    ],
)
def test_a_damaged_run_folder(finished, run_cli, tmp_path, file, content):
    runs = finished(make("focal", run_id="a"))
    (tmp_path / "runs/a" / file).unlink()
    if content is not None:
        (tmp_path / "runs/a" / file).write_text(content)
    status, _, err = run_cli("report", runs, "--code")
    assert (status, len(err.splitlines())) == (2, 1), err
    assert f"{runs}/a is damaged" in err
    assert "--force" in err


def test_it_needs_no_torch(finished):
    code = (
        "import sys; from mllc import cli; sys.argv = ['mllc', 'report', sys.argv[1], '--code']\n"
        "try: cli.main()\nexcept SystemExit as left: assert not left.code\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, finished(make("focal"))], check=True, capture_output=True)
