"""What the agent knows: a softmax for each of its choices, over the words of the question."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sql_agent.queries import HEADS

Vector = NDArray[np.float64]
Choices = tuple[int, ...]
"""The number of the option taken, for each of `HEADS`."""

OPTIONS = [option for options in HEADS.values() for option in options]
ALWAYS = ""
"""The word that stands in every question."""

_ENDS = np.cumsum([len(options) for options in HEADS.values()])[:-1]


@dataclass(frozen=True)
class Model:
    """For each word one weight for every option of every head, in their order.

    Unknown words weigh nothing.
    """

    weights: Mapping[str, Vector]

    @classmethod
    def initial(cls, words: Iterable[str], hint: float, caution: float) -> Self:
        """A model that knows a little: what its options are called, and to ask before it acts.

        `hint` is the weight of a word for the option of that name, `caution`
        what speaks for the approach `query` in any question.
        """
        weights = {ALWAYS: caution * np.array([float(option == "query") for option in OPTIONS])}
        for word in words:
            weights[word] = hint * np.array([float(_alike(word, option)) for option in OPTIONS])
        return cls(weights)

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls({word: np.array(row) for word, row in json.loads(text).items()})

    def __str__(self) -> str:
        """JSON, from which `parse` makes an equal model."""
        return json.dumps({word: row.tolist() for word, row in self.weights.items()})

    def probabilities(self, words: Sequence[str]) -> list[Vector]:
        """For each head, how likely each of its options is."""
        known = [self.weights[word] for word in (ALWAYS, *words) if word in self.weights]
        logits = np.sum(known, axis=0) if known else np.zeros(len(OPTIONS))
        return [_softmax(part) for part in np.split(logits, _ENDS)]

    def choose(self, words: Sequence[str], rng: np.random.Generator) -> Choices:
        return tuple(int(rng.choice(len(odds), p=odds)) for odds in self.probabilities(words))


@functools.lru_cache(maxsize=4)
def parsed(text: str) -> Model:
    """`Model.parse`, once for all the rollouts that share a text."""
    return Model.parse(text)


def _alike(word: str, option: str) -> bool:
    return word.rstrip("s") == option.rstrip("s")


def _softmax(logits: Vector) -> Vector:
    raised = np.exp(logits - logits.max())
    odds: Vector = raised / raised.sum()
    return odds
