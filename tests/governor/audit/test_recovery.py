import multiprocessing
import os
import signal
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import get_args

import pytest

from governor.audit.log import FlightLog
from governor.audit.reader import FlightRun
from governor.audit.recovery import recover
from governor.audit.segments import wal_path
from governor.audit.steps import Step
from governor.errors import AuditError, RunLocked
from tests.governor.audit import crashing
from tests.governor.audit.flights import one_frame, positions


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "audit"


def opened(root: Path) -> FlightLog:
    return FlightLog(root, run_id="run", seal_seconds=3600)


def left_behind(root: Path, data: bytes) -> None:
    """A log as a crash leaves it: nothing but a segment that holds `data`."""
    opened(root).close()
    wal_path(root, 1).write_bytes(data)


def test_a_torn_end_is_found_wherever_it_is(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda fd: None)  # of thousands of openings
    first, second = one_frame("p", 0), one_frame("p", 1)
    left_behind(root, first + second)
    for size in range(len(first + second), -1, -1):
        os.truncate(wal_path(root, 1), size)
        found = recover(root)
        found.manifest.close()
        whole = (size >= len(first)) + (size == len(first + second))
        assert found.marks == ({"p": whole - 1} if whole else {})
        assert [(segment.size, segment.size + segment.torn) for segment in found.segments] == (
            [(len(first) * whole, size)] if size else []
        )


@pytest.mark.parametrize("size", [1, 63, 64, 128, 1000, 1700])
def test_a_torn_frame_is_taken_again_and_its_remains_are_kept(root: Path, size: int) -> None:
    left_behind(root, one_frame("p", 0) + one_frame("p", 1)[:size])
    with opened(root) as log:
        assert log.append(one_frame("p", 1)) == 1
        assert log.append(one_frame("p", 0)) == 1
    assert positions(root.parent) == {"p": [1, 3]}
    assert [path.name for path in (root / "quarantine").iterdir()] == ["segment-00000001.wal"]


def test_a_flipped_bit_hides_what_follows_but_is_never_taken_for_data(root: Path) -> None:
    frames = [one_frame("p", seq) for seq in range(3)]
    damaged = bytearray(b"".join(frames))
    damaged[len(frames[0]) + 700] ^= 4
    left_behind(root, bytes(damaged))
    with opened(root) as log:
        assert log.append(frames[2]) == 0
        assert log.append(frames[1] + frames[2]) == 2
    assert positions(root.parent) == {"p": [1, 3, 5]}


def test_a_segment_damaged_while_the_log_is_open_stops_it(root: Path) -> None:
    log = opened(root)
    log.append(one_frame("p", 0) + one_frame("p", 1))
    data = bytearray(wal_path(root, 1).read_bytes())
    data[-100] ^= 1
    wal_path(root, 1).write_bytes(data)
    for _ in range(2):
        with pytest.raises(AuditError, match=r"segment-00000001\.wal` is damaged: frame at byte 1728"):
            log.seal()
    with pytest.raises(AuditError, match="is damaged"):
        log.append(one_frame("p", 2))
    log.close()
    assert wal_path(root, 1).exists()


def test_a_parquet_file_that_nothing_accounts_for_is_set_aside(root: Path) -> None:
    opened(root).close()
    (root / "actions/part-00000009.parquet").write_bytes(b"whose is it?")
    with opened(root) as log:
        log.append(one_frame())
    assert positions(root.parent) == {"p": [1]}
    assert [path.name for path in (root / "quarantine").iterdir()] == ["actions-part-00000009.parquet"]
    assert [path.name for path in (root / "actions").iterdir()] == ["part-00000010.parquet"]


def test_a_half_written_line_of_the_manifest_is_cut_off(root: Path) -> None:
    with opened(root) as log:
        log.append(one_frame("p", 0))
    with (root / "manifest.jsonl").open("ab") as file:
        file.write(b'{"segment":2,"fi')
    with opened(root) as log:
        log.append(one_frame("p", 1))
    assert positions(root.parent) == {"p": [1, 3]}


def test_a_damaged_manifest_is_not_guessed_at(root: Path) -> None:
    opened(root).close()
    (root / "manifest.jsonl").write_bytes(b"{}\n")
    with pytest.raises(AuditError, match="line 1 of"):
        opened(root)
    (root / "manifest.jsonl").write_bytes(b"")
    opened(root).close()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AuditError, match="cannot be opened"):
        opened(tmp_path / "file")


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """A clean process that has imported everything and forks quickly."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([crashing.__name__])
    return context


def crash(processes: ForkServerContext, root: Path, name: str, step: str, time: int = 1) -> None:
    """Run producers under load until they are killed at a step."""
    (root.parent / "truth").mkdir(exist_ok=True)
    child = processes.Process(target=crashing.run, args=(root, root.parent / "truth", name, step, time))
    child.start()
    child.join(30)
    if child.exitcode is None:
        child.kill()
        pytest.fail(f"`{step}` was not reached {time} times")
    assert child.exitcode == -signal.SIGKILL


def acknowledged(root: Path) -> dict[str, int]:
    return {path.name: int(path.read_bytes() or b"0") for path in (root.parent / "truth").iterdir()}


def assert_nothing_lost_or_doubled(root: Path) -> None:
    opened(root).close()
    stored = positions(root.parent)
    for producer, safe in acknowledged(root).items():
        numbers = stored.get(producer, [])
        assert len(numbers) == len(set(numbers))
        assert set(range(1, safe + 1)) <= set(numbers)
    assert list((root / "wal").iterdir()) == list((root / "staging").iterdir()) == []


@pytest.mark.parametrize("step", get_args(Step))
def test_killed_at_any_step_nothing_is_lost_or_doubled(
    processes: ForkServerContext, root: Path, step: str
) -> None:
    crash(processes, root, "first", step, 4)
    crash(processes, root, "second", step, 1)  # for most steps while it recovers from the first
    crash(processes, root, "third", step, 2)
    assert_nothing_lost_or_doubled(root)


def test_killed_under_load_nothing_is_lost_or_doubled(processes: ForkServerContext, root: Path) -> None:
    truth = root.parent / "truth"
    truth.mkdir()
    for number, enough in enumerate((1, 50, 400, 900, 1700, 2500)):
        child = processes.Process(target=crashing.run, args=(root, truth, f"run{number}", "", 0))
        child.start()
        files = [truth / f"run{number}-{producer}" for producer in range(crashing.PRODUCERS)]
        while sum(int(file.read_bytes() or b"0") for file in files if file.exists()) < enough:
            assert child.is_alive()
            child.join(0.001)
        child.kill()
        child.join()
    assert_nothing_lost_or_doubled(root)
    assert sum(acknowledged(root).values()) >= 5551


def test_readers_never_see_a_record_twice_while_the_log_recovers(
    processes: ForkServerContext, root: Path
) -> None:
    crash(processes, root, "first", "parts in place", 3)
    before = FlightRun.open(root.parent).count("actions")
    with opened(root) as log:
        log.seal()
        assert FlightRun.open(root.parent).count("actions") == log.acknowledged["actions"] > before


def test_another_process_that_writes_is_named(processes: ForkServerContext, root: Path) -> None:
    ready, done = processes.Event(), processes.Event()
    child = processes.Process(target=crashing.hold, args=(root, ready, done))
    child.start()
    assert ready.wait(30)
    with pytest.raises(RunLocked, match=f"process {child.pid} on host"):
        opened(root)
    done.set()
    child.join(30)
    opened(root).close()
