"""Rollout workers: start them, replace the dead, scale, drain."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import ray
from ray import cloudpickle

from actors import handles
from actors.handles import WorkerHandle
from actors.rollout_worker import Main

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.1


class Fleet:
    """Keeps `size` workers running `main` until it is stopped.

    A worker whose process dies is replaced, and `lost(number)` is called so
    that what it held can be given back. `failed(error)` is called once, when a
    worker's `main` raises or workers have died more than `max_restarts` times;
    no worker is started after that. Both are called in the fleet's own thread.
    """

    def __init__(
        self,
        main: Main,
        size: int,
        *,
        lost: Callable[[int], None],
        failed: Callable[[BaseException], None],
        num_cpus: float = 1.0,
        max_restarts: int = 100,
        grace: float = 15.0,
    ) -> None:
        self._main = ray.put(cloudpickle.dumps(main))
        self._target = size
        self._lost = lost
        self._failed = failed
        self._num_cpus = num_cpus
        self._max_restarts = max_restarts
        self._grace = grace
        self._workers: list[WorkerHandle] = []
        self._next_number = 0
        self._restarts = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name="governor-fleet", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def scale(self, size: int) -> None:
        """Run `size` workers from now on; surplus ones finish the rollout in hand."""
        self._target = size

    def stop(self) -> None:
        """Drain all workers; those still busy after the grace time are killed and reported lost."""
        self._stopping.set()
        self._thread.join()

    def _supervise(self) -> None:
        try:
            while not self._stopping.is_set():
                self._adjust()
                self._reap(_POLL_SECONDS)
        except BaseException as exc:  # noqa: BLE001 - the thread's caller must hear of it, whatever it is
            self._failed(exc)
        finally:
            self._drain_all()

    def _adjust(self) -> None:
        active = [worker for worker in self._workers if not worker.draining]
        for _ in range(self._target - len(active)):
            self._workers.append(WorkerHandle(self._main, self._next_number, num_cpus=self._num_cpus))
            self._next_number += 1
        for worker in active[self._target :]:
            worker.drain()

    def _reap(self, timeout: float) -> None:
        if not self._workers:
            self._stopping.wait(timeout)
            return
        for worker in handles.finished(self._workers, timeout):
            self._workers.remove(worker)
            if handles.ended_well(worker):
                if not worker.draining:
                    self._target -= 1
            else:
                log.warning("rollout worker %d died", worker.number)
                self._lost(worker.number)
                self._restarts += 1
                if self._restarts > self._max_restarts:
                    raise RuntimeError(f"rollout workers died {self._restarts} times")
            worker.kill()

    def _drain_all(self) -> None:
        for worker in self._workers:
            worker.drain()
        deadline = time.monotonic() + self._grace
        while self._workers and time.monotonic() < deadline:
            for worker in handles.finished(self._workers, deadline - time.monotonic()):
                self._workers.remove(worker)
                worker.kill()
        for worker in self._workers:
            worker.kill()
            self._lost(worker.number)
        self._workers.clear()
