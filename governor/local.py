"""A governor in this process: no Ray, the same decisions, records and rewards."""

from __future__ import annotations

import asyncio
import os
import uuid
import weakref
from dataclasses import dataclass, field
from pathlib import Path

from governor.actions import Action, AttemptState
from governor.audit.log import FlightLog
from governor.audit.window import FlightWindow
from governor.bundle import Bundle
from governor.decisions import Decision
from governor.kernel import decide
from governor.ports import Services
from governor.recorder import FlightRecorder
from governor.records import Conduct, Reward
from governor.rewards import RewardScheme


@dataclass(frozen=True)
class LocalDecisions:
    """A decision point that is the kernel itself."""

    bundle: Bundle

    async def decide(self, action: Action, so_far: AttemptState) -> Decision:
        return decide(self.bundle, action, so_far)


@dataclass(frozen=True)
class LocalRewards:
    """A pricer that is the scheme itself."""

    scheme: RewardScheme

    async def price(self, task: float, conduct: Conduct) -> Reward:
        return self.scheme.price(task, conduct)


@dataclass
class LocalGovernor:
    """Decides, records and prices in this process; one process per run directory.

    Pickled copies open the log where they are used; a second writer is refused
    with `RunLocked`.
    """

    bundle: Bundle
    scheme: RewardScheme
    run_dir: Path
    strict: bool = True
    deadline: float = 30.0
    _log: FlightLog | None = field(default=None, repr=False)
    _services: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Services] = field(
        default_factory=weakref.WeakKeyDictionary, repr=False
    )

    def connect(self) -> Services:
        loop = asyncio.get_running_loop()
        if (services := self._services.get(loop)) is None:
            window = FlightWindow(producer_id())
            recorder = FlightRecorder(window, self._send, strict=self.strict, deadline=self.deadline)
            services = Services(LocalDecisions(self.bundle), recorder, LocalRewards(self.scheme))
            self._services[loop] = services
        return services

    def close(self) -> None:
        """Seal what was recorded and release the run directory."""
        if self._log is not None:
            self._log.close()
            self._log = None

    async def _send(self, frames: bytes) -> int:
        if self._log is None:
            self._log = FlightLog(self.run_dir / "audit", run_id=self.run_dir.name)
        return await asyncio.to_thread(self._log.append, frames)

    def __getstate__(self) -> dict[str, object]:
        return {**vars(self), "_log": None, "_services": weakref.WeakKeyDictionary()}


def producer_id() -> str:
    """Names one incarnation of a producer of records; never used again."""
    return f"{os.getpid()}-{uuid.uuid4().hex[:12]}"
