"""One vectorised step per kind of optimizer: every row is a replica, with rates and settings of its own.

Each step does what torch.optim's does, which is its oracle; torch.optim itself takes one learning rate for all rows.
`weights`, `grads` and the entries of `state` are (replicas, numbers); settings and rates are (replicas, 1). A step
changes weights and state in place, and may change the gradients.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

Rows = Mapping[str, Tensor]
Step = Callable[[Tensor, Tensor, Rows, Rows, Tensor, Tensor], None]
"""(weights, grads, state, settings, lr, root): see `rates_of`."""


class Kind(NamedTuple):
    """What optimizers have in common that are stepped as one: the class, and which parts of its method are on."""

    optimizer: type[torch.optim.Optimizer]
    state: tuple[str, ...]
    decayed: bool
    apart: bool = False
    nesterov: bool = False

    @property
    def counts(self) -> bool:
        """Whether torch keeps the number of steps in the state."""
        return self.optimizer is not torch.optim.SGD

    def step(self, weights: Tensor, grads: Tensor, state: Rows, settings: Rows, rates: Sequence[Tensor]) -> None:
        """Moves the weights by one step; `rates` as of `rates_of`."""
        lr, root, keep = rates
        if self.apart:
            weights.mul_(keep)
        elif self.decayed:
            grads.addcmul_(weights, settings["weight_decay"])
        if self.nesterov:
            _nesterov(weights, grads, state, settings, lr)
        else:
            STEPS[self.optimizer](weights, grads, state, settings, lr, root)


def why_not(optimizer: torch.optim.Optimizer) -> str:
    """Why an optimizer has no stacked form, or an empty text."""
    name = type(optimizer).__name__
    if type(optimizer) not in STEPS:
        return f"its optimizer, {name}, has no stacked form"
    if len(optimizer.param_groups) != 1:
        return "its optimizer treats its weights in several groups"
    group = optimizer.param_groups[0]
    on = [key for key in ("dampening", "maximize", "differentiable", "capturable") if group.get(key)]
    return f"its optimizer, {name}, has no stacked form with {on[0]}={group[on[0]]}" if on else ""


def kind_of(optimizer: torch.optim.Optimizer) -> Kind:
    """The kind of an optimizer that has a stacked form."""
    group = optimizer.param_groups[0]
    state = STATES[type(optimizer)]
    parts = {"momentum_buffer": "momentum", "grad_avg": "centered", "max_exp_avg_sq": "amsgrad"}
    state += tuple(entry for entry, setting in parts.items() if group.get(setting))
    apart, decayed = bool(group.get("decoupled_weight_decay")), bool(group["weight_decay"])
    return Kind(type(optimizer), state, decayed, apart and decayed, bool(group.get("nesterov")))


def settings_of(group: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a parameter group: betas as beta1 and beta2, no switches; beside a decay, `new_...`, what is left
    for the new value, which float32 would have only five digits of."""
    numbers = {key: float(value) for key, value in group.items() if type(value) in (int, float)}
    numbers |= {f"beta{i}": beta for i, beta in enumerate(group.get("betas", ()), 1)}
    return numbers | {f"new_{key}": 1 - numbers[key] for key in ("beta1", "beta2", "rho", "alpha") if key in numbers}


def rates_of(settings: Rows, lr: Tensor, done: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What changes from step to step, computed on the host, for learning rates `lr` and the step `done`, from 1.

    The rate of the step; what Adam divides the root of its second moment by; what weight decay apart from the gradient
    leaves of the weights.
    """
    root, keep = torch.ones_like(lr), 1 - lr * settings["weight_decay"]
    if "beta1" in settings:
        lr, root = lr / (1 - settings["beta1"] ** done), (1 - settings["beta2"] ** done).sqrt()
    elif "lr_decay" in settings:
        lr = lr / (1 + (done - 1) * settings["lr_decay"])
    return lr, root, keep


def _adam(weights: Tensor, grads: Tensor, state: Rows, settings: Rows, lr: Tensor, root: Tensor) -> None:
    second = state["exp_avg_sq"]
    state["exp_avg"].lerp_(grads, settings["new_beta1"])
    second.mul_(settings["beta2"]).addcmul_(grads * settings["new_beta2"], grads)
    if "max_exp_avg_sq" in state:
        second = torch.maximum(state["max_exp_avg_sq"], second, out=state["max_exp_avg_sq"])
    scale = second.sqrt().div_(root).add_(settings["eps"])
    weights.addcdiv_(state["exp_avg"] * lr, scale, value=-1)


def _adadelta(weights: Tensor, grads: Tensor, state: Rows, settings: Rows, lr: Tensor, root: Tensor) -> None:
    rho, new, eps = settings["rho"], settings["new_rho"], settings["eps"]
    state["square_avg"].mul_(rho).addcmul_(grads * new, grads)
    step = state["acc_delta"].add(eps).sqrt_().div_(state["square_avg"].add(eps).sqrt_()).mul_(grads)
    state["acc_delta"].mul_(rho).addcmul_(step * new, step)
    weights.addcmul_(step, lr, value=-1)


def _adagrad(weights: Tensor, grads: Tensor, state: Rows, settings: Rows, lr: Tensor, root: Tensor) -> None:
    state["sum"].addcmul_(grads, grads)
    weights.addcdiv_(grads * lr, state["sum"].sqrt().add_(settings["eps"]), value=-1)


def _rmsprop(weights: Tensor, grads: Tensor, state: Rows, settings: Rows, lr: Tensor, root: Tensor) -> None:
    new, mean_square = settings["new_alpha"], state["square_avg"]
    mean_square.mul_(settings["alpha"]).addcmul_(grads * new, grads)
    if "grad_avg" in state:
        state["grad_avg"].lerp_(grads, new)
        mean_square = mean_square.addcmul(state["grad_avg"], state["grad_avg"], value=-1)
    step = grads.div_(mean_square.sqrt().add_(settings["eps"]))
    if "momentum_buffer" in state:
        step = state["momentum_buffer"].mul_(settings["momentum"]).add_(step)
    weights.addcmul_(step, lr, value=-1)


def _sgd(weights: Tensor, grads: Tensor, state: Rows, settings: Rows, lr: Tensor, root: Tensor) -> None:
    step = grads
    if "momentum_buffer" in state:
        step = state["momentum_buffer"].mul_(settings["momentum"]).add_(grads)
    weights.addcmul_(step, lr, value=-1)


def _nesterov(weights: Tensor, grads: Tensor, state: Rows, settings: Rows, lr: Tensor) -> None:
    momentum = state["momentum_buffer"].mul_(settings["momentum"]).add_(grads)
    weights.addcmul_(grads.addcmul_(momentum, settings["momentum"]), lr, value=-1)


STEPS: dict[type[torch.optim.Optimizer], Step] = {
    torch.optim.Adam: _adam,
    torch.optim.AdamW: _adam,
    torch.optim.Adadelta: _adadelta,
    torch.optim.Adagrad: _adagrad,
    torch.optim.RMSprop: _rmsprop,
    torch.optim.SGD: _sgd,
}

STATES: dict[type[torch.optim.Optimizer], tuple[str, ...]] = {
    torch.optim.Adam: ("exp_avg", "exp_avg_sq"),
    torch.optim.AdamW: ("exp_avg", "exp_avg_sq"),
    torch.optim.Adadelta: ("square_avg", "acc_delta"),
    torch.optim.Adagrad: ("sum",),
    torch.optim.RMSprop: ("square_avg",),
    torch.optim.SGD: (),
}
"""The entries that each weight has in the optimizer's state, `step` and those of a part that is on apart."""
