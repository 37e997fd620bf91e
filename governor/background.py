"""One daemon thread with an event loop, for callers that have none."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_lock = threading.Lock()
_loops: dict[int, asyncio.AbstractEventLoop] = {}


def loop() -> asyncio.AbstractEventLoop:
    """The background event loop of this process; started at first use, also after a fork."""
    with _lock:
        if (found := _loops.get(os.getpid())) is None:
            found = _loops[os.getpid()] = asyncio.new_event_loop()
            threading.Thread(target=found.run_forever, name="governor-loop", daemon=True).start()
        return found


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run `coroutine` on the background loop and wait for its result in this thread."""
    return asyncio.run_coroutine_threadsafe(coroutine, loop()).result()
