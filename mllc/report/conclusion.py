"""The sentence under a comparison: what may be concluded, and of what it speaks."""

from collections.abc import Sequence

from mllc.report.comparison import Row, label, repeat_word, repeats
from mllc.report.verdicts import Question
from mllc.statistics import Difference
from mllc.wording import counted


def conclusion(block: Sequence[Row], asked: Question) -> str:
    """Who is ahead, by how much, whether that is shown, and its scope; `block` has been judged."""
    tried = [row for row in block if row.runs and row.split != "val"]
    ranked = sorted((row for row in tried if row.rank), key=lambda row: row.rank or 0)
    if not ranked:
        return "No conclusion: nothing was scored on test."
    best = ranked[0]
    digits = decimals(asked.metric)
    value = number(best.metrics.get(asked.metric), digits=digits)
    start = f"{label(best)} has the best {figure_name(asked.metric)} of {counted(len(tried), 'row')}: {value}"
    if best.interval:
        start += f" ({span(best.interval, digits)} at 95 %, {_seeds(best)})"
    if len(tried) == 1:
        return f"{start}. There is nothing to compare it with."
    if all(row.difference is None or row.difference.verdict is None for row in tried):
        return f"{start}. No verdict: {_why_none(block, tried, asked.baseline)}."
    name = asked.baseline
    kinds: dict[str, list[str]] = {}
    for row in tried:
        if row is not best and label(row) != name:
            word = row.difference.verdict if row.difference else None
            kinds.setdefault(word or "not comparable", []).append(label(row))
    if best.difference and best.difference.verdict:
        start += f"; {_verdict(best.difference, name, digits, tried)}"
    elif label(best) != name:
        start += f"; it does not compare with {name}, for they have no two seeds and splits in common"
    elif "better" not in kinds:
        start += f". No row is shown to do better than {name}"
    order = [kind for kind in ("better", "equivalent", "inconclusive", "worse", "not comparable") if kind in kinds]
    others = "; ".join(f"{kind}: {', '.join(kinds[kind])}" for kind in order)
    texts = [f"{start}.", *([f"Against {name}, the other rows are {others}."] if others else []), _scope(tried)]
    values = [value for row in ranked if (value := row.metrics.get(asked.metric)) is not None]
    if max(values, default=asked.region) < asked.region:
        texts.append(
            f"Every {figure_name(asked.metric)} is smaller than the region of equivalence ({asked.region:g}), so that "
            "equivalent says nothing: type --region."
        )
    return " ".join(texts)


def figure_name(metric: str) -> str:
    """
    >>> figure_name("map"), figure_name("micro_f1_tuned")
    ('mAP', 'micro_f1_tuned')
    """
    return "mAP" if metric == "map" else metric


def decimals(metric: str) -> int:
    """How many a metric is told with: more where a thousandth is half of what predicting nothing scores.

    >>> decimals("map"), decimals("hamming_loss_tuned")
    (3, 5)
    """
    return 5 if metric.startswith(("hamming_loss", "element_accuracy")) else 3


def number(value: float | None, sign: bool = False, digits: int = 3) -> str:
    """
    >>> number(0.5), number(-0.0123, sign=True), number(None)
    ('0.500', '-0.012', '-')
    """
    return "-" if value is None else f"{value:{'+' * sign}.{digits}f}"


def span(ends: tuple[float, float], digits: int = 3) -> str:
    """
    >>> span((0.25, 0.5))
    '0.250 to 0.500'
    """
    return " to ".join(number(end, digits=digits) for end in ends)


def _verdict(found: Difference, name: str, digits: int, rows: Sequence[Row]) -> str:
    mean, low, high = (number(one, sign=True, digits=digits) for one in (found.mean, found.low, found.high))
    gap = f"{mean}, {low} to {high}"
    if found.verdict in ("better", "worse"):
        wins = f"{found.wins} of {repeats(found.n, rows)}"
        return f"{found.verdict} than {name} ({gap}, adjusted p {found.p_holm:.2g}, {wins})"
    if found.verdict == "equivalent":
        return f"equivalent to {name} ({gap})"
    return f"{repeats(found.n, rows)} cannot tell it from {name} ({gap})"


def _seeds(row: Row) -> str:
    """How many seeds a row's figures are of."""
    done = row.statuses.count("done")
    return ("" if done == len(row.runs) else f"{done} of ") + repeats(len(row.runs), [row])


def _why_none(block: Sequence[Row], tried: Sequence[Row], name: str) -> str:
    base = next((row for row in block if row.runs and label(row) == name), None)
    if max(len(row.runs) for row in tried) == 1:
        return "one seed, so differences may be chance; train several, as 'seed=range(6)'"
    if base is None:
        return f"no row is called {name}; --baseline NAME holds the others against another row"
    if base.split != "test":
        return f"{name} has no figures on test; --baseline NAME holds the others against another row"
    if any(row.difference for row in tried):
        return f"the rows share one seed with {name}; type 'seed=range(6)' for all of them"
    return f"no row has a seed and split in common with {name}"


def _scope(tried: Sequence[Row]) -> str:
    tests = {run.data.get("test_split") for row in tried for run in row.runs}
    which = (
        "the seeds share one test set: the intervals are about training again, not about other samples"
        if len(tests) == 1
        else f"each {repeat_word(tried)} has a test set of its own, drawn from the same samples"
    )
    return f"It holds for this data, network and budget; {which}."
