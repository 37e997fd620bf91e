"""The governor in Agent-Lightning: governed agents, a Ray strategy, stores and imports.

Importing Agent-Lightning 0.3 asks the network for a price list unless it is
told not to, which is done here, and takes seconds and 300 MB, most of them for
a proxy that no rollout worker uses: in Ray workers it is left out (`light`).
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

if TYPE_CHECKING:
    from governor.rewards import PolicyReward
    from store_bridge.agent import GovernedAgent
    from store_bridge.flight_import import FlightRecorderAdapter
    from store_bridge.ray_store import RayLightningStore
    from store_bridge.runner import AgentOSRunner
    from store_bridge.strategy import RayExecutionStrategy

_HOMES = {
    "AgentOSRunner": "store_bridge.runner",
    "FlightRecorderAdapter": "store_bridge.flight_import",
    "GovernedAgent": "store_bridge.agent",
    "PolicyReward": "governor.rewards",
    "RayExecutionStrategy": "store_bridge.strategy",
    "RayLightningStore": "store_bridge.ray_store",
}

__all__ = [
    "AgentOSRunner",
    "FlightRecorderAdapter",
    "GovernedAgent",
    "PolicyReward",
    "RayExecutionStrategy",
    "RayLightningStore",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    return getattr(importlib.import_module(_HOMES[name]), name)


def _in_ray_worker() -> bool:
    ray = sys.modules.get("ray")
    return (
        ray is not None and ray.is_initialized() and ray.get_runtime_context().worker.mode == ray.WORKER_MODE
    )


if _in_ray_worker():
    from store_bridge import light

    light.install()
