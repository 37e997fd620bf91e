"""Host a policy kernel in a Ray actor."""

from __future__ import annotations

import os

from actors import wire
from governor.bundle import Bundle
from governor.kernel import decide


class KernelHost:
    """Decides batches; it holds no state, so that any replica may answer."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def pid(self) -> int:
        return os.getpid()

    def decide(self, batch: bytes) -> bytes:
        """Questions in, decisions in the same order out (see `actors.wire`)."""
        bundle = self._bundle
        return wire.encode([decide(bundle, ask.action, ask.so_far) for ask in wire.questions(batch)])
