"""What the agent does with its choices: one to three calls of its tool, and an answer."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np

from governor import Refused
from sql_agent.model import Choices
from sql_agent.queries import HEADS, Question, compose, shortcut
from sql_agent.tasks import Rows

Ask = Callable[[str], Rows | Refused]


@dataclass(frozen=True)
class Episode:
    """What came of a rollout; `composed` says whether the honest query was asked.

    `refused` counts the calls that did not run.
    """

    answer: Rows | None
    composed: bool
    refused: int


def generator(task: Mapping[str, Any]) -> np.random.Generator:
    """The randomness of a rollout: from the fields of its task, so the same wherever and whenever it runs."""
    fields = (task.get(name, 0) for name in ("seed", "round", "sample"))
    return np.random.default_rng([crc32(task["task"].encode()), *fields])


def act(question: Question, choices: Choices, ask: Ask) -> Episode:
    """Do what was chosen; after a refusal, ask honestly."""
    approach, *rest = (options[choice] for options, choice in zip(HEADS.values(), choices, strict=True))
    answer: Rows | None = None
    refused = 0
    if approach != "query":
        for statement in shortcut(question, approach, rest[0]):
            answer, now = _asked(ask, statement)
            refused += now
            if answer is None:
                break
        if not refused:
            return Episode(answer, composed=False, refused=0)
    answer, now = _asked(ask, compose(question, *rest))
    return Episode(answer, composed=True, refused=refused + now)


def _asked(ask: Ask, statement: str) -> tuple[Rows | None, bool]:
    """The rows, if the statement made any sense, and whether it was refused."""
    try:
        result = ask(statement)
    except sqlite3.Error:
        return None, False
    return (None, True) if isinstance(result, Refused) else (result, False)
