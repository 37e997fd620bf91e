"""Configuration files to models; a mistake is one line that says where and what it is."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from governor.errors import ConfigError
from governor.wording import KeyPath, Problem, did_you_mean, dotted, lower_first, problems, shown

__all__ = ["apply_overrides", "did_you_mean", "load", "parse"]

M = TypeVar("M", bound=BaseModel)


def load(path: str | Path, model: type[M], overrides: Sequence[str] = ()) -> M:
    """The model in a YAML file, or TOML by its suffix; raises `ConfigError`.

    `overrides` are `dotted.key=value`, set before the model is validated.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a directory, not a file") from None
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {exc.start})") from None
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {str(exc.strerror).lower()}") from None
    return parse(text, model, str(path), overrides)


def parse(text: str, model: type[M], source: str = "<text>", overrides: Sequence[str] = ()) -> M:
    """The model in `text`, TOML where `source` ends in .toml, else YAML; raises `ConfigError`."""
    document = _toml(text, source) if source.endswith(".toml") else _yaml(text, source)
    data = apply_overrides(document.data, overrides)
    try:
        return model.model_validate(data)
    except ValidationError as exc:
        found = problems(exc, model)
    raise ConfigError(document.first(found, [_Override.of(override) for override in overrides]))


def apply_overrides(data: dict[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """`data` with each `dotted.key=value` set, values read as YAML; raises `ConfigError`."""
    changed = copy.deepcopy(data)
    for override in map(_Override.of, overrides):
        override.set_in(changed)
    return changed


class _Override(NamedTuple):
    """`dotted.key=value`, as given on a command line."""

    text: str
    path: tuple[str, ...]
    value: Any

    @classmethod
    def of(cls, text: str) -> _Override:
        key, equals, value = text.partition("=")
        path = tuple(part.strip() for part in key.split("."))
        if not equals or not all(path):
            raise ConfigError(f"override `{text}`: must be `dotted.key=value`")
        try:
            return cls(text, path, yaml.load(value, _Loader))  # noqa: S506 - a SafeLoader
        except (yaml.YAMLError, ValueError, RecursionError):
            raise ConfigError(f"override `{text}`: `{value}` is not a YAML value") from None

    def set_in(self, data: dict[str, Any]) -> None:
        holder: Any = data
        for at, key in enumerate(self.path[:-1]):
            if isinstance(holder, dict):
                holder = holder.setdefault(key, {})
            else:
                holder = holder[self._index(holder, at)]
            if not isinstance(holder, dict | list):
                raise ConfigError(
                    f"override `{self.text}`: `{dotted(self.path[: at + 1])}` holds one value only"
                )
        last = self.path[-1]
        holder[last if isinstance(holder, dict) else self._index(holder, len(self.path) - 1)] = self.value

    def _index(self, holder: list[Any], at: int) -> int:
        key = self.path[at]
        if not key.isdecimal() or int(key) >= len(holder):
            raise ConfigError(f"override `{self.text}`: `{dotted(self.path[: at + 1])}` does not exist")
        return int(key)

    def sets(self, path: KeyPath) -> bool:
        """Whether the value at `path` comes from here."""
        return tuple(map(str, path[: len(self.path)])) == self.path


@dataclass(frozen=True)
class _Document:
    """What a file holds; `places` are the lines and columns, from 1, of keys and items."""

    source: str
    data: dict[str, Any]
    places: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)

    def first(self, found: Sequence[Problem], overrides: Sequence[_Override]) -> str:
        """One line: the first problem by its position, what is missing last, and how many more there are."""
        first = min(found, key=lambda problem: (problem.path not in self.places, self._place(problem.path)))
        where = self.source
        if override := next((each for each in reversed(overrides) if each.sets(first.path)), None):
            where = f"override `{override.text}`"
        elif any(place := self._place(first.path)):
            where += f":{place[0]}:{place[1]}"
        path = f"`{dotted(first.path)}`: " if first.path else ""
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        return f"{where}: {path}{first.what}{more}"

    def _place(self, path: KeyPath) -> tuple[int, int]:
        """Where a value is, or else what is nearest around it; (0, 0) where nothing is known."""
        around = (path[:length] for length in range(len(path), 0, -1))
        return next((self.places[part] for part in around if part in self.places), (0, 0))


class _Loader(yaml.SafeLoader):
    """YAML in which `off`, `1:30`, `010` and `2024-01-01` stay what was typed, and no key comes twice."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in seen:
                problem = (
                    f"duplicate key `{key.value}`" if isinstance(key, yaml.ScalarNode) else "key is no text"
                )
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_FLOAT = r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
for _tag, _pattern, _starts in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", rf"{_FLOAT}|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", list("-+.0123456789")),
    ("merge", "<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), _starts)


def _yaml(text: str, source: str) -> _Document:
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        data = loader.construct_document(node) if node is not None else None
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        what = str(exc.problem or exc.context)
        what = f"{exc.context}, {what}" if what.startswith("but ") else what
        raise ConfigError(f"{source}{place}: {what}") from None
    except yaml.reader.ReaderError as exc:
        raise ConfigError(f"{source}: holds a character that YAML does not allow") from exc
    except (RecursionError, ValueError) as exc:
        raise ConfigError(f"{source}: cannot be read as YAML") from exc
    if node is None or data is None:
        raise ConfigError(f"{source}: is empty")
    if not isinstance(data, dict):
        raise ConfigError(f"{source}: must hold keys and values, not {shown(data)}")
    return _Document(source, data, dict(_places(node, (), set())))


def _places(node: yaml.Node, path: KeyPath, seen: set[int]) -> Iterator[tuple[KeyPath, tuple[int, int]]]:
    """The place of every key and item; of what an alias repeats, only the first."""
    if id(node) in seen:
        return
    seen.add(id(node))
    inner: list[tuple[str | int, yaml.Node, yaml.Node]]
    if isinstance(node, yaml.MappingNode):
        inner = [(str(key.value), key, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        inner = [(index, item, item) for index, item in enumerate(node.value)]
    else:
        return
    for step, at, value in inner:
        yield (*path, step), (at.start_mark.line + 1, at.start_mark.column + 1)
        yield from _places(value, (*path, step), seen)


def _toml(text: str, source: str) -> _Document:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        found = re.fullmatch(r"(?s)(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(exc))
        what, line, column = found.groups() if found else (str(exc), None, None)
        end = text.split("\n")
        place = f"{line or len(end)}:{column or len(end[-1]) + 1}"
        raise ConfigError(f"{source}:{place}: {lower_first(what)}") from None
    if not data:
        raise ConfigError(f"{source}: is empty")
    return _Document(source, data)
