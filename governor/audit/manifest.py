"""The list of sealed segments: one JSON line each, the last word on what is a record."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from governor.audit import steps
from governor.audit.disk import append_all, sync, sync_directory
from governor.errors import AuditError

NAME = "manifest.jsonl"


class Part(msgspec.Struct, frozen=True):
    """A Parquet file; `path` is relative to the log, `size` in bytes."""

    table: str
    path: str
    rows: int
    size: int
    sha256: str


class Sealed(msgspec.Struct, frozen=True):
    """A sealed segment.

    `marks` has the last frame of each producer in it; `torn` counts the bytes
    of unacknowledged frames that a crash had left at its end.
    """

    segment: int
    files: tuple[Part, ...]
    marks: dict[str, int]
    torn: int = 0


def read_manifest(path: Path) -> tuple[list[Sealed], int]:
    """All complete lines and where they end; raises `AuditError` where one is damaged."""
    data = path.read_bytes()
    *lines, torn = data.split(b"\n")
    entries = []
    for number, line in enumerate(lines, 1):
        try:
            entries.append(msgspec.json.decode(line, type=Sealed))
        except msgspec.MsgspecError as exc:
            raise AuditError(f"line {number} of `{path}` is damaged: {exc}") from exc
    return entries, len(data) - len(torn)


class Manifest:
    """The manifest of a log that is being written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            self.entries, self._end = read_manifest(path)
            os.ftruncate(self._fd, self._end)
            os.fsync(self._fd)
            sync_directory(path.parent)
        except BaseException:
            os.close(self._fd)
            raise

    def append(self, entry: Sealed) -> None:
        """Return when `entry` is durable: from now on its segment is sealed."""
        line = msgspec.json.encode(entry) + b"\n"
        append_all(self._fd, [line], self._end, self._path)
        steps.reached("line written")
        sync(self._fd, self._path)
        self._end += len(line)

    def close(self) -> None:
        os.close(self._fd)
