"""What a crash leaves behind, brought back in order."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from governor.audit.disk import sync_directory
from governor.audit.manifest import NAME, Manifest
from governor.audit.schema import TABLES
from governor.audit.segments import Segment, read_frames, retire

_NUMBER = re.compile(r"-(\d{8,})\.")


@dataclass
class Recovered:
    """A log as it was acknowledged.

    `marks` has the last stored frame of each producer, `rows` the stored rows
    of each table, `segments` what is still to be sealed, in order.
    """

    manifest: Manifest
    marks: dict[str, int] = field(default_factory=dict)
    rows: Counter[str] = field(default_factory=Counter)
    segments: list[Segment] = field(default_factory=list)
    last: int = 0

    def saw(self, producer: str, seq: int) -> None:
        self.marks[producer] = max(seq, self.marks.get(producer, -1))


def recover(root: Path) -> Recovered:
    """Read what is there, under the run's lock; nothing acknowledged is lost or counted twice.

    The manifest decides: a segment listed in it is sealed, whatever else is
    left of it; any other is sealed again, from its first frame to its last
    valid one. Files that nothing accounts for go to quarantine.
    """
    for name in ("wal", "staging", "quarantine", *TABLES):
        (root / name).mkdir(exist_ok=True)
    for path in (root / "staging").iterdir():
        path.unlink()
    sync_directory(root)
    found = Recovered(Manifest(root / NAME))
    try:
        listed = _read_manifest(found)
        _read_segments(root, found, listed)
        _set_aside(root, found, listed)
    except BaseException:
        found.manifest.close()
        raise
    return found


def _read_manifest(found: Recovered) -> dict[int, int]:
    """The torn bytes of each sealed segment."""
    for entry in found.manifest.entries:
        for producer, seq in entry.marks.items():
            found.saw(producer, seq)
        for part in entry.files:
            found.rows[part.table] += part.rows
        found.last = max(found.last, entry.segment)
    return {entry.segment: entry.torn for entry in found.manifest.entries}


def _read_segments(root: Path, found: Recovered, listed: dict[int, int]) -> None:
    for number in sorted(map(_number, (root / "wal").glob("segment-*.wal"))):
        found.last = max(found.last, number)
        if number in listed:
            retire(root, number, listed[number])
            continue
        frames, size = read_frames(root, number)
        for frame in frames:
            found.saw(frame.producer, frame.seq)
            found.rows[frame.table] += frame.rows
        if size:
            found.segments.append(Segment(number, frames.end, size - frames.end))
        else:
            retire(root, number, torn=0)


def _set_aside(root: Path, found: Recovered, listed: dict[int, int]) -> None:
    """Parquet files of neither a sealed segment nor one that will be sealed again."""
    known = {root / part.path for entry in found.manifest.entries for part in entry.files}
    pending = {segment.number for segment in found.segments}
    for table in TABLES:
        for path in (root / table).glob("part-*.parquet"):
            found.last = max(found.last, _number(path))
            if path not in known and _number(path) not in pending:
                path.rename(root / "quarantine" / f"{table}-{path.name}")


def _number(path: Path) -> int:
    match = _NUMBER.search(path.name)
    return int(match[1]) if match else 0
