"""A bound on the calls of one attempt."""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveInt

from governor.actions import Action, AttemptState
from governor.decisions import Finding, Severity
from governor.model import SortedNames
from governor.policies.base import Policy


class CallBudget(Policy):
    """Deny once an attempt has made `calls` permitted calls, of `tools` or of any tool."""

    type: Literal["call_budget"] = "call_budget"
    calls: PositiveInt
    tools: SortedNames | None = None
    severity: Severity = Severity.LOW

    def evaluate(self, action: Action, so_far: AttemptState) -> Finding | None:
        if self.tools is None:
            made = so_far.permitted
        elif action.tool in self.tools:
            made = sum(so_far.calls.get(tool, 0) for tool in self.tools)
        else:
            return None
        if made < self.calls:
            return None
        return self.deny(
            "budget", f"the attempt has made {made} of {self.calls} permitted calls", self.severity
        )
