"""The agent as Agent-Lightning runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agentlightning.emitter import emit_annotation
from agentlightning.litagent import LitAgent
from agentlightning.types import NamedResources, PromptTemplate, Rollout

from governor import incident, tool
from sql_agent.database import pristine
from sql_agent.episode import act, generator
from sql_agent.model import parsed
from sql_agent.queries import Question
from sql_agent.tasks import all_tasks
from sql_agent.workspace import Workspace

MODEL = "model"
"""The resource that holds the model's JSON."""

_ANNOTATION = "sql_agent"


class SqlAgent(LitAgent[dict[str, Any]]):
    """Answers a business question on a database of its own, through one governed tool, `sql`.

    Its reward is 1 where the automated check passes, else 0. What the learner
    needs goes into one annotation span; what the observer saw executed goes to
    the flight record.
    """

    def __init__(self, cache: str = ".cache/sql_agent", scale: float = 0.01) -> None:
        """Builds the database under `cache` unless it is there; workers elsewhere build their own."""
        super().__init__()
        self._cache = Path(cache).resolve()
        self._scale = scale
        pristine(self._cache, scale)

    def rollout(self, task: dict[str, Any], resources: NamedResources, rollout: Rollout) -> float:
        known = resources[MODEL]
        if not isinstance(known, PromptTemplate):
            raise TypeError(f"resource `{MODEL}` is a {type(known).__name__}, not a prompt template")
        question = Question.read(task["question"])
        choices = parsed(known.template).choose(question.words, generator(task))
        with Workspace(pristine(self._cache, self._scale), report=incident) as workspace:
            sql = tool("sql", workspace.run)
            episode = act(question, choices, lambda statement: sql(query=statement))
            success = workspace.passes(all_tasks()[task["task"]], episode.answer)
            observed = workspace.observe()
        seen = {
            "choices": list(choices),
            "composed": episode.composed,
            "success": success,
            "refused": episode.refused,
            "executed": len(observed.executed),
        }
        emit_annotation({_ANNOTATION: seen})
        return float(success)
