"""What a rollout worker runs: one Agent-Lightning runner, from a slim copy of its trainer."""

from __future__ import annotations

import asyncio
import copy
import functools
import threading
from typing import Any

from agentlightning.execution.base import RunnerBundle
from agentlightning.store.base import LightningStore
from agentlightning.trainer import Trainer
from ray import cloudpickle

from governor.errors import GovernorError
from store_bridge.agent import detached
from store_bridge.attempt_store import AttemptStore

_STAYS_HOME = (
    "algorithm",
    "store",
    "strategy",
    "llm_proxy",
    "adapter",
    "triplet_exporter",
    "initial_resources",
    "_client",
)
"""What a trainer holds that no runner needs, and that would travel by value."""


class RunnerMain:
    """Runs the bundle's runner against a store; picklable.

    The trainer and agent travel as bytes: the worker must have imported this
    package, and so Agent-Lightning its light way, before it reads them.
    """

    def __init__(self, bundle: RunnerBundle, store: LightningStore) -> None:
        trainer, agent = trainer_and_agent(bundle)
        slim = copy.copy(trainer)
        vars(slim).update(dict.fromkeys(_STAYS_HOME))
        try:
            self._payload: bytes = cloudpickle.dumps((slim, detached(agent)))
        except Exception as exc:
            raise GovernorError(f"the agent cannot be sent to rollout workers: {exc}") from exc
        self._store = store

    def __call__(self, number: int, stop: threading.Event) -> None:
        trainer, agent = cloudpickle.loads(self._payload)
        agent.set_trainer(trainer)
        asyncio.run(trainer._runner_bundle(AttemptStore(self._store), number, _Stop(stop), agent))


def trainer_and_agent(bundle: Any) -> tuple[Trainer, Any]:
    """The trainer and the agent that `Trainer.fit` bound into its runner bundle."""
    method = getattr(bundle, "func", None)
    trainer = getattr(method, "__self__", None)
    if not isinstance(bundle, functools.partial) or not isinstance(trainer, Trainer):
        raise GovernorError("RayExecutionStrategy runs the bundles of Agent-Lightning's own Trainer")
    return trainer, bundle.keywords["agent"]


class _Stop:
    """An execution event that is a threading event, polled by the runner many times a second."""

    def __init__(self, event: threading.Event) -> None:
        self._event = event

    def set(self) -> None:
        self._event.set()

    def clear(self) -> None:
        self._event.clear()

    def is_set(self) -> bool:
        return self._event.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        return self._event.wait(timeout)
