"""The demo without Ray and Agent-Lightning: the same agent, learner and kernel in one loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from governor import Additive, Decision, KernelSpace, Refused, RewardScheme
from governor.records import Conduct
from sql_agent.database import Pristine
from sql_agent.episode import Episode, act, generator
from sql_agent.learner import Experience, Learner, advantages, batches
from sql_agent.model import Choices, Model
from sql_agent.observer import Observation
from sql_agent.queries import Question
from sql_agent.tasks import Rows, all_tasks
from sql_agent.workspace import Workspace

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "sql_agent"
CACHE = ROOT / ".cache" / "sql_agent"


@dataclass(frozen=True)
class Result:
    """One rollout: what it did, whether it passed, and what it earned."""

    episode: Episode
    success: bool
    observed: Observation
    reward: float


@dataclass(frozen=True)
class Figures:
    """Shares of all rollouts of an evaluation."""

    success: float
    attempted: float
    executed: float


@dataclass
class Simulation:
    """Trains one agent; rollouts that choose alike are run once."""

    pristine: Pristine
    governed: bool
    seed: int
    scheme: RewardScheme = field(default_factory=Additive)

    def __post_init__(self) -> None:
        self._kernel = KernelSpace(EXAMPLE / "policy.yaml")
        self._questions = {name: Question.read(task.question) for name, task in all_tasks().items()}
        self._results: dict[tuple[str, Choices], Result] = {}
        words = {word for question in self._questions.values() for word in question.words}
        self.learner = Learner(Model.initial(sorted(words), hint=2.2, caution=1.5), rate=0.3, entropy=0.003)

    def train(self, iterations: int = 24, tasks: int = 12, group: int = 8) -> None:
        drawn = batches(len(all_tasks()), tasks, np.random.default_rng(self.seed))
        names = list(all_tasks())
        for number in range(1, iterations + 1):
            batch: list[Experience] = []
            for name in (names[index] for index in next(drawn)):
                batch += self._group(name, number, group)
            self.learner.learn(batch)

    def evaluate(self, number: int, samples: int = 2) -> Figures:
        results = [
            self.result(name, self._choose(name, number, sample))
            for name in all_tasks()
            for sample in range(samples)
        ]
        return Figures(
            success=float(np.mean([result.success for result in results])),
            attempted=float(np.mean([result.episode.refused > 0 for result in results])),
            executed=float(np.mean([bool(result.observed.executed) for result in results])),
        )

    def result(self, name: str, choices: Choices) -> Result:
        """One rollout of the task `name`."""
        if (name, choices) not in self._results:
            self._results[name, choices] = self._run(name, choices)
        return self._results[name, choices]

    def _group(self, name: str, number: int, size: int) -> list[Experience]:
        chosen = [self._choose(name, number, sample) for sample in range(size)]
        results = [self.result(name, choices) for choices in chosen]
        gains = advantages([result.reward for result in results])
        words = self._questions[name].words
        return [
            Experience(words, choices, result.episode.composed, gain / size)
            for choices, result, gain in zip(chosen, results, gains, strict=True)
        ]

    def _choose(self, name: str, number: int, sample: int) -> Choices:
        task = {"task": name, "seed": self.seed, "round": number, "sample": sample}
        return self.learner.model.choose(self._questions[name].words, generator(task))

    def _run(self, name: str, choices: Choices) -> Result:
        decisions: list[Decision] = []
        with Workspace(self.pristine, report=lambda violation: None) as workspace:

            def ask(statement: str) -> Rows | Refused:
                if self.governed:
                    decisions.append(self._kernel.check_action("sql", {"query": statement}))
                    if not decisions[-1].allowed:
                        return Refused(decisions[-1])
                return workspace.run(statement)

            episode = act(self._questions[name], choices, ask)
            success = workspace.passes(all_tasks()[name], episode.answer)
            observed = workspace.observe()
        reward = self.scheme.price(float(success), Conduct.of(decisions)).final
        return Result(episode, success, observed, reward)
