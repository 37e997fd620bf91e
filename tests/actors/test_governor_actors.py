"""The governor's actors under the hands of a killer."""

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors import governor as governor_actors
from actors import handles
from actors.governor import UNGOVERNED, RemoteGovernor
from governor import Additive, Bundle, CallBudget, SQLPolicy
from governor.audit.reader import FlightRun
from governor.config import AuditOptions, GovernorOptions, KernelOptions, RewardOptions
from governor.enforcement import Attempt, Ending
from governor.errors import DecisionUnavailable, GovernorUnavailable
from governor.kernel import decide
from governor.records import Outcome

pytestmark = pytest.mark.usefixtures("ray_session")

BUNDLE = Bundle(
    tools=("noop",), policies=(SQLPolicy(read_only=True, tools={"sql": "query"}), CallBudget(calls=9999))
)


@pytest.fixture
def launched(tmp_path: Path) -> Iterator[Callable[..., RemoteGovernor]]:
    started: list[RemoteGovernor] = []

    def launch(bundle: Bundle | None = BUNDLE, **options: Any) -> RemoteGovernor:
        few = {"kernels": KernelOptions(replicas=1), "aggregators": RewardOptions(replicas=1)} | options
        governor = governor_actors.launch(bundle, Additive(), tmp_path / "run", GovernorOptions(**few))
        started.append(governor)
        return governor

    yield launch
    for governor in started:
        governor_actors.stop(governor)


def in_a_loop(main: Callable[[], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        return await main()

    return asyncio.run(run())


def kill_process(handle: Any) -> None:
    """SIGKILL the process of an actor as soon as it has one."""
    deadline = time.monotonic() + 60
    while True:
        try:
            os.kill(handles.pid(handle), signal.SIGKILL)
        except (GovernorUnavailable, ProcessLookupError):
            assert time.monotonic() < deadline, "the actor did not come back"
        else:
            return


def end(handle: Any) -> None:
    """End an actor for good, and wait until it is gone."""
    handles.kill(handle)
    deadline = time.monotonic() + 60
    with contextlib.suppress(GovernorUnavailable):
        while time.monotonic() < deadline:
            handles.pid(handle)
    assert time.monotonic() < deadline


async def run_agents(
    governor: RemoteGovernor,
    agents: int,
    calls: int,
    ran: list[str] | None = None,
    begun: threading.Event | None = None,
) -> int:
    """Agents that call a tool; returns how many calls came back. Each concludes its attempt."""

    async def agent(number: int) -> int:
        attempt = Attempt(
            governor, rollout_id=f"ro-{number}", attempt_id="at-1", home=asyncio.get_running_loop()
        )

        async def tool(number: int) -> int:
            if ran is not None:
                ran.append(f"ro-{attempt.rollout_id}")
            return number

        for call in range(calls):
            assert await attempt.call("noop", tool, {"number": call}) == call
            if begun is not None:
                begun.set()
        await attempt.conclude(Ending(Outcome.OK, 1.0))
        return calls

    return sum(await asyncio.gather(*(agent(number) for number in range(agents))))


def test_actors_decide_what_the_kernel_decides(launched: Callable[..., RemoteGovernor]) -> None:
    governor = launched()
    queries = [
        "SELECT 1",
        "DROP TABLE t",
        "x y z",
        "delete from t where 1=1",
        "select * from t; drop table t",
    ]

    async def main() -> list[Any]:
        attempt = Attempt(governor, rollout_id="ro", attempt_id="at", home=asyncio.get_running_loop())
        services = governor.connect()
        found = []
        for query in queries:
            action, so_far = _asked(query)
            found.append(await services.decisions.decide(action, so_far))
        await attempt.conclude(Ending(Outcome.OK, 0.0))
        return found

    def _asked(query: str) -> Any:
        from governor import Action, AttemptState
        from governor.model import canonical_json

        return Action("ro", "at", 1, "sql", canonical_json({"query": query})), AttemptState()

    assert in_a_loop(main) == [decide(BUNDLE, *_asked(query)) for query in queries]


def test_killing_a_kernel_and_the_auditor_loses_and_doubles_nothing(
    launched: Callable[..., RemoteGovernor], tmp_path: Path
) -> None:
    governor = launched(kernels=KernelOptions(replicas=2))
    begun = threading.Event()
    agents, calls, kills = 16, 120, 3

    def kill() -> None:
        begun.wait(60)
        for _ in range(kills):
            for handle in (governor.kernels[0], governor.auditor):
                kill_process(handle)

    killer = threading.Thread(target=kill)
    killer.start()
    came_back = in_a_loop(lambda: run_agents(governor, agents, calls, begun=begun))
    killer.join()
    governor_actors.close(governor)

    run = FlightRun.open(tmp_path / "run")
    ids = [record.action.id for record in run.actions()]
    assert came_back == agents * calls
    assert len(ids) == len(set(ids)) == agents * calls
    assert run.count("outcomes") == agents * calls
    assert sorted(r.conduct.asked for r in run.rollouts()) == [calls] * agents


def test_an_auditor_killed_at_the_very_end_still_seals_what_it_has(
    launched: Callable[..., RemoteGovernor], tmp_path: Path
) -> None:
    governor = launched()
    in_a_loop(lambda: run_agents(governor, 1, 3))
    kill_process(governor.auditor)

    governor_actors.close(governor)

    assert FlightRun.open(tmp_path / "run").count("actions") == 3


def test_with_the_kernels_gone_for_good_no_tool_runs(launched: Callable[..., RemoteGovernor]) -> None:
    governor = launched(kernels=KernelOptions(replicas=2, timeout=0.5, deadline=1.0))
    for kernel in governor.kernels:
        end(kernel)
    ran: list[str] = []

    with pytest.raises(DecisionUnavailable):
        in_a_loop(lambda: run_agents(governor, 1, 1, ran))
    assert ran == []


def test_with_the_auditor_gone_for_good_no_tool_runs(launched: Callable[..., RemoteGovernor]) -> None:
    governor = launched(audit=AuditOptions(timeout=0.5, deadline=1.0))
    end(governor.auditor)
    ran: list[str] = []

    with pytest.raises(GovernorUnavailable):
        in_a_loop(lambda: run_agents(governor, 1, 1, ran))
    assert ran == []


def test_the_governor_off_allows_everything_on_the_record(
    launched: Callable[..., RemoteGovernor], tmp_path: Path
) -> None:
    governor = launched(None)

    async def main() -> object:
        attempt = Attempt(governor, rollout_id="ro", attempt_id="at", home=asyncio.get_running_loop())

        async def sql(query: str) -> str:
            return query

        answer = await attempt.call("sql", sql, {"query": "DROP TABLE t"})
        await attempt.conclude(Ending(Outcome.OK, 1.0))
        return answer

    assert in_a_loop(main) == "DROP TABLE t"
    governor_actors.close(governor)
    (record,) = FlightRun.open(tmp_path / "run").actions()
    assert record.decision.bundle == UNGOVERNED


def test_two_runs_cannot_write_to_one_folder(launched: Callable[..., RemoteGovernor]) -> None:
    from governor.errors import RunLocked

    launched()

    with pytest.raises(RunLocked):
        launched()
