import pytest
import torch

from mllc.config import catalogue
from mllc.config.targets import target
from mllc.loss_plot import LABELS, LOGITS, curve, plot
from mllc.losses import build_objective
from mllc.types import LabelStatistics


def objective(name):
    config = catalogue.settings("loss", name)
    return build_objective(target(config), name, config, LabelStatistics(torch.full((LABELS,), 10.0), 100, 2.0))


def test_a_curve_is_the_loss_and_its_slope():
    values, slopes = curve(objective("bce"), True)
    expected = torch.nn.functional.softplus(-LOGITS)
    torch.testing.assert_close(torch.tensor(values), expected - expected.min(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(torch.tensor(slopes), -torch.sigmoid(-LOGITS), rtol=1e-4, atol=1e-5)
    values, slopes = curve(objective("zlpr"), False)
    assert slopes[-1] == pytest.approx(1, abs=0.05)
    assert min(slopes) >= 0


def test_losses_of_labels_and_batches_are_drawn_for_either_target():
    for name in ("soft_f1", "tversky", "smooth_ap"):
        for true in (False, True):
            assert max(map(abs, curve(objective(name), true)[1])) > 0.01, name


def test_a_large_loss_of_a_false_label_is_dropped():
    values, _ = curve(objective("large_loss"), False)
    assert values[-1] == 0 < max(values)


def test_every_loss_is_drawn(tmp_path):
    assert plot(tmp_path / "losses.png") == list(catalogue.choices("loss"))
    assert (tmp_path / "losses.png").read_bytes().startswith(b"\x89PNG")


def test_the_command(run_cli, tmp_path):
    code, out, _ = run_cli("list", "losses", "--plot", str(tmp_path / "a.svg"))
    assert (code, "losses drawn" in out, (tmp_path / "a.svg").exists()) == (0, True, True)
    for words in (["datasets", "--plot", "a.png"], ["losses", "bce", "--plot", "a.png"]):
        code, _, err = run_cli("list", *words)
        assert (code, "type mllc list losses --plot a.png" in err) == (2, True)
    for file in ("a.docx", "nowhere/a.png"):
        code, _, err = run_cli("list", "losses", "--plot", str(tmp_path / file))
        assert (code, "cannot be written" in err) == (2, True)
