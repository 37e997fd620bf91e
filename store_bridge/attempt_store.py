"""The store as one runner sees it: spans in batches, rewards held until they are priced."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Sequence
from typing import Any

from agentlightning.store.base import LightningStore, LightningStoreCapabilities
from agentlightning.types import Attempt, Span
from opentelemetry.sdk.trace import ReadableSpan

from store_bridge import spans as span_tools
from store_bridge.ray_store import UNNUMBERED, RayLightningStore

_MAX_BUFFERED = 256


class AttemptStore(LightningStore):
    """Wraps a runner's store; any thread or loop may call it.

    Spans of the tracer wait here until something else is asked of the store,
    so that a tool call does not wait for a round trip. Reward spans wait until
    `take_rewards`: an agent's own reward is a part of the final one, and a
    trainer must see exactly one.
    """

    def __init__(self, store: LightningStore) -> None:
        self.store = store
        self._lock = threading.Lock()
        self._buffer: list[Span] = []
        self._rewards: list[Span] = []

    @property
    def capabilities(self) -> LightningStoreCapabilities:
        return {**self.store.capabilities, "otlp_traces": False}

    def take_rewards(self, rollout_id: str, attempt_id: str) -> list[Span]:
        """The reward spans that this attempt emitted, in order; they are not stored."""
        with self._lock:
            mine = [s for s in self._rewards if (s.rollout_id, s.attempt_id) == (rollout_id, attempt_id)]
            self._rewards = [s for s in self._rewards if s not in mine]
        return mine

    async def add_otel_span(
        self, rollout_id: str, attempt_id: str, readable_span: ReadableSpan, sequence_id: int | None = None
    ) -> Span | None:
        number = UNNUMBERED if sequence_id is None else sequence_id
        span = Span.from_opentelemetry(readable_span, rollout_id, attempt_id, number)
        with self._lock:
            (self._rewards if span_tools.rewards_among([span]) else self._buffer).append(span)
            full = len(self._buffer) >= _MAX_BUFFERED
        if full:
            await self.flush()
        return span

    async def update_attempt(self, rollout_id: str, attempt_id: str, *args: Any, **kwargs: Any) -> Attempt:
        """An attempt that nobody priced keeps its own rewards: its agent is not governed."""
        own = self.take_rewards(rollout_id, attempt_id)
        await self.add_many_spans(own)
        return await self.store.update_attempt(rollout_id, attempt_id, *args, **kwargs)

    async def flush(self) -> None:
        """Store what waits here."""
        await self.add_many_spans([])

    async def add_span(self, span: Span) -> Span | None:
        stored = await self.add_many_spans([span])
        return stored[-1] if stored else None

    async def add_many_spans(self, spans: Sequence[Span]) -> Sequence[Span]:
        with self._lock:
            waiting, self._buffer = self._buffer, []
        batch = [*waiting, *spans]
        if not batch:
            return []
        try:
            if not isinstance(self.store, RayLightningStore):
                await self._number(batch)
            return await self.store.add_many_spans(batch)
        except BaseException:
            with self._lock:
                self._buffer = [*waiting, *self._buffer]
            raise

    async def _number(self, batch: list[Span]) -> None:
        unnumbered = [span for span in batch if span.sequence_id == UNNUMBERED]
        pairs = [(span.rollout_id, span.attempt_id) for span in unnumbered]
        for span, number in zip(unnumbered, await self.store.get_many_span_sequence_ids(pairs), strict=True):
            span.sequence_id = number

    async def get_many_span_sequence_ids(
        self, rollout_attempt_ids: Sequence[tuple[str, str]]
    ) -> Sequence[int]:
        return [UNNUMBERED for _ in rollout_attempt_ids]


def _forward(name: str) -> Any:
    async def forward(self: AttemptStore, *args: Any, **kwargs: Any) -> Any:
        await self.flush()
        return await getattr(self.store, name)(*args, **kwargs)

    forward.__name__ = name
    return forward


for _name, _method in vars(LightningStore).items():
    if inspect.iscoroutinefunction(_method) and _name not in vars(AttemptStore):
        setattr(AttemptStore, _name, _forward(_name))
