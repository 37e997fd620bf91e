"""The agent and its algorithm in Agent-Lightning's own Trainer, in this process."""

from typing import Any

from agentlightning.execution import SharedMemoryExecutionStrategy
from agentlightning.runner import LitAgentRunner
from agentlightning.store.memory import InMemoryLightningStore
from agentlightning.tracer.otel import OtelTracer
from agentlightning.trainer import Trainer
from agentlightning.types import NamedResources, Rollout

from governor.testing import MemoryGovernor
from sql_agent.agent import SqlAgent
from sql_agent.grpo import GRPO, Sample
from sql_agent.tasks import training_tasks
from store_bridge import GovernedAgent
from tests.examples.simulation import CACHE, EXAMPLE

KNOWN = str(EXAMPLE / "policy.yaml")


class BrokenAgent(SqlAgent):
    """Breaks down in the first rollout of every group."""

    def rollout(self, task: dict[str, Any], resources: NamedResources, rollout: Rollout) -> float:
        if task["sample"] == 0:
            raise RuntimeError("out of memory")
        return super().rollout(task, resources, rollout)


def fit(
    seed: int, kind: type[SqlAgent] = SqlAgent, **options: Any
) -> tuple[GRPO, MemoryGovernor, list[dict[str, Any]]]:
    told: list[dict[str, Any]] = []
    governor = MemoryGovernor(KNOWN)
    algorithm = GRPO(seed=seed, on_iteration=told.append, **options)
    tracer = OtelTracer()
    runner: LitAgentRunner[Any] = LitAgentRunner(tracer, poll_interval=0.01, interval_jitter=0.002)
    Trainer(
        algorithm=algorithm,
        runner=runner,
        store=InMemoryLightningStore(thread_safe=True),
        strategy=SharedMemoryExecutionStrategy(n_runners=1, main_thread="algorithm"),
        tracer=tracer,
    ).fit(GovernedAgent(kind(cache=str(CACHE)), governor), train_dataset=training_tasks())
    return algorithm, governor, told


def test_spans_rewards_and_models_flow(original: object) -> None:
    options: dict[str, Any] = {"iterations": 2, "tasks_per_iteration": 3, "group_size": 4, "evaluations": 0}
    algorithm, governor, told = fit(5, **options)
    again, _, told_again = fit(5, **options)

    assert [values["iteration"] for values in told] == [1, 2]
    assert all(values["rewarded"] == 12 and values["unrewarded"] == 0 for values in told)
    assert all(values["executed"] == 0 for values in told)
    assert len(governor.rollouts) == 24
    assert all(record.incidents == () for record in governor.rollouts)
    assert all(record.incidents == () for record in governor.outcomes)
    assert any(values["refused"] > 0 for values in told)
    assert str(again.model) == str(algorithm.model)
    assert told_again == told


def test_what_broke_counts_nowhere(original: object) -> None:
    _, _, (values,) = fit(
        5, BrokenAgent, iterations=1, tasks_per_iteration=3, group_size=4, evaluations=0, attempts=1
    )

    assert (values["rewarded"], values["unrewarded"]) == (9, 3)


def test_an_attempt_without_a_reward_is_no_sample() -> None:
    assert Sample.of({"task": "orders"}, []) is None
