"""GRPO for the SQL agent, over Agent-Lightning's store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from agentlightning.algorithm import Algorithm
from agentlightning.emitter.reward import find_final_reward
from agentlightning.types import (
    Dataset,
    EnqueueRolloutRequest,
    PromptTemplate,
    RolloutConfig,
    RolloutMode,
    Span,
)

from sql_agent.agent import MODEL
from sql_agent.learner import Experience, Learner, advantages, batches
from sql_agent.model import Model
from sql_agent.queries import Question

_POLL_SECONDS = 0.05

Input = dict[str, Any]
Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Sample:
    """A rollout that earned a reward, with what the agent said of itself."""

    input: Input
    reward: float
    choices: tuple[int, ...]
    composed: bool
    success: bool
    refused: int
    executed: int

    @classmethod
    def of(cls, given: Input, spans: Sequence[Span]) -> Sample | None:
        """None where the reward or the agent's own word is missing: there is nothing to learn from."""
        reward = find_final_reward(spans)
        said: Mapping[str, Any] = next(
            (span.attributes for span in spans if "sql_agent.choices" in span.attributes), {}
        )
        if reward is None or not said:
            return None
        return cls(
            given,
            reward,
            tuple(said["sql_agent.choices"]),
            bool(said["sql_agent.composed"]),
            bool(said["sql_agent.success"]),
            int(said["sql_agent.refused"]),
            int(said["sql_agent.executed"]),
        )


class GRPO(Algorithm):
    """Learns from groups of rollouts of one task, by how each differs from its group.

    Each iteration runs `group_size` rollouts of each of `tasks_per_iteration`
    tasks. Before and after, every task is tried `evaluations` times in mode
    `val`, learning nothing. The same seed and the same rewards give the same
    weights, in whatever order the rollouts finish.

    The dataset is a list of dicts with `task` and `question`; `on_iteration` is
    told the means of every iteration. An attempt without a reward counts
    nowhere: not as a zero, not in its group. After `deadline` seconds an
    iteration goes on with what it has.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        iterations: int = 24,
        tasks_per_iteration: int = 12,
        group_size: int = 8,
        learning_rate: float = 0.3,
        entropy: float = 0.003,
        normalise: bool = True,
        hint: float = 2.2,
        caution: float = 1.5,
        evaluations: int = 1,
        attempts: int = 3,
        deadline: float = 300.0,
        on_iteration: Report | None = None,
    ) -> None:
        if group_size < 2:
            raise ValueError(f"`group_size` is {group_size}; a group needs two rollouts to compare")
        self.seed = seed
        self.iterations = iterations
        self.tasks_per_iteration = tasks_per_iteration
        self.group_size = group_size
        self.normalise = normalise
        self.evaluations = evaluations
        self._steps = (learning_rate, entropy)
        self._learner = Learner(Model({}), *self._steps)
        self._hint = hint
        self._caution = caution
        self._config = RolloutConfig(
            max_attempts=attempts, retry_condition=["failed", "timeout", "unresponsive"]
        )
        self._deadline = deadline
        self._report = on_iteration or (lambda values: None)

    @property
    def model(self) -> Model:
        """The model as learned so far."""
        return self._learner.model

    async def run(
        self, train_dataset: Dataset[Any] | None = None, val_dataset: Dataset[Any] | None = None
    ) -> None:
        """Learn from `train_dataset`; evaluate on `val_dataset`, or on the same where there is none."""
        tasks = _listed(train_dataset)
        if not tasks:
            raise ValueError("the training dataset is empty")
        tried = _listed(val_dataset) or tasks
        words = sorted({word for task in tasks for word in Question.read(task["question"]).words})
        self._learner = Learner(Model.initial(words, self._hint, self._caution), *self._steps)
        drawn = batches(len(tasks), self.tasks_per_iteration, np.random.default_rng(self.seed))
        await self._evaluate(tried, 0)
        for number in range(1, self.iterations + 1):
            given = [
                self._input(tasks[index], number, sample)
                for index in next(drawn)
                for sample in range(self.group_size)
            ]
            samples = await self._rollouts(given, "train")
            self._learner.learn(self._experiences(samples))
            self._tell(number, "train", samples)
        await self._evaluate(tried, self.iterations + 1)

    async def _evaluate(self, tasks: Sequence[Input], number: int) -> None:
        if self.evaluations:
            given = [
                self._input(task, number, sample) for task in tasks for sample in range(self.evaluations)
            ]
            self._tell(number, "val", await self._rollouts(given, "val"))

    def _input(self, task: Input, number: int, sample: int) -> Input:
        return {**task, "seed": self.seed, "round": number, "sample": sample}

    async def _rollouts(self, inputs: Sequence[Input], mode: RolloutMode) -> list[Sample | None]:
        """Run `inputs` with the present model; their samples, in the order of the inputs."""
        store = self.get_store()
        resource = PromptTemplate(template=str(self.model), engine="f-string")
        published = await store.add_resources({MODEL: resource})
        queued = await store.enqueue_many_rollouts(
            [
                EnqueueRolloutRequest(
                    input=given, mode=mode, resources_id=published.resources_id, config=self._config
                )
                for given in inputs
            ]
        )
        ids = [rollout.rollout_id for rollout in queued]
        await self._finished(ids)
        spans = await asyncio.gather(*(store.query_spans(rollout_id, "latest") for rollout_id in ids))
        return [Sample.of(given, found) for given, found in zip(inputs, spans, strict=True)]

    async def _finished(self, ids: Sequence[str]) -> None:
        """Wait for the rollouts, not past the deadline.

        The store is asked again and again without a timeout: with one it keeps
        a thread waiting for every single rollout.
        """
        clock = asyncio.get_running_loop().time
        end = clock() + self._deadline
        pending = set(ids)
        while pending and clock() < end:
            done = await self.get_store().wait_for_rollouts(rollout_ids=sorted(pending), timeout=0)
            pending.difference_update(rollout.rollout_id for rollout in done)
            if pending:
                await asyncio.sleep(_POLL_SECONDS)

    def _experiences(self, samples: Sequence[Sample | None]) -> Iterator[Experience]:
        """What the groups teach; one with fewer than two rewards teaches nothing."""
        for start in range(0, len(samples), self.group_size):
            group = [sample for sample in samples[start : start + self.group_size] if sample is not None]
            if len(group) < 2:
                continue
            rewards = [sample.reward for sample in group]
            for sample, advantage in zip(group, advantages(rewards, self.normalise), strict=True):
                words = Question.read(sample.input["question"]).words
                yield Experience(words, sample.choices, sample.composed, advantage / len(group))

    def _tell(self, number: int, mode: str, samples: Sequence[Sample | None]) -> None:
        """Report shares of the rewarded rollouts: solved, with a refused call, with an executed violation."""
        good = [sample for sample in samples if sample is not None]
        self._report(
            {
                "iteration": number,
                "mode": mode,
                "rewarded": len(good),
                "unrewarded": len(samples) - len(good),
                "reward": _mean(sample.reward for sample in good),
                "success": _mean(sample.success for sample in good),
                "refused": _mean(sample.refused > 0 for sample in good),
                "executed": _mean(sample.executed > 0 for sample in good),
            }
        )


def _listed(dataset: Dataset[Any] | None) -> list[Input]:
    return [] if dataset is None else [dict(dataset[index]) for index in range(len(dataset))]


def _mean(values: Iterable[float]) -> float:
    found = [float(value) for value in values]
    return round(sum(found) / len(found), 4) if found else 0.0
