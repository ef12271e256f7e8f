"""The README's programs in other frameworks run as they are written, and its table of equal functions is true."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close
from torchvision.ops import sigmoid_focal_loss

from mllc.losses import as_module, bce, focal, from_probabilities, softmax_ce, weighted_bce

README = (Path(__file__).parents[1] / "README.md").read_text()
SECTION = README.partition("## In your own code")[2].partition("\n## ")[0]
PROGRAMS = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
LOGITS = 3 * torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
TARGETS = (LOGITS.roll(1, 1) > 0).float()


def test_the_programs_are_the_ones_meant():
    assert len(PROGRAMS) == 4
    for word, program in zip(("as_module", "lightning", "transformers", "keras"), PROGRAMS, strict=True):
        assert word in program


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS, ids=["torch", "lightning", "transformers", "keras"])
def test_a_program_runs(program, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"CI": "1"}
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(
    "name",
    [
        "BCELoss",
        "BCEWithLogitsLoss",
        "sigmoid_cross_entropy_with_logits",
        "SigmoidCrossEntropyLoss",
        "MultiLabelSoftMarginLoss",
        "weighted_cross_entropy_with_logits",
        "pos_weight",
    ],
)
def test_the_table_has_the_names_that_are_looked_for(name):
    assert re.search(rf"\b{name}\b", SECTION.partition("What it is called elsewhere:")[2])


def test_cross_entropy_by_its_other_names():
    mean = as_module(bce, reduction="mean")
    assert_close(mean(LOGITS, TARGETS), F.binary_cross_entropy_with_logits(LOGITS, TARGETS))
    assert_close(mean(LOGITS, TARGETS), F.multilabel_soft_margin_loss(LOGITS, TARGETS))
    assert_close(
        from_probabilities(bce)(LOGITS.sigmoid(), TARGETS).mean(), F.binary_cross_entropy(LOGITS.sigmoid(), TARGETS)
    )


def test_weights_by_their_other_names():
    theirs = F.binary_cross_entropy_with_logits(LOGITS, TARGETS, pos_weight=torch.tensor(7.0), reduction="none")
    assert_close(weighted_bce(LOGITS, TARGETS, weight=7.0), theirs)
    weight = torch.where(TARGETS == 1, 7.0, 1.0)
    by_element = F.binary_cross_entropy_with_logits(LOGITS, TARGETS, weight=weight, reduction="none")
    assert_close(weight * bce(LOGITS, TARGETS), by_element)
    assert_close(weighted_bce(LOGITS, TARGETS, weight=7.0), by_element)


def test_softmax_and_focal_by_their_other_names():
    rows = F.cross_entropy(LOGITS, TARGETS, reduction="none")
    assert_close(softmax_ce(LOGITS, TARGETS) * TARGETS.sum(1), rows)
    theirs = sigmoid_focal_loss(LOGITS, TARGETS, alpha=0.25, gamma=2)
    assert_close(focal(LOGITS, TARGETS, alpha=0.25, gamma=2.0), theirs)


def test_the_binary_losses_of_keras():
    code = (
        "import os; os.environ['KERAS_BACKEND'] = 'torch'\n"
        "import keras, torch; from mllc.losses import bce, focal, from_probabilities\n"
        "z, y = 3 * torch.randn(6, 5), (torch.rand(6, 5) < 0.5).float()\n"
        "theirs = keras.losses.binary_crossentropy(y, z, from_logits=True)\n"
        "torch.testing.assert_close(bce(z, y).mean(1), theirs)\n"
        "p = torch.rand(6, 5).clamp(0.01, 0.99)\n"
        "theirs = keras.losses.BinaryFocalCrossentropy(gamma=2, reduction=None)(y, p)\n"
        "torch.testing.assert_close(from_probabilities(focal)(p, y, gamma=2.0).mean(1), theirs, rtol=1e-4, atol=1e-5)\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
