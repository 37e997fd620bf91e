"""A governor on Ray: its actors, and what a rollout worker gets of them."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors import handles, wire
from actors.auditor import Auditor
from actors.batching import BatchingClient
from actors.handles import AggregatorHandle, AnyHandle, AuditorHandle, KernelHandle
from actors.kernel_host import KernelHost
from actors.reward_aggregator import RewardAggregator
from governor.actions import Action, AttemptState
from governor.audit.window import FlightWindow
from governor.bundle import Bundle
from governor.config import GovernorOptions, KernelOptions, RewardOptions
from governor.decisions import Decision, Effect
from governor.errors import DecisionUnavailable, PricingUnavailable
from governor.local import producer_id
from governor.ports import DecisionPoint, Services
from governor.recorder import FlightRecorder
from governor.records import Conduct, Reward
from governor.rewards import RewardScheme

UNGOVERNED = "ungoverned"
"""Stands for the bundle digest in records of a run whose governor was off."""


class RemoteDecisions:
    """A decision point whose kernels are actors."""

    def __init__(self, kernels: Sequence[KernelHandle], options: KernelOptions) -> None:
        self._client: BatchingClient[wire.Question, Decision] = BatchingClient(
            kernels,
            wire.decisions,
            lambda question: len(question.action.args) + 200,
            error=DecisionUnavailable,
            timeout=options.timeout,
            deadline=options.deadline,
        )

    async def decide(self, action: Action, so_far: AttemptState) -> Decision:
        return await self._client.ask(wire.Question(action, so_far))


class NoDecisions:
    """Allows everything: the governor is off, and the records say so."""

    async def decide(self, action: Action, so_far: AttemptState) -> Decision:
        return Decision(Effect.ALLOW, bundle=UNGOVERNED)


class RemoteRewards:
    """A pricer whose aggregators are actors."""

    def __init__(self, aggregators: Sequence[AggregatorHandle], options: RewardOptions) -> None:
        self._client: BatchingClient[wire.Bill, Reward] = BatchingClient(
            aggregators,
            wire.rewards,
            lambda bill: 100,
            error=PricingUnavailable,
            timeout=options.timeout,
            deadline=options.deadline,
        )

    async def price(self, task: float, conduct: Conduct) -> Reward:
        return await self._client.ask(wire.Bill(task, conduct))


@dataclass(frozen=True)
class RemoteGovernor:
    """The governor as a rollout worker gets it: actor handles, connected per event loop.

    Without `kernels` the governor is off: actions run unjudged, on the record.
    """

    kernels: tuple[KernelHandle, ...]
    auditor: AuditorHandle
    aggregators: tuple[AggregatorHandle, ...]
    options: GovernorOptions
    _services: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Services] = field(
        default_factory=weakref.WeakKeyDictionary, repr=False, compare=False
    )

    @property
    def handles(self) -> tuple[AnyHandle, ...]:
        """All its actors."""
        return (*self.kernels, *self.aggregators, self.auditor)

    def connect(self) -> Services:
        loop = asyncio.get_running_loop()
        if (services := self._services.get(loop)) is None:
            services = self._services[loop] = self._open()
        return services

    def _open(self) -> Services:
        audit = self.options.audit
        decisions: DecisionPoint = (
            RemoteDecisions(self.kernels, self.options.kernels) if self.kernels else NoDecisions()
        )

        async def send(frames: bytes) -> int:
            return await self.auditor.append(frames, within=audit.timeout)

        recorder = FlightRecorder(
            FlightWindow(producer_id()), send, strict=audit.mode == "strict", deadline=audit.deadline
        )
        return Services(decisions, recorder, RemoteRewards(self.aggregators, self.options.aggregators))

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteGovernor, (self.kernels, self.auditor, self.aggregators, self.options)


def launch(
    bundle: Bundle | None, scheme: RewardScheme, run_dir: Path, options: GovernorOptions
) -> RemoteGovernor:
    """Start kernels, the audit actor and reward aggregators on the connected Ray cluster.

    Returns once all of them answer. Without a bundle no kernel is started. The
    audit actor stays on this node, where `run_dir` is. Raises what a
    constructor raised, such as `RunLocked`; then nothing is left running.
    """
    home = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    common: dict[str, Any] = {
        "num_cpus": 0,
        "max_restarts": -1,
        "max_task_retries": 0,
        "enable_task_events": False,
    }
    auditor = AuditorHandle(
        ray.remote(Auditor)
        .options(**common, scheduling_strategy=home, max_concurrency=options.audit.max_producers)
        .remote(
            run_dir / "audit",
            run_dir.name,
            fsync=True,
            seal_seconds=options.audit.seal_seconds,
        )
    )
    kernels = tuple(
        KernelHandle(ray.remote(KernelHost).options(**common, scheduling_strategy="SPREAD").remote(bundle))
        for _ in range(options.kernels.replicas if bundle is not None else 0)
    )
    aggregators = tuple(
        AggregatorHandle(
            ray.remote(RewardAggregator).options(**common, scheduling_strategy="SPREAD").remote(scheme)
        )
        for _ in range(options.aggregators.replicas)
    )
    governor = RemoteGovernor(kernels, auditor, aggregators, options)
    try:
        for handle in governor.handles:
            handles.pid(handle)
    except BaseException:
        stop(governor)
        raise
    return governor


def close(governor: RemoteGovernor) -> None:
    """Seal the records, then end all actors of the governor."""
    try:
        governor.auditor.close()
    finally:
        stop(governor)


def stop(governor: RemoteGovernor) -> None:
    """End all actors of the governor at once."""
    for handle in governor.handles:
        handles.kill(handle)
