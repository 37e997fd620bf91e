"""The governor's spans: decisions as operations, one reward per attempt."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from agentlightning.emitter.reward import emit_reward, is_reward_span
from agentlightning.semconv import LightningSpanAttributes
from agentlightning.tracer.base import Tracer, get_active_tracer
from agentlightning.types import SpanCoreFields

from governor.actions import Action
from governor.decisions import Decision
from governor.records import Reward

ACTION_SPAN = "governor.action"
ACTION_ID = "governor.action.id"
_REWARD_PREFIX = LightningSpanAttributes.REWARD.value
_DEMOTED_PREFIX = "governor.task_reward"


def action_attributes(action: Action, decision: Decision) -> dict[str, Any]:
    """What a decision span says; OpenTelemetry's names where it has one."""
    attributes: dict[str, Any] = {
        ACTION_ID: action.id,
        "governor.action.step": action.step,
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": action.tool,
        "gen_ai.tool.call.arguments": action.args,
        "governor.effect": str(decision.effect),
        "governor.severity": str(decision.severity),
        "governor.bundle": decision.bundle,
    }
    if decision.findings:
        attributes["governor.rules"] = [f"{finding.policy}/{finding.rule}" for finding in decision.findings]
        attributes["governor.reason"] = decision.reason
    return attributes


class SpanTracing:
    """Shows each decided action as a span of the active tracer, around the tool's run."""

    def action(self, action: Action, decision: Decision) -> AbstractContextManager[object]:
        tracer: Tracer | None = get_active_tracer()
        if tracer is None:
            return nullcontext()
        return tracer.operation_context(ACTION_SPAN, attributes=action_attributes(action, decision))


def reward_span(reward: Reward, attributes: dict[str, Any]) -> SpanCoreFields:
    """The one final reward span: `final` is what trainers see, its parts are dimensions."""
    dimensions = {"final": reward.final, "task": reward.task, "cost": reward.cost, "bonus": reward.bonus}
    more = {"governor.reward.scheme": reward.scheme, **attributes}
    return emit_reward(dimensions, primary_key="final", attributes=more, propagate=False)


def rewards_among(spans: Iterable[Any]) -> list[Any]:
    return [span for span in spans if is_reward_span(span)]


def demoted(span: Any) -> Any:
    """A copy of a reward span under another name, so that one final reward remains."""
    attributes = {
        name.replace(_REWARD_PREFIX, _DEMOTED_PREFIX, 1) if name.startswith(_REWARD_PREFIX) else name: value
        for name, value in span.attributes.items()
    }
    return span.model_copy(update={"attributes": attributes})
