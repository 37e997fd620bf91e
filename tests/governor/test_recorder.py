import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from governor import Action, Decision, Effect
from governor.audit.log import FlightLog
from governor.audit.reader import FlightRun
from governor.audit.window import FlightWindow
from governor.errors import AuditError, AuditUnavailable
from governor.recorder import FlightRecorder
from governor.records import ActionRecord


def a_record(number: int) -> ActionRecord:
    return ActionRecord(Action("ro-1", "at-1", number, "search"), Decision(Effect.ALLOW), number, 0)


def in_a_loop(main: Callable[[], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        return await main()

    return asyncio.run(run())


class Flaky:
    """A way to a real log that loses requests and answers, by a seed."""

    def __init__(self, log: FlightLog, seed: int) -> None:
        self.log = log
        self.random = random.Random(seed)
        self.calls = 0

    async def __call__(self, frames: bytes) -> int:
        self.calls += 1
        await asyncio.sleep(0)
        if self.random.random() < 0.3:
            raise AuditUnavailable("the request was lost")
        high = self.log.append(frames)
        if self.random.random() < 0.3:
            raise AuditUnavailable("the answer was lost")
        return high


class Held:
    """A way to nowhere: no answer until it is opened, then every frame is acknowledged."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def __call__(self, frames: bytes) -> int:
        await self.open.wait()
        return 0


@pytest.mark.parametrize("seed", range(4))
def test_every_record_is_stored_once_whatever_is_lost_on_the_way(seed: int, tmp_path: Path) -> None:
    async def main() -> None:
        with FlightLog(tmp_path / "audit", run_id="run") as log:
            recorder = FlightRecorder(FlightWindow("p"), Flaky(log, seed), strict=True, deadline=30)

            async def agent(first: int) -> None:
                for number in range(first, first + 20):
                    await recorder.ahead(await recorder.append(a_record(number)))

            await asyncio.gather(*(agent(1 + 20 * index) for index in range(10)))
            await recorder.flush()

    in_a_loop(main)

    steps = [record.action.step for record in FlightRun.open(tmp_path).actions()]
    assert sorted(steps) == list(range(1, 201))


def test_strict_waits_for_the_acknowledgement_and_windowed_does_not() -> None:
    async def main() -> None:
        for strict in (True, False):
            held = Held()
            recorder = FlightRecorder(FlightWindow("p"), held, strict=strict, deadline=30)
            position = await recorder.append(a_record(1))
            waiting = asyncio.create_task(recorder.ahead(position))
            done, _ = await asyncio.wait([waiting], timeout=0.1)
            assert bool(done) is not strict
            held.open.set()
            await waiting
            await recorder.flush()

    in_a_loop(main)


def test_an_audit_log_that_does_not_answer_is_a_typed_error_at_the_deadline() -> None:
    async def main() -> None:
        recorder = FlightRecorder(FlightWindow("p"), Held(), strict=True, deadline=0.2)
        position = await recorder.append(a_record(1))
        with pytest.raises(AuditUnavailable, match="no acknowledgement within"):
            await recorder.ahead(position)

    in_a_loop(main)


def test_a_full_window_makes_writers_wait_and_room_lets_them_go_on() -> None:
    async def main() -> int:
        held = Held()
        recorder = FlightRecorder(FlightWindow("p", records=3), held, strict=False, deadline=30)
        for number in range(3):
            await recorder.append(a_record(number))
        fourth = asyncio.create_task(recorder.append(a_record(3)))
        done, _ = await asyncio.wait([fourth], timeout=0.1)
        assert not done
        held.open.set()
        return await fourth

    assert in_a_loop(main) == 4


def test_what_the_log_refuses_for_good_ends_all_waiting() -> None:
    async def main() -> None:
        async def refuse(frames: bytes) -> int:
            raise AuditError("not a frame")

        recorder = FlightRecorder(FlightWindow("p"), refuse, strict=True, deadline=30)
        position = await recorder.append(a_record(1))
        with pytest.raises(AuditUnavailable, match="not a frame"):
            await recorder.ahead(position)
        with pytest.raises(AuditError):
            await recorder.append(a_record(2))

    in_a_loop(main)


def test_a_crowd_shares_its_calls(tmp_path: Path) -> None:
    async def main() -> int:
        with FlightLog(tmp_path / "audit", run_id="run") as log:
            send = Flaky(log, seed=0)
            send.random.random = lambda: 1.0  # type: ignore[method-assign]
            recorder = FlightRecorder(FlightWindow("p"), send, strict=True, deadline=30)

            async def agent(number: int) -> None:
                await recorder.ahead(await recorder.append(a_record(number)))

            await asyncio.gather(*(agent(number) for number in range(200)))
            return send.calls

    assert in_a_loop(main) <= 3
