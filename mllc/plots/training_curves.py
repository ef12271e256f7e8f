"""Training curves: loss, validation figures, and labels predicted per sample, where a collapse shows."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mllc.plots import style, words
from mllc.plots.folders import History
from mllc.plots.style import styled

Values = NDArray[np.float64]

SILENT, FLOOD = 0.01, 10.0
"""Times the true number of labels: under the first a rule is silent, over the second it floods (metrics.collapse)."""

HATCHES = {"silent": "//", "flood": "\\\\", "constant": "--"}

TRUE: dict[str, Any] = {"color": "0.35", "linestyle": (0, (8, 2)), "linewidth": 0.9, "zorder": 2.5}
BEST: dict[str, Any] = {"color": "0.3", "linestyle": (0, (2, 2)), "linewidth": 0.9, "zorder": 1}


@styled
def draw_run(
    history: History,
    *,
    title: str,
    monitor: str,
    best_epoch: int | None = None,
    true_labels: float | None = None,
    collapse: Mapping[str, Any] | None = None,
) -> Figure:
    """One run: training and validation loss; mAP and micro-F1; labels predicted by the own rule per sample.

    true_labels  mean true labels of a validation sample
    collapse     the fields of RunResult.collapse; its stretches of epochs are shaded and named
    """
    figure, [[loss, quality, labels]] = style.panels(1, 3, (10.5, 3.9), title)
    usual = ("val_map", "val_micro_f1", "val_micro_f1_tuned")
    shares = usual if monitor in (*usual, "val_loss") else (monitor, *usual)
    columns = {
        loss: {"train_loss": "training", "val_loss": "validation"},
        quality: {name: words.spelled(name) for name in shares},
        labels: {"val_labels_per_sample": "own rule"},
    }
    at = style.thinned(len(history["epoch"]))
    for axes, curves in columns.items():
        for (name, text), look in zip(curves.items(), style.looks(list(curves)).values(), strict=True):
            axes.plot(history["epoch"][at], history[name][at], label=text, **look.line(len(at)))
        axes.set_xlabel("epoch")
        style.whole_numbers(axes)
    loss.set_ylabel("loss (per sample)")
    _wide_scale(loss, [history["train_loss"], history["val_loss"]])
    quality.set_ylabel("on validation (0 to 1)")
    quality.set_ylim(bottom=0)
    _labels_scale(labels, [history["val_labels_per_sample"]], true_labels)
    for verdict, first, last in _stretches(collapse or {}):
        for axes in columns:
            hatch = HATCHES.get(verdict, "") if axes is labels else ""
            axes.axvspan(
                first - 0.5, last + 0.5, facecolor="0.95", hatch=hatch, edgecolor="0.8", linewidth=0, zorder=0.4
            )
        place = (first + last) / 2, 1
        style.note(
            labels, verdict, place, ("data", "axes fraction"), (0, 2), ha="center", va="bottom", fontweight="bold"
        )
    if best_epoch is not None:
        for axes in columns:
            axes.axvline(best_epoch, label=f"best {words.spelled(monitor)}" if axes is quality else None, **BEST)
    for axes in columns:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2)
    return figure


@styled
def draw_rows(
    curves: Mapping[str, Sequence[History]],
    *,
    title: str,
    monitor: str,
    baseline: str | None = None,
    true_labels: float | None = None,
) -> Figure:
    """The rows of a comparison: mean over each row's runs, and a band from the least to the largest where several.

    Losses are on scales of their own, so each is drawn relative to its first epoch.
    """
    figure, [[train, val], [quality, labels]] = style.panels(2, 2, (9.5, 6.6), title, sharex=True)
    shown = style.looks(list(curves), baseline)
    panels = {train: "train_loss", val: "val_loss", quality: monitor, labels: "val_labels_per_sample"}
    most = style.points_each(len(panels) * 3 * len(curves))
    means: dict[Axes, list[Values]] = {axes: [] for axes in panels}
    for axes, column in panels.items():
        for name, look in shown.items():
            runs = [run[column] for run in curves[name] if column in run]
            if axes in (train, val):
                runs = [run / run[0] for run in runs if 0 < run[0] < np.inf]
            if not runs:
                continue
            mean, low, high = over_runs(runs)
            means[axes].append(mean)
            at = style.thinned(len(mean), most)
            axes.plot(at + 1, mean[at], label=name, **look.line(len(at)))
            if len(runs) > 1 and look is not style.OTHER:
                axes.fill_between(at + 1, low[at], high[at], color=look.color, alpha=0.13, linewidth=0)
        style.whole_numbers(axes)
    for axes, split in ((train, "training"), (val, "validation")):
        axes.set_ylabel(f"{split} loss (of that in epoch 1)")
        _wide_scale(axes, means[axes])
    quality.set_ylabel(words.axis(monitor, "val"))
    _labels_scale(labels, means[labels], true_labels)
    for axes in (quality, labels):
        axes.set_xlabel("epoch")
    style.legend(figure, shown, [style.key("true number of labels", **TRUE)] if true_labels else [])
    return figure


def over_runs(runs: Sequence[Values]) -> tuple[Values, Values, Values]:
    """Mean, least and largest value at each epoch, of the runs that came so far; NaN where one has no value.

    >>> [values.tolist() for values in over_runs([np.array([1.0, 2.0]), np.array([3.0])])]
    [[2.0, 2.0], [1.0, 2.0], [3.0, 2.0]]
    """
    at = [np.array([run[epoch] for run in runs if len(run) > epoch]) for epoch in range(max(map(len, runs)))]
    summaries = [[float(summary(values)) for values in at] for summary in (np.mean, np.min, np.max)]
    mean, low, high = np.array(summaries)
    return mean, low, high


def _wide_scale(axes: Axes, curves: Sequence[Values]) -> None:
    """Logarithmic where the values are positive and the largest is over 30 times the least."""
    values = np.concatenate([*curves, np.ones(0)])
    values = values[np.isfinite(values)]
    if len(values) and values.max() > 30 * values.min() > 0:
        style.log_scale(axes, "y")


def _labels_scale(axes: Axes, curves: Sequence[Values], true_labels: float | None) -> None:
    """From none to a flood: linear below the border of silence, logarithmic above; the true number is a line."""
    axes.set_ylabel(words.axis("labels_per_sample"))
    if not true_labels:
        return
    silent, flood = SILENT * true_labels, FLOOD * true_labels
    values = np.concatenate([*curves, [flood]])
    top = 2.5 * values[np.isfinite(values)].max()
    bottom = -0.12 * silent
    axes.set_yscale("symlog", linthresh=silent, linscale=0.4)
    axes.set_ylim(bottom, top)
    axes.set_yticks([0.0, *(tick for tick in 10.0 ** np.arange(-6, 7) if 1.5 * silent <= tick <= top)])
    style.plain_ticks(axes, "y")
    axes.axhline(true_labels, label="true number", **TRUE)
    for name, low, high, place in (("silent", bottom, silent, silent / 2), ("flood", flood, top, flood * 1.5)):
        axes.axhspan(low, high, color="0.93", zorder=0.5, linewidth=0)
        style.note(axes, name, (1, place), ("axes fraction", "data"), (3, 0), va="center", color="0.4", size=7.5)


def _stretches(collapse: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """(verdict, first epoch, last epoch) of every collapse of a run."""
    found = [collapse, *collapse.get("others", ())]
    return [(one["verdict"], one["first_epoch"], one["last_epoch"]) for one in found if one.get("verdict")]
