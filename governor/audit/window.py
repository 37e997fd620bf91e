"""The producer's side of the flight log: records in, numbered frames out."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice

from governor.audit.frames import encode_frame
from governor.audit.schema import TABLE_OF, TABLES, Columns
from governor.errors import AuditError
from governor.records import ActionRecord, Record

_FRAMES_OVERHEAD = 2_000 * len(TABLES)  # bytes of frames without rows, rounded up
_ROW, _FINDING = 500, 200  # bytes of a row and of a finding beyond the texts that have no bound


class _Batch:
    """Consecutive records, at most one frame of each table."""

    def __init__(self) -> None:
        self._columns: dict[str, Columns] = {}
        self.records = 0
        self.size = 0

    def add(self, record: Record, size: int) -> None:
        table = TABLE_OF[type(record)]
        if (columns := self._columns.get(table)) is None:
            columns = self._columns[table] = Columns(table)
        columns.add(record)
        self.records += 1
        self.size += size

    def frames(self, producer: str, seq: int) -> list[bytes]:
        """Actions first: a crash between two frames never leaves an outcome without its action."""
        filled = [table for table in TABLES if table in self._columns]
        return [
            encode_frame(table, producer, seq + index, self._columns[table].flush())
            for index, table in enumerate(filled)
        ]


@dataclass(frozen=True, slots=True)
class _Cut:
    """A batch that was made into frames: it is safe once frame `seq` is."""

    seq: int
    position: int
    size: int


class FlightWindow:
    """Records of one producer that are not yet acknowledged, without I/O or clock.

    Positions count records from 1 and are acknowledged in order, whatever
    table they belong to. `producer` names one incarnation and is never used
    again. One thread at a time; one send at a time: after `frames_to_send`
    comes `acknowledge` with the log's answer, or `resend`.

    A send holds at most about `send_bytes`, or a single row that is larger.
    `records` and `size` (bytes) bound what is unacknowledged.
    """

    def __init__(
        self, producer: str, *, records: int = 8192, size: int = 16 << 20, send_bytes: int = 400_000
    ) -> None:
        self._producer = producer
        self._limits = records, size
        self._send_bytes = send_bytes
        self._batch_bytes = send_bytes - _FRAMES_OVERHEAD
        self._batches: deque[_Batch] = deque()
        self._cuts: deque[_Cut] = deque()
        self._frames: deque[bytes] = deque()
        self._high = -1  # last acknowledged frame
        self._sent = 0  # how many of `_frames` are on their way
        self._added = self._cut = self._safe = 0  # positions
        self._size = 0

    @property
    def full(self) -> bool:
        """Whether the caller should wait before it adds more."""
        records, size = self._limits
        return self.pending >= records or self._size >= size

    @property
    def pending(self) -> int:
        """How many records are not acknowledged."""
        return self._added - self._safe

    def add(self, record: Record) -> int:
        """Collect `record`; returns its position."""
        size = _size(record)
        if not self._batches or self._batches[-1].size + size > self._batch_bytes:
            self._batches.append(_Batch())
        self._batches[-1].add(record, size)
        self._size += size
        self._added += 1
        return self._added

    def frames_to_send(self) -> bytes | None:
        """The next frames, or None: first what must be sent again, byte for byte."""
        if self._sent == len(self._frames) and self._batches:
            self._make_frames()
        frames: list[bytes] = []
        room = self._send_bytes
        for frame in islice(self._frames, self._sent, None):
            room -= len(frame)
            if frames and room < 0:
                break
            frames.append(frame)
        self._sent += len(frames)
        return b"".join(frames) or None

    def acknowledge(self, high: int) -> int:
        """Take the log's answer: `high` is the last frame that it has, -1 for none.

        Returns the highest position now safe; frames beyond `high` are sent
        again. Raises `AuditError` where the answer cannot be: a frame that was
        never sent, or less than was acknowledged before, so that records are lost.
        """
        last = self._high + self._sent
        if high > last:
            raise AuditError(f"frame {high} was acknowledged, but the last one sent is {last}")
        if high < self._high:
            raise AuditError(
                f"frame {self._high} was acknowledged, but now the log ends with {high}: records are lost"
            )
        while self._high < high:
            self._frames.popleft()
            self._high += 1
        while self._cuts and self._cuts[0].seq <= high:
            cut = self._cuts.popleft()
            self._safe = cut.position
            self._size -= cut.size
        self.resend()
        return self._safe

    def resend(self) -> None:
        """Go back to the first unacknowledged frame: no answer came."""
        self._sent = 0

    def _make_frames(self) -> None:
        batch = self._batches[0]
        first = self._high + 1 + len(self._frames)
        self._frames.extend(batch.frames(self._producer, first))
        self._batches.popleft()
        self._cut += batch.records
        self._cuts.append(_Cut(self._high + len(self._frames), self._cut, batch.size))


def _size(record: Record) -> int:
    """About how many bytes a record takes in its frame; rather too many than too few."""
    if isinstance(record, ActionRecord):
        decision = record.decision
        size = len(record.action.args) + len(decision.args or "")
        return size + sum(_FINDING + len(finding.reason) for finding in decision.findings) + _ROW
    return sum(map(len, record.incidents)) + len(record.error) + _ROW
