"""Every kind of agent, run by Agent-Lightning's own Trainer in this process."""

from pathlib import Path
from typing import Any

import pytest
from agentlightning.adapter import TracerTraceToTriplet
from agentlightning.emitter.reward import find_final_reward, find_reward_spans, get_rewards_from_span
from agentlightning.execution import SharedMemoryExecutionStrategy
from agentlightning.litagent import LitAgent
from agentlightning.runner import LitAgentRunner
from agentlightning.store.memory import InMemoryLightningStore
from agentlightning.tracer.otel import OtelTracer
from agentlightning.trainer import Trainer
from agentlightning.types import Span

from governor import Additive, KernelSpace, SQLPolicy
from governor.audit.reader import FlightRun
from governor.records import Outcome
from governor.testing import MemoryGovernor
from store_bridge import AgentOSRunner, FlightRecorderAdapter, GovernedAgent
from store_bridge.flight_import import Imported
from store_bridge.spans import ACTION_SPAN
from tests.toys import (
    AsyncAgent,
    Collect,
    EmittingAgent,
    RaisingAgent,
    SpanAgent,
    SwallowingAgent,
    SyncAgent,
    function_agent,
)

POLICY = SQLPolicy(deny=["DROP", "DELETE"])
CLEAN = {"queries": ["SELECT 1", "SELECT 2"]}
DIRTY = {"queries": ["SELECT 1", "DROP TABLE orders"]}


def train(agent: LitAgent[Any], tasks: list[Any], run_dir: Path) -> tuple[Collect, InMemoryLightningStore]:
    algorithm, store = Collect(), InMemoryLightningStore()
    runner = AgentOSRunner(KernelSpace(POLICY), Additive(), run_dir=run_dir)
    strategy = SharedMemoryExecutionStrategy(n_runners=1, main_thread="algorithm")
    Trainer(algorithm=algorithm, runner=runner, store=store, strategy=strategy, tracer=runner.tracer).fit(
        agent, train_dataset=tasks
    )
    return algorithm, store


def dimensions(spans: list[Span]) -> dict[str, float]:
    (final,) = find_reward_spans(spans)
    return {dimension.name: dimension.value for dimension in get_rewards_from_span(final)}


@pytest.mark.parametrize(
    "agent",
    [SyncAgent(), AsyncAgent(), function_agent, EmittingAgent(), SpanAgent()],
    ids=lambda agent: type(agent).__name__,
)
def test_every_kind_of_agent_ends_with_one_final_reward(agent: LitAgent[Any], tmp_path: Path) -> None:
    algorithm, _ = train(agent, [CLEAN, DIRTY], tmp_path / "run")

    clean, dirty = algorithm.spans
    assert algorithm.statuses == ["succeeded", "succeeded"]
    assert dimensions(clean) == {"final": 1.0, "task": 1.0, "cost": 0.0, "bonus": 0.0}
    assert dimensions(dirty) == {"final": 0.0, "task": 1.0, "cost": 1.0, "bonus": 0.0}
    assert [find_final_reward(spans) for spans in (clean, dirty)] == [1.0, 0.0]
    for spans in (clean, dirty):
        assert sum(span.name == ACTION_SPAN for span in spans) == 2
        assert len({span.rollout_id for span in spans}) == 1
        numbers = [span.sequence_id for span in spans]
        assert numbers == sorted(set(numbers))


def test_the_triplet_adapter_sees_the_same_reward(tmp_path: Path) -> None:
    algorithm, _ = train(SyncAgent(), [DIRTY], tmp_path / "run")

    rewards = [triplet.reward for triplet in TracerTraceToTriplet().adapt(algorithm.spans[0])]

    assert [reward for reward in rewards if reward is not None] in ([], [0.0])


def test_the_records_say_what_the_spans_say(tmp_path: Path) -> None:
    algorithm, _ = train(SyncAgent(), [CLEAN, DIRTY], tmp_path / "run")

    run = FlightRun.open(tmp_path / "run")
    asked = [record.action.id for record in run.actions()]
    shown = [
        span.attributes["governor.action.id"]
        for spans in algorithm.spans
        for span in spans
        if span.name == ACTION_SPAN
    ]
    assert sorted(asked) == sorted(map(str, shown))
    assert [r.conduct.asked for r in run.rollouts()] == [2, 2]
    assert len(list(run.outcomes())) == 4


def test_an_agent_that_raises_is_priced_and_its_attempt_fails(tmp_path: Path) -> None:
    algorithm, _ = train(RaisingAgent(), [DIRTY], tmp_path / "run")

    (record,) = FlightRun.open(tmp_path / "run").rollouts()
    assert algorithm.statuses == ["failed"]
    assert (record.outcome, record.error) == (Outcome.AGENT_ERROR, "RuntimeError")
    assert dimensions(algorithm.spans[0])["final"] == -1.0


def test_an_agent_that_swallows_the_governors_failure_gets_no_reward(tmp_path: Path) -> None:
    class Down:
        def connect(self) -> Any:
            from dataclasses import replace

            return replace(memory.connect(), decisions=Unavailable())

    class Unavailable:
        async def decide(self, action: Any, so_far: Any) -> Any:
            from governor.errors import DecisionUnavailable

            raise DecisionUnavailable("no kernel answers")

    memory = MemoryGovernor(POLICY)
    algorithm, store, tracer = Collect(), InMemoryLightningStore(), OtelTracer()
    Trainer(
        algorithm=algorithm,
        runner=LitAgentRunner(tracer, poll_interval=0.1),
        store=store,
        tracer=tracer,
        strategy=SharedMemoryExecutionStrategy(n_runners=1, main_thread="algorithm"),
    ).fit(
        GovernedAgent(SwallowingAgent(), Down()),
        train_dataset=[{"queries": ["SELECT 1"] * 3, "marks": str(tmp_path)}],
    )

    assert algorithm.statuses == ["failed"]
    assert find_final_reward(algorithm.spans[0]) is None
    assert list(tmp_path.iterdir()) == []
    assert [record.outcome for record in memory.rollouts] == [Outcome.GOVERNOR_UNAVAILABLE]


def test_importing_a_run_adds_nothing_twice(tmp_path: Path) -> None:
    _, store = train(SyncAgent(), [CLEAN, DIRTY], tmp_path / "run")

    again = FlightRecorderAdapter.from_run(tmp_path / "run").import_to_store(store)
    elsewhere = FlightRecorderAdapter.from_run(tmp_path / "run").import_to_store(InMemoryLightningStore())

    assert again == Imported(present=4)
    assert elsewhere == Imported(unknown=4)


def test_an_import_counts_what_the_store_acknowledged(tmp_path: Path) -> None:
    import asyncio

    _, store = train(SyncAgent(), [CLEAN, DIRTY], tmp_path / "run")

    async def forget() -> None:
        for rollout in await store.query_rollouts():
            spans = [s for s in await store.query_spans(rollout.rollout_id) if s.name == ACTION_SPAN]
            await store.collections.spans.delete(spans)

    asyncio.run(forget())
    adapter = FlightRecorderAdapter(list(FlightRun.open(tmp_path / "run").actions()))

    assert adapter.import_to_store(store) == Imported(added=4)
    assert adapter.import_to_store(store) == Imported(present=4)
