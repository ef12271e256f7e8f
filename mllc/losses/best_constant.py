"""The best constant answer: what an objective costs a model that does not look at its input."""

from dataclasses import replace

import torch
from torch import Tensor

from mllc.losses.objective import Objective
from mllc.types import Outputs


def best_constant(
    objective: Objective, targets: Tensor, mask: Tensor | None = None, batch_size: int = 256
) -> tuple[Outputs, float]:
    """The outputs, one for all samples, with which `objective` costs least on `targets`, and its mean loss there.

    A model whose loss on these targets is never below that of the best constant has learned nothing from its input.
    L-BFGS from the prior log-odds (and the extra outputs' initial biases). A separable loss depends on two
    counts of each label only, whatever the number of samples, and is solved in float64; the others, for speed, in
    float32, and a coupled one batch by batch, as validation computes it. The value returned is computed in float64.

    targets  (samples, labels), 0 or 1, at least one sample
    mask     bool (samples, labels), False where unknown, or None
    batch_size  of the validation whose loss is compared with this one
    returns  float64 outputs of one row, and the mean over samples of `Objective.loss`; an infimum at infinity (a label
             never true) is approached, not reached
    """
    separable = objective.traits.separable
    truth = targets.double()
    known = torch.ones_like(truth) if mask is None else mask.double()
    positives, negatives = (truth * known).sum(0), ((1 - truth) * known).sum(0)
    # the sum is minimised also for reduction `mean`, whose small gradients would end the search too early
    summed = replace(objective, reduction="sum")
    both = torch.stack([torch.ones_like(positives), torch.zeros_like(positives)])
    weights = torch.stack([positives, negatives]) / len(truth)

    def cost(row: Outputs, truth: Tensor) -> Tensor:
        if separable:
            return (weights * summed.values(_repeat(row, 2), both)).sum()
        size = batch_size if objective.traits.coupled else len(truth)
        total = truth.new_zeros(())
        for start in range(0, len(truth), size):
            part = truth[start : start + size]
            known_part = None if mask is None else mask[start : start + size]
            total = total + summed.mean(_repeat(row, len(part)), part, known_part) * len(part)
        return total / len(truth)

    # a small offset: a label never true starts where it costs next to nothing
    start = {"logits": ((positives + 0.01) / (negatives + 0.01)).log().unsqueeze(0)}
    start |= {name: truth.new_tensor([objective.initial_bias[name]]) for name in objective.outputs}
    dtype = torch.float64 if separable else torch.float32
    row = {name: value.to(dtype, copy=True).requires_grad_() for name, value in start.items()}
    data = truth.to(dtype)
    search = torch.optim.LBFGS(
        row.values(), max_iter=40, tolerance_grad=1e-8, tolerance_change=1e-10, line_search_fn="strong_wolfe"
    )

    # a mean over samples has gradients so small that the search would end where it starts
    factor = truth.shape[1] if objective.traits.shape == "batch" else 1

    def closure() -> Tensor:
        search.zero_grad()
        value = cost(row, data) * factor
        value.backward()
        return value

    with torch.enable_grad():
        search.step(closure)
    found = {name: value.detach().double() for name, value in row.items()}
    # a search that fails, on a loss that diverges, say, leaves the start as the answer
    best = min((found, start), key=lambda candidate: cost(candidate, truth).nan_to_num(torch.inf).item())
    scale = 1 / truth.shape[1] if objective.reduction == "mean" else 1.0
    return best, cost(best, truth).item() * scale


def _repeat(row: Outputs, times: int) -> Outputs:
    return {name: value.expand(times, *value.shape[1:]) for name, value in row.items()}
