"""The proposal's runner: a LitAgentRunner that governs whatever agent it is given."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agentlightning.litagent import LitAgent
from agentlightning.runner import LitAgentRunner
from agentlightning.store.base import LightningStore
from agentlightning.tracer.base import Tracer
from agentlightning.tracer.otel import OtelTracer
from agentlightning.types import Hook

from governor.kernel_space import KernelSpace
from governor.local import LocalGovernor
from governor.ports import Governor
from governor.rewards import PolicyReward, RewardScheme
from store_bridge.agent import GovernedAgent
from store_bridge.attempt_store import AttemptStore


class AgentOSRunner(LitAgentRunner[Any]):
    """Governs every agent it runs by `kernel`, and prices its attempts by `reward`.

    Under `RayExecutionStrategy` the kernel, the audit log and the rewards are
    Ray actors that all runners share. Under another strategy they live in the
    runner's own process, and only one process may write to `run_dir`. Other
    keywords are those of `LitAgentRunner`.
    """

    def __init__(
        self,
        kernel: KernelSpace,
        reward: RewardScheme | None = None,
        *,
        run_dir: Path | str | None = None,
        tracer: Tracer | None = None,
        poll_interval: float = 0.1,
        interval_jitter: float = 0.02,
        **options: Any,
    ) -> None:
        super().__init__(
            tracer or OtelTracer(), poll_interval=poll_interval, interval_jitter=interval_jitter, **options
        )
        self.kernel = kernel
        self.reward = reward or PolicyReward(kernel)
        self.run_dir = Path(run_dir) if run_dir is not None else Path("runs") / new_run_id()
        self._governor: Governor | None = None

    def init(self, agent: LitAgent[Any], *, hooks: Sequence[Hook] | None = None, **kwargs: Any) -> None:
        if self._governor is None:
            self._governor = LocalGovernor(self.kernel.bundle, self.reward, self.run_dir)
        governed = agent if isinstance(agent, GovernedAgent) else GovernedAgent(agent, self._governor)
        super().init(governed, hooks=hooks, **kwargs)

    def init_worker(self, worker_id: int, store: LightningStore, **kwargs: Any) -> None:
        wrapped = store if isinstance(store, AttemptStore) else AttemptStore(store)
        super().init_worker(worker_id, wrapped, **kwargs)

    def teardown(self, *args: Any, **kwargs: Any) -> None:
        super().teardown(*args, **kwargs)
        if isinstance(self._governor, LocalGovernor):
            self._governor.close()
            self._governor = None

    @contextmanager
    def governed_by(self, governor: Governor) -> Iterator[None]:
        """Use `governor` instead of one in this process."""
        self._governor = governor
        try:
            yield
        finally:
            self._governor = None


def new_run_id(name: str = "run") -> str:
    """A name for a run directory: sorts by time, and is not taken twice."""
    return f"{name}-{time.strftime('%Y%m%d-%H%M%S')}-{os.urandom(2).hex()}"
