"""Futures that fail once a fixed time has passed; one timer serves them all."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any


class Deadlines:
    """Makes futures of the running loop that raise `error()` after `seconds`.

    Thousands of agents wait at once, and `asyncio.wait_for` costs a timer and
    20 us each; with one fixed span the futures expire in the order they began.
    """

    def __init__(self, seconds: float, error: Callable[[], Exception]) -> None:
        self._seconds = seconds
        self._error = error
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def future(self) -> asyncio.Future[Any]:
        waiting = self._waiting
        while waiting and waiting[0][1].done():
            waiting.popleft()
        future: asyncio.Future[Any] = self._loop.create_future()
        waiting.append((self._loop.time() + self._seconds, future))
        if self._timer is None:
            self._timer = self._loop.call_at(waiting[0][0], self._expire)
        return future

    def _expire(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._waiting and (self._waiting[0][1].done() or self._waiting[0][0] <= now):
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_exception(self._error())
        if self._waiting:
            self._timer = self._loop.call_at(self._waiting[0][0], self._expire)
