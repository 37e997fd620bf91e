"""Every policy; a new one is one new file, and its name here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from governor.policies.base import Policy
from governor.policies.call_budget import CallBudget
from governor.policies.sql import SQLPolicy

AnyPolicy = Annotated[CallBudget | SQLPolicy, Field(discriminator="type")]

__all__ = ["AnyPolicy", "CallBudget", "Policy", "SQLPolicy"]
