"""Figures of the order of the scores; no threshold is involved."""

import torch
from torch import Tensor

from mllc.metrics.cuts import CHUNK, cuts


def average_precision(scores: Tensor, targets: Tensor, mask: Tensor | None = None) -> Tensor:
    """Average precision of each label, float64 (labels,); NaN for a label without positives.

    AP = sum_n (R_n - R_(n-1)) P_n over the distinct cuts n of the label's scores, without interpolation; equal to the
    mean, over the label's positives, of the precision among the samples that score at least as much. Samples of equal
    score count together, so their order has no influence. As in scikit-learn's `average_precision_score`.

    >>> average_precision(torch.tensor([[2.0], [1.0], [0.0]]), torch.tensor([[0], [1], [1]]))
    tensor([0.5833], dtype=torch.float64)
    """
    return _of_lists(scores.T, targets.T, None if mask is None else mask.T)


def micro_average_precision(scores: Tensor, targets: Tensor, mask: Tensor | None = None) -> Tensor:
    """Average precision of all (sample, label) pairs ranked in one list, float64 scalar; NaN without positives."""
    flat = None if mask is None else mask.reshape(1, -1)
    return _of_lists(scores.reshape(1, -1), targets.reshape(1, -1), flat)[0]


def label_ranking_average_precision(scores: Tensor, targets: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean over samples of the average precision of the sample's ranked labels, float64 scalar in (0, 1].

    As in scikit-learn: equal scores take the worst rank, and a sample whose known labels are all false (or all true)
    counts 1, there being nothing to rank. A sample without known labels is left out; NaN if that leaves none.

    Source: Tsoumakas, Katakis and Vlahavas, "Mining Multi-label Data" (2010), section 5.2.
    """
    values = _of_lists(scores, targets, mask).nan_to_num(nan=1.0)
    return (values if mask is None else values[mask.any(1)]).mean()


def precision_at(k: int, scores: Tensor, targets: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean over samples of (true labels among the k that score highest) / k, float64 scalar in [0, 1].

    The denominator is k even where a sample has fewer true (or known) labels, as usual in extreme classification.
    Labels tied for the last places share them: the value is the mean over all ways to break the tie. A sample without
    known labels is left out; NaN if that leaves none.

    >>> precision_at(1, torch.tensor([[5.0, 5.0, 0.0]]), torch.tensor([[1, 0, 0]]))
    tensor(0.5000, dtype=torch.float64)
    """
    true = targets.bool()
    if mask is not None:
        true = true & mask
        scores = scores.masked_fill(~mask, -torch.inf)
    top = scores.topk(min(k, scores.shape[1]), dim=1).values
    last = top[:, -1:]
    places = (top == last).sum(1)
    sure = (true & (scores > last)).sum(1)
    tied = scores == last
    values = (sure + (true & tied).sum(1) * (places / tied.sum(1).double())) / k
    return (values if mask is None else values[mask.any(1)]).mean()


def chance_average_precision(targets: Tensor, mask: Tensor | None = None) -> Tensor:
    """Expected average precision of each label in a random order without ties, float64 (labels,); NaN for no positives.

    E[AP] = (H_N + (n - 1)/(N - 1) (N - H_N)) / N for n positives among N known samples, H_N the harmonic number. For a
    rare label that is far above the share of positives n/N, which is what constant scores reach (equal scores share
    the worst rank): one positive in 1000 gives .0075 against .001.

    Source: Bestgen, "Exact expected average precision of the random baseline" (2015); the mean over ranks r of
    (1 + (r - 1)(n - 1)/(N - 1)) / r.

    >>> chance_average_precision(torch.tensor([[1], [0]]))
    tensor([0.7500], dtype=torch.float64)
    """
    true = targets.bool() if mask is None else targets.bool() & mask
    positives = true.sum(0).double()
    known = torch.full_like(positives, len(targets)) if mask is None else mask.sum(0).double()
    ranks = torch.arange(1, len(targets) + 1, dtype=torch.float64, device=targets.device)
    harmonic = torch.cat([ranks.new_zeros(1), ranks.reciprocal().cumsum(0)])[known.long()]
    value = (harmonic + (positives - 1) / (known - 1).clamp(min=1) * (known - harmonic)) / known.clamp(min=1)
    return value.where(positives > 0, torch.nan)


def _of_lists(scores: Tensor, targets: Tensor, mask: Tensor | None) -> Tensor:
    """Average precision of each row; rows are taken in groups so that memory stays bounded."""
    step = max(1, CHUNK // max(1, scores.shape[1]))
    values = []
    for start in range(0, len(scores), step):
        rows = slice(start, start + step)
        found = cuts(scores[rows].contiguous(), targets[rows].contiguous(), None if mask is None else mask[rows])
        values.append(found.precision.sum(1) / found.positives)  # 0/0 is NaN: no positives
    return torch.cat(values)
