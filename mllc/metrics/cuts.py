"""What a cut just below each positive predicts: the only cuts that average precision and the best F1 depend on."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from mllc.metrics import kernels
from mllc.metrics.kernels import ascending, copied, count, select


@dataclass(frozen=True, eq=False)
class Cuts:
    """The cuts of several ranked lists: column j predicts the items that score at least the j-th positive.

    scores     of the positives, ascending, padded with +inf, (lists, most positives of any list)
    hits       positives predicted, int64, 0 in the padding, same shape
    predicted  items predicted, int64, same shape (of no meaning in the padding)
    higher     items that score more than the positive, int64, same shape
    lower      the next lower score of the list, -inf where there is none, same shape (of no meaning in the padding)
    positives  int64 (lists,)
    """

    scores: Tensor
    hits: Tensor
    predicted: Tensor
    higher: Tensor
    lower: Tensor
    positives: Tensor

    @property
    def precision(self) -> Tensor:
        """hits / predicted, float64, 0 in the padding."""
        return self.hits.double() / self.predicted.clamp(min=1)

    @property
    def f1(self) -> Tensor:
        """2 hits / (predicted + positives), float64, 0 in the padding."""
        return 2 * self.hits.double() / (self.predicted + self.positives[:, None]).clamp(min=1)


def cuts(scores: Tensor, targets: Tensor, mask: Tensor | None = None) -> Iterator[Cuts]:
    """The cuts of each row of `scores` (lists, items), some rows at a time, items of equal score always on one side.

    >>> (found,) = cuts(torch.tensor([[3.0, 1.0, 2.0, 1.0]]), torch.tensor([[1, 1, 0, 0]]))
    >>> found.scores.tolist(), found.hits.tolist(), found.predicted.tolist(), found.lower.tolist()
    ([[1.0, 3.0]], [[2, 1]], [[4, 1]], [[-inf, 2.0]])
    """
    for part, true in _chunks(scores, targets, mask, kernels.CHUNK):
        positives = count(true, 1)
        yield _look_up(select(part, true), positives, [part])


def pooled_cuts(scores: Tensor, targets: Tensor, mask: Tensor | None = None) -> Cuts:
    """The cuts of all entries of `scores` as one list."""
    edges = torch.cat([select(part, true) for part, true in _chunks(scores, targets, mask, kernels.CHUNK)])
    few = min(32 * len(edges), scores.numel() // 8)  # each chunk is searched for every positive: not too many chunks
    at_once = max(kernels.CHUNK, few)
    chunks = (part.view(1, -1) for part, _ in _chunks(scores, targets, mask, at_once))
    return _look_up(edges, edges.new_full((1,), len(edges), dtype=torch.long), chunks)


def _look_up(edges: Tensor, positives: Tensor, chunks: Iterable[Tensor]) -> Cuts:
    """Finds the positives' scores, `edges` in the order of their lists, among all scores, (lists, items) a chunk.

    To sort a chunk and search it for the few positives costs less than to search the positives for every score.
    """
    width = max(1, int(positives.max())) if len(positives) > 1 else max(1, len(edges))
    inside = torch.arange(width, device=edges.device) < positives[:, None]
    scores = ascending(edges.new_full(inside.shape, torch.inf).masked_scatter_(inside, edges))
    hits = (positives[:, None] - torch.searchsorted(scores, scores)) * inside
    predicted, higher = torch.zeros_like(hits), torch.zeros_like(hits)
    lower = torch.full_like(scores, -torch.inf)
    for chunk in chunks:
        ordered = ascending(chunk)
        below = torch.searchsorted(ordered, scores)
        predicted += ordered.shape[1] - below
        higher += ordered.shape[1] - torch.searchsorted(ordered, scores, right=True)
        lower = lower.maximum(ordered.gather(1, (below - 1).clamp(min=0)).where(below > 0, -torch.inf))
    return Cuts(scores, hits, predicted, higher, lower, positives)


def _chunks(scores: Tensor, targets: Tensor, mask: Tensor | None, at_once: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Some rows at a time: a copy of the scores, float32 or float64, -inf where unknown; and where a positive is."""
    dtype = torch.promote_types(scores.dtype, torch.float32)
    step = max(1, at_once // max(1, scores.shape[1]))
    for start in range(0, len(scores), step):
        rows = slice(start, start + step)
        part, true = copied(scores[rows], dtype), copied(targets[rows], torch.bool)
        if mask is not None:
            known = copied(mask[rows], torch.bool)
            part.masked_fill_(known.logical_not(), -torch.inf)  # below every positive: never predicted
            true &= known
        yield part, true
