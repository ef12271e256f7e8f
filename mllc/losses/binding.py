"""Binding settings to a function by name, with errors that say what was given, what is allowed and what was meant."""

import inspect
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from mllc.errors import ConfigError
from mllc.suggest import did_you_mean


def bind(
    what: str,
    function: Callable[..., Any],
    settings: Mapping[str, Any],
    supplied: Mapping[str, Any],
    later: Collection[str] = (),
) -> "partial[Any]":
    """`function` with its settings bound, once every parameter is known to have a value.

    what      how messages call the function
    settings  chosen by the user; each must be a parameter that is neither supplied nor given later
    supplied  by the program; what the function does not ask for is left out
    later     parameters given at the call
    raises    ConfigError for an unknown setting or a parameter without a value
    """
    parameters = inspect.signature(function).parameters
    names = [name for name in parameters if name not in later]
    own = [name for name in names if name not in supplied]
    for setting in settings:
        if setting not in own:
            raise ConfigError(f"{what} has no setting {setting!r}{did_you_mean(setting, own)} It takes: {_list(own)}")
    values = {**supplied, **settings}
    missing = [name for name in names if name not in values and parameters[name].default is inspect.Parameter.empty]
    if missing:
        raise ConfigError(f"{what} has no value for {_list(missing)}; give it one in the YAML or on the command line")
    return partial(function, **{name: values[name] for name in names if name in values})


def choose(what: str, given: object, allowed: Collection[str]) -> str:
    """`given` if it is one of the words `allowed`, else a ConfigError that lists them."""
    if not isinstance(given, str) or given not in allowed:
        raise ConfigError(f"{what} {given!r} is not known{did_you_mean(str(given), allowed)} Allowed: {_list(allowed)}")
    return given


def _list(names: Collection[str]) -> str:
    return ", ".join(names) if names else "none"
