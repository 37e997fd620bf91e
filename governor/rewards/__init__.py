"""The reward schemes that a configuration file may name; add yours to `AnyScheme`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from governor.rewards.additive import Additive
from governor.rewards.base import RewardScheme, SeverityPrices
from governor.rewards.seed import PolicyReward, Seed

AnyScheme = Annotated[Additive | Seed, Field(discriminator="scheme")]

__all__ = ["Additive", "AnyScheme", "PolicyReward", "RewardScheme", "Seed", "SeverityPrices"]
