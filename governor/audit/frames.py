"""Frames: Arrow record batches with a numbered, checksummed header.

    magic 8 | schema version 2 | table 2 | producer bytes 4 | seq 8 | rows 4 | payload bytes 4
    | SHA-256 of the payload 32 | CRC-32 of the header 4 | producer | zeros to 64 | payload | zeros to 64

Integers are little-endian. The payload is one Arrow IPC message without its
schema. Both sums cover the zeros, so that no bit of a frame is unguarded.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from governor.audit.schema import SCHEMA_VERSION, TABLES, WIRE
from governor.errors import AuditError

MAGIC = b"GOVFRAME"
_HEADER = struct.Struct("<8sHHIQII32sI")
_ALIGNMENT = 64
_CODES = tuple(TABLES)


@dataclass(frozen=True, slots=True)
class Frame:
    """One batch of one table; `seq` counts a producer's frames from 0, over all tables.

    `payload` and `raw` (the whole frame) are views into the parsed buffer.
    """

    table: str
    producer: str
    seq: int
    rows: int
    payload: memoryview
    raw: memoryview


def encode_frame(table: str, producer: str, seq: int, batch: pa.RecordBatch) -> bytes:
    """A frame around `batch`, which must be fresh: never a slice."""
    name = producer.encode()
    payload = _padded(batch.serialize().to_pybytes())
    sha = hashlib.sha256(payload).digest()
    fixed = (MAGIC, SCHEMA_VERSION, _CODES.index(table), len(name), seq, batch.num_rows, len(payload), sha)
    crc = zlib.crc32(_padded(_HEADER.pack(*fixed, 0) + name))
    return _padded(_HEADER.pack(*fixed, crc) + name) + payload


class Frames:
    """The valid frames that a buffer begins with, in order; iterate once.

    Afterwards `end` is the offset behind the last of them and `damage` says
    what is wrong there: "" where the buffer ends with a whole frame.
    """

    def __init__(self, buffer: bytes | memoryview) -> None:
        self._view = memoryview(buffer)
        self.end = 0
        self.damage = ""

    def __iter__(self) -> Iterator[Frame]:
        while self.end < len(self._view):
            try:
                frame = _frame(self._view[self.end :])
            except AuditError as exc:
                self.damage = f"frame at byte {self.end}: {exc}"
                return
            self.end += len(frame.raw)
            yield frame


def decode(frame: Frame) -> pa.RecordBatch:
    """The batch of a frame, a view into it; raises `AuditError` where it does not fit its table."""
    what = f"frame {frame.seq} of `{frame.producer}`"
    schema = WIRE[frame.table]
    try:
        batch = pa.ipc.read_record_batch(pa.py_buffer(frame.payload), schema)
        batch.validate(full=True)
    except (pa.ArrowException, OSError) as exc:  # an IPC message of another kind is an OSError
        raise AuditError(f"{what} is not a batch of `{frame.table}`: {exc}") from exc
    if batch.num_rows != frame.rows:
        raise AuditError(f"{what} has {batch.num_rows} rows, its header says {frame.rows}")
    for field, column in zip(schema, batch.columns, strict=True):
        if column.null_count and not field.nullable:
            raise AuditError(f"{what} has no value for `{field.name}` in {column.null_count} rows")
    return batch


def _frame(view: memoryview) -> Frame:
    if len(view) < _HEADER.size:
        raise AuditError(f"ends after {len(view)} bytes, inside its header")
    magic, version, code, name_size, seq, rows, size, sha, crc = _HEADER.unpack_from(view)
    if magic != MAGIC:
        raise AuditError("does not begin with a frame header")
    start = _aligned(_HEADER.size + name_size)
    header = bytearray(view[:start])
    header[_HEADER.size - 4 : _HEADER.size] = bytes(4)
    if len(header) < start or zlib.crc32(header) != crc:
        raise AuditError("the header's checksum does not match")
    if version != SCHEMA_VERSION:
        raise AuditError(f"schema version {version} instead of {SCHEMA_VERSION}; use one governor for a run")
    if code >= len(_CODES):
        raise AuditError(f"unknown table {code}")
    payload = view[start : start + size]
    if len(payload) < size:
        raise AuditError(f"ends after {len(payload)} of {size} bytes of its payload")
    if hashlib.sha256(payload).digest() != sha:
        raise AuditError("the payload's checksum does not match")
    producer = bytes(header[_HEADER.size : _HEADER.size + name_size]).decode(errors="backslashreplace")
    return Frame(_CODES[code], producer, seq, rows, payload, view[: start + size])


def _aligned(size: int) -> int:
    return size + -size % _ALIGNMENT


def _padded(data: bytes) -> bytes:
    return data.ljust(_aligned(len(data)), b"\0")
