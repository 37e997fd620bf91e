"""What an agent asks for, and what its attempt has done so far."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

import msgspec

from governor.decisions import Decision, Effect


class Action(msgspec.Struct, frozen=True, array_like=True, dict=True):
    """One tool call that an agent asks permission for.

    `args` is a canonical JSON object, so that it can be hashed, stored and
    replayed as it was; `step` counts the attempt's actions from 1.
    """

    rollout_id: str
    attempt_id: str
    step: int
    tool: str
    args: str = "{}"

    @property
    def id(self) -> str:
        """The same for every retry of this action, different for every other action."""
        return f"{self.rollout_id}/{self.attempt_id}/{self.step}"

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """The arguments as values; raises `ValueError` where `args` is not a JSON object."""
        value = json.loads(self.args)
        if not isinstance(value, dict):
            raise ValueError("arguments are not a JSON object")  # noqa: TRY004 - bad input, not a bad call
        return value


class AttemptState(msgspec.Struct, frozen=True, array_like=True):
    """What an attempt has done before an action; it travels with the action.

    `calls` counts the permitted calls of each tool.
    """

    asked: int = 0
    permitted: int = 0
    calls: dict[str, int] = {}
    terminated: bool = False

    def after(self, action: Action, decision: Decision) -> AttemptState:
        """The state once `decision` has been taken on `action`."""
        allowed = decision.allowed
        calls = self.calls
        if allowed:
            calls = {**calls, action.tool: calls.get(action.tool, 0) + 1}
        return AttemptState(
            asked=self.asked + 1,
            permitted=self.permitted + allowed,
            calls=calls,
            terminated=self.terminated or decision.effect is Effect.TERMINATE,
        )
