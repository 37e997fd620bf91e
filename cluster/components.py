"""Import and make what a run configuration names."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from governor.config import Component
from governor.errors import ConfigError
from governor.loading import did_you_mean

T = TypeVar("T")


def make(component: Component, kind: type[T], *, where: str, defaults: Mapping[str, Any] | None = None) -> T:
    """Call what `component` names with its options; the result is a `kind`.

    `defaults` are given where the callable has a parameter of that name and
    the options do not. Every mistake is a `ConfigError` that names `where`.
    """
    factory = _find(component.use, where)
    options = component.options
    parameters = _parameters(factory, where)
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        for name in options:
            if name not in parameters:
                raise ConfigError(
                    f"`{where}.{name}`: unknown option of `{component.use}`{did_you_mean(name, parameters)}"
                )
    given = {name: value for name, value in (defaults or {}).items() if name in parameters} | options
    for name, parameter in parameters.items():
        if (
            parameter.default is parameter.empty
            and name not in given
            and parameter.kind is parameter.KEYWORD_ONLY
        ):
            raise ConfigError(f"`{where}.{name}`: missing option of `{component.use}`")
    try:
        made = factory(**given)
    except ConfigError:
        raise
    except Exception as exc:
        raise ConfigError(f"`{where}`: `{component.use}` failed with {type(exc).__name__}: {exc}") from exc
    if not isinstance(made, kind):
        raise ConfigError(f"`{where}`: `{component.use}` made a {type(made).__name__}, not a {kind.__name__}")
    return made


def add_to_path(folders: Sequence[Path]) -> None:
    """Make the modules in `folders` importable in this process."""
    for folder in reversed(folders):
        if not folder.is_dir():
            raise ConfigError(f"`path`: no folder `{folder}`")
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))


def _find(use: str, where: str) -> Any:
    module_name, _, name = use.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as exc:
        raise ConfigError(
            f"`{where}.use`: no module `{exc.name}` for `{use}`; is its folder in `path`?"
        ) from None
    except Exception as exc:
        raise ConfigError(
            f"`{where}.use`: `{module_name}` cannot be imported: {type(exc).__name__}: {exc}"
        ) from exc
    if name not in vars(module):
        raise ConfigError(f"`{where}.use`: `{module_name}` has no `{name}`{did_you_mean(name, vars(module))}")
    return vars(module)[name]


def _parameters(factory: Any, where: str) -> Mapping[str, inspect.Parameter]:
    if not callable(factory):
        raise ConfigError(f"`{where}.use`: it names a {type(factory).__name__}, which cannot be called")
    return inspect.signature(factory).parameters
