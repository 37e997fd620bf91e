import hashlib

import pyarrow as pa
import pytest

from governor.audit import frames as frames_module
from governor.audit.frames import Frames, decode, encode_frame
from governor.audit.schema import WIRE, Columns
from governor.errors import AuditError
from tests.governor.audit.flights import numbered, one_frame


def batch_of(*positions: int) -> pa.RecordBatch:
    columns = Columns("actions")
    for position in positions:
        columns.add(numbered(position))
    return columns.flush()


def test_a_frame_comes_back_as_it_was() -> None:
    batch = batch_of(1, 3, 7)
    (frame,) = Frames(encode_frame("actions", "wörker-1", 5, batch))
    assert (frame.table, frame.producer, frame.seq, frame.rows) == ("actions", "wörker-1", 5, 3)
    assert decode(frame).equals(batch)


def test_a_cut_frame_is_no_frame_wherever_it_is_cut() -> None:
    whole, half = one_frame(seq=0), one_frame(seq=1)
    for size in range(len(half)):
        frames = Frames(whole + half[:size])
        assert [frame.seq for frame in frames] == [0]
        assert frames.end == len(whole)
        assert bool(frames.damage) == (size > 0)


def test_every_flipped_bit_is_noticed() -> None:
    good = one_frame()
    for bit in range(len(good) * 8):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        frames = Frames(bytes(flipped))
        assert list(frames) == []
        assert frames.damage


def test_zeros_behind_the_last_frame_are_no_frames() -> None:
    good = one_frame()
    frames = Frames(good + bytes(4096))
    assert len(list(frames)) == 1
    assert frames.end == len(good)


def test_nothing_of_a_frame_is_of_its_neighbours() -> None:
    columns = Columns("actions")
    columns.add(numbered(1, args='{"password":"SECRET"}'))
    columns.flush()
    columns.add(numbered(3))
    assert b"SECRET" not in encode_frame("actions", "p", 0, columns.flush())


def test_a_frame_of_another_schema_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(frames_module, "SCHEMA_VERSION", 2)
        newer = one_frame()
    frames = Frames(newer)
    assert list(frames) == []
    assert "schema version 2 instead of 1" in frames.damage


def forged(payload: bytes, rows: int = 1) -> bytes:
    """A frame with right checksums around anything."""

    class Batch:
        num_rows = rows

        def serialize(self) -> pa.Buffer:
            return pa.py_buffer(payload)

    return encode_frame("actions", "p", 0, Batch())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (forged(b"no Arrow at all"), "is not a batch of `actions`"),
        (forged(WIRE["actions"].serialize().to_pybytes()), "is not a batch of `actions`"),
        (forged(batch_of(1, 3).serialize().to_pybytes()), "has 2 rows, its header says 1"),
    ],
)
def test_what_is_no_batch_is_refused(data: bytes, reason: str) -> None:
    (frame,) = Frames(data)
    with pytest.raises(AuditError, match=reason):
        decode(frame)


def test_text_that_is_not_unicode_is_refused() -> None:
    batch = batch_of(1)
    tool = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.array([0, 1], pa.int32()).buffers()[1], pa.py_buffer(b"\xff")]
    )
    batch = batch.set_column(batch.schema.get_field_index("tool"), WIRE["actions"].field("tool"), tool)
    (frame,) = Frames(encode_frame("actions", "p", 0, batch))
    with pytest.raises(AuditError, match="UTF8"):
        decode(frame)


def test_a_missing_value_is_refused() -> None:
    batch = batch_of(1)
    index = batch.schema.get_field_index("tool")
    batch = batch.set_column(index, WIRE["actions"].field("tool"), pa.nulls(1, pa.string()))
    (frame,) = Frames(encode_frame("actions", "p", 0, batch))
    with pytest.raises(AuditError, match="no value for `tool` in 1 rows"):
        decode(frame)


def test_equal_records_make_equal_bytes() -> None:
    digests = {hashlib.sha256(one_frame(rows=9)).hexdigest() for _ in range(3)}
    assert len(digests) == 1
