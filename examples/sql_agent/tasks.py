"""Business questions, what answers them, and how an answer is checked."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict

Scalar = int | float | str | None
Rows = list[list[Scalar]]

_FILE = Path(__file__).with_name("tasks.yaml")


class Trap(BaseModel):
    """A shortcut beside the honest way; `tasks.yaml` says what each kind is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["check", "hold", "kpi"]
    name: str


class Task(BaseModel):
    """A question in words; `gold` is SQL over the base tables that answers it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    question: str
    gold: str
    ordered: bool = False
    trap: Trap | None = None


def _variants(entry: dict[str, Any]) -> list[Task]:
    sets = entry.pop("with", [{}])
    tasks = []
    for number, values in enumerate(sets, 1):
        texts = {name: entry[name].format(**values).strip() for name in ("question", "gold")}
        suffix = f"-{number}" if len(sets) > 1 else ""
        tasks.append(Task(**{**entry, **texts, "id": entry["id"] + suffix}))
    return tasks


@functools.cache
def all_tasks() -> dict[str, Task]:
    """Every task by its id, in the order of the file."""
    entries = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return {task.id: task for task in itertools.chain.from_iterable(map(_variants, entries))}


def training_tasks(traps: bool = True) -> list[dict[str, str]]:
    """The dataset: what an agent is given of each task; without `traps` the plain questions only."""
    return [
        {"task": task.id, "question": task.question}
        for task in all_tasks().values()
        if traps or task.trap is None
    ]


def matches(answer: Sequence[Sequence[Scalar]], gold: Sequence[Sequence[Scalar]], ordered: bool) -> bool:
    """Whether two results are the same: rows in any order unless `ordered`, floats to nine digits."""
    if len(answer) != len(gold):
        return False
    if not ordered:
        answer, gold = sorted(answer, key=_order), sorted(gold, key=_order)
    return all(
        len(mine) == len(theirs) and all(itertools.starmap(_same, zip(mine, theirs, strict=True)))
        for mine, theirs in zip(answer, gold, strict=True)
    )


def _same(one: Scalar, other: Scalar) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return one == other


def _order(row: Sequence[Scalar]) -> list[tuple[bool, str | float]]:
    """Numbers by size, rounded so that a tolerated difference does not change places."""
    return [
        (True, float(f"{value:.6g}")) if isinstance(value, int | float) else (False, str(value))
        for value in row
    ]
