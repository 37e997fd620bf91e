"""Agent-Lightning's Trainer, set up for a governed run."""

from __future__ import annotations

from typing import Any

from agentlightning.algorithm import Algorithm
from agentlightning.litagent import LitAgent
from agentlightning.runner import LitAgentRunner
from agentlightning.tracer.otel import OtelTracer
from agentlightning.trainer import Trainer
from agentlightning.types import Dataset

from governor.ports import Governor
from store_bridge.agent import GovernedAgent
from store_bridge.ray_store import RayLightningStore
from store_bridge.strategy import RayExecutionStrategy

_POLL_SECONDS = 0.05


def fit(
    agent: LitAgent[Any],
    algorithm: Algorithm,
    dataset: Dataset[Any],
    *,
    governor: Governor,
    store: RayLightningStore,
    strategy: RayExecutionStrategy,
) -> None:
    """Train `agent`, governed, on Ray rollout workers; returns when the algorithm is done."""
    tracer = OtelTracer()
    runner: LitAgentRunner[Any] = LitAgentRunner(
        tracer, poll_interval=_POLL_SECONDS, interval_jitter=_POLL_SECONDS / 5
    )
    trainer = Trainer(algorithm=algorithm, runner=runner, store=store, strategy=strategy, tracer=tracer)
    trainer.fit(GovernedAgent(agent, governor), train_dataset=dataset)
