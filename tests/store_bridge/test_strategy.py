"""Agent-Lightning's own Trainer with its runners on Ray."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from agentlightning.emitter.reward import find_final_reward, find_reward_spans, get_reward_value
from agentlightning.runner import LitAgentRunner
from agentlightning.store.memory import InMemoryLightningStore
from agentlightning.tracer.otel import OtelTracer
from agentlightning.trainer import Trainer

from governor import KernelSpace, SQLPolicy
from governor.audit.reader import FlightRun
from governor.config import GovernorOptions, KernelOptions, RewardOptions
from governor.errors import ConfigError
from store_bridge import AgentOSRunner, PolicyReward, RayExecutionStrategy
from store_bridge.spans import ACTION_SPAN
from tests.toys import AsyncAgent, Collect, EmittingAgent, FragileAgent, SyncAgent

pytestmark = pytest.mark.usefixtures("ray_session")

TASKS = [{"queries": ["SELECT 1"] * (1 + i % 3) + ["DROP TABLE t"] * (i % 4 == 1)} for i in range(24)]


def a_strategy(workers: int = 2) -> RayExecutionStrategy:
    few = GovernorOptions(kernels=KernelOptions(replicas=1), aggregators=RewardOptions(replicas=1))
    return RayExecutionStrategy(workers=workers, worker_cpus=0.5, governor=few)


@pytest.mark.parametrize("agent", [SyncAgent(), AsyncAgent()], ids=lambda agent: type(agent).__name__)
def test_the_names_users_know_run_as_promised(agent: Any, tmp_path: Path) -> None:
    kernel = KernelSpace(policy=SQLPolicy(deny=["DROP", "DELETE"]))
    runner = AgentOSRunner(kernel, reward=PolicyReward(kernel), run_dir=tmp_path / "run")
    store, algorithm = InMemoryLightningStore(), Collect()

    Trainer(runner=runner, algorithm=algorithm, strategy=a_strategy(), store=store).fit(
        agent, train_dataset=TASKS
    )

    assert set(algorithm.statuses) == {"succeeded"}
    wanted = [-99.0 if "DROP TABLE t" in task["queries"] else 6.0 for task in TASKS]
    assert [find_final_reward(spans) for spans in algorithm.spans] == wanted
    run = FlightRun.open(tmp_path / "run")
    asked = sum(len(task["queries"]) for task in TASKS)
    shown = sum(span.name == ACTION_SPAN for spans in algorithm.spans for span in spans)
    priced = sum(record.conduct.asked for record in run.rollouts())
    assert run.count("actions") == run.count("outcomes") == shown == priced == asked


def test_ungoverned_agents_run_as_ever_and_the_users_own_store_holds_everything() -> None:
    store, algorithm, tracer = InMemoryLightningStore(), Collect(), OtelTracer()

    Trainer(
        algorithm=algorithm,
        store=store,
        tracer=tracer,
        runner=LitAgentRunner(tracer, poll_interval=0.1),
        strategy=a_strategy(),
    ).fit(EmittingAgent(), train_dataset=[{"queries": []}])

    rollouts = asyncio.run(store.query_rollouts())
    assert [rollout.rollout_id for rollout in rollouts] == algorithm.ids
    assert [get_reward_value(span) for span in find_reward_spans(algorithm.spans[0])] == [0.25, 1.0]


def test_the_attempt_of_a_killed_worker_is_given_back_and_retried(tmp_path: Path) -> None:
    kernel = KernelSpace(SQLPolicy(deny=["DROP"]))
    runner = AgentOSRunner(kernel, run_dir=tmp_path / "run")
    algorithm = Collect(max_attempts=3)
    tasks = [
        {"queries": ["SELECT 1"], "fatal": i == 1, "mark": str(tmp_path / f"mark-{i}")} for i in range(4)
    ]

    Trainer(runner=runner, algorithm=algorithm, strategy=a_strategy(), store=InMemoryLightningStore()).fit(
        FragileAgent(), train_dataset=tasks
    )

    assert algorithm.statuses == ["succeeded"] * 4
    assert (tmp_path / "mark-1").exists()
    run = FlightRun.open(tmp_path / "run")
    assert [record.attempt for record in run.rollouts() if record.rollout_id == algorithm.ids[1]] == [2]


def test_scaling_up_and_down_while_it_runs_loses_and_doubles_nothing(tmp_path: Path) -> None:
    strategy = a_strategy(1)

    class Scaling(Collect):
        async def run(self, train_dataset: Any = None, val_dataset: Any = None) -> None:
            strategy.scale(3)
            await super().run(train_dataset[:12])
            strategy.scale(1)
            await super().run(train_dataset[12:])

    algorithm = Scaling()
    runner = AgentOSRunner(KernelSpace(SQLPolicy(deny=["DROP"])), run_dir=tmp_path / "run")
    Trainer(runner=runner, algorithm=algorithm, strategy=strategy, store=InMemoryLightningStore()).fit(
        SyncAgent(), train_dataset=TASKS
    )

    assert algorithm.statuses == ["succeeded"] * len(TASKS)
    attempts = [record.attempt_id for record in FlightRun.open(tmp_path / "run").rollouts()]
    assert len(attempts) == len(set(attempts)) == len(TASKS)


def test_a_failing_algorithm_ends_everything_with_its_error(tmp_path: Path) -> None:
    class Fails(Collect):
        async def run(self, train_dataset: Any = None, val_dataset: Any = None) -> None:
            raise ZeroDivisionError("a learner's mistake")

    runner = AgentOSRunner(KernelSpace(SQLPolicy(read_only=True)), run_dir=tmp_path / "run")
    trainer = Trainer(runner=runner, algorithm=Fails(), strategy=a_strategy(), store=InMemoryLightningStore())

    with pytest.raises(ZeroDivisionError, match="a learner's mistake"):
        trainer.fit(SyncAgent(), train_dataset=TASKS)


def test_a_strategy_without_workers_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        RayExecutionStrategy(workers=0)
