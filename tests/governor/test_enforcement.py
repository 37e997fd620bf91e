import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from governor import Bundle, CallBudget, Refused, SQLPolicy, incident, tool
from governor.actions import Action, AttemptState
from governor.decisions import Decision, Effect, Finding
from governor.enforcement import Attempt, Ending, governed
from governor.errors import AttemptTerminated, DecisionUnavailable, GovernorError, UngovernedCall
from governor.ports import Services
from governor.records import Outcome, OutcomeStatus
from governor.testing import MemoryGovernor

BUNDLE = Bundle(
    tools=("search", "boom", "lookup"),
    policies=(CallBudget(calls=2), SQLPolicy(read_only=True, tools={"sql": "query"})),
)
SELECT, DROP = "SELECT 1", "DROP TABLE orders"


class Unavailable:
    """A decision point that is down; counts how often it was asked."""

    asked = 0

    async def decide(self, action: Action, so_far: AttemptState) -> Decision:
        self.asked += 1
        raise DecisionUnavailable("no kernel answers")


class Rewriting:
    """A decision point that rewrites every call."""

    async def decide(self, action: Action, so_far: AttemptState) -> Decision:
        return Decision(Effect.MODIFY, args='{"query":"SELECT 2"}')


class Terminating:
    """A decision point that ends the attempt."""

    async def decide(self, action: Action, so_far: AttemptState) -> Decision:
        finding = Finding("p", "enough", Effect.TERMINATE, reason="enough is enough")
        return Decision(Effect.TERMINATE, findings=(finding,))


class With:
    """A memory governor with another decision point."""

    def __init__(self, decisions: Any) -> None:
        self.memory = MemoryGovernor(BUNDLE)
        self.decisions = decisions

    def connect(self) -> Services:
        services = self.memory.connect()
        return Services(self.decisions, services.recorder, services.rewards)


def an_attempt(governor: Any, **options: Any) -> Attempt:
    return Attempt(governor, rollout_id="ro-1", attempt_id="at-1", **options)


def in_a_loop(main: Callable[[], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        return await main()

    return asyncio.run(run())


def test_a_permitted_tool_runs_and_both_records_say_so() -> None:
    governor = MemoryGovernor(BUNDLE)
    attempt = an_attempt(governor)

    value = attempt.call_sync("sql", lambda query: query.lower(), {"query": SELECT})

    assert value == "select 1"
    assert [record.action.id for record in governor.actions] == ["ro-1/at-1/1"]
    assert [record.status for record in governor.outcomes] == [OutcomeStatus.OK]


def test_a_refused_tool_does_not_run_and_the_agent_reads_why() -> None:
    governor = MemoryGovernor(BUNDLE)
    ran: list[str] = []

    answer = an_attempt(governor).call_sync("sql", lambda query: ran.append(query), {"query": DROP})

    assert isinstance(answer, Refused)
    assert "DROP" in str(answer)
    assert ran == []
    assert [record.status for record in governor.outcomes] == [OutcomeStatus.REFUSED]


def test_the_decision_is_recorded_before_the_tool_runs() -> None:
    governor = MemoryGovernor(BUNDLE)

    def look(q: str) -> int:
        return len(governor.actions)

    assert an_attempt(governor).call_sync("search", look, {"q": "x"}) == 1


def test_a_budget_holds_however_many_calls_are_made_at_once() -> None:
    governor = MemoryGovernor(BUNDLE)

    async def main() -> list[object]:
        attempt = an_attempt(governor, home=asyncio.get_running_loop())

        async def search(q: int) -> int:
            await asyncio.sleep(0)
            return q

        return list(await asyncio.gather(*(attempt.call("search", search, {"q": i}) for i in range(6))))

    answers = in_a_loop(main)

    assert [isinstance(answer, Refused) for answer in answers] == [False, False, True, True, True, True]
    assert [record.action.step for record in governor.actions] == [1, 2, 3, 4, 5, 6]


def test_without_a_decision_no_tool_runs_and_the_attempt_is_over() -> None:
    down = Unavailable()
    governor = With(down)
    attempt = an_attempt(governor)
    ran: list[str] = []

    for _ in range(3):
        with pytest.raises(DecisionUnavailable):
            attempt.call_sync("search", ran.append, {"q": "x"})

    assert (ran, down.asked) == ([], 1)
    assert attempt.conclude_sync(Ending(Outcome.OK, 1.0)) is None
    assert governor.memory.rollouts[0].reward is None


def test_rewritten_arguments_are_what_the_tool_gets() -> None:
    attempt = an_attempt(With(Rewriting()))

    assert attempt.call_sync("sql", lambda query: query, {"query": DROP}) == "SELECT 2"


def test_a_terminating_decision_ends_the_attempt() -> None:
    attempt = an_attempt(With(Terminating()))

    with pytest.raises(AttemptTerminated, match="enough"):
        attempt.call_sync("search", str, {"q": "x"})
    with pytest.raises(AttemptTerminated):
        attempt.call_sync("search", str, {"q": "x"})
    assert attempt.terminated


def test_the_tool_gets_the_values_that_were_decided_not_the_callers_objects() -> None:
    class Fickle(str):
        """Says one thing to JSON and another to the tool."""

        __slots__ = ()

        def lower(self) -> str:
            return DROP

    mutable = {"rows": [1]}
    attempt = an_attempt(MemoryGovernor(BUNDLE))

    def search(q: str, where: dict[str, list[int]]) -> bool:
        mutable["rows"].append(2)
        return type(q) is str and where == {"rows": [1]}

    assert attempt.call_sync("search", search, {"q": Fickle("hello"), "where": mutable})


@pytest.mark.parametrize("bad", [float("nan"), object(), {1, 2}, "\ud800"])
def test_arguments_that_are_not_json_never_reach_the_tool(bad: object) -> None:
    governor = MemoryGovernor(BUNDLE)

    with pytest.raises((TypeError, ValueError), match="arguments of tool `search` are not JSON"):
        an_attempt(governor).call_sync("search", str, {"q": bad})
    assert governor.actions == []


def test_a_failing_tool_is_recorded_and_its_error_kept() -> None:
    governor = MemoryGovernor(BUNDLE)

    def boom() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        an_attempt(governor).call_sync("boom", boom, {})
    assert [(r.status, r.error) for r in governor.outcomes] == [(OutcomeStatus.ERROR, "OSError")]


def test_an_incident_is_recorded_with_the_call_that_caused_it() -> None:
    governor = MemoryGovernor(BUNDLE)
    attempt = an_attempt(governor)

    @tool("search")
    def search(q: str) -> None:
        incident(f"read {q}")

    with governed(attempt):
        search("secrets")
        incident("content changed")
    attempt.conclude_sync(Ending(Outcome.OK, 0.0))

    assert governor.outcomes[0].incidents == ("read secrets",)
    assert governor.rollouts[0].incidents == ("content changed",)


def test_a_governed_tool_is_never_run_outside_an_attempt() -> None:
    ran: list[str] = []

    @tool
    def search(q: str) -> None:
        ran.append(q)

    with pytest.raises(UngovernedCall):
        search(q="x")
    assert ran == []


def test_what_an_agent_leaves_running_cannot_call_after_its_attempt_ended() -> None:
    governor = MemoryGovernor(BUNDLE)
    attempt = an_attempt(governor)
    attempt.conclude_sync(Ending(Outcome.OK, 1.0))
    ran: list[str] = []

    with pytest.raises(UngovernedCall, match="has ended"):
        attempt.call_sync("search", ran.append, {"q": "x"})
    assert (ran, governor.actions) == ([], [])


def test_a_thread_without_the_attempts_context_is_not_governed_and_does_not_run() -> None:
    errors: list[BaseException] = []

    @tool
    def search(q: str) -> str:
        return q

    def run() -> None:
        try:
            search(q="x")
        except UngovernedCall as exc:
            errors.append(exc)

    with governed(an_attempt(MemoryGovernor(BUNDLE))):
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()

    assert len(errors) == 1


def test_positional_and_default_arguments_are_decided_by_name() -> None:
    governor = MemoryGovernor(BUNDLE)

    @tool
    def lookup(key: str, depth: int = 3, **more: int) -> tuple[str, int, int]:
        return key, depth, more["extra"]

    with governed(an_attempt(governor)):
        assert lookup("a", extra=7) == ("a", 3, 7)
    assert governor.actions[0].action.args == '{"depth":3,"extra":7,"key":"a"}'


def test_a_tool_whose_parameters_have_no_names_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="cannot be given by its name"):
        tool("search", lambda *words: words)


def test_asynchronous_agents_may_use_synchronous_tools() -> None:
    governor = MemoryGovernor(BUNDLE)

    @tool
    def search(q: str) -> str:
        return threading.current_thread().name + q

    async def main() -> tuple[Any, Any]:
        with governed(an_attempt(governor, home=asyncio.get_running_loop())):
            return search(q="!"), await asyncio.to_thread(search, q="?")

    here, there = in_a_loop(main)

    assert here == "MainThread!"
    assert there.endswith("?")


def test_a_synchronous_call_that_would_deadlock_is_refused() -> None:
    async def main() -> None:
        attempt = an_attempt(MemoryGovernor(BUNDLE), home=asyncio.get_running_loop())

        async def slow(q: str) -> str:
            return q

        waiting = asyncio.create_task(attempt.call("search", slow, {"q": "x"}))
        await asyncio.sleep(0)
        with pytest.raises(GovernorError, match="to_thread"):
            attempt.call_sync("search", str, {"q": "x"})
        await waiting

    in_a_loop(main)


def test_an_agent_that_stops_waiting_leaves_agreeing_records() -> None:
    governor = MemoryGovernor(BUNDLE)

    async def main() -> None:
        attempt = an_attempt(governor, home=asyncio.get_running_loop())
        for turns in range(12):
            task = asyncio.create_task(attempt.call("search", _anything, {"q": turns}))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await attempt.conclude(Ending(Outcome.OK, 1.0))

    in_a_loop(main)

    assert governor.rollouts[0].conduct.asked == len(governor.actions)
    assert {o.action_id for o in governor.outcomes} == {a.action.id for a in governor.actions}


async def _anything(q: int) -> int:
    await asyncio.sleep(0)
    return q
