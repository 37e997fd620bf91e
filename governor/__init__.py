"""The rollout governor's core: decide, enforce, record, price.

Pulls in neither Ray nor Agent-Lightning.
"""

from __future__ import annotations

from governor.actions import Action, AttemptState
from governor.bundle import Bundle, Defaults
from governor.decisions import Decision, Effect, Finding, Severity
from governor.enforcement import Attempt, Refused, current_attempt, incident
from governor.kernel import decide
from governor.kernel_space import KernelSpace
from governor.policies import CallBudget, Policy, SQLPolicy
from governor.rewards import Additive, PolicyReward, RewardScheme, Seed
from governor.tools import tool

__version__ = "0.1.0"

__all__ = [
    "Action",
    "Additive",
    "Attempt",
    "AttemptState",
    "Bundle",
    "CallBudget",
    "Decision",
    "Defaults",
    "Effect",
    "Finding",
    "KernelSpace",
    "Policy",
    "PolicyReward",
    "Refused",
    "RewardScheme",
    "SQLPolicy",
    "Seed",
    "Severity",
    "current_attempt",
    "decide",
    "incident",
    "tool",
]
