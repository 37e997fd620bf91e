"""Host the audit log in a Ray actor."""

from __future__ import annotations

import os
import time
from pathlib import Path

from governor.audit.log import FlightLog
from governor.errors import AuditError, RunLocked

_TAKEOVER_SECONDS = 20.0


class Auditor:
    """Writes the flight records of all workers; acknowledges only what is durable.

    Its calls run in threads, so that producers waiting at the same time share
    one write. A restarted auditor recovers from the log: what it acknowledged
    is there, what it did not is sent again.
    """

    def __init__(self, root: Path, run_id: str, *, fsync: bool, seal_seconds: float) -> None:
        self._refusal: AuditError | None = None
        try:
            self._log = _opened(root, run_id, fsync=fsync, seal_seconds=seal_seconds)
        except AuditError as exc:  # raised to callers: from a constructor they would not get it
            self._refusal = exc

    def pid(self) -> int:
        """The process; raises `AuditError` where the log could not be opened."""
        if self._refusal is not None:
            raise self._refusal
        return os.getpid()

    def append(self, frames: bytes) -> int:
        """Store frames; returns their producer's last stored sequence number."""
        try:
            return self._log.append(frames)
        except AuditError:
            if self._log.stopped:
                os._exit(1)  # Ray starts the actor anew, which recovers from what is on disk
            raise

    def acknowledged(self) -> dict[str, int]:
        """Rows of each table that are safe, sealed or not."""
        return self._log.acknowledged

    def seal(self) -> None:
        """Make everything acknowledged readable as Parquet."""
        self._log.seal()

    def close(self) -> None:
        """Seal everything and release the run."""
        self._log.close()


def _opened(root: Path, run_id: str, *, fsync: bool, seal_seconds: float) -> FlightLog:
    """The log; after a restart, once the lock of the process that died is gone."""
    deadline = time.monotonic() + _TAKEOVER_SECONDS
    while True:
        try:
            return FlightLog(root, run_id=run_id, fsync=fsync, seal_seconds=seal_seconds)
        except RunLocked:
            if time.monotonic() > deadline or not _restarted():
                raise
            time.sleep(0.05)


def _restarted() -> bool:
    """Whether this actor replaces one whose process died."""
    import ray

    return bool(ray.get_runtime_context().was_current_actor_reconstructed)
