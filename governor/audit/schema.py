"""The columns of the flight tables, and records turned into columns.

A table is sealed with all columns of `TABLES`. What a frame carries (`WIRE`)
lacks those that follow from other columns, from the frame's header or from
the run. Plain types only: Spark cannot open nanosecond timestamps and UUIDs,
and stored Arrow types come back as extensions in Polars.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from governor.decisions import Finding
from governor.records import ActionRecord, Conduct, OutcomeRecord, Record, RolloutRecord

SCHEMA_VERSION = 1
"""Raised with every change of the columns; only nullable columns are ever added."""

VERSION_KEY = b"governor.schema_version"

_TEXT, _INT, _REAL = pa.string(), pa.int64(), pa.float64()
_TIME = pa.timestamp("us", "UTC")
pa.array([], _TEXT)  # with its first array pyarrow imports pandas: now, not while an action waits
_FINDING = [pa.field(name, _TEXT, nullable=False) for name in Finding.__struct_fields__]
_FINDINGS = pa.list_(pa.field("element", pa.struct(_FINDING), nullable=False))
_TEXTS = pa.list_(pa.field("element", _TEXT, nullable=False))


def _columns(type_: pa.DataType, names: str, *, nullable: bool = False) -> list[pa.Field]:
    return [pa.field(name, type_, nullable=nullable) for name in names.split()]


def _time(name: str) -> list[pa.Field]:
    exact = "time_unix_nano" if name == "time" else f"{name}_unix_nano"
    return [*_columns(_TIME, name), *_columns(_INT, exact)]


_PROVENANCE = [*_columns(_TEXT, "run_id producer"), *_columns(_INT, "batch_seq batch_row")]

TABLES: dict[str, pa.Schema] = {
    "actions": pa.schema(
        [
            *_columns(_TEXT, "action_id rollout_id attempt_id"),
            *_columns(_INT, "step"),
            *_time("time"),
            *_columns(_TEXT, "tool args effect severity"),
            *_columns(_FINDINGS, "findings"),
            *_columns(_TEXT, "rewritten_args", nullable=True),
            *_columns(_TEXT, "bundle"),
            *_columns(_INT, "latency_ns"),
            *_columns(_TEXT, "worker"),
            *_PROVENANCE,
        ]
    ),
    "outcomes": pa.schema(
        [
            *_columns(_TEXT, "action_id rollout_id attempt_id"),
            *_columns(_INT, "step"),
            *_columns(_TEXT, "status"),
            *_time("time"),
            *_columns(_INT, "duration_ns result_bytes"),
            *_columns(_TEXT, "result_digest error"),
            *_columns(_TEXTS, "incidents"),
            *_PROVENANCE,
        ]
    ),
    "rollouts": pa.schema(
        [
            *_columns(_TEXT, "rollout_id attempt_id"),
            *_columns(_INT, "attempt"),
            *_columns(_TEXT, "input_digest mode outcome"),
            *_columns(_INT, " ".join(Conduct.__struct_fields__)),
            *_columns(_INT, "actions violations"),
            *_columns(_REAL, "final_reward task_reward cost bonus", nullable=True),
            *_columns(_TEXT, "scheme", nullable=True),
            *_time("started"),
            *_time("ended"),
            *_columns(_TEXT, "error"),
            *_columns(_TEXTS, "incidents"),
            *_columns(_TEXT, "worker"),
            *_PROVENANCE,
        ]
    ),
}

WIRE: dict[str, pa.Schema] = {
    table: pa.schema([field for field in schema if field.type != _TIME and field not in _PROVENANCE])
    for table, schema in TABLES.items()
}

_TYPES = {table: schema.types for table, schema in WIRE.items()}

TABLE_OF: dict[type, str] = {ActionRecord: "actions", OutcomeRecord: "outcomes", RolloutRecord: "rollouts"}

_REPEATING = {
    *("run_id", "producer", "batch_seq", "rollout_id", "attempt_id", "step", "worker", "bundle"),
    *("tool", "effect", "severity", "status", "error", "input_digest", "mode", "outcome", "scheme"),
    *(f"findings.list.element.{name}" for name in ("policy", "rule", "effect", "severity")),
}


def dictionary_columns(table: str) -> list[str]:
    """The Parquet columns that repeat their values; for others a dictionary does not pay."""
    nested = [f"findings.list.element.{field.name}" for field in _FINDING] if table == "actions" else []
    return [name for name in [*TABLES[table].names, *nested] if name in _REPEATING]


class Columns:
    """Records of one table, as rows until they are flushed as columns."""

    def __init__(self, table: str) -> None:
        self._schema, self._types = WIRE[table], _TYPES[table]
        self._row = _ROWS[table]
        self._rows: list[tuple[object, ...]] = []

    def add(self, record: Record) -> None:
        self._rows.append(self._row(record))

    def flush(self) -> pa.RecordBatch:
        """All rows as a new batch of `WIRE`, and none left.

        Never a slice: what is serialised of a slice holds parts of its neighbours.
        """
        columns = zip(*self._rows, strict=True) if self._rows else ([] for _ in self._types)
        arrays = [_array(values, type_) for values, type_ in zip(columns, self._types, strict=True)]
        self._rows = []
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)


def complete(table: str, wire: pa.Table, run_id: str, provenance: Sequence[tuple[str, int, int]]) -> pa.Table:
    """Add the columns that `wire` lacks; `provenance` has (producer, seq, rows) of each frame in it."""
    rows = range(wire.num_rows)
    derived = {
        "run_id": pa.repeat(pa.scalar(run_id, _TEXT), len(rows)),
        "producer": pa.array([producer for producer, _, n in provenance for _ in range(n)], _TEXT),
        "batch_seq": pa.array([seq for _, seq, n in provenance for _ in range(n)], _INT),
        "batch_row": pa.array(list(chain.from_iterable(range(n) for _, _, n in provenance)), _INT),
    }
    columns = []
    for field in TABLES[table]:
        if field.type == _TIME:
            exact = wire.column(f"{field.name}_unix_nano")
            columns.append(pc.divide(exact, 1000).cast(_TIME))
        else:
            columns.append(derived[field.name] if field.name in derived else wire.column(field.name))
    return pa.Table.from_arrays(columns, schema=TABLES[table])


def _array(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    if type_ == _FINDINGS and any(values):
        return _findings(values)
    try:
        return pa.array(values, type_)
    except UnicodeEncodeError:
        return pa.array([_unicode(value) for value in values], type_)


def _findings(rows: Sequence[tuple[Finding, ...]]) -> pa.Array:
    flat = list(chain.from_iterable(rows))
    parts = [
        _array([getattr(finding, name) for finding in flat], _TEXT) for name in Finding.__struct_fields__
    ]
    offsets = pa.array(list(accumulate(map(len, rows), initial=0)), pa.int32())
    return pa.ListArray.from_arrays(
        offsets, pa.StructArray.from_arrays(parts, fields=_FINDING), type=_FINDINGS
    )


def _unicode(value: Any) -> Any:
    """Text with its lone surrogates written as escapes: one bad name must not hold up a batch."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return [_unicode(text) for text in value] if value is not None else None


def _action(record: ActionRecord) -> tuple[object, ...]:
    action, decision = record.action, record.decision
    return (
        action.id,
        action.rollout_id,
        action.attempt_id,
        action.step,
        record.time,
        action.tool,
        action.args,
        decision.effect,
        decision.severity,
        decision.findings,
        decision.args,
        decision.bundle,
        record.latency,
        record.worker,
    )


def _outcome(record: OutcomeRecord) -> tuple[object, ...]:
    return (
        record.action_id,
        record.rollout_id,
        record.attempt_id,
        record.step,
        record.status,
        record.time,
        record.duration,
        record.result_bytes,
        record.result_digest,
        record.error,
        record.incidents,
    )


def _rollout(record: RolloutRecord) -> tuple[object, ...]:
    conduct, reward = record.conduct, record.reward
    return (
        record.rollout_id,
        record.attempt_id,
        record.attempt,
        record.input_digest,
        record.mode,
        record.outcome,
        *(getattr(conduct, name) for name in Conduct.__struct_fields__),
        conduct.asked,
        conduct.violations,
        *((reward.final, reward.task, reward.cost, reward.bonus, reward.scheme) if reward else (None,) * 5),
        record.started,
        record.ended,
        record.error,
        record.incidents,
        record.worker,
    )


_ROWS: dict[str, Callable[[Any], tuple[object, ...]]] = {
    "actions": _action,
    "outcomes": _outcome,
    "rollouts": _rollout,
}
