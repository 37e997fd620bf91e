"""The policy enforcement point: stands between one attempt and its tools."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from governor import background
from governor.actions import Action, AttemptState
from governor.decisions import Decision, Effect
from governor.errors import AttemptTerminated, GovernorError, UngovernedCall
from governor.model import canonical_json, digest
from governor.ports import Governor, Services, Tracing
from governor.records import (
    ActionRecord,
    Conduct,
    Outcome,
    OutcomeRecord,
    OutcomeStatus,
    Reward,
    RolloutRecord,
    count,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Refused:
    """The tool did not run; the agent may read why and go on."""

    decision: Decision

    @property
    def reason(self) -> str:
        return self.decision.reason

    def __str__(self) -> str:
        return f"refused: {self.reason}"


@dataclass(slots=True)
class _Permit:
    """A decided and recorded action, on its way through the tool."""

    action: Action
    decision: Decision
    began: int = 0
    incidents: list[str] = field(default_factory=list)

    @property
    def args(self) -> dict[str, Any]:
        """What the tool runs with: the values that were decided, not the caller's objects."""
        args: dict[str, Any] = msgspec.json.decode(self.decision.args or self.action.args)
        return args


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended; `task` is its own reward, None where it can have none.

    `attempt` counts the attempts of the rollout from 1; `started` is
    nanoseconds since the epoch.
    """

    outcome: Outcome
    task: float | None = None
    error: str = ""
    attempt: int = 1
    input_digest: str = ""
    mode: str = ""
    started: int = 0


_NOTHING = nullcontext()


class _Untraced:
    """A tracing that shows nothing."""

    def action(self, action: Action, decision: Decision) -> AbstractContextManager[object]:
        return _NOTHING


class Attempt:
    """Ask, record, act, record: the only way of one attempt to its tools.

    Decisions of an attempt are taken one after another, so that a budget holds
    however many calls the agent makes at once; its tools run side by side. Once
    the governor has failed, every further call fails: the attempt is over.

    `home` is the event loop that waits for decisions: an asynchronous agent
    gives its own; a synchronous one blocks its thread and is served by the
    background loop of its process.
    """

    def __init__(
        self,
        governor: Governor,
        *,
        rollout_id: str,
        attempt_id: str,
        worker: str = "",
        tracing: Tracing | None = None,
        home: asyncio.AbstractEventLoop | None = None,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self._governor = governor
        self.rollout_id = rollout_id
        self.attempt_id = attempt_id
        self.worker = worker
        self._tracing = tracing or _Untraced()
        self._now = now
        self._home = home or background.loop()
        self._turn = asyncio.Lock()
        self._step = 0
        self._so_far = AttemptState()
        self._counts: dict[str, int] = {}
        self._used: dict[asyncio.AbstractEventLoop, Services] = {}
        self._late: set[asyncio.Task[int]] = set()
        self._concluded = False
        self.incidents: list[str] = []
        self.failure: GovernorError | None = None

    @property
    def conduct(self) -> Conduct:
        """What the attempt asked for, as it was decided."""
        return Conduct(**self._counts)

    @property
    def terminated(self) -> bool:
        return self._so_far.terminated

    async def call(
        self, name: str, tool: Callable[..., Awaitable[T]], args: Mapping[str, Any]
    ) -> T | Refused:
        """Run the asynchronous `tool` with keyword arguments `args` if it is permitted.

        Raises what the tool raises, `GovernorUnavailable` where no decision or
        no record could be had, `AttemptTerminated` where the attempt is over.
        """
        permit = await self._at_home(self._authorize(name, args))
        if not permit.decision.allowed:
            return self._refuse(permit)
        with self._tracing.action(permit.action, permit.decision):
            token = _permit.set(permit)
            try:
                value = await tool(**permit.args)
            except BaseException as exc:
                await self._at_home(self._append(_failure(permit, exc, self._now())))
                raise
            finally:
                _permit.reset(token)
        await self._at_home(self._append(_success(permit, value, self._now())))
        return value

    def call_sync(self, name: str, tool: Callable[..., T], args: Mapping[str, Any]) -> T | Refused:
        """Run the synchronous `tool` if it is permitted; otherwise like `call`.

        Inside an asynchronous agent prefer `asyncio.to_thread`: a direct call
        blocks the agent's event loop, and is refused with a `GovernorError`
        while a decision of the same attempt is being waited for on that loop.
        """
        permit = self._from_thread(self._authorize(name, args))
        if not permit.decision.allowed:
            return self._refuse(permit)
        with self._tracing.action(permit.action, permit.decision):
            token = _permit.set(permit)
            try:
                value = tool(**permit.args)
            except BaseException as exc:
                self._from_thread(self._append(_failure(permit, exc, self._now())))
                raise
            finally:
                _permit.reset(token)
        self._from_thread(self._append(_success(permit, value, self._now())))
        return value

    async def _authorize(self, name: str, args: Mapping[str, Any]) -> _Permit:
        text = _canonical_arguments(name, args)
        async with self._turn:
            if self._concluded:
                raise UngovernedCall(f"attempt `{self.attempt_id}` has ended; `{name}` was not run")
            if self.failure is not None:
                raise self.failure
            if self._so_far.terminated:
                raise AttemptTerminated(f"attempt `{self.attempt_id}` was ended by a decision")
            services = self._services()
            self._step += 1
            action = Action(self.rollout_id, self.attempt_id, self._step, name, text)
            asked = self._now()
            try:
                decision = await services.decisions.decide(action, self._so_far)
                record = ActionRecord(action, decision, asked, self._now() - asked, self.worker)
                position = await services.recorder.append(record)
                self._so_far = self._so_far.after(action, decision)
                count(self._counts, decision)
                await self._ahead(services, position, action)
            except GovernorError as exc:
                self.failure = exc
                raise
        permit = _Permit(action, decision, self._now())
        if not decision.allowed:
            await self._append(_outcome(action, OutcomeStatus.REFUSED, permit.began))
        return permit

    def _refuse(self, permit: _Permit) -> Refused:
        with self._tracing.action(permit.action, permit.decision):
            pass
        if permit.decision.effect is Effect.TERMINATE:
            raise AttemptTerminated(permit.decision.reason)
        return Refused(permit.decision)

    async def _ahead(self, services: Services, position: int, action: Action) -> None:
        """Wait until the action may run; an agent that stops waiting leaves a record of that."""
        try:
            await services.recorder.ahead(position)
        except asyncio.CancelledError:
            outcome = _outcome(action, OutcomeStatus.CANCELLED, self._now())
            task = asyncio.get_running_loop().create_task(services.recorder.append(outcome))
            self._late.add(task)
            raise

    async def _append(self, record: OutcomeRecord) -> None:
        recorder = self._services().recorder
        try:
            await recorder.append(record)
        except GovernorError as exc:
            self.failure = exc
            raise
        except asyncio.CancelledError:
            self._late.add(asyncio.get_running_loop().create_task(recorder.append(record)))
            raise

    async def conclude(self, ending: Ending) -> Reward | None:
        """Price the attempt and record its end; return once all its records are acknowledged.

        Calls after that are refused with `UngovernedCall`. None where the
        attempt earns no reward: it has no task reward, or the governor failed.
        Raises `GovernorUnavailable` where that happens here.
        """
        if asyncio.get_running_loop() is not self._home:
            return await self._at_home(self.conclude(ending))
        async with self._turn:
            self._concluded = True
        services = self._services()
        reward = None
        if ending.task is not None and self.failure is None:
            reward = await services.rewards.price(ending.task, self.conduct)
        record = RolloutRecord(
            self.rollout_id,
            self.attempt_id,
            ending.attempt,
            ending.input_digest,
            ending.mode,
            ending.outcome,
            self.conduct,
            reward,
            ending.started,
            self._now(),
            ending.error,
            tuple(self.incidents),
            self.worker,
        )
        await asyncio.gather(*self._late)
        await services.recorder.append(record)
        for used in tuple(self._used.values()):
            await used.recorder.flush()
        return reward

    def conclude_sync(self, ending: Ending) -> Reward | None:
        """`conclude` for synchronous agents."""
        return self._from_thread(self.conclude(ending))

    def _services(self) -> Services:
        loop = asyncio.get_running_loop()
        if (services := self._used.get(loop)) is None:
            services = self._used[loop] = self._governor.connect()
        return services

    def _at_home(self, coroutine: Coroutine[Any, Any, T]) -> Awaitable[T]:
        if asyncio.get_running_loop() is self._home:
            return coroutine
        return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self._home))

    def _from_thread(self, coroutine: Coroutine[Any, Any, T]) -> T:
        if _running_loop() is not self._home:
            return asyncio.run_coroutine_threadsafe(coroutine, self._home).result()
        if self._turn.locked():
            coroutine.close()
            raise GovernorError("a synchronous tool cannot wait for its turn here; use `asyncio.to_thread`")
        return background.run(coroutine)


_attempt: ContextVar[Attempt | None] = ContextVar("governor_attempt", default=None)
_permit: ContextVar[_Permit | None] = ContextVar("governor_permit", default=None)


@contextmanager
def governed(attempt: Attempt) -> Iterator[Attempt]:
    """Make `attempt` the current one: governed tools called inside go through it."""
    token = _attempt.set(attempt)
    try:
        yield attempt
    finally:
        _attempt.reset(token)


def current_attempt() -> Attempt:
    """The attempt that governs the running code; raises `UngovernedCall` where there is none."""
    attempt = _attempt.get()
    if attempt is None:
        raise UngovernedCall(
            "a governed tool was called outside a governed attempt; a thread of your own needs "
            "`contextvars.copy_context()` or `asyncio.to_thread`"
        )
    return attempt


def incident(text: str) -> None:
    """Record what an independent observer saw, with the running tool call or the attempt."""
    permit = _permit.get()
    (current_attempt().incidents if permit is None else permit.incidents).append(text)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _canonical_arguments(name: str, args: Mapping[str, Any]) -> str:
    try:
        return canonical_json(dict(args))
    except (TypeError, ValueError) as exc:
        kind = TypeError if isinstance(exc, TypeError) else ValueError
        raise kind(f"the arguments of tool `{name}` are not JSON: {exc}") from None


def _outcome(action: Action, status: OutcomeStatus, now: int, **more: Any) -> OutcomeRecord:
    return OutcomeRecord(action.id, action.rollout_id, action.attempt_id, action.step, status, now, **more)


def _success(permit: _Permit, value: object, now: int) -> OutcomeRecord:
    result = msgspec.json.encode(value, enc_hook=repr) if value is not None else b""
    return _outcome(
        permit.action,
        OutcomeStatus.OK,
        now,
        duration=now - permit.began,
        result_bytes=len(result),
        result_digest=digest(result) if result else "",
        incidents=tuple(permit.incidents),
    )


def _failure(permit: _Permit, exc: BaseException, now: int) -> OutcomeRecord:
    return _outcome(
        permit.action,
        OutcomeStatus.ERROR,
        now,
        duration=now - permit.began,
        error=type(exc).__name__,
        incidents=tuple(permit.incidents),
    )
