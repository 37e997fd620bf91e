"""Price attempts in a Ray actor."""

from __future__ import annotations

import os

from actors import wire
from governor.rewards import RewardScheme


class RewardAggregator:
    """Prices batches of attempts; it holds no state, so that any replica may answer."""

    def __init__(self, scheme: RewardScheme) -> None:
        self._scheme = scheme

    def pid(self) -> int:
        return os.getpid()

    def price(self, batch: bytes) -> bytes:
        """Bills in, rewards in the same order out (see `actors.wire`)."""
        return wire.encode([self._scheme.price(bill.task, bill.conduct) for bill in wire.bills(batch)])
