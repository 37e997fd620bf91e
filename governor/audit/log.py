"""The flight log: durable appends, sealed to Parquet in the background."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from governor.audit import steps
from governor.audit.frames import Frame, Frames, decode
from governor.audit.lock import RunLock
from governor.audit.recovery import recover
from governor.audit.segments import OpenSegment, Segment, retire, seal
from governor.errors import AuditError, AuditUnavailable, GovernorError, RunLocked

_RETRY_SECONDS = 1.0


class _Request:
    """An append that waits for its turn to write, or for somebody else to have written it."""

    def __init__(self, frames: list[Frame]) -> None:
        self.frames = frames
        self.turn = threading.Event()
        self.answered = False
        self.high = -1
        self.error: GovernorError | None = AuditUnavailable("the write was interrupted")


class FlightLog:
    """Takes frames of many producers and stores each exactly once.

    Layout under `root`, where `read_parquet('actions/*.parquet')` works at any
    moment:

        LOCK  manifest.jsonl  wal/  staging/  quarantine/
        actions/part-<segment>.parquet  outcomes/...  rollouts/...

    Opening recovers what a crash left and raises `RunLocked` while another
    process writes. With `fsync=False` an append returns once the operating
    system has the data: it survives the process, not the machine, until its
    segment is sealed. A segment is sealed after `seal_bytes` or `seal_seconds`.

    Any thread may call any method; a process forked from this one may not.
    """

    def __init__(
        self,
        root: Path,
        *,
        run_id: str,
        fsync: bool = True,
        seal_bytes: int = 8 << 20,
        seal_seconds: float = 10.0,
    ) -> None:
        self._root = root
        self._run_id = run_id
        self._fsync = fsync
        self._seal_bytes = seal_bytes
        self._seal_seconds = seal_seconds
        self._pid = os.getpid()
        self._stopped = ""  # why nothing is taken any more
        self._mutex = threading.Lock()  # guards the queue and the lead
        self._queue: list[_Request] = []
        self._led = False
        self._writing = threading.Lock()  # guards the open segment, the marks and `_stopped`
        self._sealing = threading.Lock()  # guards the full segments and the manifest
        self._recover()
        self._due = threading.Event()
        self._closing = threading.Event()
        self._sealer = threading.Thread(target=self._seal_when_due, name="flight-log-sealer", daemon=True)
        self._sealer.start()

    def append(self, frames: bytes) -> int:
        """Store the frames of one send, in order; returns their producer's last stored `seq`.

        Returns once they are durable. What is stored already is not stored
        again. Frames behind a gap are not stored: the answer is lower than
        their numbers, and the producer goes back to the one after it. -1 means
        that nothing of the producer is stored.

        Raises, with nothing acknowledged, `AuditUnavailable` where the disk is
        full (later appends may succeed), `AuditError` where a frame is not
        valid or the log has stopped.
        """
        self._check_process()
        request = _Request(_checked(frames))
        with self._mutex:
            self._queue.append(request)
            leads, self._led = not self._led, True
        if leads:
            request.turn.set()
        try:
            self._complete(request)
        except BaseException:
            # An interrupted thread may have been next to lead; somebody must wait in its place.
            threading.Thread(target=self._complete, args=(request,), daemon=True).start()
            raise
        if request.error is not None:
            raise request.error
        return request.high

    def seal(self) -> None:
        """Make everything acknowledged so far readable as Parquet."""
        self._check_process()
        if self._stopped:
            raise AuditError(self._stopped)
        try:
            self._seal()
        except OSError as exc:
            raise AuditError(f"`{self._root}` cannot be sealed now, its records are safe: {exc}") from exc

    def close(self) -> None:
        """Seal everything and release the run; raises `AuditError` where that is left to the next opening."""
        self._check_process()
        with self._writing:
            if self._closing.is_set():
                return
            self._closing.set()
            failed, self._stopped = self._stopped, self._stopped or f"the log `{self._root}` is closed"
        self._due.set()
        self._sealer.join()
        try:
            if not failed:
                self._seal()
        except OSError as exc:
            raise AuditError(
                f"`{self._root}` is closed but not sealed; open it again to seal it: {exc}"
            ) from exc
        finally:
            self._open.discard()
            self._manifest.close()
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def acknowledged(self) -> dict[str, int]:
        """Rows of each table that are stored, in this and earlier openings."""
        with self._writing:
            return dict(self._rows)

    @property
    def stopped(self) -> bool:
        """Whether nothing is taken any more; opening the log again recovers what it has."""
        return bool(self._stopped)

    @property
    def wal_bytes(self) -> int:
        """Bytes in the open segment."""
        return self._open.size

    def _recover(self) -> None:
        try:
            with ExitStack() as undo:
                self._root.mkdir(parents=True, exist_ok=True)
                self._lock = RunLock(self._root / "LOCK")
                undo.callback(self._lock.release)
                found = recover(self._root)
                undo.callback(found.manifest.close)
                self._open = OpenSegment(self._root, found.last + 1)
                undo.pop_all()
        except OSError as exc:
            raise AuditError(f"the log `{self._root}` cannot be opened: {exc}") from exc
        self._manifest = found.manifest
        self._marks = found.marks
        self._rows = found.rows
        self._full: deque[Segment] = deque(found.segments)

    # Group commit: the first to come writes; those who come meanwhile wait, and one of them writes for all.

    def _complete(self, request: _Request) -> None:
        request.turn.wait()
        if not request.answered:
            self._lead()

    def _lead(self) -> None:
        with self._mutex:
            group, self._queue = self._queue, []
        try:
            self._commit(group)
        finally:
            with self._mutex:
                following = self._queue[0] if self._queue else None
                self._led = following is not None
            for request in group:
                request.answered = True
                request.turn.set()
            if following:
                following.turn.set()

    def _commit(self, group: list[_Request]) -> None:
        """Store a group and fill in its answers; an `error` where there is no other."""
        with self._writing:
            error: GovernorError | None = AuditError(self._stopped) if self._stopped else None
            try:
                if error is None:
                    self._store(group)
            except OSError as exc:
                what = f"`{self._open.path}` cannot be written: {exc.strerror}"
                error = AuditUnavailable(f"{what}; nothing was stored, make room")
            except AuditError as exc:
                error, self._stopped = exc, str(exc)
            except BaseException:
                self._stopped = f"writing to `{self._open.path}` was interrupted; open the log again"
                raise
            for request in group:
                request.error = error

    def _store(self, group: list[_Request]) -> None:
        marks: dict[str, int] = {}
        accepted = []
        for request in group:
            for frame in request.frames:
                last = marks.get(frame.producer, self._marks.get(frame.producer, -1))
                if frame.seq == last + 1:
                    marks[frame.producer] = frame.seq
                    accepted.append(frame)
        if accepted:
            self._write([frame.raw for frame in accepted])
        self._marks.update(marks)
        for frame in accepted:
            self._rows[frame.table] += frame.rows
        for request in group:
            request.high = self._marks.get(request.frames[0].producer, -1)

    def _write(self, frames: list[memoryview]) -> None:
        first = not self._open.size
        self._open.write(frames)
        steps.reached("frames written")
        if self._fsync:
            self._open.sync()
        steps.reached("frames durable")
        if first or self._open.size >= self._seal_bytes:
            self._due.set()

    # Sealing: the open segment becomes a full one, a full one becomes Parquet.

    def _seal_when_due(self) -> None:
        while not self._closing.is_set():
            self._due.wait(self._patience())
            self._due.clear()
            if self._closing.is_set() or self._stopped:
                return
            try:
                if self._full or self._open.size >= self._seal_bytes or self._patience() == 0:
                    self._seal()
            except OSError:  # what is not sealed stays in its segment
                self._closing.wait(_RETRY_SECONDS)
            except AuditError:  # the log has stopped, and every append says why
                return

    def _patience(self) -> float | None:
        """Seconds until the open segment is old enough; None while it is empty."""
        if self._full:
            return 0
        since = self._open.since
        return None if since is None else max(0.0, since + self._seal_seconds - time.monotonic())

    def _seal(self) -> None:
        try:
            with self._sealing:
                self._rotate()
                while self._full:
                    segment = self._full[0]
                    self._manifest.append(seal(self._root, segment, self._run_id))
                    self._full.popleft()
                    steps.reached("segment listed")
                    retire(self._root, segment.number, segment.torn)
                    steps.reached("segment retired")
        except OSError:
            raise
        except BaseException as exc:
            with self._writing:
                self._stopped = self._stopped or f"`{self._root}` cannot be sealed: {exc}"
            raise

    def _rotate(self) -> None:
        """Let the next segment take the frames, once it really exists."""
        if not self._open.size:
            return
        following = OpenSegment(self._root, self._open.number + 1)
        with self._writing:
            full, self._open = self._open, following
        if not self._fsync:
            full.sync()
        steps.reached("segment full")
        self._full.append(full.close())

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise RunLocked(
                f"`{self._root}` is being written by process {self._pid}, from which this one was forked"
            )


def _checked(data: bytes) -> list[Frame]:
    """The frames of one send, each known to become rows; raises `AuditError` saying what is wrong."""
    frames = Frames(data)
    found = list(frames)
    if not found or frames.damage:
        raise AuditError(frames.damage or "there is no frame to store")
    if len({frame.producer for frame in found}) > 1:
        raise AuditError("the frames of one send must come from one producer")
    for frame in found:
        decode(frame)
    return found
