"""The interface of a reward scheme."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Self

from pydantic import NonNegativeFloat, model_validator

from governor.decisions import Severity
from governor.model import Frozen
from governor.records import Conduct, Reward


class RewardScheme(Frozen):
    """Turns an attempt's task reward and conduct into a reward."""

    scheme: str

    @abstractmethod
    def price(self, task: float, conduct: Conduct) -> Reward:
        """The reward of an attempt; `task` is the agent's own reward, before governance.

        More or worse violations never raise it. Raises `ValueError` where
        `task` is not finite.
        """

    def reward(self, task: float, cost: float, bonus: float = 0.0) -> Reward:
        """The parts put together: `final` = `task` + `bonus` - `cost`."""
        if not math.isfinite(task):
            raise ValueError(f"the task reward is {task}; it must be a finite number")
        return Reward(task + bonus - cost, task, cost, bonus, self.scheme)


class SeverityPrices(Frozen):
    """What one violation of each severity costs, in units of reward."""

    critical: NonNegativeFloat
    high: NonNegativeFloat
    medium: NonNegativeFloat
    low: NonNegativeFloat

    @model_validator(mode="after")
    def _worse_costs_no_less(self) -> Self:
        if not self.low <= self.medium <= self.high <= self.critical:
            raise ValueError("a worse violation must not cost less: low <= medium <= high <= critical")
        return self

    def total(self, conduct: Conduct) -> float:
        return math.fsum(getattr(self, level) * getattr(conduct, level) for level in Severity if level.rank)
