"""Small agents and an algorithm; a module of its own, because rollout workers import it."""

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agentlightning.algorithm import Algorithm
from agentlightning.emitter import emit_reward
from agentlightning.litagent import LitAgent, rollout
from agentlightning.types import (
    EnqueueRolloutRequest,
    NamedResources,
    PromptTemplate,
    Rollout,
    RolloutConfig,
    RolloutRawResult,
    Span,
)

from governor import Refused, tool


@tool("sql")
def sql(query: str) -> str:
    return query.lower()


@tool("sql")
async def sql_async(query: str) -> str:
    return query.lower()


def ask(queries: Sequence[str]) -> int:
    """How many of the queries were refused."""
    return sum(isinstance(sql(query=query), Refused) for query in queries)


class SyncAgent(LitAgent[Any]):
    def rollout(self, task: Any, resources: NamedResources, rollout: Rollout) -> RolloutRawResult:
        ask(task["queries"])
        return 1.0


class AsyncAgent(LitAgent[Any]):
    async def rollout_async(self, task: Any, resources: NamedResources, rollout: Rollout) -> RolloutRawResult:
        for query in task["queries"]:
            await sql_async(query=query)
        return 1.0


@rollout
def function_agent(task: Any, prompt_template: PromptTemplate) -> float:
    ask(task["queries"])
    return 1.0


class EmittingAgent(LitAgent[Any]):
    """Emits two rewards itself and returns None."""

    def rollout(self, task: Any, resources: NamedResources, rollout: Rollout) -> RolloutRawResult:
        emit_reward(0.25)
        ask(task["queries"])
        emit_reward({"quality": 1.0, "speed": 0.5}, primary_key="quality")
        return None


class SpanAgent(LitAgent[Any]):
    """Returns spans of its own, a reward among them."""

    def rollout(self, task: Any, resources: NamedResources, rollout: Rollout) -> RolloutRawResult:
        ask(task["queries"])
        return [emit_reward(1.0, propagate=False)]


class RaisingAgent(LitAgent[Any]):
    def rollout(self, task: Any, resources: NamedResources, rollout: Rollout) -> RolloutRawResult:
        ask(task["queries"])
        raise RuntimeError("the agent is confused")


class SwallowingAgent(LitAgent[Any]):
    """Goes on, whatever happens to its calls; leaves a mark for every tool that ran."""

    def rollout(self, task: Any, resources: NamedResources, rollout: Rollout) -> RolloutRawResult:
        mark = Path(task["marks"]) / rollout.rollout_id
        touching = tool("sql", lambda query: mark.touch())
        for query in task["queries"]:
            with contextlib.suppress(Exception):
                touching(query=query)
        return 1.0


class FragileAgent(LitAgent[Any]):
    """Kills its own process once for each task that says so, then works."""

    def rollout(self, task: Any, resources: NamedResources, rollout: Rollout) -> RolloutRawResult:
        ask(task["queries"])
        mark = Path(task["mark"])
        if task["fatal"] and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60)
        return 1.0


class Collect(Algorithm):
    """Runs every task once and keeps its spans; `spans` and `statuses` are in the order of tasks."""

    def __init__(self, max_attempts: int = 1) -> None:
        self.spans: list[list[Span]] = []
        self.statuses: list[str] = []
        self.ids: list[str] = []
        self._config = RolloutConfig(
            max_attempts=max_attempts, retry_condition=["unresponsive"] if max_attempts > 1 else []
        )

    async def run(self, train_dataset: Any = None, val_dataset: Any = None) -> None:
        store = self.get_store()
        await store.add_resources({"prompt": PromptTemplate(template="x", engine="f-string")})
        queued = await store.enqueue_many_rollouts(
            [EnqueueRolloutRequest(input=task, mode="train", config=self._config) for task in train_dataset]
        )
        self.ids = [one.rollout_id for one in queued]
        done = await store.wait_for_rollouts(rollout_ids=self.ids, timeout=90)
        by_id = {one.rollout_id: one for one in done}
        for rollout_id in self.ids:
            self.statuses.append(by_id[rollout_id].status if rollout_id in by_id else "lost")
            self.spans.append(list(await store.query_spans(rollout_id, "latest")))
