"""What a cut just below each positive predicts: the only cuts that average precision and the best F1 depend on."""

from dataclasses import dataclass

import torch
from torch import Tensor

CHUNK = 1 << 20
"""Scores handled at once; the transient memory is about 16 bytes each."""


@dataclass(frozen=True, eq=False)
class Cuts:
    """The cuts of several ranked lists: column j predicts the items that score at least the j-th positive.

    scores     of the positives, ascending, padded with +inf, (lists, most positives of any list)
    hits       positives predicted, int64, 0 in the padding, same shape
    predicted  items predicted, int64, same shape (of no meaning in the padding)
    positives  int64 (lists,)
    """

    scores: Tensor
    hits: Tensor
    predicted: Tensor
    positives: Tensor

    @property
    def precision(self) -> Tensor:
        """hits / predicted, float64, 0 in the padding."""
        return self.hits.double() / self.predicted.clamp(min=1)

    @property
    def f1(self) -> Tensor:
        """2 hits / (predicted + positives), float64, 0 in the padding."""
        return 2 * self.hits.double() / (self.predicted + self.positives[:, None]).clamp(min=1)


def cuts(scores: Tensor, targets: Tensor, mask: Tensor | None = None) -> Cuts:
    """The cuts of each row of `scores` (lists, items), items of equal score always on the same side.

    Positives are few, so they alone are sorted; every score is then counted into the gap between positives where it
    falls. That is exact, and cheaper than to sort all the scores.

    >>> found = cuts(torch.tensor([[3.0, 1.0, 2.0, 1.0]]), torch.tensor([[1, 1, 0, 0]]))
    >>> found.scores.tolist(), found.hits.tolist(), found.predicted.tolist()
    ([[1.0, 3.0]], [[2, 1]], [[4, 1]])
    """
    true = targets.bool() if mask is None else targets.bool() & mask
    lists, items = scores.shape
    positives = true.sum(1)
    width = max(1, int(positives.max())) if lists else 1

    row, column = true.nonzero(as_tuple=True)
    place = torch.arange(len(row), device=row.device) - (positives.cumsum(0) - positives)[row]
    edges = scores.new_full((lists, width), torch.inf)
    edges[row, place] = scores[row, column]
    edges = edges.sort(dim=1).values

    counted = torch.zeros(lists * (width + 1), dtype=torch.long, device=scores.device)
    offset = (torch.arange(lists, device=scores.device) * (width + 1))[:, None]
    step = max(1, CHUNK // max(1, lists))
    for start in range(0, items, step):
        part = scores[:, start : start + step]
        if mask is not None:  # below every positive: never predicted
            part = part.masked_fill(~mask[:, start : start + step], -torch.inf)
        gap = torch.searchsorted(edges, part.contiguous(), right=True)
        counted += torch.bincount((gap + offset).flatten(), minlength=len(counted))

    above = counted.view(lists, width + 1).flip(1).cumsum(1).flip(1)[:, 1:]
    hits = positives[:, None] - torch.searchsorted(edges, edges)
    return Cuts(edges, hits, above, positives)
