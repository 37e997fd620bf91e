"""Bring the decisions of a recorded run into a LightningStore."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from agentlightning.store.base import LightningStore
from agentlightning.types import Span

from governor import background
from governor.audit.reader import FlightRun
from governor.model import digest
from governor.records import ActionRecord
from store_bridge.spans import ACTION_ID, ACTION_SPAN, action_attributes

_TERMINAL = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True)
class Imported:
    """What an import did, counted in decisions.

    `added` were acknowledged by the store; `present` it had already; `deferred`
    belong to attempts that still run (a late span would cancel their retry);
    `unknown` belong to rollouts that the store has never seen.
    """

    added: int = 0
    present: int = 0
    deferred: int = 0
    unknown: int = 0

    def __add__(self, other: Imported) -> Imported:
        return Imported(
            self.added + other.added,
            self.present + other.present,
            self.deferred + other.deferred,
            self.unknown + other.unknown,
        )


class FlightRecorderAdapter:
    """Imports recorded decisions as spans; doing it again adds nothing."""

    def __init__(self, records: Iterable[ActionRecord]) -> None:
        self._records = records

    @classmethod
    def from_run(cls, run_dir: Path | str) -> FlightRecorderAdapter:
        """The decisions of a run directory; raises `AuditError` where it is none."""
        return cls(FlightRun.open(Path(run_dir)).actions())

    def import_to_store(self, store: LightningStore) -> Imported:
        """Add every decision that `store` lacks under its rollout and attempt, and wait for it."""
        return background.run(self.import_async(store))

    async def import_async(self, store: LightningStore) -> Imported:
        """`import_to_store` for callers on an event loop."""
        done = Imported()
        ordered = sorted(self._records, key=lambda record: (_attempt_of(record), record.action.step))
        for (rollout_id, attempt_id), records in itertools.groupby(ordered, key=_attempt_of):
            done += await _import_attempt(store, rollout_id, attempt_id, list(records))
        return done


def _attempt_of(record: ActionRecord) -> tuple[str, str]:
    return record.action.rollout_id, record.action.attempt_id


async def _import_attempt(
    store: LightningStore, rollout_id: str, attempt_id: str, records: list[ActionRecord]
) -> Imported:
    rollout = await store.get_rollout_by_id(rollout_id)
    if rollout is None:
        return Imported(unknown=len(records))
    latest = await store.get_latest_attempt(rollout_id)
    if rollout.status not in _TERMINAL and latest is not None and latest.attempt_id == attempt_id:
        return Imported(deferred=len(records))
    there = {span.attributes.get(ACTION_ID) for span in await store.query_spans(rollout_id, attempt_id)}
    missing = [record for record in records if record.action.id not in there]
    if not missing:
        return Imported(present=len(records))
    numbers = await store.get_many_span_sequence_ids([(rollout_id, attempt_id)] * len(missing))
    spans = [_span(record, number) for record, number in zip(missing, numbers, strict=True)]
    added = await store.add_many_spans(spans)
    return Imported(added=len(added), present=len(records) - len(added))


def _span(record: ActionRecord, number: int) -> Span:
    """A span whose ids follow from the action, so that a store recognises it."""
    action = record.action
    at = record.time / 1e9
    return Span.from_attributes(
        rollout_id=action.rollout_id,
        attempt_id=action.attempt_id,
        sequence_id=number,
        name=ACTION_SPAN,
        trace_id=digest(f"{action.rollout_id}/{action.attempt_id}"),
        span_id=digest(action.id)[:16],
        start_time=at,
        end_time=at + record.latency / 1e9,
        attributes=action_attributes(action, record.decision),
    )
