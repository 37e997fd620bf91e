"""The decision: a pure function of bundle, action and attempt state."""

from __future__ import annotations

from governor.actions import Action, AttemptState
from governor.bundle import Bundle
from governor.decisions import Decision, Effect, Finding, Severity
from governor.policies import Policy

KERNEL = "kernel"
"""The policy named by findings that are the kernel's own."""


def decide(bundle: Bundle, action: Action, so_far: AttemptState) -> Decision:
    """The strictest of all findings; every policy is asked, in any order.

    A policy that fails denies. A call that no policy knows gets the bundle's
    `defaults.unknown_tool`. After `terminate` everything is refused.
    """
    if so_far.terminated:
        ended = Finding(KERNEL, "terminated", Effect.TERMINATE, Severity.LOW, "the attempt has been ended")
        return Decision(ended.effect, ended.severity, (ended,), bundle=bundle.digest)
    known = action.tool in bundle.tools
    against = []
    for policy in bundle.policies:
        finding = _ask(policy, action, so_far)
        if finding is None:
            continue
        if finding.effect is not Effect.ALLOW:
            against.append(finding)
        if finding.effect < Effect.DENY:
            known = True
    unknown = bundle.defaults.unknown_tool
    if not known and unknown > max((finding.effect for finding in against), default=Effect.ALLOW):
        reason = f"no policy knows the tool `{action.tool}`"
        against.append(Finding(KERNEL, "unknown-tool", unknown, bundle.defaults.severity, reason))
    if not against:
        return bundle.plain_allow
    effect = max(finding.effect for finding in against)
    severity = max(finding.severity for finding in against if finding.effect is effect)
    return Decision(effect, severity, tuple(sorted(against, key=_order)), bundle=bundle.digest)


def _ask(policy: Policy, action: Action, so_far: AttemptState) -> Finding | None:
    try:
        return policy.evaluate(action, so_far)
    except Exception as exc:  # noqa: BLE001 - a policy that fails must deny, not end the attempt
        reason = f"the policy failed with {type(exc).__name__}"
        return Finding(policy.label, "policy-error", Effect.DENY, Severity.HIGH, reason)


def _order(finding: Finding) -> tuple[int, str, str, str, str]:
    return -finding.effect.rank, finding.policy, finding.rule, finding.where, finding.reason
