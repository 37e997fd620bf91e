"""Segments: files of frames as they came, sealed into one Parquet file per table."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from governor.audit import steps
from governor.audit.disk import append_all, sync, sync_directory
from governor.audit.frames import Frames
from governor.audit.manifest import Sealed
from governor.audit.parts import PartWriter, staged_part, staging_path
from governor.errors import AuditError


def wal_path(root: Path, number: int) -> Path:
    return root / "wal" / f"segment-{number:08d}.wal"


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment that takes no more frames: `size` bytes of them, then `torn` bytes of half ones."""

    number: int
    size: int
    torn: int = 0


class OpenSegment:
    """The segment that takes frames; `since` is the monotonic time of the first, in seconds."""

    def __init__(self, root: Path, number: int) -> None:
        self.number = number
        self.path = wal_path(root, number)
        self.size = 0
        self.since: float | None = None
        self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        try:
            steps.reached("segment created")
            sync_directory(self.path.parent)
        except BaseException:
            self.discard()
            raise

    def write(self, frames: Sequence[memoryview]) -> None:
        """Append frames, all or (with an `OSError`) none."""
        append_all(self._fd, frames, self.size, self.path)
        self.size += sum(map(len, frames))
        if self.since is None:
            self.since = time.monotonic()

    def sync(self) -> None:
        sync(self._fd, self.path)

    def close(self) -> Segment:
        os.close(self._fd)
        return Segment(self.number, self.size)

    def discard(self) -> None:
        """Close it, and remove it where it is empty."""
        os.close(self._fd)
        if not self.size:
            self.path.unlink()


def read_frames(root: Path, number: int) -> tuple[Frames, int]:
    """The frames of a segment, as views of its mapped file, and the file's size."""
    buffer = pa.memory_map(str(wal_path(root, number))).read_buffer()
    return Frames(memoryview(buffer)), buffer.size


def seal(root: Path, segment: Segment, run_id: str) -> Sealed:
    """Write a segment's frames as Parquet, in place and durable.

    An `OSError` leaves nothing that sealing again would not replace; an
    `AuditError` says that acknowledged frames can no longer be read.
    """
    frames, _ = read_frames(root, segment.number)
    marks: dict[str, int] = {}
    writers: dict[str, PartWriter] = {}
    with ExitStack() as stack:
        for frame in frames:
            if (writer := writers.get(frame.table)) is None:
                staged = staged_part(root, frame.table, segment.number, run_id)
                writer = writers[frame.table] = stack.enter_context(staged)
            writer.add(frame)
            marks[frame.producer] = frame.seq
        if frames.end != segment.size:
            raise AuditError(
                f"`{wal_path(root, segment.number)}` is damaged: {frames.damage or 'it is too short'}"
            )
        parts = tuple(writer.finish() for writer in writers.values())
    steps.reached("parts staged")
    for part in parts:
        os.rename(staging_path(root, part.table, segment.number), root / part.path)
        steps.reached("part renamed")
        sync_directory(root / part.table)
    steps.reached("parts in place")
    return Sealed(segment.number, parts, marks, segment.torn)


def retire(root: Path, number: int, torn: int) -> None:
    """Remove a sealed segment; one with a torn end is kept in quarantine."""
    path = wal_path(root, number)
    if torn:
        path.rename(root / "quarantine" / path.name)
    else:
        path.unlink()
