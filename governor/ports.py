"""What the core needs from the outside; implemented by `actors` and `governor.local`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from governor.actions import Action, AttemptState
from governor.decisions import Decision
from governor.records import Conduct, Record, Reward


class DecisionPoint(Protocol):
    """Answers actions: the kernel in this process, or a pool of kernel actors."""

    async def decide(self, action: Action, so_far: AttemptState) -> Decision:
        """The decision; raises `DecisionUnavailable` past the deadline."""


class Recorder(Protocol):
    """Takes flight records; every wait is bounded and raises `AuditUnavailable`."""

    async def append(self, record: Record) -> int:
        """Its position, once `record` has its place in the bounded window of unsaved records."""

    async def ahead(self, position: int) -> None:
        """Return when an action may run whose record has `position`: as the audit mode promises."""

    async def flush(self) -> None:
        """Return when everything appended so far is acknowledged."""


class Pricer(Protocol):
    """Turns an attempt's conduct into a reward."""

    async def price(self, task: float, conduct: Conduct) -> Reward:
        """The reward; raises `PricingUnavailable` past the deadline."""


@dataclass(frozen=True)
class Services:
    """What one event loop of a rollout worker uses of the governor."""

    decisions: DecisionPoint
    recorder: Recorder
    rewards: Pricer


class Governor(Protocol):
    """A governor as workers get it: picklable, connecting where it is used."""

    def connect(self) -> Services:
        """The services of the running event loop; the same object for the same loop."""


class Tracing(Protocol):
    """Shows each decided action to a tracer, in the agent's own thread."""

    def action(self, action: Action, decision: Decision) -> AbstractContextManager[object]:
        """Surrounds the tool's run, or nothing where the action was refused."""
