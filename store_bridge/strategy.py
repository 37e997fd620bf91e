"""Agent-Lightning's runners as Ray actors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from agentlightning.execution.base import AlgorithmBundle, ExecutionStrategy, RunnerBundle
from agentlightning.execution.events import ThreadingEvent
from agentlightning.store.base import LightningStore
from agentlightning.store.memory import InMemoryLightningStore

from actors import governor as governor_actors
from actors import runtime
from actors.fleet import Fleet
from governor import background
from governor.config import GovernorOptions
from governor.errors import ConfigError
from store_bridge.ray_store import RayLightningStore
from store_bridge.runner import AgentOSRunner
from store_bridge.worker import RunnerMain, trainer_and_agent

_OPEN = ("preparing", "running")


class RayExecutionStrategy(ExecutionStrategy):
    """Runs `workers` runners as Ray actors, one process each, and the algorithm here.

    Uses the Ray that this process is connected to, else one of its own on this
    machine. An in-memory store is hosted in an actor meanwhile and has its
    content back afterwards. An attempt whose worker dies is given back to the
    store as `unresponsive`. An `AgentOSRunner` gets its kernels, audit log and
    reward aggregators as actors, too.
    """

    alias = "ray"

    def __init__(
        self,
        workers: int = 1,
        *,
        worker_cpus: float = 1.0,
        grace: float = 15.0,
        max_restarts: int = 100,
        governor: GovernorOptions | None = None,
    ) -> None:
        if workers < 1:
            raise ConfigError(f"`workers`: must be at least 1, not {workers}")
        self.n_runners = workers
        self._worker_cpus = worker_cpus
        self._grace = grace
        self._max_restarts = max_restarts
        self._governor = governor or GovernorOptions()
        self._fleet: Fleet | None = None
        self._fail: Callable[[BaseException], None] | None = None

    def interrupt(self) -> None:
        """End a running `fit` as Ctrl-C would; may be called from any thread."""
        if self._fail is not None:
            self._fail(KeyboardInterrupt())

    def scale(self, workers: int) -> None:
        """Run this many workers from now on; may be called from any thread during `fit`."""
        if workers < 1:
            raise ConfigError(f"`workers`: must be at least 1, not {workers}")
        self.n_runners = workers
        if self._fleet is not None:
            self._fleet.scale(workers)

    def execute(self, algorithm: AlgorithmBundle, runner: RunnerBundle, store: LightningStore) -> None:
        cpus = max(2, round(self.n_runners * self._worker_cpus))
        with runtime.connected(num_cpus=cpus), self._shared(store) as shared, self._governed(runner):
            asyncio.run(self._run(algorithm, RunnerMain(runner, shared), shared))

    @contextmanager
    def _shared(self, store: LightningStore) -> Iterator[LightningStore]:
        """A store that workers can hold, with the content of `store`."""
        if store.capabilities.get("zero_copy"):
            yield store
            return
        if not isinstance(store, InMemoryLightningStore):
            raise ConfigError(f"workers cannot share a {type(store).__name__}; use a RayLightningStore")
        hosted = RayLightningStore.adopt(store)
        try:
            yield hosted
        finally:
            hosted.return_to(store)
            hosted.close()

    @contextmanager
    def _governed(self, bundle: RunnerBundle) -> Iterator[None]:
        """The actors that an `AgentOSRunner` asks for; none for another runner."""
        runner = trainer_and_agent(bundle)[0].runner
        if not isinstance(runner, AgentOSRunner):
            yield
            return
        governor = governor_actors.launch(runner.kernel.bundle, runner.reward, runner.run_dir, self._governor)
        try:
            with runner.governed_by(governor):
                yield
        finally:
            governor_actors.close(governor)

    async def _run(self, algorithm: AlgorithmBundle, main: RunnerMain, store: LightningStore) -> None:
        """The algorithm in this loop, the fleet in its own thread; the first failure ends both."""
        event = ThreadingEvent()
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(algorithm(store, event))
        failures: list[BaseException] = []

        def failed(error: BaseException) -> None:
            failures.append(error)
            loop.call_soon_threadsafe(task.cancel)

        self._fail = failed
        fleet = self._fleet = Fleet(
            main,
            self.n_runners,
            lost=lambda number: background.run(_give_back(store, number)),
            failed=failed,
            num_cpus=self._worker_cpus,
            max_restarts=self._max_restarts,
            grace=self._grace,
        )
        fleet.start()
        try:
            await task
        except asyncio.CancelledError:
            if not failures:
                raise
        finally:
            event.set()
            self._fleet = self._fail = None
            await asyncio.to_thread(fleet.stop)
        if failures:
            raise failures[0]


async def _give_back(store: LightningStore, number: int) -> None:
    """Mark the attempt that a dead worker held, so that the store may have it retried."""
    worker = await store.get_worker_by_id(f"Worker-{number}")
    if worker is None or not worker.current_rollout_id:
        return
    attempt = await store.get_latest_attempt(worker.current_rollout_id)
    if attempt is not None and attempt.attempt_id == worker.current_attempt_id and attempt.status in _OPEN:
        await store.update_attempt(attempt.rollout_id, attempt.attempt_id, status="unresponsive")
