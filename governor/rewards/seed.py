"""The published penalties of Agent-OS: large, unbounded, with a clean bonus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeFloat

from governor.records import Conduct, Reward
from governor.rewards.base import RewardScheme, SeverityPrices

if TYPE_CHECKING:
    from governor.kernel_space import KernelSpace


class Seed(RewardScheme):
    """final = task + clean_bonus * [acted, and no violation] - sum of the prices.

    Kept for compatibility with the Agent-OS proposal. Group-normalised
    learners divide by the spread of a group, which a penalty of 100 dominates:
    `additive` is the better signal. An attempt that did nothing earns no bonus.
    """

    scheme: Literal["seed"] = "seed"
    prices: SeverityPrices = SeverityPrices(critical=100.0, high=50.0, medium=10.0, low=1.0)
    clean_bonus: NonNegativeFloat = 5.0

    def price(self, task: float, conduct: Conduct) -> Reward:
        clean = conduct.permitted > 0 and conduct.violations == 0
        return self.reward(task, cost=self.prices.total(conduct), bonus=self.clean_bonus if clean else 0.0)


class PolicyReward(Seed):
    """The proposal's name and numbers: penalties are negative rewards.

    `kernel` is accepted as the proposal writes it; the price of a decision
    depends on the decision alone.
    """

    def __init__(
        self,
        kernel: KernelSpace | None = None,
        *,
        critical: float = -100.0,
        high: float = -50.0,
        medium: float = -10.0,
        low: float = -1.0,
        clean_bonus: float = 5.0,
    ) -> None:
        del kernel
        prices = SeverityPrices(critical=-critical, high=-high, medium=-medium, low=-low)
        super().__init__(prices=prices, clean_bonus=clean_bonus)
