"""Figures of the order of the scores; no threshold is involved."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mllc.metrics.cuts import Cuts, cuts, pooled_cuts
from mllc.metrics.kernels import count


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
    return _mean_precision(pooled_cuts(scores, targets, mask))[0]


def of_samples(
    scores: Tensor, targets: Tensor, mask: Tensor | None = None, *, at: Sequence[int] = (1, 3, 5)
) -> dict[str, Tensor]:
    """Means over the samples of the figures of each one's ranked labels, float64 scalars in [0, 1].

    lrap    label-ranking average precision: the average precision of the sample's labels. As in scikit-learn: equal
            scores take the worst rank, and a sample whose known labels are all false (or all true) counts 1, there
            being nothing to rank
    p_at_k  (true labels among the k that score highest) / k, for each k of `at`. The denominator is k even where a
            sample has fewer true (or known) labels, as usual in extreme classification. Labels tied for the last places
            share them: the value is the mean over all ways to break the tie

    A sample without known labels is left out; NaN if that leaves none.

    Source of lrap: Tsoumakas, Katakis and Vlahavas, "Mining Multi-label Data" (2010), section 5.2.

    >>> found = of_samples(torch.tensor([[5.0, 5.0, 0.0]]), torch.tensor([[1, 0, 0]]), at=[1])
    >>> {name: value.item() for name, value in found.items()}
    {'lrap': 0.5, 'p_at_1': 0.5}
    """
    parts = []
    for found in cuts(scores, targets, mask):
        tied = (found.predicted - found.higher).double().masked_fill(found.hits == 0, torch.inf)  # padding: no share
        precisions = [((k - found.higher) / tied).clamp(0, 1).sum(1) / k for k in at]
        parts.append(torch.stack([_mean_precision(found).nan_to_num(nan=1.0), *precisions]))
    values = torch.cat(parts, dim=1)
    means = (values if mask is None else values[:, mask.any(1)]).mean(1)
    return dict(zip(["lrap", *(f"p_at_{k}" for k in at)], means, strict=True))


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
    positives = count(true, 0).double()
    known = torch.full_like(positives, len(targets)) if mask is None else count(mask, 0).double()
    ranks = torch.arange(1, len(targets) + 1, dtype=torch.float64, device=targets.device)
    harmonic = torch.cat([ranks.new_zeros(1), ranks.reciprocal().cumsum(0)])[known.long()]
    value = (harmonic + (positives - 1) / (known - 1).clamp(min=1) * (known - harmonic)) / known.clamp(min=1)
    return value.where(positives > 0, torch.nan)


def _of_lists(scores: Tensor, targets: Tensor, mask: Tensor | None) -> Tensor:
    """Average precision of each row."""
    return torch.cat([_mean_precision(found) for found in cuts(scores, targets, mask)])


def _mean_precision(found: Cuts) -> Tensor:
    """Average precision of each list: the mean of the precision at its positives; 0/0 is NaN, no positives."""
    return found.precision.sum(1) / found.positives
