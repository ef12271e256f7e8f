"""What each loss does: its value and its gradient against a label's logit, one small panel a loss (`--plot`)."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch

from mllc.config import catalogue
from mllc.config.targets import target
from mllc.errors import StoreError
from mllc.losses.objective import Objective, build_objective
from mllc.types import LabelStatistics

LABELS, TRUE = 20, 2
"""Of the sample of which one label's logit moves; the other logits are 0."""

LOGITS = torch.linspace(-8, 8, 65)

COLORS = {"true": "#0072b2", "false": "#d55e00"}


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


def plot(file: Path, config_dir: Path | None = None, allow: Sequence[str] = ()) -> list[str]:
    """Draws every loss of conf/loss into `file` (.png, .svg or .pdf); returns their names.

    StoreError where the file cannot be written.
    """
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    counts = torch.full((LABELS,), 100.0 * TRUE / LABELS)
    statistics = LabelStatistics(counts, 100, float(TRUE))
    names = list(catalogue.choices("loss", config_dir))
    columns = min(6, len(names))
    rows = math.ceil(len(names) / columns)
    figure, panels = pyplot.subplots(
        rows, columns, figsize=(2.3 * columns, 1.8 * rows + 0.6), squeeze=False, sharex=True
    )
    for panel in panels.flat[len(names) :]:
        panel.axis("off")
    for panel, name in zip(panels.flat, names, strict=False):
        config = catalogue.settings("loss", name, config_dir)
        objective = build_objective(target(config, allow=allow), name, config, statistics)
        panel.axhline(0, color="0.8", linewidth=0.8)
        panel.axvline(0, color="0.8", linewidth=0.8)
        for label, color in COLORS.items():
            values, slopes = curve(objective, label == "true")
            panel.plot(LOGITS, values, color=color, label=f"loss, label {label}")
            panel.plot(LOGITS, slopes, color=color, linestyle="--", linewidth=1, label=f"gradient, label {label}")
        panel.set_title(name, fontsize=9)
        panel.tick_params(labelsize=7)
    for panel in panels.flat[max(0, len(names) - columns) : len(names)]:
        panel.tick_params(labelbottom=True)  # the last of each column
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="upper center", ncols=4, fontsize=8, frameon=False)
    figure.supxlabel(
        "logit of the label; the sample has 20 labels, 2 of them true, other logits 0; losses of the element, the "
        "sample or the batch, above their least",
        fontsize=8,
    )
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.35 / figure.get_figheight()))
    try:
        figure.savefig(file, dpi=120)
    except (OSError, ValueError) as error:
        raise StoreError(f"--plot {file} cannot be written: {error}") from None
    finally:
        pyplot.close(figure)
    return names
