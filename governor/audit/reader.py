"""A recorded run, read back: tables for analysis, records for replay."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from governor.actions import Action
from governor.audit.manifest import NAME, Part, Sealed, read_manifest
from governor.audit.schema import SCHEMA_VERSION, TABLES, VERSION_KEY, WIRE
from governor.decisions import Decision, Effect, Finding, Severity
from governor.errors import AuditError
from governor.records import (
    ActionRecord,
    Conduct,
    Outcome,
    OutcomeRecord,
    OutcomeStatus,
    Reward,
    RolloutRecord,
)


class FlightRun:
    """What was sealed of a run when it was opened; later segments are not seen."""

    def __init__(self, root: Path, sealed: list[Sealed]) -> None:
        self._root = root
        self._sealed = sealed

    @classmethod
    def open(cls, run_dir: Path) -> Self:
        """The run recorded in `run_dir`; raises `AuditError` where there is none."""
        root = run_dir / "audit"
        try:
            sealed, _ = read_manifest(root / NAME)
        except OSError as exc:
            raise AuditError(f"`{run_dir}` is not a recorded run: `audit/{NAME}`: {exc.strerror}") from exc
        return cls(root, sealed)

    def count(self, table: str) -> int:
        """Rows of `actions`, `outcomes` or `rollouts`."""
        return sum(part.rows for part in self._parts(table))

    def table(self, name: str) -> pa.Table:
        """All rows of `actions`, `outcomes` or `rollouts`, as they came; empty where there are none."""
        parts = self._parts(name)
        return pa.Table.from_batches(self._batches(parts, TABLES[name]), TABLES[name])

    def actions(self) -> Iterator[ActionRecord]:
        """The decisions, as they came: those of one producer in its order."""
        return map(_action, self._rows("actions"))

    def outcomes(self) -> Iterator[OutcomeRecord]:
        return map(_outcome, self._rows("outcomes"))

    def rollouts(self) -> Iterator[RolloutRecord]:
        return map(_rollout, self._rows("rollouts"))

    def verify(self) -> None:
        """Raise `AuditError` where a file is not the one that was sealed."""
        for part in (part for table in TABLES for part in self._parts(table)):
            path = self._root / part.path
            try:
                with path.open("rb") as file:
                    found = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as exc:
                raise AuditError(f"`{path}` cannot be read: {exc.strerror}") from exc
            if found != part.sha256:
                raise AuditError(f"`{path}` has changed since it was sealed")

    def _parts(self, table: str) -> Iterator[Part]:
        if table not in TABLES:
            raise AuditError(f"there is no table `{table}`; choose from {', '.join(TABLES)}")
        return (part for sealed in self._sealed for part in sealed.files if part.table == table)

    def _batches(self, parts: Iterable[Part], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        for part in parts:
            path = self._root / part.path
            try:
                with pq.ParquetFile(path) as file:
                    version = (file.metadata.metadata or {}).get(VERSION_KEY, b"").decode()
                    if version != str(SCHEMA_VERSION):
                        raise AuditError(
                            f"`{path}` has schema version `{version}`; this governor reads {SCHEMA_VERSION}"
                        )
                    for batch in file.iter_batches(columns=schema.names):
                        yield batch.cast(schema)
            except (OSError, pa.ArrowException) as exc:
                raise AuditError(f"`{path}` cannot be read: {exc}") from exc

    def _rows(self, table: str) -> Iterator[dict[str, Any]]:
        batches = self._batches(self._parts(table), WIRE[table])
        return chain.from_iterable(batch.to_pylist() for batch in batches)


def _action(row: dict[str, Any]) -> ActionRecord:
    findings = tuple(
        Finding(**{**found, "effect": Effect(found["effect"]), "severity": Severity(found["severity"])})
        for found in row["findings"]
    )
    return ActionRecord(
        Action(row["rollout_id"], row["attempt_id"], row["step"], row["tool"], row["args"]),
        Decision(
            Effect(row["effect"]), Severity(row["severity"]), findings, row["rewritten_args"], row["bundle"]
        ),
        row["time_unix_nano"],
        row["latency_ns"],
        row["worker"],
    )


def _outcome(row: dict[str, Any]) -> OutcomeRecord:
    return OutcomeRecord(
        row["action_id"],
        row["rollout_id"],
        row["attempt_id"],
        row["step"],
        OutcomeStatus(row["status"]),
        row["time_unix_nano"],
        row["duration_ns"],
        row["result_bytes"],
        row["result_digest"],
        row["error"],
        tuple(row["incidents"]),
    )


def _rollout(row: dict[str, Any]) -> RolloutRecord:
    reward = None
    if row["final_reward"] is not None:
        reward = Reward(row["final_reward"], row["task_reward"], row["cost"], row["bonus"], row["scheme"])
    return RolloutRecord(
        row["rollout_id"],
        row["attempt_id"],
        row["attempt"],
        row["input_digest"],
        row["mode"],
        Outcome(row["outcome"]),
        Conduct(*(row[name] for name in Conduct.__struct_fields__)),
        reward,
        row["started_unix_nano"],
        row["ended_unix_nano"],
        row["error"],
        tuple(row["incidents"]),
        row["worker"],
    )
