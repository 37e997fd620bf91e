"""Writing and syncing files, with failures told apart.

An `OSError` leaves everything as it was: try again when there is room. An
`AuditError` means that nobody knows what is on the disk: stop, and recover
from what the disk has.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from governor.errors import AuditError

_flush = os.fsync if sys.platform == "darwin" else os.fdatasync
_MOST_BUFFERS = 512  # of one writev; Linux takes 1024


def write_all(fd: int, buffers: Sequence[bytes | memoryview]) -> None:
    """Write `buffers` one after another; an `OSError` may leave a part of them."""
    for start in range(0, len(buffers), _MOST_BUFFERS):
        views = [memoryview(buffer) for buffer in buffers[start : start + _MOST_BUFFERS]]
        while views:
            written = os.writev(fd, views)
            while views and written >= len(views[0]):
                written -= len(views.pop(0))
            if written:
                views[0] = views[0][written:]


def append_all(fd: int, buffers: Sequence[bytes | memoryview], end: int, path: Path) -> None:
    """Append `buffers` to a file that ends at `end`, or leave it as it was."""
    try:
        write_all(fd, buffers)
    except BaseException:
        try:
            os.ftruncate(fd, end)
        except OSError as exc:
            raise AuditError(f"`{path}` has half a write that cannot be undone: {exc.strerror}") from exc
        raise


def sync(fd: int, path: Path) -> None:
    """Return when the file's contents are durable.

    Never tried again where it fails: the kernel may have dropped what it could
    not write, and a second call would succeed without it.
    """
    try:
        _flush(fd)
    except OSError as exc:
        raise AuditError(
            f"`{path}` could not be made durable: {exc.strerror}; the log stops, opening it again recovers"
        ) from exc


def sync_directory(path: Path) -> None:
    """Return when the names in a directory are durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
