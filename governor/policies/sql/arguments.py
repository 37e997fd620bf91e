"""The SQL among the arguments of a tool call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_SQL_ARGUMENTS = frozenset({"query", "sql", "statement"})


def members(arguments: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """JSON pointer, name and value of every argument, at any depth."""
    pending: list[tuple[str, Any]] = [("", arguments)]
    while pending:  # no recursion: the depth is the agent's choice
        at, value = pending.pop()
        for key, item in _items(value):
            where = f"{at}/{str(key).replace('~', '~0').replace('/', '~1')}"
            if isinstance(value, dict):
                yield where, str(key), item
            if isinstance(item, dict | list):
                pending.append((where, item))


def sql_arguments(arguments: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """JSON pointer and text of every string under a name that holds SQL."""
    for where, name, value in members(arguments):
        if name.lower() not in _SQL_ARGUMENTS:
            continue
        pending = [(where, value)]
        while pending:
            at, item = pending.pop()
            if isinstance(item, str):
                yield at, item
            pending += [(f"{at}/{key}", inner) for key, inner in _items(item)]


def _items(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []
