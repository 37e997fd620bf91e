"""Flight records: the evidence of what was asked, decided, done and paid."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Self

import msgspec

from governor.actions import Action
from governor.decisions import PERMITTING, Decision


class ActionRecord(msgspec.Struct, frozen=True):
    """A decision, written before the tool may run.

    `time` is nanoseconds since the epoch when the action was asked;
    `latency` is nanoseconds until the decision was there. The attempt's state
    before the action follows from its earlier records, in the order of steps.
    """

    action: Action
    decision: Decision
    time: int
    latency: int
    worker: str = ""


class OutcomeStatus(StrEnum):
    """What came of a decided action."""

    OK = "ok"
    ERROR = "error"
    REFUSED = "refused"
    CANCELLED = "cancelled"


class OutcomeRecord(msgspec.Struct, frozen=True):
    """What came of an action, written after the tool ran or was refused.

    `duration` is nanoseconds spent in the tool; `result_bytes` and
    `result_digest` describe the JSON of the result; `error` is the type of the
    exception; `incidents` are what independent observers saw.
    """

    action_id: str
    rollout_id: str
    attempt_id: str
    step: int
    status: OutcomeStatus
    time: int
    duration: int = 0
    result_bytes: int = 0
    result_digest: str = ""
    error: str = ""
    incidents: tuple[str, ...] = ()


class Conduct(msgspec.Struct, frozen=True, array_like=True):
    """An attempt's decisions, counted by effect and its violations by severity."""

    allow: int = 0
    warn: int = 0
    modify: int = 0
    deny: int = 0
    terminate: int = 0
    low: int = 0
    medium: int = 0
    high: int = 0
    critical: int = 0

    @classmethod
    def of(cls, decisions: Iterable[Decision]) -> Self:
        counts: dict[str, int] = {}
        for decision in decisions:
            count(counts, decision)
        return cls(**counts)

    @property
    def asked(self) -> int:
        return self.allow + self.warn + self.modify + self.deny + self.terminate

    @property
    def permitted(self) -> int:
        return sum(getattr(self, effect) for effect in PERMITTING)

    @property
    def violations(self) -> int:
        return self.low + self.medium + self.high + self.critical


def count(counts: dict[str, int], decision: Decision) -> None:
    """Add a decision to counts by effect and, where it is a violation, by severity."""
    names = (decision.effect, decision.severity) if decision.violation else (decision.effect,)
    for name in names:
        counts[name.value] = counts.get(name.value, 0) + 1


class Outcome(StrEnum):
    """How an attempt ended; only the first three may carry a reward."""

    OK = "ok"
    AGENT_ERROR = "agent_error"
    REFUSED_TERMINATED = "refused_terminated"
    GOVERNOR_UNAVAILABLE = "governor_unavailable"


class Reward(msgspec.Struct, frozen=True, array_like=True):
    """A reward in its named parts: `final` = `task` + `bonus` - `cost`.

    The trainer sees `final`; all parts are dimensions of one reward span.
    """

    final: float
    task: float
    cost: float
    bonus: float = 0.0
    scheme: str = ""


class RolloutRecord(msgspec.Struct, frozen=True):
    """One attempt, written when it ended; `reward` is None where it was masked.

    `input_digest` identifies the task; times are nanoseconds since the epoch.
    """

    rollout_id: str
    attempt_id: str
    attempt: int
    input_digest: str
    mode: str
    outcome: Outcome
    conduct: Conduct
    reward: Reward | None
    started: int
    ended: int
    error: str = ""
    incidents: tuple[str, ...] = ()
    worker: str = ""


Record = ActionRecord | OutcomeRecord | RolloutRecord
