"""What benchmarks/README.md says of pos_weight_atlas.py, all of it from its results file."""

from statistics import median
from textwrap import fill
from typing import Any

from pos_weight_rule import WAYS, curve, in_order, predicted, tried

HEAD = """\
## pos_weight_atlas.py: which positive weight, for how many labels and how many true ones?

Needs a folder with the data and is not part of `make bench`: `python benchmarks/pos_weight_atlas.py FOLDER`,
{minutes:.0f} core minutes of training (`results/{stem}.json`).

Binary cross-entropy whose positives are weighted by a power of negatives over positives, from 0 (no weight) to 1
(balanced). `4000x20` is generated data of 4000 labels, 20 of them true, drawn by Zipf's law (`dataset=synthetic`, 3200
training samples); `easy` and `hard` are 200x2 with less and more noise, `long` is trained for 30 epochs instead of 10,
`prior` starts at each label's log-odds. 128 hidden units, Adam; the learning rate, of {rates}, is chosen on validation
for each weight and either threshold from {tuning} seeds. Figures on test, means of {seeds} seeds.

![micro-F1 and labels predicted against the weight](results/{stem}.png)

One number for all labels, by its power: micro-F1 where p > 1/2 predicts (own) and with the threshold that is best on
validation (tuned), and labels predicted where p > 1/2 for each true one. †: the rule below is not made of it.
"""

COMPARED = """
What a weight loses against the best measured one, in the mean of the data sets marked † and where it loses most:
micro-F1 where p > 1/2 predicts, and with the tuned threshold; mAP. `(2-F1)/F1` is what calibrated probabilities
would want, F1 being that of no weight on validation with its best threshold.
"""

LIMITS = """
Limits: small networks, short training, Adam, labels that follow Zipf's law. The rule is made for micro-F1. Seeds repeat
training and the validation split, not the data. The best weight is picked by the figures it is then compared on, so
what the others lose is rather too much than too little; between measured powers figures are interpolated.
"""


def section(found: dict[str, Any], stem: str) -> str:
    """The README's section; `stem` is the name of the results file and of the picture beside it."""
    plan = found["plan"]
    head = HEAD.format(
        minutes=sum(cell["seconds"] for cell in found["cells"]) / 60,
        rates=", ".join(map(str, plan["rates"])),
        tuning=plan["tuning_seeds"],
        seeds=plan["seeds"],
        stem=stem,
    )
    answers = "\n".join(wrapped(text, "- ") for text in (rule_of_thumb(found), flipped(found), spread(found), LIMITS))
    paragraphs = [*map(wrapped, head.split("\n\n")), figures(found), wrapped(COMPARED), comparison(found), answers]
    return "\n\n".join(paragraphs) + "\n"


def wrapped(text: str, bullet: str = "") -> str:
    """A paragraph in lines of at most 120 columns."""
    words = " ".join(text.split())
    indent = " " * len(bullet)
    return fill(bullet + words, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def figures(found: dict[str, Any]) -> str:
    """A line a data set: the figures of every power, and the labels predicted, of one number for all labels."""
    heads = [f"{head} {power:g}" for head in (*WAYS, "predicted") for power in found["plan"]["powers"]]
    lines = [f"| data | labels | true | {' | '.join(heads)} |", f"|---|--:|--:|{'--:|' * len(heads)}"]
    for cell in in_order(found["cells"]):
        columns = []
        for way, figure in WAYS.items():
            values = curve(cell, "one", way, figure).values()
            columns += [f"**{value:.3f}**" if value == max(values) else f"{value:.3f}" for value in values]
        columns += [f"{ratio:.2f}" for ratio in predicted(cell, "one").values()]
        name = f"{cell['name']}{' †' if cell['held_out'] else ''}"
        lines.append(f"| {name} | {cell['labels']} | {cell['mean_true']:g} | {' | '.join(columns)} |")
    return "\n".join(lines)


def comparison(found: dict[str, Any]) -> str:
    """A line a strategy: what it loses on the data sets held out."""
    lines = ["| weight | own | most | tuned | most | mAP | most |", "|---|--:|--:|--:|--:|--:|--:|"]
    for name, columns in tried(found).items():
        cells = [f"{mean:.3f} | {largest:.3f} ({where})" for mean, largest, where in columns.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def rule_of_thumb(found: dict[str, Any]) -> str:
    rule, losses = found["rule"], tried(found)
    own, tuned = (losses["rule, one number"][way][0] for way in WAYS)
    none, balanced = (losses[name]["own"][0] for name in ("no weight", "balanced, one number"))
    fixed = losses["the same number for all data"]
    return (
        f"Rule of thumb, one number for all labels: `(labels/true-1)^{rule['own']['one']:g}` where p > 1/2 predicts, "
        f"`(labels/true-1)^{rule['tuned']['one']:g}` where the threshold is tuned "
        "(`mllc.advice.positive_weight`). On data that it was not made of, it loses "
        f"{own:.3f} micro-F1 to the best weight measured where p > 1/2 predicts, no weight {none:.3f} and the balanced "
        f"one {balanced:.3f}; with a tuned threshold it loses {tuned:.3f}. A number that is the same for all data does "
        f"as well here: {rule['own']['number']} loses {fixed['own'][0]:.3f}, and {rule['tuned']['number']} with a "
        f"tuned threshold {fixed['tuned'][0]:.3f}."
    )


def flipped(found: dict[str, Any]) -> str:
    cells = found["cells"]
    levels = []
    for power, how in ((0, "without a weight"), (0.5, "with the square root"), (1, "balanced")):
        ratios = [predicted(cell, "one")[power] for cell in cells]
        levels.append(f"{min(ratios):.2g} to {max(ratios):.2g} {how}")
    most = max(cells, key=lambda cell: predicted(cell, "one")[1])
    return (
        "Does more weight just flip all answers to one? It predicts more, but far from all. For each true label "
        f"p > 1/2 predicts {', '.join(levels)}; the most on {most['name']}, where all ones would be "
        f"{most['labels'] / most['mean_true']:.0f}."
    )


def spread(found: dict[str, Any]) -> str:
    chosen = [row[way] for cell in found["cells"] for row in cell["rows"] for way in WAYS]
    spreads, rates = [one["std"] for one in chosen], found["plan"]["rates"]
    edges = [sum(one["lr"] == rate for one in chosen) for rate in (rates[0], rates[-1])]
    return (
        f"Standard deviation of micro-F1 over seeds: {median(spreads):.3f} in the median, at most {max(spreads):.3f}. "
        f"Of {len(chosen)} choices of a rate {edges[0]} are the lowest and {edges[1]} the highest, beyond which nobody "
        "looked."
    )
