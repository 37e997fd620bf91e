"""The sender of flight records: one outstanding batch, a bounded window, resending."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable

from governor.audit.window import FlightWindow
from governor.deadlines import Deadlines
from governor.errors import AuditError, AuditUnavailable, GovernorError
from governor.records import Record

Send = Callable[[bytes], Awaitable[int]]
"""Delivers frames; returns the producer's last stored sequence number, raises `AuditUnavailable`."""

_FIRST_DELAY, _LAST_DELAY = 0.02, 0.5
_LINGER = 0.01  # seconds a record may wait for company
_CROWD = 256  # records that are company enough


class FlightRecorder:
    """Records of all agents on one event loop, sent in batches that clock themselves.

    While one batch is on its way the next fills, so that a crowd shares its
    calls; what nobody waits for may linger a moment, to go with what is waited
    for. A batch that was not acknowledged is sent again, byte for byte; the log
    knows what it has. With `strict` an action waits until its record is
    acknowledged; otherwise the window of unacknowledged records is what a crash
    of this process can lose.
    """

    def __init__(self, window: FlightWindow, send: Send, *, strict: bool, deadline: float) -> None:
        self._window = window
        self._send = send
        self._strict = strict
        self._loop = asyncio.get_running_loop()
        self._late = Deadlines(
            deadline, lambda: AuditUnavailable(f"no acknowledgement within {deadline:g} s")
        )
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._space: deque[asyncio.Future[None]] = deque()
        self._sender: asyncio.Task[None] | None = None
        self._lingering: asyncio.TimerHandle | None = None
        self._acknowledged = 0
        self._appended = 0
        self._broken: GovernorError | None = None

    async def append(self, record: Record) -> int:
        while self._window.full:
            self._check()
            room = self._late.future()
            self._space.append(room)
            await room
        self._check()
        self._appended = self._window.add(record)
        if self._window.pending >= _CROWD:
            self._start()
        elif self._sender is None and self._lingering is None:
            self._lingering = self._loop.call_later(_LINGER, self._start)
        return self._appended

    async def ahead(self, position: int) -> None:
        if self._strict:
            await self._until(position)

    async def flush(self) -> None:
        await self._until(self._appended)

    async def _until(self, position: int) -> None:
        if position <= self._acknowledged:
            return
        self._check()
        future = self._late.future()
        self._waiting.append((position, future))
        self._start()
        await future

    def _start(self) -> None:
        """Send what is there, unless that is under way."""
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        if self._sender is None:
            self._sender = self._loop.create_task(self._run())

    def _check(self) -> None:
        if self._broken is not None:
            raise self._broken

    async def _run(self) -> None:
        """Send until nothing is left; the next append starts it again."""
        delay = _FIRST_DELAY
        try:
            while frames := self._window.frames_to_send():
                try:
                    high = await self._send(frames)
                except AuditUnavailable:
                    self._window.resend()
                    await asyncio.sleep(delay * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
                    delay = min(_LAST_DELAY, delay * 2)
                else:
                    delay = _FIRST_DELAY
                    self._advance(self._window.acknowledge(high))
        except AuditError as exc:
            self._break(exc)
        finally:
            self._sender = None

    def _advance(self, position: int) -> None:
        self._acknowledged = position
        while self._waiting and self._waiting[0][0] <= position:
            _wake(self._waiting.popleft()[1])
        while self._space and not self._window.full:
            _wake(self._space.popleft())

    def _break(self, error: GovernorError) -> None:
        self._broken = error
        for future in (*(future for _, future in self._waiting), *self._space):
            if not future.done():
                future.set_exception(AuditUnavailable(str(error)))
        self._waiting.clear()
        self._space.clear()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
