"""Several data sets: which row is ahead in general? Blocks are data sets; their seeds are averaged, never counted."""

from collections.abc import Sequence

from mllc.report.comparison import Row, label, lower_is_better
from mllc.report.conclusion import figure_name
from mllc.report.verdicts import Question, mean_of_all_seeds
from mllc.statistics import Across, across, smallest_wilcoxon_p
from mllc.statistics.across import DATA_SETS
from mllc.statistics.paired import ALPHA
from mllc.wording import counted


def over_data_sets(blocks: Sequence[Sequence[Row]], asked: Question) -> Across | None:
    """The rows that every block has, ranked over the blocks; None unless each block is a data set of its own.

    A seed that diverged or failed has the worst value that the metric has.
    """
    prints = [block[0].block.get("fingerprint") for block in blocks]
    if len(blocks) < 2 or len(set(prints)) < len(blocks):
        return None
    values = [
        {label(row): value for row in block if (value := mean_of_all_seeds(row, asked.metric)) is not None}
        for block in blocks
    ]
    shared = [name for name in values[0] if all(name in others for others in values)]
    if len(shared) < 2:
        return None
    return across(
        {name: [one[name] for one in values] for name in shared}, lower_is_better=lower_is_better(asked.metric)
    )


def told(found: Across, blocks: Sequence[Sequence[Row]], asked: Question) -> str:
    """The ranks in a sentence, what they show, and of which rows of `blocks` they are not."""
    ranks = ", ".join(f"{name} {rank:.2f}" for name, rank in found.ranks.items())
    text = f"Over {counted(found.n, 'data set')}, mean rank by {figure_name(asked.metric)} (1 is the best): {ranks}."
    left = dict.fromkeys(label(row) for block in blocks for row in block if row.runs and label(row) not in found.ranks)
    text += f" Without figures on test of every data set, and so left out: {', '.join(left)}." if left else ""
    if not found.verdict or found.pairs is None:
        return f"{text} Under {DATA_SETS} data sets no test can tell ranks from chance: no verdict."
    if found.friedman_p is not None:
        text += f" Friedman's test: p {found.friedman_p:.2g}."
    apart = [f"{one} before {other} (p {p:.2g})" for (one, other), p in found.pairs.items() if p < ALPHA]
    least = smallest_wilcoxon_p(found.n, len(found.pairs))
    text += f" Pairs that differ (Wilcoxon, Holm over {counted(len(found.pairs), 'pair')}): "
    return text + ("; ".join(apart) if apart else f"none; {found.n} data sets can reach p {least:.2g} at best") + "."
