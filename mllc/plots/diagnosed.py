"""Anyone's scores and their diagnosis -> the pictures that show it. They look as those of a run do."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mllc.data.scored import Scored
from mllc.diagnose import Diagnosis
from mllc.plots import label_frequency, precision_recall, score_histogram, threshold_curves, words
from mllc.plots.folders import Scores
from mllc.plots.picture import Picture, parted
from mllc.plots.score_curves import Ranking, ScoredRun, scored_run
from mllc.report.findings import figure, rule
from mllc.wording import counted


def figures(scored: Scored, found: Diagnosis, where: str) -> tuple[dict[str, Picture], dict[str, str]]:
    """The pictures by name, and for each of the others why there is nothing to draw.

    found  the diagnosis of `scored`
    where  the line under each title: what was diagnosed
    """
    sight = Sight(scored, found, where)
    return parted({name: make(sight) for name, make in MAKERS.items()})


@dataclass(frozen=True, eq=False)
class Sight:
    """A diagnosis, about to be drawn. Its scores are sorted once."""

    scored: Scored
    found: Diagnosis
    where: str

    @cached_property
    def truth(self) -> Scores:
        """The scores as log-odds, and what the model decides."""
        own = self.found.thresholds["own"]
        decisions = self.scored.decisions if own is None else self.scored.scores.astype(np.float64, copy=False) > own
        assert decisions is not None
        return Scores(self.scored.log_odds(), self.scored.targets.astype(bool), decisions, self.scored.mask)

    @cached_property
    def ranking(self) -> Ranking:
        return Ranking(self.truth.scores, self.truth.targets, self.truth.mask)

    @cached_property
    def cuts(self) -> dict[str, float]:
        """The own threshold, if there is one, and the tuned one as log-odds; 0 and 1 are the ends of the scores."""
        scores = self.ranking.scores
        return {name: self._place(at, scores[0], scores[-1]) for name, at in self._given.items() if at is not None}

    @property
    def names(self) -> dict[str, str]:
        """What the cuts are called in a legend."""
        own = "own decisions (as saved)"
        return {
            name: own if at is None else f"{name} threshold ({rule(self.found, at)})"
            for name, at in self._given.items()
        }

    @property
    def _given(self) -> dict[str, float | None]:
        return {name: self.found.thresholds[name] for name in ("own", "tuned")}

    @cached_property
    def labels(self) -> dict[int, str]:
        """Index -> how the label is introduced: a head, a medium and a tail label."""
        positives = np.array([row["positives"] for row in self.found.labels], dtype=float)
        return {
            at: f"{group}: {self.scored.label_names[at]} ({counted(int(positives[at]), 'positive')})"
            for group, at in precision_recall.examples(positives, positives).items()
        }

    @cached_property
    def curves(self) -> ScoredRun:
        known: dict[str, Any] = {"labels": tuple(self.labels), "ranking": self.ranking, "reach_own": True}
        return scored_run(self.truth, tuned=self.cuts["tuned"], own_cut=self.cuts.get("own"), **known)

    def picture(
        self, name: str, title: str, caption: str, draw: Callable[..., Any], *data: Any, **known: Any
    ) -> Picture:
        drawn = draw(*data, title=f"{title}\n{self.where}", **known)
        return Picture(name, title, f"{title}{caption}.", drawn)

    def _place(self, threshold: float, least: float, most: float) -> float:
        if self.found.unit == "logits":
            return threshold
        return math.log(threshold / (1 - threshold)) if 0 < threshold < 1 else float(most if threshold else least)


def scores(sight: Sight) -> Picture:
    edges = score_histogram.edges(sight.ranking, list(sight.cuts.values()))
    true, false = sight.ranking.counts(edges)
    told = [f"{_above(sight.ranking, cut)} are above the {sight.names[name]}" for name, cut in sight.cuts.items()]
    return sight.picture(
        "scores",
        "Scores of true and of false labels",
        f", each in shares of its own kind: {'; '.join(told)}; the outermost bars hold what lies beyond",
        score_histogram.draw,
        edges,
        {"true": true, "false": false},
        sight.cuts,
        unit=sight.found.unit,
        names=sight.names,
    )


def thresholds(sight: Sight) -> Picture:
    found, curves = sight.found, sight.curves
    assert curves.tuned is not None
    at = "at" if "own" in sight.cuts else "with"
    return sight.picture(
        "f1_against_threshold",
        "Micro-F1 against the threshold",
        f": {figure(found, 'micro_f1'):.3f} {at} the {sight.names['own']}, {curves.tuned[1]:.3f} at the "
        f"{sight.names['tuned']}, which was tuned on these same samples; {figure(found, 'micro_f1_tuned'):.3f} where "
        "each half of the samples is decided by the other",
        threshold_curves.draw,
        {"": [curves]},
        scales={"": found.unit},
        rules={"": "as saved"},
        names=sight.names,
    )


def precision_and_recall(sight: Sight) -> Picture:
    recall, precision = sight.curves.own_point
    single = f" and for single labels ({'; '.join(sight.labels.values())})" if sight.labels else ""
    verb = "has" if "own" in sight.cuts else "have"
    return sight.picture(
        "precision_recall",
        "Precision against recall",
        f" for all labels in one list{single}; the {sight.names['own']} {verb} a precision of {precision:.3f} and a "
        f"recall of {recall:.3f}",
        precision_recall.draw,
        {"the model": [sight.curves]},
        labels=sight.labels,
        rule=sight.names["own"],
    )


def frequency(sight: Sight) -> Picture | str:
    rows = [row for row in sight.found.labels if row["positives"]]
    if len(rows) < 3:
        return f"{counted(len(rows), 'label')} with positives: it takes three"
    counts, values, chance = (
        np.array([row[name] for row in rows], dtype=float) for name in ("positives", "ap", "chance")
    )
    tail, _, head = label_frequency.by_group(counts, values)
    name = words.spelled("ap")
    return sight.picture(
        "label_frequency",
        f"{name.capitalize()} of each label against its frequency",
        f", of {counted(len(rows), 'label')} that have positives: running median, and mean in each third "
        f"({tail:.3f} for the rarest, {head:.3f} for the most frequent; a random order has {np.mean(chance):.3f})",
        label_frequency.draw,
        {name: values},
        counts,
        axis=name,
        chance=chance,
        counted="samples",
    )


MAKERS: dict[str, Callable[[Sight], Picture | str]] = {
    "scores": scores,
    "f1_against_threshold": thresholds,
    "precision_recall": precision_and_recall,
    "label_frequency": frequency,
}
"""Name of a picture -> what makes it, or says why there is nothing to draw."""


def _above(ranking: Ranking, cut: float) -> str:
    """Which shares of the true and of the false items score above a cut, in words."""
    true, every = (
        len(one) - int(np.searchsorted(one, cut, side="right")) for one in (ranking.positives, ranking.scores)
    )
    shares = true / len(ranking.positives), (every - true) / (len(ranking.scores) - len(ranking.positives))
    return "{:.3g} % of the true and {:.3g} % of the false ones".format(*(100 * share for share in shares))
