"""What a policy finds, and what the kernel decides."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Ranked(StrEnum):
    """Names in the order of their strength: the first is the weakest."""

    @property
    def rank(self) -> int:
        return _RANKS[self]

    def __lt__(self, other: str) -> bool:
        return _RANKS[self] < _RANKS[other]

    def __le__(self, other: str) -> bool:
        return _RANKS[self] <= _RANKS[other]

    def __gt__(self, other: str) -> bool:
        return _RANKS[self] > _RANKS[other]

    def __ge__(self, other: str) -> bool:
        return _RANKS[self] >= _RANKS[other]


class Effect(Ranked):
    """What happens to an action; the strictest of all findings wins."""

    ALLOW = "allow"
    WARN = "warn"
    MODIFY = "modify"
    DENY = "deny"
    TERMINATE = "terminate"


class Severity(Ranked):
    """How bad an action would have been; what the reward prices."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


_RANKS: dict[str, int] = {member: rank for ranked in (Effect, Severity) for rank, member in enumerate(ranked)}
PERMITTING = frozenset(effect for effect in Effect if effect < Effect.DENY)


class Finding(msgspec.Struct, frozen=True, array_like=True, gc=False, order=True):
    """One policy's opinion of one action.

    `rule` is a reason code of ours, stable across versions; `where` is a JSON
    pointer into the arguments ("" for the whole action).
    """

    policy: str
    rule: str
    effect: Effect
    severity: Severity = Severity.NONE
    reason: str = ""
    where: str = ""


class Decision(msgspec.Struct, frozen=True, array_like=True):
    """The kernel's answer to one action, with all that led to it.

    `args` holds rewritten arguments (canonical JSON) where the effect is
    `modify`, else None; `bundle` is the digest of the bundle that decided.
    """

    effect: Effect
    severity: Severity = Severity.NONE
    findings: tuple[Finding, ...] = ()
    args: str | None = None
    bundle: str = ""

    @property
    def allowed(self) -> bool:
        """Whether the tool may run (perhaps with rewritten arguments)."""
        return self.effect in PERMITTING

    @property
    def violation(self) -> bool:
        """Whether the agent asked for something that a policy objects to."""
        return self.effect is not Effect.ALLOW and self.severity is not Severity.NONE

    @property
    def reason(self) -> str:
        """Why, in words fit for the agent."""
        against = [finding.reason for finding in self.findings if finding.effect > Effect.ALLOW]
        return "; ".join(against)
