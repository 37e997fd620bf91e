"""Group-relative policy gradients for the model, in numpy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from sql_agent.model import Choices, Model, Vector

_DIGITS = 4
"""Weights are rounded, so that a model and its JSON are the same."""


def batches(tasks: int, size: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """Batches of task numbers, for ever; every task comes once before any comes again."""
    waiting: list[int] = []
    while True:
        while len(waiting) < size:
            waiting += [int(index) for index in rng.permutation(tasks)]
        yield waiting[:size]
        del waiting[:size]


@dataclass(frozen=True)
class Experience:
    """One rollout, as the learner sees it.

    `composed` says whether the choices after the first came into play;
    `advantage` is how much better it went than the others of its group.
    """

    words: tuple[str, ...]
    choices: Choices
    composed: bool
    advantage: float


def advantages(rewards: Sequence[float], normalise: bool = True, floor: float = 0.1) -> list[float]:
    """r - mean of the group; over its standard deviation + `floor` with `normalise` (GRPO, arXiv:2402.03300).

    The scale of the rewards cancels, so that any reward scheme can be learned
    from; the floor keeps a group that barely differs from shouting.
    """
    values = np.asarray(rewards, dtype=np.float64)
    centred = values - values.mean()
    if normalise:
        centred /= values.std() + floor
    return [float(value) for value in centred]


@dataclass
class Learner:
    """Climbs the policy gradient in AdaGrad steps (Duchi et al., 2011).

    Rare words so learn as fast as common ones. What holds for every question
    (`caution`) is not learned: one task would unlearn it for all others.
    """

    model: Model
    rate: float
    entropy: float
    _squares: dict[str, Vector] = field(default_factory=dict)

    def learn(self, batch: Iterable[Experience]) -> None:
        """One step; its result depends on the batch and its order, on nothing else."""
        slopes: dict[str, Vector] = {}
        for experience in batch:
            slope = self._slope(experience)
            for word in experience.words:
                slopes[word] = slopes.get(word, 0.0) + slope
        weights = dict(self.model.weights)
        for word, slope in slopes.items():
            self._squares[word] = self._squares.get(word, 0.05) + slope**2
            raised = weights.get(word, 0.0) + self.rate * slope / np.sqrt(self._squares[word])
            weights[word] = np.round(raised, _DIGITS)
        self.model = Model(weights)

    def _slope(self, experience: Experience) -> Vector:
        """d/dlogits of advantage * log p(choices) + entropy * H, for the heads in play."""
        parts = []
        heads = zip(self.model.probabilities(experience.words), experience.choices, strict=True)
        for head, (odds, choice) in enumerate(heads):
            if head and not experience.composed:
                parts.append(np.zeros_like(odds))
                continue
            logs = np.log(odds + 1e-12)
            chosen = np.zeros_like(odds)
            chosen[choice] = 1.0
            parts.append(experience.advantage * (chosen - odds) - self.entropy * odds * (logs - odds @ logs))
        return np.concatenate(parts)
