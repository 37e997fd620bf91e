"""Errors cross process borders whole."""

from __future__ import annotations

import ast
import inspect
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from governor import errors
from governor.errors import GovernorError

ROOT = Path(__file__).parents[2]
ROOMS = ("governor", "actors", "store_bridge", "cluster")


def tree(error: type[GovernorError]) -> Iterator[type[GovernorError]]:
    yield error
    for child in error.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from tree(child)


ERRORS = list(tree(GovernorError))


def example(error: type[GovernorError]) -> GovernorError:
    """An instance with a different text for every argument that the error asks for."""
    if error.__init__ is Exception.__init__:
        return error("policy `sql`: no answer", 3)
    parameters = list(inspect.signature(error).parameters.values())
    asked = [p for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    return error(*(f"the {parameter.name}" for parameter in asked))


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("error", ERRORS)
def test_an_error_survives_pickling(error: type[GovernorError], protocol: int) -> None:
    before = example(error)

    after = pickle.loads(pickle.dumps(before, protocol))  # noqa: S301 - our own bytes

    assert type(after) is error
    assert (after.args, str(after), vars(after)) == (before.args, str(before), vars(before))


@pytest.mark.parametrize("error", ERRORS)
def test_the_tree_at_the_top_of_the_module_shows_every_error(error: type[GovernorError]) -> None:
    assert error.__name__ in (errors.__doc__ or "").split()


@pytest.mark.parametrize("room", ROOMS)
def test_every_error_of_ours_stands_in_the_one_tree(room: str) -> None:
    known = {error.__name__ for error in ERRORS}
    elsewhere = {
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in (ROOT / room).rglob("*.py")
        if path != Path(errors.__file__)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and known & {ast.unparse(base).rpartition(".")[2] for base in node.bases}
    }

    assert elsewhere == set()
