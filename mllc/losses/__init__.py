"""Losses, decision rules and scores; needs nothing but torch.

Every file NAME.py that holds a function NAME is exported: `mllc.losses.focal(logits, targets)`. A loss becomes a choice
on the command line by conf/loss/NAME.yaml; nothing else has to be edited.

    precision, checks, blocks    what every loss function starts with: float32, valid settings, blocks of rows
    numbers                      settings that are numbers, or tensors of them: x^gamma, log, is it 0
    rules, scores, counts        outputs -> decisions, outputs -> scores, the extra output `count`
    objective                    a loss, its settings, its rule and its scores as one thing
    best_constant                what an objective costs without looking at the input
    module                       as_module, from_probabilities: losses in other people's training loops
"""

import importlib
import pkgutil

from mllc.losses.module import as_module, from_probabilities
from mllc.losses.objective import Objective, build_objective

__all__ = ["Objective", "as_module", "build_objective", "from_probabilities"]

for _name in (module.name for module in pkgutil.iter_modules(__path__)):
    _function = getattr(importlib.import_module(f"{__name__}.{_name}"), _name, None)
    if _function is not None:
        # after the import, which has put the module here under the same name
        globals()[_name] = _function
        __all__ += [_name]
