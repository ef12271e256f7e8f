"""Builds what a YAML's `_target_` names: only from allowed packages, and only with the settings that it takes."""

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import ModuleType
from typing import Any

from mllc.errors import ConfigError, MllcError
from mllc.foreign import told
from mllc.suggest import did_you_mean

ALLOWED = ("mllc", "torch.nn", "torch.optim", "torchvision")
"""Packages whose functions a YAML may name (torch.hub and torch.utils would run code from elsewhere); the command line
adds more with --allow-target."""


def target(node: Mapping[str, Any], *, allow: Sequence[str] = ()) -> Callable[..., Any]:
    """The function or class that `node["_target_"]` names, `package.module.function`; in a module of its own name, too.

    allow  packages, or dotted parts of them, that are allowed besides ALLOWED

    >>> target({"_target_": "mllc.schedules.cosine"}).__name__
    'cosine'
    """
    path = node["_target_"]
    _require_allowed(path, path, allow)
    found = _find(path)
    if isinstance(found, ModuleType):
        found = getattr(found, path.rpartition(".")[2], None)
    if not callable(found):
        raise ConfigError(f"_target_ {path} is not a function or class")
    # `torch.os.system` is reached through torch, but it is not torch's
    _require_allowed(path, getattr(found, "__module__", None) or path, allow)
    return found


def build(
    node: Mapping[str, Any], *args: Any, allow: Sequence[str] = (), reserved: Sequence[str] = (), **kwargs: Any
) -> Any:
    """Calls the target with `args`, `kwargs` and the node's settings; for `_partial_: true`, a functools.partial.

    reserved  settings that are meant for others, and are not passed on
    ConfigError for a setting that the target does not take, and for one that it needs and does not get.
    """
    function = target(node, allow=allow)
    not_passed = {"traits", *reserved} | (set() if "_choice_" in node else {"name"})
    settings = {key: value for key, value in node.items() if key not in not_passed}
    settings = {key: value for key, value in settings.items() if not key.startswith("_")}
    signature = inspect.signature(function)
    named = [name for name, parameter in signature.parameters.items() if parameter.kind is not parameter.VAR_KEYWORD]
    for key in settings:
        if key not in named and len(named) == len(signature.parameters):
            hint = did_you_mean(key, named)
            raise ConfigError(f"{node['_target_']} takes no '{key}'{hint} It takes {', '.join(named) or 'nothing'}")
    is_partial = node.get("_partial_", False)
    try:
        (signature.bind_partial if is_partial else signature.bind)(*args, **kwargs, **settings)
    except TypeError as error:
        raise ConfigError(f"{node['_target_']}: {error}") from None
    call = partial(function, *args, **kwargs, **settings)
    if is_partial or _is_within(function.__module__, ALLOWED):
        return call if is_partial else call()
    try:
        return call()
    except MllcError:
        raise
    except (Exception, SystemExit) as error:  # whatever the user's function does
        raise ConfigError(f"{node['_target_']} failed: {told(error)}") from error


def _require_allowed(path: str, module: str, allow: Sequence[str]) -> None:
    if not _is_within(module, (*ALLOWED, *allow)):
        package = module.partition(".")[0]
        raise ConfigError(
            f"_target_ {path} is outside {', '.join((*ALLOWED, *allow))}; "
            f"if you trust it, type --allow-target {package}"
        )


def _is_within(module: str, packages: Sequence[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def _find(path: str) -> Any:
    """Imports the longest part of `path` that is a module, and walks the rest."""
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[:length])
        try:
            found: Any = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise ConfigError(f"_target_ {path}: importing it failed: {told(error)}") from error
            continue
        except (Exception, SystemExit) as error:  # whatever the user's module does when it runs
            raise ConfigError(f"_target_ {path}: importing it failed: {told(error)}") from error
        for part in parts[length:]:
            found = getattr(found, part, None)
        return found
    raise ConfigError(f"_target_ {path}: there is no module {parts[0]} to import")
