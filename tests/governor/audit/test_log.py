import os
import resource
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from governor.audit import disk
from governor.audit.log import FlightLog
from governor.audit.reader import FlightRun
from governor.audit.window import FlightWindow
from governor.errors import AuditError, AuditUnavailable, RunLocked
from tests.governor.audit.flights import numbered, one_frame, positions, send


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "audit"


def opened(
    root: Path, *, fsync: bool = True, seal_bytes: int = 8 << 20, seal_seconds: float = 3600
) -> FlightLog:
    return FlightLog(root, run_id="run", fsync=fsync, seal_bytes=seal_bytes, seal_seconds=seal_seconds)


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def sealed(root: Path, rows: int) -> bool:
    return FlightRun.open(root.parent).count("actions") == rows


def test_an_answer_is_the_last_stored_frame_of_its_producer(root: Path) -> None:
    with opened(root) as log:
        assert log.append(one_frame("a", 0)) == 0
        assert log.append(one_frame("b", 0)) == 0
        assert log.append(one_frame("a", 1)) == 1


def test_a_frame_sent_again_is_answered_but_not_stored(root: Path) -> None:
    with opened(root) as log:
        for seq in (0, 0, 1, 0, 1):
            log.append(one_frame("p", seq))
        assert log.acknowledged == {"actions": 2}
    assert positions(root.parent) == {"p": [1, 3]}


def test_a_frame_behind_a_gap_is_not_stored_and_the_answer_says_where_to_go_back(root: Path) -> None:
    with opened(root) as log:
        assert log.append(one_frame("p", 1)) == -1
        assert log.append(one_frame("p", 0)) == 0
        assert log.append(one_frame("p", 2)) == 0
        assert log.append(one_frame("p", 1) + one_frame("p", 2)) == 2
    assert positions(root.parent) == {"p": [1, 3, 5]}


def test_what_was_stored_is_known_after_reopening(root: Path) -> None:
    for _ in range(3):
        with opened(root) as log:
            assert log.append(one_frame("p", 0)) == 0
            assert log.acknowledged == {"actions": 1}
    assert positions(root.parent) == {"p": [1]}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "there is no frame"),
        (b"nonsense" * 20, "frame at byte 0: does not begin with a frame header"),
        (one_frame() + one_frame(seq=1)[:-1], f"frame at byte {len(one_frame())}: ends after"),
        (one_frame("a") + one_frame("b"), "must come from one producer"),
    ],
)
def test_a_send_that_is_not_valid_is_refused_as_a_whole(root: Path, data: bytes, reason: str) -> None:
    with opened(root) as log:
        with pytest.raises(AuditError, match=reason):
            log.append(data)
        assert log.wal_bytes == 0
        assert log.append(one_frame()) == 0


class Gate:
    """Replaces fdatasync: counts, and holds the first call until opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        self.reached = threading.Event()
        self.open = threading.Event()
        monkeypatch.setattr(disk, "_flush", self)

    def __call__(self, fd: int) -> None:
        self.calls += 1
        self.reached.set()
        assert self.open.wait(20)


def test_producers_that_wait_at_the_same_time_share_one_sync(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(root) as log, ThreadPoolExecutor(20) as pool:
        gate = Gate(monkeypatch)
        answers = [pool.submit(log.append, one_frame("first"))]
        assert gate.reached.wait(20)
        answers += [pool.submit(log.append, one_frame(f"p{number}")) for number in range(10)]
        answers += [
            pool.submit(log.append, one_frame("first"))
        ]  # sent again: safe only with the group it is in
        eventually(lambda: len(log._queue) == 11)
        assert not any(answer.done() for answer in answers)
        gate.open.set()
        assert [answer.result() for answer in answers] == [0] * 12
        assert gate.calls == 2
    assert positions(root.parent) == {"first": [1], **{f"p{number}": [1] for number in range(10)}}


def test_many_threads_lose_and_double_nothing(root: Path) -> None:
    def produce(name: str) -> None:
        window = FlightWindow(name)
        for position in range(1, 301):
            window.add(numbered(position, name))
            if position % 7 == 0 or position == 300:
                while frames := window.frames_to_send():
                    window.acknowledge(log.append(frames))

    with opened(root, seal_bytes=30_000) as log, ThreadPoolExecutor(8) as pool:
        list(pool.map(produce, [f"p{number}" for number in range(8)]))
    assert positions(root.parent) == {f"p{number}": list(range(1, 301)) for number in range(8)}
    assert len(list(root.glob("actions/*"))) > 1


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """A file cannot grow beyond `size`: writes fail as on a full disk, after a part of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_refuses_and_work_goes_on_when_there_is_room(root: Path) -> None:
    frames = [one_frame("p", seq, rows=20) for seq in range(6)]
    with opened(root) as log:
        log.append(frames[0])
        stored = log.wal_bytes
        with largest_file(stored + len(frames[1]) // 2):
            for _ in range(2):
                with pytest.raises(
                    AuditUnavailable, match=r"cannot be written: .*; nothing was stored, make room"
                ):
                    log.append(frames[1])
            assert (root / "wal/segment-00000001.wal").stat().st_size == log.wal_bytes == stored
        assert [log.append(frame) for frame in frames] == list(range(6))
        assert log.acknowledged == {"actions": 120}
    assert positions(root.parent) == {"p": list(range(1, 240, 2))}


def test_a_disk_too_full_to_seal_keeps_the_records_until_there_is_room(root: Path) -> None:
    with opened(root) as log:
        log.append(one_frame(rows=20))
        with largest_file(100), pytest.raises(AuditError, match="cannot be sealed now, its records are safe"):
            log.seal()
        assert list(root.glob("actions/*")) == []
        log.append(one_frame(seq=1, rows=20))
    assert positions(root.parent) == {"p": list(range(1, 80, 2))}


def test_a_close_without_room_leaves_sealing_to_the_next_opening(root: Path) -> None:
    log = opened(root)
    log.append(one_frame(rows=20))
    with largest_file(100), pytest.raises(AuditError, match="closed but not sealed"):
        log.close()
    with opened(root) as log:
        assert log.acknowledged == {"actions": 20}
    assert positions(root.parent) == {"p": list(range(1, 40, 2))}


def test_a_failed_sync_stops_the_log_for_good(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fd: int) -> None:
        raise OSError(5, "Input/output error")

    log = opened(root)
    log.append(one_frame("p", 0))
    with monkeypatch.context() as patched:
        patched.setattr(disk, "_flush", fail)
        with pytest.raises(AuditError, match=r"could not be made durable: Input/output error"):
            log.append(one_frame("p", 1))
    for act in (lambda: log.append(one_frame("p", 1)), log.seal):
        with pytest.raises(AuditError, match="could not be made durable"):
            act()
    log.close()
    with opened(root) as log:
        log.append(one_frame("p", 1))
        log.append(one_frame("p", 2))
    assert positions(root.parent) == {"p": [1, 3, 5]}


def test_a_second_writer_is_refused_with_the_name_of_the_first(root: Path) -> None:
    message = f"`{root}` is being written by process {os.getpid()} on host `"
    with opened(root), pytest.raises(RunLocked, match=message):
        opened(root)
    opened(root).close()


def test_a_forked_process_may_not_write(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(root) as log:
        with monkeypatch.context() as patched:
            patched.setattr(os, "getpid", lambda: -1)
            with pytest.raises(RunLocked, match="from which this one was forked"):
                log.append(one_frame())
        assert log.append(one_frame()) == 0


def test_a_segment_is_sealed_by_its_size(root: Path) -> None:
    with opened(root, seal_bytes=1) as log:
        log.append(one_frame())
        eventually(partial(sealed, root, 1))
        assert log.wal_bytes == 0


def test_a_segment_is_sealed_by_its_age(root: Path) -> None:
    with opened(root, seal_seconds=0.01) as log:
        for rows in (1, 2, 3):
            log.append(one_frame("p", rows - 1))
            eventually(partial(sealed, root, rows))


@pytest.mark.parametrize("fsync", [True, False])
def test_sealing_on_demand_makes_everything_readable(root: Path, fsync: bool) -> None:
    with opened(root, fsync=fsync) as log:
        log.append(one_frame("p", 0))
        log.seal()
        log.seal()
        assert positions(root.parent) == {"p": [1]}
        log.append(one_frame("p", 1))
    assert positions(root.parent) == {"p": [1, 3]}


def test_a_windowed_log_syncs_a_segment_before_it_is_sealed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    with opened(root, fsync=False) as log:
        monkeypatch.setattr(disk, "_flush", lambda fd: synced.append(os.fstat(fd).st_ino))
        log.append(one_frame())
        assert synced == []
        names = {path.stat().st_ino: path.name for path in root.rglob("*")}
        log.seal()
        assert [names[inode] for inode in synced] == ["segment-00000001.wal", "manifest.jsonl"]


def test_a_closed_log_takes_nothing(root: Path) -> None:
    log = opened(root)
    log.close()
    log.close()
    with pytest.raises(AuditError, match="is closed"):
        log.append(one_frame())


def test_nothing_but_parquet_is_left_of_a_closed_log(root: Path) -> None:
    with opened(root) as log:
        log.append(send(FlightWindow("p"), *(numbered(position) for position in range(1, 11))))
    files = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    assert files == [
        "LOCK",
        "actions/part-00000001.parquet",
        "manifest.jsonl",
        "outcomes/part-00000001.parquet",
        "rollouts/part-00000001.parquet",
    ]
