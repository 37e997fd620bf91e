"""Parts: the Parquet files of a segment, one per table."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from governor.audit.disk import write_all
from governor.audit.frames import Frame, decode
from governor.audit.manifest import Part
from governor.audit.schema import SCHEMA_VERSION, TABLES, VERSION_KEY, WIRE, complete, dictionary_columns

_ROW_GROUP = 131_072  # rows: few, large groups read fastest


def part_path(table: str, number: int) -> Path:
    """Relative to the log, and a function of the segment: sealing again replaces the same file."""
    return Path(table) / f"part-{number:08d}.parquet"


def staging_path(root: Path, table: str, number: int) -> Path:
    """Beside the tables, not in them: readers take every file they find there."""
    return root / "staging" / f"{table}-{number:08d}.parquet"


@contextmanager
def staged_part(root: Path, table: str, number: int, run_id: str) -> Iterator[PartWriter]:
    """A writer into staging, closed at the end whatever happens."""
    fd = os.open(staging_path(root, table, number), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        writer = PartWriter(table, number, run_id, fd)
        try:
            yield writer
        finally:
            writer.close()
    finally:
        os.close(fd)


class _Sink(io.RawIOBase):
    """A file for pyarrow's Parquet writer, which cannot be closed once a write of it has failed.

    So it never sees a failure: the first is kept in `error` and the rest is not written.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._sum = hashlib.sha256()
        self.size = 0
        self.error: OSError | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self._sum.update(view)
        self.size += view.nbytes
        try:
            if self.error is None:
                write_all(self._fd, [view])
        except OSError as exc:
            self.error = exc
        return view.nbytes

    def check(self) -> None:
        if self.error is not None:
            raise self.error

    @property
    def sha256(self) -> str:
        return self._sum.hexdigest()


class PartWriter:
    """Combines frames of one table to row groups of a Parquet file."""

    def __init__(self, table: str, number: int, run_id: str, fd: int) -> None:
        self._table = table
        self._path = part_path(table, number)
        self._run_id = run_id
        self._fd = fd
        self._sink = _Sink(fd)
        self._parquet = pq.ParquetWriter(
            self._sink,
            TABLES[table],
            compression="zstd",
            compression_level=1,
            use_dictionary=dictionary_columns(table),
            store_schema=False,
        )
        self._rows = 0
        self._batches: list[pa.RecordBatch] = []
        self._provenance: list[tuple[str, int, int]] = []
        self._collected = 0

    def add(self, frame: Frame) -> None:
        self._batches.append(decode(frame))
        self._provenance.append((frame.producer, frame.seq, frame.rows))
        self._collected += frame.rows
        if self._collected >= _ROW_GROUP:
            self._write_group()

    def finish(self) -> Part:
        """Return once the whole file is durable."""
        if self._collected:
            self._write_group()
        self._parquet.add_key_value_metadata({VERSION_KEY: str(SCHEMA_VERSION)})
        self.close()
        self._sink.check()
        os.fsync(self._fd)
        return Part(self._table, str(self._path), self._rows, self._sink.size, self._sink.sha256)

    def close(self) -> None:
        self._parquet.close()

    def _write_group(self) -> None:
        wire = pa.Table.from_batches(self._batches, WIRE[self._table]).combine_chunks()
        table = complete(self._table, wire, self._run_id, self._provenance)
        self._parquet.write_table(table, row_group_size=_ROW_GROUP)
        self._sink.check()
        self._rows += self._collected
        self._collected = 0
        self._batches.clear()
        self._provenance.clear()
