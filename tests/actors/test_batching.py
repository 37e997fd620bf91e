import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from actors import wire
from actors.batching import MAX_REQUESTS, BatchingClient
from governor.errors import DecisionUnavailable
from governor.records import Conduct, Reward

Client = BatchingClient[wire.Bill, Reward]


class Echo:
    """A replica that prices at the task reward, and remembers its batches."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.asked = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def ask(self, batch: bytes, *, within: float) -> bytes:
        bills = wire.bills(batch)
        self.batches.append(len(bills))
        self.asked.set()
        await self.open.wait()
        return wire.encode([Reward(bill.task, bill.task, 0.0) for bill in bills])


class Dead:
    """A replica that never answers."""

    def __init__(self) -> None:
        self.asked = 0

    async def ask(self, batch: bytes, *, within: float) -> bytes:
        self.asked += 1
        raise DecisionUnavailable("dead")


class Garbled(Echo):
    """A replica that answers one question too few."""

    async def ask(self, batch: bytes, *, within: float) -> bytes:
        return wire.encode(wire.rewards(await super().ask(batch, within=within))[1:])


def a_client(*replicas: Any, deadline: float = 20.0) -> Client:
    return BatchingClient(
        replicas, wire.rewards, lambda bill: 100, error=DecisionUnavailable, timeout=5.0, deadline=deadline
    )


def in_a_loop(main: Callable[[], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        return await main()

    return asyncio.run(run())


def test_a_crowd_shares_its_calls_and_each_gets_its_own_answer() -> None:
    async def main() -> tuple[list[float], list[int]]:
        echo = Echo()
        client = a_client(echo)
        answers = await asyncio.gather(*(client.ask(wire.Bill(float(i), Conduct())) for i in range(100)))
        return [reward.final for reward in answers], echo.batches

    answers, batches = in_a_loop(main)

    assert answers == [float(i) for i in range(100)]
    assert batches == [100]


def test_what_arrives_while_a_call_is_out_is_the_next_batch() -> None:
    async def main() -> list[int]:
        echo = Echo()
        client = a_client(echo)
        echo.open.clear()
        first = asyncio.create_task(client.ask(wire.Bill(0.0, Conduct())))
        await echo.asked.wait()
        rest = [asyncio.create_task(client.ask(wire.Bill(1.0, Conduct()))) for _ in range(7)]
        await asyncio.sleep(0)
        echo.open.set()
        await asyncio.gather(first, *rest)
        return echo.batches

    assert in_a_loop(main) == [1, 7]


def test_no_batch_is_larger_than_its_bound() -> None:
    async def main() -> list[int]:
        echo = Echo()
        client = a_client(echo)
        await asyncio.gather(*(client.ask(wire.Bill(0.0, Conduct())) for _ in range(1000)))
        return echo.batches

    batches = in_a_loop(main)

    assert sum(batches) == 1000
    assert max(batches) <= MAX_REQUESTS


def test_a_dead_replica_is_left_for_another() -> None:
    async def main() -> float:
        client = a_client(Dead(), Echo())
        return sum([(await client.ask(wire.Bill(1.0, Conduct()))).final for _ in range(10)])

    assert in_a_loop(main) == 10.0


def test_with_every_replica_dead_askers_get_the_typed_error_at_their_deadline() -> None:
    async def main() -> int:
        dead = Dead()
        client = a_client(dead, deadline=0.3)
        for _ in range(2):
            with pytest.raises(DecisionUnavailable, match="no answer within"):
                await client.ask(wire.Bill(1.0, Conduct()))
        return dead.asked

    assert in_a_loop(main) > 1


def test_a_reply_of_the_wrong_length_is_nobodys_answer() -> None:
    async def main() -> None:
        client = a_client(Garbled())
        with pytest.raises(DecisionUnavailable, match="1 replies to 2 questions"):
            await asyncio.gather(*(client.ask(wire.Bill(1.0, Conduct())) for _ in range(2)))

    in_a_loop(main)


def test_an_asker_that_gave_up_does_not_hold_up_the_others() -> None:
    async def main() -> float:
        echo = Echo()
        client = a_client(echo)
        gone = asyncio.create_task(client.ask(wire.Bill(0.0, Conduct())))
        stays = asyncio.create_task(client.ask(wire.Bill(2.0, Conduct())))
        await asyncio.sleep(0)
        gone.cancel()
        return (await stays).final

    assert in_a_loop(main) == 2.0
