"""The table of a comparison: its judged rows, and the baselines under them."""

from collections.abc import Callable, Sequence
from functools import partial

from mllc.page.cells import EMPTY, SPLITS, figure, sort_key, time, whole
from mllc.page.document import Cell, Facts, Heading, Table
from mllc.report.comparison import Row, repeat_word
from mllc.report.conclusion import decimals, figure_name, number
from mllc.report.tables import collapse, named, ratio, three_digits
from mllc.report.verdicts import Question

Column = tuple[Heading, Callable[[Row], Cell]]

SIGNS = {"better": "▲", "worse": "▼", "equivalent": "=", "inconclusive": "?"}


def comparison_table(name: str, block: Sequence[Row], asked: Question) -> Table:
    """The judged rows, the best first, and the baselines under them."""
    groups = [[row for row in block if row.runs], [row for row in block if not row.runs]]
    columns = [*_names(block), *_headline(block, asked), *_others(block)]
    metric = f"{figure_name(asked.metric)} on {SPLITS[block[0].split]}"
    return Table(
        name,
        f"The rows by {metric}, means over {repeat_word(block)}s; the baselines at the end",
        [heading for heading, _ in columns],
        [[[cell(row) for _, cell in columns] for row in rows] for rows in groups if rows],
        order=0,
        head=1,
        filtered=True,
    )


def legend(table: Table) -> Facts:
    """What the columns of a table say."""
    return Facts([(heading.title, heading.about) for heading in table.headings if heading.about])


def _names(block: Sequence[Row]) -> list[Column]:
    found: list[Column] = [(Heading("#", "rank"), lambda row: Cell(str(row.rank or ""), row.rank))]
    return found + [(Heading(key, number=False), partial(_name, key)) for key in block[0].group]


def _headline(block: Sequence[Row], asked: Question) -> list[Column]:
    """The metric, the difference from the baseline, and what may be said of it."""
    name, base = figure_name(asked.metric), asked.baseline
    word = repeat_word(block)
    about = f"± half of its 95 % interval over {word}s"
    found: list[Column] = [(Heading(name, about), partial(_estimate, asked.metric))]
    if any(row.difference for row in block):
        found.append(
            (
                Heading(f"against {base}", f"difference of {name}, paired by {word}, ± half of its 95 % interval"),
                partial(_difference, asked.metric),
            )
        )
    if any(row.difference and row.difference.verdict for row in block):
        words = ", ".join(f"{sign} {word}" for word, sign in SIGNS.items())
        found.append((Heading("verdict", f"against {base}: {words}", number=False), _verdict))
        found.append((Heading("p", "of the paired t-test, adjusted for all comparisons (Holm)"), partial(_p, "p_holm")))
        about = "the same of the exact sign-flip test, which does not take differences as normal"
        found.append((Heading("p by flips", about), partial(_p, "p_flip_holm")))
        found.append((Heading("wins", f"{word}s on which it is ahead of {base}"), _wins))
    if asked.metric != "map":
        found.append((Heading("mAP", "mean over labels of average precision"), partial(_metric, "map")))
    return found


def _others(block: Sequence[Row]) -> list[Column]:
    """What describes the rows, whoever wins."""
    zeros = next((row.metrics.get("hamming_loss") for row in block if row.name == "all_zeros" and not row.runs), None)
    true = next((row.metrics.get("true_labels_per_sample") for row in block if row.metrics), None)
    own, tuned = "by its own rule", "with one threshold tuned on validation"
    labels = f"predicted per sample {own}" + ("" if true is None else f"; {true:.3g} are true")
    return [
        (Heading("micro-F1 own", own), partial(_metric, "micro_f1")),
        (Heading("micro-F1 tuned", tuned), partial(_metric, "micro_f1_tuned")),
        (Heading("gain", "of micro-F1 by the tuned threshold alone"), _gain),
        (Heading("macro-F1 own", own), partial(_metric, "macro_f1")),
        (Heading("macro-F1 tuned", tuned), partial(_metric, "macro_f1_tuned")),
        (
            Heading("Hamming / zeros", f"Hamming loss {own}, in units of that of predicting nothing"),
            partial(_hamming, zeros),
        ),
        (Heading("labels", labels), _labels),
        (
            Heading("collapse", "what went wrong in training; *: it ranks all the same", number=False),
            lambda row: Cell(collapse(row)),
        ),
        (Heading("trials", "that it was chosen from"), _trials),
        (Heading("time", "training time of all its runs, trials and repeats"), time),
    ]


def _name(key: str, row: Row) -> Cell:
    return Cell(named(key, row), sort_key(row.group[key]))


def _estimate(metric: str, row: Row) -> Cell:
    value = row.metrics.get(metric)
    return Cell(_with_half(number(value, digits=decimals(metric)), row.interval, metric), value, "headline")


def _difference(metric: str, row: Row) -> Cell:
    found = row.difference
    if found is None:
        return EMPTY
    return Cell(_with_half(number(found.mean, True, decimals(metric)), found.interval, metric), found.mean)


def _with_half(text: str, interval: tuple[float, float] | None, metric: str) -> str:
    return f"{text} ± {number((interval[1] - interval[0]) / 2, digits=decimals(metric))}" if interval else text


def _verdict(row: Row) -> Cell:
    word = row.difference.verdict if row.difference else None
    return Cell(f"{SIGNS[word]} {word}", look=f"verdict {word}") if word else EMPTY


def _p(which: str, row: Row) -> Cell:
    p = getattr(row.difference, which, None)
    return EMPTY if p is None else Cell(f"{p:.2g}", p)


def _wins(row: Row) -> Cell:
    return Cell(f"{row.difference.wins}/{row.difference.n}", row.difference.wins) if row.difference else EMPTY


def _gain(row: Row) -> Cell:
    own, tuned = row.metrics.get("micro_f1"), row.metrics.get("micro_f1_tuned")
    return Cell("-") if own is None or tuned is None else Cell(number(tuned - own, sign=True), tuned - own)


def _hamming(zeros: float | None, row: Row) -> Cell:
    value = row.metrics.get("hamming_loss")
    return Cell(ratio(value, zeros), value)


def _labels(row: Row) -> Cell:
    value = row.metrics.get("labels_per_sample")
    return Cell("-") if value is None else Cell(three_digits(value), value)


def _trials(row: Row) -> Cell:
    return whole(row.tried if row.studies else row.trials) if row.runs else EMPTY


def _metric(name: str, row: Row) -> Cell:
    return figure(row.metrics.get(name))
