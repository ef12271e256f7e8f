"""The figure on validation against each setting that was tried: did the search look far enough?"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mllc.plots import style
from mllc.plots.style import Look, styled
from mllc.study import Range, is_number

MOST_PANELS = 16


@dataclass(frozen=True)
class Tried:
    """One trial: its settings, its figure on validation (None: it did not end well), and whether it was chosen."""

    settings: Mapping[str, Any]
    value: float | None
    chosen: bool = False


def varied(rows: Mapping[str, Sequence[Tried]]) -> list[str]:
    """Settings of which some row tried several values, those of most rows first."""
    number: dict[str, int] = {}
    for trials in rows.values():
        values: dict[str, set[str]] = {}
        for trial in trials:
            for key, value in trial.settings.items():
                values.setdefault(key, set()).add(repr(value))
        for key, found in values.items():
            if len(found) > 1:
                number[key] = number.get(key, 0) + 1
    return sorted(number, key=lambda key: (-number[key], key))


CHOSEN: dict[str, Any] = {
    "linestyle": "none",
    "marker": "o",
    "markersize": 10,
    "markerfacecolor": "none",
    "markeredgecolor": "black",
    "zorder": 4,
}
FAILED: dict[str, Any] = {"linestyle": "none", "marker": "x", "markersize": 5}
END: dict[str, Any] = {"color": "0.4", "linewidth": 0.9, "linestyle": (0, (4, 2))}


@styled
def draw(
    rows: Mapping[str, Sequence[Tried]],
    *,
    title: str,
    axis: str,
    ranges: Mapping[str, Mapping[str, Range]] | None = None,
    baseline: str | None = None,
    lower_is_better: bool = False,
) -> Figure:
    """A panel for each of `varied`, at most MOST_PANELS: a mark a trial, the chosen ones ringed.

    A line joins the best mean at each number, except for a row that was searched, where each comes once. Trials without
    a figure are crosses at the foot.

    ranges  row -> setting -> where it was searched; the ends are drawn
    """
    ranges = ranges or {}
    settings = varied(rows)[:MOST_PANELS]
    lines, columns = style.grid(len(settings), 4 if len(settings) > 4 else 3)
    size = (max(6.0, 3.1 * columns), 2.6 * lines + 1.1)
    figure, axes = style.panels(lines, columns, size, title, sharey=True)
    shown = style.looks(list(rows), baseline)
    for number, (panel, setting) in enumerate(zip(style.flat(axes, len(settings)), settings, strict=True)):
        tried = {name: [trial for trial in trials if setting in trial.settings] for name, trials in rows.items()}
        varying = {name: trials for name, trials in tried.items() if setting in varied({name: trials})}
        spaces = [ranges[name][setting] for name in varying if setting in ranges.get(name, {})]
        scale = scale_of([trial.settings[setting] for trials in varying.values() for trial in trials], spaces)
        for name, trials in varying.items():
            _row(panel, [(scale.places[repr(trial.settings[setting])], trial) for trial in trials], shown[name])
            best = profile(setting, trials, lower_is_better) if name not in ranges else {}
            line = sorted((scale.places[value], figure) for value, figure in best.items())
            line = [point for point in line if point[0] not in scale.apart]
            if line:
                panel.plot(*zip(*line, strict=True), **shown[name].line(1, markers=False, linewidth=1.1))
        for end in {end for space in spaces for end in (space.low, space.high) if end is not None}:
            if scale.kind != "words":
                panel.axvline(end, zorder=1, **END)
        _ticks(panel, scale)
        panel.set_xlabel(setting)
        if number % columns == 0:
            panel.set_ylabel(axis)
    extra = [style.key("chosen", **CHOSEN)]
    extra += [style.key("end of the range searched", **END)] if any(ranges.values()) else []
    if any(trial.value is None for trials in rows.values() for trial in trials):
        extra.append(style.key("diverged, failed or pruned", color="0.3", **FAILED))
    style.legend(figure, {name: look for name, look in shown.items() if varied({name: rows[name]})}, extra)
    return figure


@dataclass(frozen=True)
class Scale:
    """Where the values of a setting stand.

    kind    log, linear, or words: every value at a place of its own
    places  repr of a value -> its place
    apart   place -> value that is no number of this scale; left of those that are
    """

    kind: str
    places: Mapping[str, float]
    apart: Mapping[float, str]


def scale_of(values: Sequence[Any], spaces: Sequence[Range] = ()) -> Scale:
    """The scale on which a setting was searched, or without that a log one where the values span a factor of 5.

    >>> found = scale_of([0.0, 1.0, 10.0, 100.0, None], [Range(1.0, 100.0, log=True)])
    >>> found.kind, list(found.apart.values()), found.places["10.0"]
    ('log', ['none', '0'], 10.0)
    """
    numbers = sorted({float(value) for value in values if is_number(value)})
    words = sorted({_word(value) for value in values if not is_number(value)})
    if words and len(numbers) < 3:
        names = [*map(style.plain, numbers), *words]
        return Scale("words", {repr(v): float(names.index(_word(v))) for v in values}, dict(enumerate(names)))
    searched = [end for space in spaces for end in (space.low, space.high) if end is not None]
    logs = [space.log for space in spaces if space.low is not None]
    log = numbers[-1] > 0 and (any(logs) if logs else numbers[0] > 0 and numbers[-1] / numbers[0] >= 5)
    on = [number for number in (*numbers, *searched) if number > 0 or not log]
    names = [*words, *(style.plain(number) for number in numbers if number not in on)]
    low, span = (math.log10(min(on)), math.log10(max(on) / min(on))) if log else (min(on), max(on) - min(on))
    left = [low - (span or 1.0) * 0.14 * (len(names) - place) for place in range(len(names))]
    slots = dict(zip(names, (10**place if log else place for place in left), strict=True))
    places = {repr(value): slots.get(_word(value), float(value) if is_number(value) else 0.0) for value in values}
    return Scale("log" if log else "linear", places, {place: name for name, place in slots.items()})


def _ticks(panel: Axes, scale: Scale) -> None:
    if scale.kind == "log":
        style.log_scale(panel)
    names = {place: style.shorten(name, 16) for place, name in scale.apart.items()}
    if scale.kind == "words":
        panel.set_xlim(-0.5, len(names) - 0.5)
    elif names:
        first = (max(names) + min(set(scale.places.values()) - names.keys())) / 2
        names |= {tick: style.plain(tick) for tick in panel.get_xticks() if first < tick <= panel.get_xlim()[1]}
    else:
        return
    long = sum(map(len, names.values())) > 24 and scale.kind == "words"
    look: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if long else {}
    panel.set_xticks(list(names), list(names.values()), **look)


def _row(panel: Axes, points: Sequence[tuple[float, Tried]], look: Look) -> None:
    done = [(x, trial.value) for x, trial in points if trial.value is not None]
    shown = [done[i] for i in style.thinned(len(done))]
    dots = {"linestyle": "none", "marker": look.marker or ".", "markersize": 4, "color": look.color}
    panel.plot([x for x, _ in shown], [y for _, y in shown], zorder=look.order, **dots)
    failed = [x for x, trial in points if trial.value is None]
    at_foot = panel.get_xaxis_transform()
    panel.plot(failed, [0.03] * len(failed), color=look.color, zorder=look.order, transform=at_foot, **FAILED)
    chosen = [(x, trial.value) for x, trial in points if trial.chosen and trial.value is not None]
    if look is not style.OTHER:
        panel.plot([x for x, _ in chosen], [y for _, y in chosen], **CHOSEN)


def profile(key: str, trials: Sequence[Tried], lower_is_better: bool = False) -> dict[str, float]:
    """Value of the setting -> the best mean figure that any choice of the other settings has with it.

    Trials of equal settings, such as repeats with other seeds, are averaged; one that failed leaves its settings out.
    """
    same: dict[str, tuple[str, list[float | None]]] = {}
    for trial in trials:
        whole = repr(sorted((name, repr(value)) for name, value in trial.settings.items()))
        same.setdefault(whole, (repr(trial.settings[key]), []))[1].append(trial.value)
    best: dict[str, float] = {}
    for value, figures in same.values():
        known = [figure for figure in figures if figure is not None]
        if len(known) < len(figures):
            continue
        mean = float(np.mean(known))
        better = min if lower_is_better else max
        best[value] = better(best.get(value, mean), mean)
    return best


def _word(value: Any) -> str:
    return "none" if value is None else style.plain(value) if is_number(value) else str(value)
