"""What each loss does: its value and its gradient against a label's logit, one small panel a loss (`--plot`)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from mllc.config import catalogue
from mllc.config.targets import target
from mllc.errors import StoreError
from mllc.losses.objective import Objective, build_objective
from mllc.plots import style
from mllc.plots.style import COLORS, styled
from mllc.types import LabelStatistics

LABELS, TRUE = 20, 2
"""Of the sample of which one label's logit moves; the other logits are 0."""

LOGITS = torch.linspace(-8, 8, 65)

LOOKS: dict[str, dict[str, Any]] = {"true": {"color": COLORS[0]}, "false": {"color": COLORS[1], "linestyle": "--"}}


def curve(objective: Objective, true: bool) -> tuple[list[float], list[float]]:
    """The loss, above its least, and its derivative at each of LOGITS, of a label that is true or false.

    The label belongs to a sample with TRUE true labels in all; in a second sample, for losses that compare samples, its
    target is the other one. What is drawn is the value of the element, where a loss has one, or else of the sample, or
    else of the batch. What a loss counts of other epochs is that of epoch 10.
    """
    targets = torch.zeros(2, LABELS)
    targets[0, 1 - true : 1 - true + TRUE] = 1
    targets[1, int(true) : true + TRUE] = 1
    shape = objective.traits.shape
    values, slopes = [], []
    for logit in LOGITS.tolist():
        outputs = {name: torch.full((2,), float(TRUE)) for name in objective.outputs}
        outputs["logits"] = torch.zeros(2, LABELS)
        outputs["logits"][0, 0] = logit
        outputs["logits"].requires_grad_()
        if shape == "element":
            loss = objective.values(outputs, targets, epoch=10)[0, 0]
        else:
            loss = objective.mean(outputs, targets, epoch=10) * (2 if shape == "sample" else 1)
        values.append(loss.item())
        slopes.append(torch.autograd.grad(loss, outputs["logits"])[0][0, 0].item())
    return [value - min(values) for value in values], slopes


@styled
def plot(file: Path, config_dir: Path | None = None, allow: Sequence[str] = ()) -> list[str]:
    """Draws every loss of conf/loss into `file` (.png, .svg or .pdf); returns their names.

    StoreError where the file cannot be written.
    """
    counts = torch.full((LABELS,), 100.0 * TRUE / LABELS)
    statistics = LabelStatistics(counts, 100, float(TRUE))
    names = list(catalogue.choices("loss", config_dir))
    rows, columns = style.grid(len(names), 6)
    title = (
        "Losses and their gradients\nof the element, the sample or the batch, above their least, for the logit of one "
        "label; the sample has 20 labels, 2 of them true, other logits 0"
    )
    figure, axes = style.panels(rows, columns, (2.1 * columns + 0.3, 1.7 * rows + 1.0), title, sharex=True)
    panels = list(style.flat(axes, len(names)))
    for panel, name in zip(panels, names, strict=True):
        config = catalogue.settings("loss", name, config_dir)
        objective = build_objective(target(config, allow=allow), name, config, statistics)
        for label, look in LOOKS.items():
            values, slopes = curve(objective, label == "true")
            panel.plot(LOGITS, values, linewidth=1.8, label=f"loss, label {label}", **look)
            panel.plot(LOGITS, slopes, linewidth=0.9, label=f"gradient, label {label}", **look)
        panel.set_title(name)
    for panel in panels[-columns:]:
        panel.tick_params(labelbottom=True)  # the last of each column
        panel.set_xlabel("logit")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    try:
        figure.savefig(file, dpi=120)
    except (OSError, ValueError) as error:
        raise StoreError(f"--plot {file} cannot be written: {error}") from None
    return names
