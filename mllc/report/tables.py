"""A block of a comparison as text: for the terminal (as many columns as fit), in Markdown and in LaTeX."""

import math
import re
from collections.abc import Callable, Mapping, Sequence

from mllc.report.comparison import Row
from mllc.report.grid import Column, fit, to_text
from mllc.report.notes import notes, title
from mllc.wording import counted

FIGURES = (
    ("map", "mAP", 0),
    ("micro_f1", "micro\nF1\nown", 1),
    ("micro_f1_tuned", "micro\nF1\ntuned", 1),
    ("macro_f1_tuned", "macro\nF1\ntuned", 7),
    ("hamming_loss", "Hamming\nloss\nown", 5),
    ("labels_per_sample", "labels", 2),
)
"""Figure, title of its column, and the order in which columns are dropped (see `Column`)."""

Block = Sequence[Row]


def terminal(block: Block, blocks: Sequence[Block], metric: str, *, width: int, color: bool) -> str:
    """The block between its title and its notes; no line is longer than `width` (at least 30)."""
    width = max(width, 30)
    table, dropped = fit(
        block, columns(block, metric), width, style=_style, section=lambda row: (row.split, not row.runs)
    )
    below = notes(block)
    if dropped:
        below.append(
            f"{counted(dropped, 'more column')} in a wider terminal; --format md, csv and json have everything."
        )
    return to_text([(title(block, blocks), "bold"), table, ("", ""), *((text, "dim") for text in below)], width, color)


def markdown(block: Block, blocks: Sequence[Block], metric: str) -> str:
    """The block as a Markdown table, all baselines included."""
    kept = columns(block, metric)
    lines = [
        [column.title.replace("\n", " ") for column in kept],
        ["--:" if column.right else ":--" for column in kept],
        *([_escape(column.cell(row)) for column in kept] for row in block),
    ]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return "\n\n".join([f"**{_escape(title(block, blocks))}**", table, *map(_escape, notes(block))]) + "\n"


def latex(block: Block, blocks: Sequence[Block], metric: str) -> str:
    """The block as a tabular for booktabs, all baselines included; the notes are comments."""
    kept = columns(block, metric)
    trained = [row for row in block if row.runs]
    lines = [f"% {text}" for text in (r"needs \usepackage{booktabs}", title(block, blocks), *notes(block))]
    lines += [rf"\begin{{tabular}}{{{''.join('r' if column.right else 'l' for column in kept)}}}", r"\toprule"]
    lines += [" & ".join(tex(column.title.replace("\n", " ")) for column in kept) + r" \\"]
    for rows in (trained, block[len(trained) :]):
        lines += [r"\midrule"] if rows else []
        lines += [" & ".join(tex(column.cell(row)) for column in kept) + r" \\" for row in rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def columns(block: Block, metric: str) -> list[Column[Row]]:
    """The columns for a block; `metric` orders it, so it shows its spread and is never dropped."""
    true = next((row.metrics.get("true_labels_per_sample") for row in block if row.metrics), None)
    found: list[Column[Row]] = [
        Column(key, lambda row, key=key: _key(row, key), right=False, wrap=16) for key in block[0].group
    ]
    if any(row.chosen for row in block):
        found.append(Column("chosen", lambda row: chosen(row.chosen), drop=4, right=False, wrap=9))
    if metric not in [name for name, _, _ in FIGURES]:
        found.append(Column(metric.replace("_", "\n", 1), _figure(block, metric, spread=True)))
    for name, heading, drop in FIGURES:
        heading += f"\nof {true:.2f}" if name == "labels_per_sample" and true is not None else ""
        cell = _figure(block, name, spread=name in ("map", metric))
        found.append(Column(heading, cell, drop=0 if name == metric else drop))
    return [
        *found,
        Column("collapse", _collapse, drop=3, right=False),
        Column("trials", lambda row: str(row.trials) if row.runs else "", drop=6),
        Column("time", lambda row: duration(row.seconds) if row.runs else "", drop=8),
    ]


def tex(text: str) -> str:
    r"""Text with LaTeX's special characters escaped.

    >>> print(tex("50 % of softmax_ce ±0.1"))
    50 \% of softmax\_ce $\pm$0.1
    """
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$"}
    special |= {character: "\\" + character for character in "&%$#_{}"} | {"<": "$<$", ">": "$>$", "†": r"$\dagger$"}
    return "".join(special.get(character, character) for character in text)


def chosen(settings: Mapping[str, object]) -> str:
    """
    >>> chosen({"optimizer.lr": 0.01, "loss.reduction": "sum"})
    'lr=0.01 reduction=sum'
    """
    pairs = sorted(settings.items(), reverse=True)
    return " ".join(f"{key.rpartition('.')[2]}={_plain(value)}" for key, value in pairs)


def duration(seconds: float) -> str:
    """
    >>> duration(0.4), duration(75), duration(7260)
    ('0s', '1m15', '2h01')
    """
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds}s"
    return f"{seconds // 60}m{seconds % 60:02}" if seconds < 3600 else f"{seconds // 3600}h{seconds // 60 % 60:02}"


def _figure(block: Block, name: str, spread: bool) -> Callable[[Row], str]:
    """Cells of one figure, with the same decimals: those of a Hamming loss show three digits of the least."""
    digits = 2 if name.startswith("labels") else 3
    least = min((value for row in block if (value := row.metrics.get(name))), default=1.0)
    if name.startswith("hamming_loss"):
        digits = min(max(3, 2 - math.floor(math.log10(least))), 6)

    def cell(row: Row) -> str:
        value, std = row.metrics.get(name), row.std.get(name)
        if value is None:
            return "-"
        return f"{value:.{digits}f}" + (f" ±{std:.{digits}f}" if spread and std is not None and row.runs else "")

    return cell


def _key(row: Row, key: str) -> str:
    value = row.group[key]
    if not row.runs:
        return str(value or "")
    if key != next(iter(row.group)):
        return _plain(value)
    marks = (" †" if row.split == "val" else "") + (" !" if row.split and row.status != "done" else "")
    return _plain(value) + marks


def _collapse(row: Row) -> str:
    """What went wrong, with the number of seeds unless it was all: `silent*`, `silent/flood`, `diverged 2/3`."""
    bad = sum(status != "done" for status in row.statuses)
    words, number = ([row.status], bad) if bad else (list(row.collapses), sum(row.collapses.values()))
    text = "/".join(words) + "*" * bool(row.ranks and not bad)
    return text if number in (0, len(row.runs)) else f"{text} {number}/{len(row.runs)}"


def _style(row: Row) -> str:
    return "dim" if not row.runs else "red" if row.status != "done" else "yellow" if row.collapsed else ""


def _plain(value: object) -> str:
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _escape(text: str) -> str:
    """Text that Markdown shows as it is, in a cell too."""
    return re.sub(r"([|*\\])", r"\\\1", text)
