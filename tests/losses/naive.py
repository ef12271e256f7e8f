"""The other side of the oracles: formulas over Python floats, one element at a time."""

import math

import torch


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def elementwise(formula, logits, targets):
    """The tensor of formula(logit, target, row, label)."""
    rows = zip(logits.tolist(), targets.tolist(), strict=True)
    table = [
        [formula(z, y, i, c) for c, (z, y) in enumerate(zip(zs, ys, strict=True))] for i, (zs, ys) in enumerate(rows)
    ]
    return torch.tensor(table, dtype=torch.float64)


def slope(loss, logits, targets, **settings):
    """The gradient of the summed loss by the logits."""
    logits = torch.as_tensor(logits).clone().requires_grad_()
    return torch.autograd.grad(loss(logits, torch.as_tensor(targets), **settings).sum(), logits)[0]
