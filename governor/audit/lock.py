"""One writer per run: an advisory lock that the kernel drops with its process."""

from __future__ import annotations

import fcntl
import os
import socket
from contextlib import suppress
from pathlib import Path

import msgspec

from governor.errors import RunLocked


class _Holder(msgspec.Struct, frozen=True):
    pid: int
    host: str


class RunLock:
    """Holds `path` locked until released; raises `RunLocked` where somebody else does."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.pread(self._fd, 4096, 0)
            os.close(self._fd)
            raise RunLocked(
                f"`{path.parent}` is being written by {_name(text)}; end it or choose another run directory"
            ) from None
        with suppress(OSError):  # a full disk; the name of the holder is a courtesy
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, msgspec.json.encode(_Holder(os.getpid(), socket.gethostname())), 0)

    def release(self) -> None:
        """Unlock explicitly: a forked child may hold the same file open."""
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        os.close(self._fd)


def _name(text: bytes) -> str:
    try:
        holder = msgspec.json.decode(text, type=_Holder)
    except msgspec.MsgspecError:
        return "another process"
    return f"process {holder.pid} on host `{holder.host}`"
