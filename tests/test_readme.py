"""Every command and every code block of the README does what it says."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torchvision.utils import save_image

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    line.removeprefix("$ ").split("  #")[0].strip()
    for kind, block in BLOCKS
    if kind == "console"
    for line in block.splitlines()
    if line.startswith("$ ")
]
MLLC = [command for command in COMMANDS if command.startswith("mllc ")]


def run(command, folder):
    words = shlex.split(command)
    assert words[0] == "mllc"
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, timeout=900, check=False
    )


def test_the_commands_are_the_ones_meant():
    assert len(MLLC) >= 9
    assert [command for command in COMMANDS if command not in MLLC] == ["make demo", "make test"]


DEMOS = list((ROOT / "benchmarks/results").glob("*-demo.json"))


@pytest.mark.skipif(not DEMOS, reason="benchmarks/results has no *-demo.json: python benchmarks/demo.py makes one")
def test_the_table_is_the_one_that_was_measured():
    tables = [json.loads(file.read_text())["table"].strip() for file in DEMOS]
    assert any(table in README for table in tables)


def test_make_knows_its_targets():
    shown = subprocess.run(["make", "-n", "-o", "setup", "demo", "test"], cwd=ROOT, capture_output=True, text=True)
    assert shown.returncode == 0
    assert "mllc sweep sweep=demo" in shown.stdout
    assert "pytest" in shown.stdout


@pytest.mark.slow
def test_every_command_runs(tmp_path):
    write_features(tmp_path)
    write_photos(tmp_path / "photos")
    write_scores(tmp_path)
    for command in MLLC:
        done = run(command, tmp_path)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        assert done.stdout.strip(), command
        if command.startswith("mllc report") and "--format json" in command:
            rows = json.loads(done.stdout)
            assert {"bce", "zlpr", "all_zeros"} <= {row["loss"] for row in rows}


def test_the_inspection_shown_is_what_it_prints(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    (shown,) = (block for kind, block in BLOCKS if kind == "text" and "Charte et al." in block)
    assert run("mllc inspect", tmp_path).stdout == shown


def test_a_model_of_one_s_own_is_diagnosed(tmp_path):
    write_scores(tmp_path)
    commands = [command for command in MLLC if command.startswith("mllc diagnose ")]
    text, row, again = (run(command, tmp_path).stdout for command in commands)
    assert again == text
    assert {"diagnosis.html", "pictures"} <= {file.name for file in tmp_path.iterdir()}
    assert "It floods, and it does not rank: no threshold helps." in text.replace("\n  ", " ")
    assert {"map", "micro_f1", "micro_f1_tuned", "collapsed", "labels_per_sample"} <= json.loads(row).keys()


def test_adding_a_loss(tmp_path):
    (code,) = (block for kind, block in BLOCKS if kind == "python" and "def mine(" in block)
    (settings,) = (block for kind, block in BLOCKS if kind == "yaml")
    (tmp_path / "my/loss").mkdir(parents=True)
    (tmp_path / "my/mine.py").write_text(code)
    assert "_target_: mllc.losses.mine" in settings
    (tmp_path / "my/loss/mine.yaml").write_text(settings.replace("mllc.losses.mine", "mine.mine"))
    tiny = "dataset.samples=100 dataset.test_samples=50 dataset.grid=2 epochs=1"
    (command,) = re.findall(r"`(mllc train loss=mine --config-dir .*?)`", README)
    done = run(f"{command} {tiny}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "mine on digits" in done.stdout


def test_the_figures_explained_are_the_figures_reported():
    from mllc.report import FIGURES

    for name in FIGURES:
        base = name.removesuffix("_tuned")
        assert f"`{base}`" in README


def write_scores(folder):
    (code,) = (block for kind, block in BLOCKS if kind == "python" and "scores.npy" in block)
    subprocess.run([sys.executable, "-c", f"import torch; torch.manual_seed(0)\n{code}"], cwd=folder, check=True)


def write_features(folder):
    header = "@relation r\n" + "".join(f"@attribute f{i} numeric\n" for i in range(4))
    header += "".join(f"@attribute label{i} {{0,1}}\n" for i in range(3)) + "@data\n"
    draw = torch.Generator().manual_seed(0)
    for name in ("train", "test"):
        lines = [
            ",".join([*(f"{x:.4f}" for x in row), *(str(int(x > 0)) for x in row[:3])])
            for row in torch.randn(120, 4, generator=draw).tolist()
        ]
        (folder / f"{name}.arff").write_text(header + "\n".join(lines) + "\n")
    labels = "".join(f'<label name="label{i}"></label>' for i in range(3))
    (folder / "labels.xml").write_text(f'<labels xmlns="http://mulan.sourceforge.net/labels">{labels}</labels>')


def write_photos(folder):
    folder.mkdir()
    draw = torch.Generator().manual_seed(0)
    for split, number in (("train", 40), ("test", 12)):
        lines = ["image,labels"]
        for i in range(number):
            labels = torch.rand(3, generator=draw) < 0.5
            image = torch.rand(3, 48, 64, generator=draw) * 0.2 + labels.view(3, 1, 1) * 0.8
            save_image(image, folder / f"{split}{i}.png")
            lines.append(f"{split}{i}.png," + "|".join(n for n, on in zip("rgb", labels, strict=True) if on))
        (folder / f"{split}.csv").write_text("\n".join(lines) + "\n")
