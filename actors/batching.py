"""A client that asks in batches which clock themselves."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from actors import wire
from governor.deadlines import Deadlines
from governor.errors import GovernorUnavailable

Ask = TypeVar("Ask")
Reply = TypeVar("Reply")

MAX_REQUESTS = 128
MAX_BYTES = 90_000
"""Calls above 100 KiB leave Ray's inline path and cost twice as much."""
_INFLIGHT = 4
_RETRY_SECONDS = 0.05


class Replica(Protocol):
    """One of several actors that answer alike; raises `GovernorUnavailable`."""

    async def ask(self, batch: bytes, *, within: float) -> bytes: ...


class BatchingClient(Generic[Ask, Reply]):
    """Asks replicas for the many agents of one event loop.

    While a call is out the next batch fills: a lone agent never waits, a crowd
    shares its calls. Further calls go out, up to four at a time, only for full
    batches. Asking twice is harmless, so a batch that a replica does not
    answer within `timeout` seconds goes to another one until every asker has
    its answer or has waited `deadline` seconds and got `error`.
    """

    def __init__(
        self,
        replicas: Sequence[Replica],
        decode: Callable[[bytes], list[Reply]],
        size: Callable[[Ask], int],
        *,
        error: type[GovernorUnavailable],
        timeout: float,
        deadline: float,
    ) -> None:
        self._replicas = replicas
        self._outstanding = [0] * len(replicas)
        self._decode = decode
        self._size = size
        self._error = error
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._late = Deadlines(deadline, lambda: error(f"no answer within {deadline:g} s"))
        self._queue: deque[tuple[Ask, asyncio.Future[Reply]]] = deque()
        self._calls: set[asyncio.Task[None]] = set()
        self._ticking = False

    async def ask(self, question: Ask) -> Reply:
        future: asyncio.Future[Reply] = self._late.future()
        self._queue.append((question, future))
        if not self._ticking and (not self._calls or len(self._queue) >= MAX_REQUESTS):
            self._ticking = True
            self._loop.call_soon(self._tick)
        return await future

    def _tick(self) -> None:
        """At the end of a turn of the loop: send what all its agents have asked."""
        self._ticking = False
        while self._queue and (
            not self._calls or (len(self._queue) >= MAX_REQUESTS and len(self._calls) < _INFLIGHT)
        ):
            call = self._loop.create_task(self._deliver(self._next_batch()))
            self._calls.add(call)
            call.add_done_callback(self._done)

    def _done(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        self._tick()
        if not call.cancelled() and (exc := call.exception()) is not None:
            self._loop.call_exception_handler({"message": "a batch could not be asked", "exception": exc})

    def _next_batch(self) -> list[tuple[Ask, asyncio.Future[Reply]]]:
        batch = [self._queue.popleft()]
        size = self._size(batch[0][0])
        while self._queue and len(batch) < MAX_REQUESTS:
            size += self._size(self._queue[0][0])
            if size > MAX_BYTES:
                break
            batch.append(self._queue.popleft())
        return batch

    async def _deliver(self, batch: list[tuple[Ask, asyncio.Future[Reply]]]) -> None:
        payload = wire.encode([question for question, _ in batch])
        failed: set[int] = set()
        while any(not future.done() for _, future in batch):
            index = self._least_busy(failed)
            self._outstanding[index] += 1
            try:
                replies = self._replies(
                    await self._replicas[index].ask(payload, within=self._timeout), len(batch)
                )
            except GovernorUnavailable:
                failed.add(index)
                if len(failed) == len(self._replicas):
                    failed.clear()
                    await asyncio.sleep(_RETRY_SECONDS)
                continue
            except Exception as exc:  # noqa: BLE001 - whatever it is, the askers must hear of it
                self._fail(batch, exc)
                return
            finally:
                self._outstanding[index] -= 1
            for (_, future), reply in zip(batch, replies, strict=True):
                if not future.done():
                    future.set_result(reply)

    def _replies(self, reply: bytes, asked: int) -> list[Reply]:
        replies = self._decode(reply)
        if len(replies) != asked:
            raise ValueError(f"{len(replies)} replies to {asked} questions")
        return replies

    def _fail(self, batch: list[tuple[Ask, asyncio.Future[Reply]]], exc: Exception) -> None:
        for _, future in batch:
            if not future.done():
                future.set_exception(self._error(f"{type(exc).__name__}: {exc}"))

    def _least_busy(self, failed: set[int]) -> int:
        untried = (index for index in range(len(self._replicas)) if index not in failed)
        return min(untried, key=self._outstanding.__getitem__)
