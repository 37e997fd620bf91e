"""A process for one rollout runner, hosted by a Ray actor."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from ray import cloudpickle

Main = Callable[[int, threading.Event], None]
"""What a worker runs: given its number, until the event is set or its work is done."""


class RolloutWorker:
    """Runs `main` (pickled) in one of two threads; the other one hears `stop`.

    One runner per process: Agent-Lightning's active tracer is a global of the
    module.
    """

    def __init__(self, main: bytes, number: int) -> None:
        self._main: Main = cloudpickle.loads(main)
        self._number = number
        self._stop = threading.Event()

    def pid(self) -> int:
        return os.getpid()

    def run(self) -> None:
        self._main(self._number, self._stop)

    def stop(self) -> None:
        """Finish the rollout in hand, then return from `run`."""
        self._stop.set()
