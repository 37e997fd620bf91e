"""The interface of a policy."""

from __future__ import annotations

from abc import abstractmethod

from governor.actions import Action, AttemptState
from governor.decisions import Effect, Finding, Severity
from governor.model import Frozen, Name


class Policy(Frozen):
    """A rule over one action, configured by its own fields.

    A policy is a frozen model with a `type` literal and an `evaluate`: a pure
    function that reads no clock, draws no random number and does no I/O.
    """

    type: str
    name: Name | None = None
    """How findings call this policy; its `type` where not given."""

    @property
    def label(self) -> str:
        return self.name or self.type

    @property
    def engine(self) -> str:
        """Name and version of the parser that this policy stands on, if any."""
        return ""

    @abstractmethod
    def evaluate(self, action: Action, so_far: AttemptState) -> Finding | None:
        """What this policy finds; None where it has no opinion of the action.

        A finding with the effect `allow` says that this policy knows the tool
        and has judged the call harmless. An exception denies the action.
        """

    def allow(self, rule: str, reason: str = "", where: str = "") -> Finding:
        return Finding(self.label, rule, Effect.ALLOW, Severity.NONE, reason, where)

    def deny(self, rule: str, reason: str, severity: Severity = Severity.HIGH, where: str = "") -> Finding:
        return Finding(self.label, rule, Effect.DENY, severity, reason, where)
