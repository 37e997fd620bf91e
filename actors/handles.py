"""Calls to the governor's actors: the only place that says `.remote(`.

Every call has a deadline and raises one of the governor's own errors.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from actors.rollout_worker import RolloutWorker
from governor.errors import (
    AuditUnavailable,
    DecisionUnavailable,
    GovernorError,
    GovernorUnavailable,
    PricingUnavailable,
)

T = TypeVar("T")

_AGAIN_SECONDS = 0.1


@dataclass(frozen=True)
class KernelHandle:
    """A kernel actor."""

    actor: Any

    async def ask(self, batch: bytes, *, within: float) -> bytes:
        return await _answer(self.actor.decide.remote(batch), within, DecisionUnavailable)


@dataclass(frozen=True)
class AggregatorHandle:
    """A reward aggregator."""

    actor: Any

    async def ask(self, batch: bytes, *, within: float) -> bytes:
        return await _answer(self.actor.price.remote(batch), within, PricingUnavailable)


@dataclass(frozen=True)
class AuditorHandle:
    """The audit actor."""

    actor: Any

    async def append(self, frames: bytes, *, within: float) -> int:
        return await _answer(self.actor.append.remote(frames), within, AuditUnavailable)

    def acknowledged(self, timeout: float = 10.0) -> dict[str, int]:
        rows: dict[str, int] = wait(self.actor.acknowledged.remote(), timeout, AuditUnavailable)
        return rows

    def seal(self, timeout: float = 60.0) -> None:
        """Seal the log; while the auditor is being restarted it is asked again."""
        _insist(self.actor.seal, timeout)

    def close(self, timeout: float = 60.0) -> None:
        """Close the log; otherwise like `seal`."""
        _insist(self.actor.close, timeout)


AnyHandle = KernelHandle | AggregatorHandle | AuditorHandle


def pid(handle: AnyHandle, timeout: float = 60.0) -> int:
    """The process of an actor, once it is ready; raises what its constructor raised."""
    found: int = wait(handle.actor.pid.remote(), timeout, GovernorUnavailable)
    return found


def kill(handle: AnyHandle) -> None:
    """End an actor for good."""
    ray.kill(handle.actor)


def _insist(method: Any, timeout: float) -> None:
    """Call what may be called twice until it answers."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            wait(method.remote(), max(0.1, deadline - time.monotonic()), AuditUnavailable)
        except AuditUnavailable:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_AGAIN_SECONDS)
        else:
            return


async def _answer(ref: Awaitable[T], within: float, error: type[GovernorUnavailable]) -> T:
    try:
        async with asyncio.timeout(within):
            return await ref
    except TimeoutError:
        raise error(f"no answer within {within:g} s") from None
    except RayError as exc:
        raise _translated(exc, error) from None


def wait(ref: Any, timeout: float, error: type[GovernorUnavailable]) -> Any:
    """`ray.get` with the governor's errors."""
    try:
        return ray.get(ref, timeout=timeout)
    except RayError as exc:
        raise _translated(exc, error) from None


def _translated(exc: RayError, error: type[GovernorUnavailable]) -> Exception:
    """The actor's own error where it raised one of ours; otherwise it is out of reach."""
    if isinstance(exc, RayTaskError) and isinstance(exc.cause, GovernorError):
        return exc.cause
    first_line = str(exc).strip().split("\n", 1)[0]
    return error(f"{type(exc).__name__}: {first_line}")


class WorkerHandle:
    """A rollout worker, running since its actor was made."""

    def __init__(self, main: Any, number: int, *, num_cpus: float) -> None:
        options: dict[str, Any] = {
            "num_cpus": num_cpus,
            "max_concurrency": 2,
            "max_restarts": 0,
            "scheduling_strategy": "SPREAD",
        }
        self.number = number
        actor_class: Any = ray.remote(RolloutWorker)
        self.actor: Any = actor_class.options(**options).remote(main, number)
        self.running = self.actor.run.remote()
        self.draining = False

    def drain(self) -> None:
        self.draining = True
        self.actor.stop.remote()

    def kill(self) -> None:
        ray.kill(self.actor)


def finished(workers: Sequence[WorkerHandle], timeout: float) -> list[WorkerHandle]:
    """Those whose `run` has ended, waiting at most `timeout` seconds for the first."""
    by_ref = {worker.running: worker for worker in workers}
    done, _ = ray.wait(list(by_ref), num_returns=1, timeout=timeout)
    if done:
        done, _ = ray.wait(list(by_ref), num_returns=len(by_ref), timeout=0)
    return [by_ref[ref] for ref in done]


def ended_well(worker: WorkerHandle) -> bool:
    """Whether a finished worker returned; False where its process died. Raises what `run` raised."""
    try:
        ray.get(worker.running)
    except RayActorError:
        return False
    except RayTaskError as exc:
        raise exc.as_instanceof_cause() from None
    return True
