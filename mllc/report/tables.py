"""A block of a comparison as text: for the terminal (as many columns as fit), in Markdown and in LaTeX."""

import re
from collections.abc import Callable, Sequence
from functools import partial

from mllc.report.comparison import Row
from mllc.report.conclusion import conclusion, decimals, figure_name, number
from mllc.report.grid import Column, fit, to_text
from mllc.report.notes import notes, plain, title
from mllc.report.verdicts import Question
from mllc.wording import counted

Block = Sequence[Row]


def terminal(block: Block, blocks: Sequence[Block], asked: Question, *, width: int, color: bool) -> str:
    """The block between its title and its notes; no line is longer than `width` (at least 30)."""
    width = max(width, 30)
    kept = columns(block, asked)
    table, dropped = fit(block, kept, width, style=_style, section=lambda row: (row.split, not row.runs))
    below = notes(block, asked)
    if dropped:
        below.append(
            f"{counted(dropped, 'more column')} in a wider terminal; --format md, csv and json have everything."
        )
    head, end = (title(block, blocks), "bold"), (conclusion(block, asked), "bold")
    return to_text([head, table, ("", ""), end, ("", ""), *((text, "dim") for text in below)], width, color)


def markdown(block: Block, blocks: Sequence[Block], asked: Question) -> str:
    """The block as a Markdown table, all baselines included."""
    kept = columns(block, asked)
    lines = [
        [_escape(column.title.replace("\n", " ")) for column in kept],
        ["--:" if column.right else ":--" for column in kept],
        *([_escape(column.cell(row)) for column in kept] for row in block),
    ]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    below = [conclusion(block, asked), *notes(block, asked)]
    return "\n\n".join([f"**{_escape(title(block, blocks))}**", table, *map(_escape, below)]) + "\n"


def latex(block: Block, blocks: Sequence[Block], asked: Question) -> str:
    """The block as a tabular for booktabs, all baselines included; the notes are comments."""
    kept = columns(block, asked)
    trained = [row for row in block if row.runs]
    below = [conclusion(block, asked), *notes(block, asked)]
    lines = [f"% {text}" for text in (r"needs \usepackage{booktabs}", title(block, blocks), *below)]
    lines += [rf"\begin{{tabular}}{{{''.join('r' if column.right else 'l' for column in kept)}}}", r"\toprule"]
    lines += [" & ".join(tex(column.title.replace("\n", " ")) for column in kept) + r" \\"]
    for rows in (trained, block[len(trained) :]):
        lines += [r"\midrule"] if rows else []
        lines += [" & ".join(tex(column.cell(row)) for column in kept) + r" \\" for row in rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def columns(block: Block, asked: Question) -> list[Column[Row]]:
    """The columns for a block that has been judged; its metric is never dropped."""
    true = next((row.metrics.get("true_labels_per_sample") for row in block if row.metrics), None)
    nothing = next((row for row in block if row.name == "all_zeros" and not row.runs), None)

    def hamming(row: Row) -> str:
        """Not of a row whose figures are of another split than the baselines'."""
        if nothing is None or row.split != nothing.split:
            return ""
        return ratio(row.metrics.get("hamming_loss"), nothing.metrics.get("hamming_loss"))

    found: list[Column[Row]] = [Column("#", lambda row: str(row.rank or ""), drop=10)] if len(block) > 1 else []
    for key in block[0].group:
        found.append(Column(key, partial(named, key), right=False, wrap=12))
    found.append(Column(figure_name(asked.metric).replace("_", "\n", 1), _with_interval(asked.metric)))
    if any(row.difference for row in block):
        found.append(Column(f"against\n{asked.baseline}", _difference(asked.metric), drop=5))
        if any(row.difference and row.difference.verdict for row in block):
            found.append(Column("verdict", _verdict, right=False, drop=1))
    if asked.metric != "map":
        found.append(Column("mAP", _figure("map", 3), drop=6))
    return [
        *found,
        Column("micro F1\nown/tuned", _own_and_tuned("micro_f1"), drop=2),
        Column("macro F1\nown/tuned", _own_and_tuned("macro_f1"), drop=7),
        Column("Hamm.\n/zero", hamming, drop=8),
        Column("labels" if true is None else f"lab.\n/{true:.3g}", _labels, drop=3),
        Column("collapse", collapse, drop=4, right=False),
        Column("trials\ntime", _spent, drop=9),
    ]


def tex(text: str) -> str:
    r"""Text with LaTeX's special characters escaped.

    >>> print(tex("50 % of softmax_ce ±0.1"))
    50 \% of softmax\_ce $\pm$0.1
    """
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$"}
    special |= {character: "\\" + character for character in "&%$#_{}"} | {"<": "$<$", ">": "$>$", "†": r"$\dagger$"}
    return "".join(special.get(character, character) for character in text)


def duration(seconds: float) -> str:
    """
    >>> duration(0.4), duration(75), duration(7260)
    ('0s', '1m15', '2h01')
    """
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds}s"
    return f"{seconds // 60}m{seconds % 60:02}" if seconds < 3600 else f"{seconds // 3600}h{seconds // 60 % 60:02}"


def _with_interval(metric: str) -> Callable[[Row], str]:
    """`.951 ±.012`: the mean, and half of its 95 % interval."""
    return lambda row: _estimate(row.metrics.get(metric), row.interval, decimals(metric))


def _difference(metric: str) -> Callable[[Row], str]:
    """`+.645 ±.110`: the mean difference, and half of its 95 % interval."""
    return lambda row: (
        _estimate(row.difference.mean, row.difference.interval, decimals(metric), sign=True) if row.difference else ""
    )


def _estimate(value: float | None, interval: tuple[float, float] | None, digits: int, sign: bool = False) -> str:
    half = f" ±{short((interval[1] - interval[0]) / 2, digits=digits)}" if interval else ""
    return short(value, sign, digits) + half


def _verdict(row: Row) -> str:
    return (row.difference.verdict or "") if row.difference else ""


def _own_and_tuned(name: str) -> Callable[[Row], str]:
    """`.860 .893`: by the own rule, and with one tuned threshold."""
    return lambda row: f"{short(row.metrics.get(name))} {short(row.metrics.get(f'{name}_tuned'))}"


def _figure(name: str, digits: int) -> Callable[[Row], str]:
    def cell(row: Row) -> str:
        value = row.metrics.get(name)
        return "-" if value is None else f"{value:.{digits}f}"

    return cell


def _labels(row: Row) -> str:
    value = row.metrics.get("labels_per_sample")
    return "-" if value is None else three_digits(value)


def _spent(row: Row) -> str:
    """`4 38s`: how many trials the row was chosen from, and the training time of all its runs."""
    return f"{row.tried if row.studies else row.trials} {duration(row.seconds)}" if row.runs else ""


def ratio(value: float | None, zeros: float | None) -> str:
    """How many times the Hamming loss of predicting nothing."""
    return "-" if value is None or not zeros else three_digits(value / zeros)


def three_digits(value: float) -> str:
    """
    >>> three_digits(0.333), three_digits(20.04), three_digits(1000.0)
    ('0.33', '20.0', '1000')
    """
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def short(value: float | None, sign: bool = False, digits: int = 3) -> str:
    """Without the zero before the point.

    >>> short(0.5), short(-0.25, sign=True), short(1.0), short(None)
    ('.500', '-.250', '1.000', '-')
    """
    return re.sub(r"^([+-]?)0\.", r"\1.", number(value, sign, digits))


def named(key: str, row: Row) -> str:
    value = row.group[key]
    if not row.runs:
        return str(value or "")
    if key != next(iter(row.group)):
        return plain(value)
    marks = (" †" if row.split == "val" else "") + (" !" if row.split and row.status != "done" else "")
    return plain(value) + marks


def collapse(row: Row) -> str:
    """What went wrong, with the number of seeds unless it was all: `silent*`, `silent/flood`, `diverged 2/3`."""
    bad = sum(status != "done" for status in row.statuses)
    words, number = ([row.status], bad) if bad else (list(row.collapses), sum(row.collapses.values()))
    text = "/".join(words) + "*" * bool(row.ranks and not bad)
    return text if number in (0, len(row.runs)) else f"{text} {number}/{len(row.runs)}"


def _style(row: Row) -> str:
    return "dim" if not row.runs else "red" if row.status != "done" else "yellow" if row.collapsed else ""


def _escape(text: str) -> str:
    """Text that Markdown shows as it is, in a cell too."""
    return re.sub(r"([|*\\])", r"\\\1", text)
