"""A kernel in this process: a bundle, and a way to ask it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from governor.actions import Action, AttemptState
from governor.bundle import Bundle
from governor.decisions import Decision
from governor.errors import ConfigError
from governor.kernel import decide
from governor.loading import did_you_mean, load
from governor.model import canonical_json
from governor.policies import Policy, SQLPolicy
from governor.policies.call_budget import CallBudget

PRESETS = {
    "strict": Bundle(name="strict", policies=(SQLPolicy(read_only=True), CallBudget(calls=50))),
}


class KernelSpace:
    """Decides actions by one bundle.

    `policy` is a policy, a sequence of policies, a `Bundle`, the name of a
    preset (`strict`) or the path of a bundle file. Raises `ConfigError` for
    anything else.
    """

    def __init__(self, policy: Policy | Sequence[Policy] | Bundle | str | Path = "strict") -> None:
        self.bundle = _bundle(policy)

    def check_action(
        self, tool: str, args: Mapping[str, Any] | None = None, *, so_far: AttemptState | None = None
    ) -> Decision:
        """The decision on one call, outside any rollout; nothing is run or recorded."""
        action = Action("check", "check", 1, tool, canonical_json(dict(args or {})))
        return decide(self.bundle, action, so_far or AttemptState())


def _bundle(policy: Policy | Sequence[Policy] | Bundle | str | Path) -> Bundle:
    match policy:
        case Bundle():
            return policy
        case Policy():
            return Bundle(policies=(policy,))
        case str() if policy in PRESETS:
            return PRESETS[policy]
        case str() | Path() if Path(policy).suffix or Path(policy).exists():
            return load(Path(policy), Bundle)
        case str() | Path():
            raise ConfigError(f"unknown preset `{policy}`{did_you_mean(str(policy), PRESETS)}")
        case _:
            return Bundle(policies=tuple(policy))
