"""Turn a function into a governed tool."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, Protocol, TypeVar, cast, overload

from governor.enforcement import Refused, current_attempt

P = ParamSpec("P")
R = TypeVar("R")


class _Governing(Protocol):
    """What `@tool("name")` decorates with."""

    @overload
    def __call__(self, function: Callable[P, Awaitable[R]], /) -> Callable[P, Awaitable[R | Refused]]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Callable[P, R | Refused]: ...


@overload
def tool(name: Callable[P, Awaitable[R]], /) -> Callable[P, Awaitable[R | Refused]]: ...
@overload
def tool(name: Callable[P, R], /) -> Callable[P, R | Refused]: ...
@overload
def tool(name: str, function: Callable[P, Awaitable[R]], /) -> Callable[P, Awaitable[R | Refused]]: ...
@overload
def tool(name: str, function: Callable[P, R], /) -> Callable[P, R | Refused]: ...
@overload
def tool(name: str, /) -> _Governing: ...
def tool(name: Any, function: Any = None, /) -> Any:
    """Govern a function: `@tool`, `@tool("sql")` or `tool("sql", run_sql)`.

    A call asks the governor of the current attempt; it returns the function's
    value, or a `Refused` where a policy denied it. Arguments must be JSON
    values: the function runs with what was decided, not with the caller's
    objects. Coroutine functions stay awaitable. Outside a governed attempt a
    call raises `UngovernedCall`.
    """
    if callable(name):
        return _governed(name.__name__, name)
    if function is None:
        return functools.partial(_governed, name)
    return _governed(name, function)


def _governed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(function)
    spread = [p.name for p in signature.parameters.values() if p.kind is p.VAR_KEYWORD]
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
            raise TypeError(f"tool `{name}`: parameter `{parameter.name}` cannot be given by its name")

    def arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        named = dict(bound.arguments)
        for rest in spread:
            named |= cast("dict[str, Any]", named.pop(rest))
        return named

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def call(*args: Any, **kwargs: Any) -> Any:
            return await current_attempt().call(name, function, arguments(args, kwargs))
    else:

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            return current_attempt().call_sync(name, function, arguments(args, kwargs))

    return call
