"""Words for mistakes in a configuration: where they are, what they are, what was meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

KeyPath = tuple[str | int, ...]
"""Keys and indices from the top of a document."""

_SHOWN = 60


class Problem(NamedTuple):
    """What is wrong, and the path of the value that it is wrong with."""

    path: KeyPath
    what: str


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """``; did you mean `x`?``, or all of a few candidates, or nothing: the end of a message."""
    names = sorted(set(candidates))
    by_fold = {name.lower(): name for name in reversed(names)}
    near = difflib.get_close_matches(word.lower(), sorted(by_fold), n=1)
    if near:
        return f"; did you mean `{by_fold[near[0]]}`?"
    return f"; known are {listed(names)}" if 0 < len(names) <= 8 else ""


def problems(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """What pydantic found in a value that should be a `model`, in our words.

    Of a value and of what is in it only the inner problem counts: the outer one
    follows from it, as a list is too short without its invalid item.
    """
    found = [_problem(details, model) for details in error.errors(include_url=False)]
    inner = {path[:length] for path, _ in found for length in range(len(path))}
    return [problem for problem in found if problem.path not in inner]


def dotted(path: KeyPath) -> str:
    return ".".join(map(str, path))


def listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def shown(value: Any) -> str:
    """A value as it was typed, as far as one line holds it."""
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return "keys and values" if isinstance(value, dict) else "a list"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{text if len(text) <= _SHOWN else text[:_SHOWN] + '..'}`"


def lower_first(message: str) -> str:
    return message[:1].lower() + message[1:]


_WANTED = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a number",
    "bool": "true or false",
    "string_too_short": "a text that is not empty",
    "string": "a text",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "dict": "keys and values",
    "model": "keys and values",
}
"""By the start of pydantic's error type, the more special first."""

_BOUNDS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


def _problem(error: ErrorDetails, model: type[BaseModel]) -> Problem:
    at = _Place((), model)
    for step in error["loc"]:
        at = at.below(step)
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing":
        return Problem(at.path, "is missing")
    if kind == "extra_forbidden":
        return Problem(at.path, f"unknown key{did_you_mean(str(at.path[-1]), at.siblings)}")
    if kind == "union_tag_not_found":
        return _untagged(at, _tag_key(context), error["input"])
    if kind == "union_tag_invalid":
        return Problem((*at.path, _tag_key(context)), _unknown_tag(at, context))
    if kind in {"value_error", "assertion_error"}:
        return Problem(at.path, str(context["error"]))
    if kind == "too_short":
        return Problem(at.path, f"must hold at least {context['min_length']}, not {context['actual_length']}")
    return Problem(at.path, f"must be {_wanted(error, at)}, not {shown(error['input'])}")


def _tag_key(context: dict[str, Any]) -> str:
    return str(context["discriminator"]).strip("'")


def _untagged(at: _Place, key: str, value: Any) -> Problem:
    near = difflib.get_close_matches(key, [each for each in value if isinstance(each, str)], n=1)
    if near:
        return Problem((*at.path, near[0]), f"unknown key; did you mean `{key}`?")
    return Problem((*at.path, key), "is missing")


def _unknown_tag(at: _Place, context: dict[str, Any]) -> str:
    noun = f"{at.noun} {_tag_key(context)}".strip()
    noun = at.noun if at.noun.endswith(_tag_key(context)) else noun
    return (
        f"unknown {noun} `{context['tag']}`{did_you_mean(context['tag'], _quoted(context['expected_tags']))}"
    )


def _quoted(text: str) -> list[str]:
    return re.findall(r"'([^']*)'", text)


def _wanted(error: ErrorDetails, at: _Place) -> str:
    kind = error["type"]
    if kind in {"literal_error", "enum"}:
        return f"one of {listed(_quoted(error['ctx']['expected']))}"
    if kind.startswith(("greater_than", "less_than", "multiple_of")):
        kind = "int" if at.whole else "float"
    wanted = next((words for start, words in _WANTED.items() if kind.startswith(start)), None)
    return f"{wanted}{at.bounds}" if wanted else f"valid ({lower_first(error['msg'])})"


@dataclass(frozen=True)
class _Place:
    """A value of a document, followed along the types that it should have."""

    path: KeyPath
    type: Any
    constraints: tuple[Any, ...] = ()
    siblings: tuple[str, ...] = ()
    """The keys that might have been meant instead of the last of `path`."""

    def below(self, step: str | int) -> _Place:
        """One step of pydantic's location, which also names members of unions."""
        kind, path = _bare(self.type), (*self.path, step)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            fields = {info.alias or name: info for name, info in kind.model_fields.items()}
            if info := fields.get(str(step)):
                return _Place(path, info.annotation, tuple(info.metadata), tuple(fields))
            return _Place(path, Any, siblings=tuple(fields))
        if get_origin(kind) in (Union, UnionType):
            member = next((member for member in get_args(kind) if _answers_to(member, str(step))), kind)
            return _Place(self.path, member, self.constraints, self.siblings)
        inner = [part for part in get_args(kind) if part is not Ellipsis]
        if get_origin(kind) is dict:
            return self if step == "[key]" else _Place(path, inner[1])
        if get_origin(kind) in (list, tuple, set, frozenset) and isinstance(step, int):
            return _Place(path, inner[min(step, len(inner) - 1)])
        return self  # a validator's name, as in "function-after[..]"

    @property
    def whole(self) -> bool:
        return _bare(self.type) is int

    @property
    def bounds(self) -> str:
        """` >= 1`, from the constraints of the type."""
        found = []
        for each in (*self.constraints, *_annotations(self.type)):
            for name, sign in _BOUNDS.items():
                if (bound := getattr(each, name, None)) is not None:
                    found.append(">= 1" if (self.whole and sign == ">" and bound == 0) else f"{sign} {bound}")
        return " " + " and ".join(found) if found else ""

    @property
    def noun(self) -> str:
        """`policy`, where every member of a union is a Policy; empty where they share no base."""
        bases = [
            [base for base in member.__mro__[1:] if issubclass(base, BaseModel)]
            for member in _members(_bare(self.type))
            if isinstance(member, type) and issubclass(member, BaseModel)
        ]
        shared = [base for base in bases[0] if all(base in others for others in bases)] if bases else []
        name = shared[0].__name__ if shared else "Frozen"
        if name in {"Frozen", "BaseModel"}:
            return ""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def _annotations(kind: Any) -> Iterator[Any]:
    if get_origin(kind) is Annotated:
        for each in get_args(kind)[1:]:
            yield from each.metadata if isinstance(each, FieldInfo) else (each,)


def _bare(kind: Any) -> Any:
    """A type without annotations and `| None`."""
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif get_origin(kind) in (Union, UnionType) and len(_members(kind)) == 1:
            [kind] = _members(kind)
        else:
            return kind


def _members(union: Any) -> list[Any]:
    return [_bare(member) for member in get_args(union) if member is not NoneType]


def _answers_to(member: Any, name: str) -> bool:
    """Whether pydantic calls a member of a union by `name`: a tag of it, or its class."""
    if any(isinstance(each, Tag) and each.tag == name for each in _annotations(member)):
        return True
    member = _bare(member)
    if not (isinstance(member, type) and issubclass(member, BaseModel)):
        return getattr(member, "__name__", "") == name
    kinds = [info.annotation for info in member.model_fields.values()]
    return member.__name__ == name or any(
        name in get_args(kind) for kind in kinds if get_origin(kind) is Literal
    )
