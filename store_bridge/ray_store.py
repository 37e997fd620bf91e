"""A LightningStore in a Ray actor, and the proxy that any process may hold.

Its batches of spans arrive ten times as fast as through Agent-Lightning's HTTP
client, which posts them one by one.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Sequence
from typing import Any

import ray
from agentlightning.store.base import LightningStore, LightningStoreCapabilities
from agentlightning.store.memory import InMemoryLightningStore
from agentlightning.types import Rollout, Span
from opentelemetry.sdk.trace import ReadableSpan
from ray import cloudpickle
from ray.exceptions import RayTaskError

UNNUMBERED = -1
"""A `sequence_id` that the actor replaces on arrival, which saves a round trip."""

_POLL_SECONDS = 0.02


class StoreHost:
    """Hosts a store in an actor; `state` is a pickled store to go on with."""

    def __init__(self, state: bytes | None = None) -> None:
        self._store: LightningStore = cloudpickle.loads(state) if state else InMemoryLightningStore()

    async def call(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return await getattr(self._store, method)(*args, **kwargs)

    async def add_spans(self, spans: Sequence[Span]) -> Sequence[Span]:
        """Store spans, numbering those that have no number yet in the order given."""
        unnumbered = [span for span in spans if span.sequence_id == UNNUMBERED]
        pairs = [(span.rollout_id, span.attempt_id) for span in unnumbered]
        numbers = await self._store.get_many_span_sequence_ids(pairs) if pairs else []
        for span, number in zip(unnumbered, numbers, strict=True):
            span.sequence_id = number
        return await self._store.add_many_spans(spans)

    async def count_spans(self, name: str) -> int:
        """How many spans have this name, over all rollouts."""
        rollouts = await self._store.query_rollouts()
        found = [await self._store.query_spans(rollout.rollout_id, name=name) for rollout in rollouts]
        return sum(map(len, found))

    async def state(self) -> bytes:
        pickled: bytes = cloudpickle.dumps(self._store)
        return pickled


class RayLightningStore(LightningStore):
    """A store that lives in a Ray actor; the proxy is picklable and has no state of its own."""

    def __init__(self, host: Any = None) -> None:
        self.host = host if host is not None else _start_host(None)

    @classmethod
    def adopt(cls, store: InMemoryLightningStore) -> RayLightningStore:
        """Host what `store` holds in an actor; `return_to` brings it back."""
        return cls(_start_host(cloudpickle.dumps(store)))

    def return_to(self, store: InMemoryLightningStore) -> None:
        """Put the hosted store's content into `store`, from which it was adopted."""
        vars(store).update(vars(cloudpickle.loads(ray.get(self.host.state.remote()))))

    def close(self) -> None:
        """End the actor, and the store with it."""
        ray.kill(self.host)

    @property
    def capabilities(self) -> LightningStoreCapabilities:
        # Without `otlp_traces` tracers hand their spans to `add_otel_span`: no HTTP exporter is involved.
        return LightningStoreCapabilities(
            thread_safe=True, async_safe=True, zero_copy=True, otlp_traces=False
        )

    async def count_spans(self, name: str) -> int:
        """How many spans have this name, over all rollouts; counted where they are."""
        count: int = await _own_error(self.host.count_spans.remote(name))
        return count

    async def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return await _own_error(self.host.call.remote(method, args, kwargs))

    async def add_span(self, span: Span) -> Span | None:
        stored = await self.add_many_spans([span])
        return stored[0] if stored else None

    async def add_many_spans(self, spans: Sequence[Span]) -> Sequence[Span]:
        stored: Sequence[Span] = await _own_error(self.host.add_spans.remote(list(spans)))
        return stored

    async def add_otel_span(
        self, rollout_id: str, attempt_id: str, readable_span: ReadableSpan, sequence_id: int | None = None
    ) -> Span | None:
        number = UNNUMBERED if sequence_id is None else sequence_id
        return await self.add_span(Span.from_opentelemetry(readable_span, rollout_id, attempt_id, number))

    async def wait_for_rollouts(
        self,
        *,
        rollout_ids: list[str],
        timeout: float | None = None,  # noqa: ASYNC109 - Agent-Lightning's signature
    ) -> list[Rollout]:
        """Like every store's, by polling: the in-memory one parks a thread for each rollout."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            done: list[Rollout] = await self.call("wait_for_rollouts", rollout_ids=rollout_ids, timeout=0)
            if len(done) == len(set(rollout_ids)) or (end is not None and time.monotonic() >= end):
                return done
            await asyncio.sleep(_POLL_SECONDS)

    def __reduce__(self) -> tuple[Any, ...]:
        return RayLightningStore, (self.host,)


def _start_host(state: bytes | None) -> Any:
    options: dict[str, Any] = {"num_cpus": 0, "max_concurrency": 1000, "enable_task_events": False}
    return ray.remote(StoreHost).options(**options).remote(state)


async def _own_error(ref: Any) -> Any:
    try:
        return await ref
    except RayTaskError as exc:
        raise exc.as_instanceof_cause() from None


def _forward(name: str) -> Any:
    async def forward(self: RayLightningStore, *args: Any, **kwargs: Any) -> Any:
        return await self.call(name, *args, **kwargs)

    forward.__name__ = name
    return forward


for _name, _method in vars(LightningStore).items():
    if inspect.iscoroutinefunction(_method) and _name not in vars(RayLightningStore):
        setattr(RayLightningStore, _name, _forward(_name))
