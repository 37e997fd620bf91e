"""Govern any LitAgent: every tool call decided, every attempt priced."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from agentlightning.emitter.reward import find_final_reward
from agentlightning.litagent import LitAgent
from agentlightning.store.base import LightningStore
from agentlightning.types import (
    AttemptedRollout,
    NamedResources,
    Rollout,
    RolloutRawResult,
    Span,
    SpanCoreFields,
)

from governor import background
from governor.enforcement import Attempt, Ending, governed
from governor.errors import AttemptTerminated, AuditUnavailable, GovernorError
from governor.model import canonical_json, digest
from governor.ports import Governor
from governor.records import Outcome, Reward
from store_bridge import spans as span_tools
from store_bridge.attempt_store import AttemptStore

T = TypeVar("T")


class GovernedAgent(LitAgent[T]):
    """Runs `agent`, its tools governed, and returns one final reward span per attempt.

    The agent may be synchronous, asynchronous or a `@rollout` function, and
    give its reward in any way that Agent-Lightning knows; its last reward is
    the task reward (0 where it gives none). An attempt whose governor failed
    raises and has no reward, whatever the agent made of it; one whose agent
    raised is priced as a task reward of 0, and raises.
    """

    def __init__(self, agent: LitAgent[T], governor: Governor) -> None:
        super().__init__()
        self.agent = agent
        self.governor = governor

    def is_async(self) -> bool:
        return self.agent.is_async()

    def set_trainer(self, trainer: Any) -> None:
        super().set_trainer(trainer)
        self.agent.set_trainer(trainer)

    def set_runner(self, runner: Any) -> None:
        super().set_runner(runner)
        self.agent.set_runner(runner)

    def training_rollout(self, task: T, resources: NamedResources, rollout: Rollout) -> RolloutRawResult:
        return self._govern(self.agent.training_rollout, task, resources, rollout)

    def validation_rollout(self, task: T, resources: NamedResources, rollout: Rollout) -> RolloutRawResult:
        return self._govern(self.agent.validation_rollout, task, resources, rollout)

    async def training_rollout_async(
        self, task: T, resources: NamedResources, rollout: Rollout
    ) -> RolloutRawResult:
        return await self._govern_async(self.agent.training_rollout_async, task, resources, rollout)

    async def validation_rollout_async(
        self, task: T, resources: NamedResources, rollout: Rollout
    ) -> RolloutRawResult:
        return await self._govern_async(self.agent.validation_rollout_async, task, resources, rollout)

    def _govern(
        self, method: Callable[..., RolloutRawResult], task: T, resources: NamedResources, rollout: Rollout
    ) -> RolloutRawResult:
        run = _AttemptRun(self, rollout, task, home=None)
        try:
            with governed(run.attempt):
                result = method(task, resources, rollout)
        except Exception as exc:  # noqa: BLE001 - however the agent ends, its attempt is recorded and priced
            return background.run(run.failed(exc))
        return background.run(run.finished(result))

    async def _govern_async(
        self,
        method: Callable[..., Awaitable[RolloutRawResult]],
        task: T,
        resources: NamedResources,
        rollout: Rollout,
    ) -> RolloutRawResult:
        run = _AttemptRun(self, rollout, task, home=asyncio.get_running_loop())
        try:
            with governed(run.attempt):
                result = await method(task, resources, rollout)
        except Exception as exc:  # noqa: BLE001 - however the agent ends, its attempt is recorded and priced
            return await run.failed(exc)
        return await run.finished(result)

    def __getstate__(self) -> dict[str, Any]:
        """Without the trainer and the runner, which do not travel."""
        return {**vars(self), "_trainer_ref": None, "_runner_ref": None, "agent": detached(self.agent)}


def detached(agent: LitAgent[T]) -> LitAgent[T]:
    """A shallow copy of `agent` that refers to no trainer and no runner, fit for pickling."""
    copy = object.__new__(type(agent))
    vars(copy).update(vars(agent), _trainer_ref=None, _runner_ref=None)
    return copy


class _AttemptRun:
    """One attempt from its first call to its reward span."""

    def __init__(
        self, agent: GovernedAgent[Any], rollout: Rollout, task: Any, home: asyncio.AbstractEventLoop | None
    ) -> None:
        if not isinstance(rollout, AttemptedRollout):
            raise GovernorError("the rollout has no attempt; run governed agents through a Runner")
        runner: Any = agent.get_runner()  # every runner has `get_store`, but Runner does not declare it
        self._store: LightningStore = runner.get_store()
        self._tracer = agent.get_tracer()
        self._rollout = rollout
        self._ending = functools.partial(
            Ending,
            attempt=rollout.attempt.sequence_id,
            input_digest=digest(_text(task)),
            mode=rollout.mode or "",
            started=time.time_ns(),
        )
        self.attempt = Attempt(
            agent.governor,
            rollout_id=rollout.rollout_id,
            attempt_id=rollout.attempt.attempt_id,
            worker=rollout.attempt.worker_id or "",
            tracing=span_tools.SpanTracing(),
            home=home,
        )

    async def finished(self, result: RolloutRawResult) -> list[SpanCoreFields]:
        """The agent returned: store its spans, price it, return the final reward span."""
        if (failure := self.attempt.failure) is not None:
            return await self._masked(failure)
        if self.attempt.terminated:
            return [await self._priced(Outcome.REFUSED_TERMINATED, 0.0)]
        try:
            task = await self._task_reward(result)
        except (TypeError, ValueError) as exc:
            return await self.failed(exc)
        return [await self._priced(Outcome.OK, task)]

    async def failed(self, exc: Exception) -> list[SpanCoreFields]:
        """The agent raised: a refused attempt and the agent's own error are priced, the governor's is not."""
        if (failure := self.attempt.failure) is not None or isinstance(exc, GovernorError):
            if failure is None and isinstance(exc, AttemptTerminated):
                return [await self._priced(Outcome.REFUSED_TERMINATED, 0.0)]
            return await self._masked(failure or exc)
        span = await self._priced(Outcome.AGENT_ERROR, 0.0, type(exc).__name__)
        await self._store.add_span(self._stored(span, await self._number()))
        raise exc

    async def _masked(self, failure: Exception) -> list[SpanCoreFields]:
        """Record that the governor failed, as far as it still can, and end without a reward."""
        self._take_own_rewards()
        error = type(failure).__name__
        if isinstance(failure, AuditUnavailable):
            raise failure
        with contextlib.suppress(GovernorError):  # the attempt fails with its first error
            await self.attempt.conclude(self._ending(Outcome.GOVERNOR_UNAVAILABLE, error=error))
        raise failure

    async def _priced(self, outcome: Outcome, task: float, error: str = "") -> SpanCoreFields:
        reward = await self.attempt.conclude(self._ending(outcome, task, error))
        if reward is None:
            raise GovernorError("the attempt was not priced")
        return self._reward_span(reward, outcome)

    def _reward_span(self, reward: Reward, outcome: Outcome) -> SpanCoreFields:
        conduct = self.attempt.conduct
        return span_tools.reward_span(
            reward,
            {
                "governor.outcome": str(outcome),
                "governor.actions": conduct.asked,
                "governor.violations": conduct.violations,
            },
        )

    async def _task_reward(self, result: RolloutRawResult) -> float:
        """The agent's own reward, wherever it put it; its reward spans are stored under another name."""
        own = self._take_own_rewards()
        given: Sequence[Any] = result if isinstance(result, list) else []
        own += span_tools.rewards_among(given)
        task = find_final_reward(own) or 0.0
        if isinstance(result, (bool, int, float)):
            task = float(result)
        elif result is not None and not isinstance(result, list):
            raise TypeError(f"the agent returned a {type(result).__name__}; a reward is a number")
        await self._keep([span_tools.demoted(span) if span in own else span for span in [*own, *given]])
        return task

    def _take_own_rewards(self) -> list[Any]:
        rollout = self._rollout
        if isinstance(self._store, AttemptStore):
            return [*self._store.take_rewards(rollout.rollout_id, rollout.attempt.attempt_id)]
        if span_tools.rewards_among(self._tracer.get_last_trace()):
            raise GovernorError(
                "the agent emits rewards itself: run it with `RayExecutionStrategy` or `AgentOSRunner`, "
                "which hold them back, or return the reward"
            )
        return []

    async def _keep(self, given: Sequence[Any]) -> None:
        """Store the spans that the agent emitted as rewards or returned, each once."""
        stored: list[Span] = []
        for span in {id(span): span for span in given}.values():
            if isinstance(span, Span):
                stored.append(span)
            elif isinstance(span, SpanCoreFields):
                stored.append(self._stored(span, await self._number()))
            else:
                rollout = self._rollout
                await self._store.add_otel_span(rollout.rollout_id, rollout.attempt.attempt_id, span)
        if stored:
            await self._store.add_many_spans(stored)

    def _stored(self, span: SpanCoreFields, number: int) -> Span:
        rollout = self._rollout
        return Span.from_core_fields(
            span, rollout_id=rollout.rollout_id, attempt_id=rollout.attempt.attempt_id, sequence_id=number
        )

    async def _number(self) -> int:
        rollout = self._rollout
        return await self._store.get_next_span_sequence_id(rollout.rollout_id, rollout.attempt.attempt_id)


def _text(task: Any) -> str:
    """A task as text, for its digest: canonical JSON, or its `repr`."""
    try:
        return canonical_json(task)
    except (TypeError, ValueError):
        return repr(task)
