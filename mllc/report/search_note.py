"""The sentences about the searches behind a comparison: what they did, and where better settings may lie."""

from collections import Counter
from collections.abc import Sequence

from mllc.report.comparison import Row, label
from mllc.study import Range, Study


def search_note(trained: Sequence[Row]) -> str:
    """What the searches did beside the trials that count, and where they ended at the edge of what they might try."""
    rows = [(row, study) for row in trained for study in row.studies if _led_to(row, study)]
    if not rows:
        return ""
    statuses = Counter(one.status for _, study in rows for one in study.tries)
    more = [f"{statuses[status]} more {status}" for status in ("pruned", "failed") if statuses[status]]
    seeds = ", ".join(map(str, sorted({study.seed for _, study in rows})))
    which = "" if all(row.studies for row in trained) else " of the rows that were searched"
    text = ", ".join([f"Trials{which}: those that a search on validation completed, with seed {seeds}", *more]) + "."
    short = [(row, study) for row, study in rows if study.completed() < study.wanted and "done" in row.statuses]
    if short:
        ended = ", ".join(f"{label(row)} {study.completed()} of {study.wanted}" for row, study in short)
        text += f" Not ended: {ended}; the sweep's own command goes on."
    text += (
        " A search is luck too: with another tune.seed it may end in other settings, which no interval here contains."
    )
    if any(run.data.get("test_split") != study.test_split for row, study in rows for run in row.runs):
        text += (
            " Each seed holds out test samples of its own, most of which the search trained or validated on: the "
            "settings, though not the weights, may owe them something. dataset.test=FILE keeps a search away from them."
        )
    return text + _edges(rows)


def _led_to(row: Row, study: Study) -> bool:
    """Whether a row's figures are of what the study chose, or, before it repeated that, of its trials."""
    runs = {run.run_id for run in row.runs}
    return not runs.isdisjoint(study.final or (one.run_id for one in study.tries))


def _edges(rows: Sequence[tuple[Row, Study]]) -> str:
    """Where better settings may lie beyond what was searched, and what to type to search there."""
    found: dict[str, list[str]] = {}
    shared: dict[tuple[str, Range], set[str]] = {}
    own: dict[str, list[str]] = {}
    for row, study in rows:
        for key, end in study.at_edge().items():
            found.setdefault(f"{end} end of {key}", []).append(label(row))
            if key.startswith("loss."):  # other losses lack it
                own.setdefault(row.loss, []).append(f"'{key}={study.space[key].wider({end})}'")
            else:
                shared.setdefault((key, study.space[key]), set()).add(end)
    if not found:
        return ""
    where = "; ".join(f"{', '.join(names)}: {edge}" for edge, names in found.items())
    typed = [" ".join(f"'{key}={one.wider(at)}'" for (key, one), at in shared.items())] if shared else []
    typed += [f"in a sweep of loss={loss} alone {' '.join(dict.fromkeys(words))}" for loss, words in own.items()]
    return (
        " AT THE EDGE of what was searched, so that better settings may lie beyond. "
        f"{where}. To look: {'; '.join(typed)}."
    )
