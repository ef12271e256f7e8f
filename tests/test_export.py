"""mllc export: each format gives the run's own scores and decisions, says what it holds, and refuses in words."""

import json
import sys

import pytest
import torch
from safetensors import safe_open
from trained_runs import train

from mllc.errors import ModelError, StoreError
from mllc.export import onnx_file
from mllc.export import write as write_module
from mllc.export.formats import SUFFIXES
from mllc.export.network import example_inputs
from mllc.export.read import read
from mllc.export.words import snippet
from mllc.report.loading import load_one
from mllc.trained import load

RUNS = {
    "zlpr": ("loss=zlpr",),
    "softmax": ("loss=softmax_ce",),
    "product": ("loss=softmax_count",),
    "count": ("loss=dirichlet_multinomial",),
    "ranking": ("loss=lsep",),
    "mlp": ("loss=abs_kl", "backbone=mlp", "backbone.hidden=[8]"),
    "resnet": ("loss=bce", "backbone=resnet18", "backbone.freeze=2", "dataset.grid=4"),
}
"""A run of each kind of rule and of network."""

PAIRS = [
    *((name, "safetensors") for name in RUNS),
    *((name, "onnx") for name in RUNS if name != "softmax"),  # its operations are in `product`
    *((name, "torch_export") for name in ("softmax", "ranking", "mlp", "resnet")),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    for name, overrides in RUNS.items():
        train(folder / name, *overrides, "epochs=1")
    return folder


def applied(format, file, inputs):
    """Scores and decisions of an exported file, by the snippet that is printed."""
    known = {"inputs": inputs.numpy() if format == "onnx" else inputs}
    exec(snippet(format, file), known)
    return torch.as_tensor(known["scores"]), torch.as_tensor(known["decisions"]), known["labels"]


@pytest.mark.parametrize(("name", "format"), PAIRS)
@pytest.mark.filterwarnings("ignore")  # of torch's exporters, when they are loaded
def test_an_exported_model_answers_as_the_run_does(home, tmp_path, run_cli, name, format):
    file = tmp_path / f"model{SUFFIXES[format]}"
    code, out, err = run_cli("export", home / name, "--format", format, "--out", file)
    assert code == 0, err
    assert f"written: {file} ({format}, " in out
    assert snippet(format, file) in out
    trained = load(load_one(home / name)[1], device="cpu")
    for samples in (1, 7):  # neither is the number of the example that was traced
        inputs = example_inputs(trained, samples)
        scores, decisions, labels = applied(format, file, inputs)
        expected = trained(inputs)
        assert torch.allclose(scores, expected.scores, atol=1e-5)
        assert torch.equal(decisions, expected.decisions)
    assert tuple(labels) == trained.file.label_names
    assert [one.name for one in tmp_path.iterdir()] == [file.name]


def test_decisions_at_ties_go_to_the_first_label(tmp_path, home):
    """In ONNX too, whose TopK stands for torch's stable sort."""
    import onnxruntime

    from mllc.export.network import Network
    from mllc.export.onnx_file import write_onnx

    trained = load(load_one(home / "ranking")[1], device="cpu")
    network = Network(trained)
    with torch.no_grad():
        network.model.labels.weight.zero_()
        network.model.labels.bias.zero_()
        inputs = example_inputs(trained)
        write_onnx(network, inputs, {}, tmp_path / "ties.onnx")
    (_, decisions) = onnxruntime.InferenceSession(tmp_path / "ties.onnx").run(None, {"inputs": inputs.numpy()})
    assert torch.equal(torch.from_numpy(decisions), network(inputs)[1])
    assert decisions[:, 0].all()


def test_what_a_file_says_of_itself(home, tmp_path, run_cli):
    file = tmp_path / "model.safetensors"
    _, out, _ = run_cli("export", home / "resnet", "--format", "safetensors", "--out", file)
    with safe_open(file, "pt") as found:
        metadata = {key: json.loads(text) for key, text in found.metadata().items()}
        keys = set(found.keys())
    result, folder = load_one(home / "resnet")
    about = metadata["mllc"]
    assert about["threshold"] == result.threshold
    assert len(about["label_thresholds"]) == len(about["labels"]) == 160
    assert about["inputs"]["inputs"]["shape"] == ["batch", 1, 32, 32]
    assert "inputs     batch x 1 x 32 x 32 uint8: grey pixels" in out
    assert "scores     batch x 160 float32" in out
    assert any(key.startswith("front/") for key in keys), "the frozen layers too"
    assert metadata["model"] == json.loads((folder / "model.json").read_text())


def test_a_file_that_is_there_is_kept(home, tmp_path, run_cli):
    file = tmp_path / "model.safetensors"
    file.write_text("precious")
    arguments = ("export", home / "mlp", "--format", "safetensors", "--out", file)
    code, _, err = run_cli(*arguments)
    assert code == 2
    assert "is there already; type --force to write over it, or --out ANOTHER_FILE" in err
    assert file.read_text() == "precious"
    assert run_cli(*arguments, "--force")[0] == 0
    assert read(file)(torch.zeros(1, 1, 24, 24, dtype=torch.uint8))[0].shape == (1, 90)


def test_without_a_name_the_file_is_called_after_the_run(home, tmp_path, run_cli, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = run_cli("export", home / "mlp", "--format", "safetensors")
    assert (code, "mlp.safetensors" in out) == (0, True)
    assert [path.name for path in tmp_path.iterdir()] == ["mlp.safetensors"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mlp", "--format", "tflite", "--out", "new"], "--format tflite: type torch_export, onnx or safetensors"),
        (["mlp", "--out", "new"], "Missing option '--format'"),
        (["mlp", "--format", "onnx", "--out", "no/where"], "there is no folder no"),
        (["mlp", "--format", "onnx", "--out", "mlp"], "is a folder; type the name of a file"),
        ([".", "--format", "onnx", "--out", "new.onnx"], "holds 7 runs; type one of them"),
        (["mlp", "--format", "torch_export", "--out", "new.onnx"], "end in .pt2; type --out new.pt2"),
        (["/nowhere", "--format", "onnx", "--out", "new.onnx"], "/nowhere is not a folder"),
    ],
)
def test_wrong_input_is_told(home, run_cli, monkeypatch, arguments, message):
    monkeypatch.chdir(home)
    code, out, err = run_cli("export", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert not [*home.glob("new*")]


def test_onnx_is_optional(home, tmp_path, run_cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    code, _, err = run_cli("export", home / "mlp", "--format", "onnx", "--out", tmp_path / "new.onnx")
    assert (code, "pip install 'mllc[onnx]'" in err) == (2, True)


class Untraceable(torch.nn.Module):
    def forward(self, inputs):
        return inputs if inputs.sum() > 0 else -inputs  # which way depends on the values


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("format", ["torch_export", "onnx"])
def test_a_network_that_cannot_be_traced_is_told(home, tmp_path, format):
    trained = load(load_one(home / "mlp")[1], device="cpu")
    trained.model.stages.append(Untraceable())
    with pytest.raises(
        ModelError, match=rf"backbone=mlp cannot be exported as {format} \(.*--format safetensors writes"
    ):
        write_module.write(trained, format, tmp_path / "new")


@pytest.mark.parametrize("content", [b"", b"{}", b"\x10\x00\x00\x00\x00\x00\x00\x00{damaged"])
def test_a_file_that_is_not_ours_is_told(tmp_path, content):
    file = tmp_path / "other.safetensors"
    file.write_bytes(content)
    with pytest.raises(StoreError, match="is not what mllc export --format safetensors writes, or is damaged"):
        read(file)


@pytest.mark.filterwarnings("ignore")
def test_a_network_too_large_for_one_file_of_onnx_is_told(home, tmp_path, monkeypatch):
    trained = load(load_one(home / "mlp")[1], device="cpu")
    needed = sum(value.nbytes for value in write_module.Network(trained).state_dict().values())
    monkeypatch.setattr(onnx_file, "MOST_BYTES", needed - 1)
    with pytest.raises(
        ModelError, match=r"--format onnx: .* do not fit into one ONNX file.*type --format torch_export"
    ):
        write_module.write(trained, "onnx", tmp_path / "new.onnx")
    assert not [*tmp_path.iterdir()]
    monkeypatch.setattr(onnx_file, "MOST_BYTES", needed)
    write_module.write(trained, "onnx", tmp_path / "new.onnx")
    assert [file.name for file in tmp_path.iterdir()] == ["new.onnx"]
