"""What a run shows while it goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from governor.errors import GovernorError

_SAMPLE_SECONDS = 1.0
_LINE_SECONDS = 10.0


class Progress:
    """Samples the run's counts once a second, records them and shows one live line.

    Where the console is not a terminal a line is printed every ten seconds.
    """

    def __init__(
        self,
        console: Console,
        sample: Callable[[], Mapping[str, int]],
        record: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._console = console
        self._sample = sample
        self._record = record
        self._began = time.monotonic()
        self._learner: Mapping[str, Any] = {}
        self._stop = threading.Event()
        self._live = (
            Live(console=console, transient=True, auto_refresh=False) if console.is_terminal else None
        )
        self._thread = threading.Thread(target=self._watch, name="governor-progress", daemon=True)

    def on_iteration(self, values: Mapping[str, Any]) -> None:
        """What the algorithm reports of one of its iterations."""
        self._learner = values
        self._record({"kind": "iteration", "seconds": self._seconds(), **values})

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._live:
            self._live.stop()

    def _watch(self) -> None:
        printed = time.monotonic()
        while not self._stop.wait(_SAMPLE_SECONDS):
            try:
                counts = self._sample()
            except GovernorError:
                continue  # the audit actor is being restarted; the next sample will tell
            self._record({"kind": "progress", "seconds": self._seconds(), **counts})
            if self._live:
                self._live.update(Text(self._line(counts)), refresh=True)
            elif time.monotonic() - printed >= _LINE_SECONDS:
                printed = time.monotonic()
                self._console.print(self._line(counts), highlight=False, soft_wrap=True)

    def _line(self, counts: Mapping[str, int]) -> str:
        """Counts of records, and what the learner last said of itself in numbers."""
        learned = {name: value for name, value in self._learner.items() if isinstance(value, (int, float))}
        shown = "  ".join(f"{name} {_short(value)}" for name, value in {**counts, **learned}.items())
        return f"{self._seconds():5.0f} s  {shown}"

    def _seconds(self) -> float:
        return round(time.monotonic() - self._began, 3)


def _short(value: float) -> str:
    return f"{value:.3g}" if isinstance(value, float) else f"{value:,}"
