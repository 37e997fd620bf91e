"""A governor that keeps its records in memory, for tests of governed agents."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from governor.actions import Action, AttemptState
from governor.bundle import Bundle
from governor.decisions import Decision
from governor.kernel import decide
from governor.kernel_space import KernelSpace
from governor.local import LocalRewards
from governor.policies import Policy
from governor.ports import Services
from governor.records import ActionRecord, OutcomeRecord, Record, RolloutRecord
from governor.rewards import Additive, RewardScheme


@dataclass
class MemoryRecorder:
    """Keeps every record in the order of arrival."""

    records: list[Record] = field(default_factory=list)

    async def append(self, record: Record) -> int:
        self.records.append(record)
        return len(self.records)

    async def ahead(self, position: int) -> None:
        await asyncio.sleep(0)

    async def flush(self) -> None:
        return


@dataclass(frozen=True)
class YieldingDecisions:
    """The kernel in this process, giving way to other tasks as a remote one would."""

    bundle: Bundle

    async def decide(self, action: Action, so_far: AttemptState) -> Decision:
        await asyncio.sleep(0)
        return decide(self.bundle, action, so_far)


class MemoryGovernor:
    """Decides like any governor; what it recorded stands in `actions`, `outcomes`, `rollouts`."""

    def __init__(
        self, policy: Policy | Sequence[Policy] | Bundle | str, scheme: RewardScheme | None = None
    ) -> None:
        self.recorder = MemoryRecorder()
        bundle = KernelSpace(policy).bundle
        self._services = Services(
            YieldingDecisions(bundle), self.recorder, LocalRewards(scheme or Additive())
        )

    def connect(self) -> Services:
        return self._services

    @property
    def actions(self) -> list[ActionRecord]:
        return [record for record in self.recorder.records if isinstance(record, ActionRecord)]

    @property
    def outcomes(self) -> list[OutcomeRecord]:
        return [record for record in self.recorder.records if isinstance(record, OutcomeRecord)]

    @property
    def rollouts(self) -> list[RolloutRecord]:
        return [record for record in self.recorder.records if isinstance(record, RolloutRecord)]
