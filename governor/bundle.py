"""A policy bundle: everything that decides, in one immutable value."""

from __future__ import annotations

import itertools
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, InstanceOf, SerializeAsAny, Tag, field_validator

from governor.decisions import Decision, Effect, Severity
from governor.model import Frozen, Name, SortedNames, canonical_json, digest
from governor.policies import AnyPolicy, Policy


def _origin(value: Any) -> str:
    return "made" if isinstance(value, Policy) else "declared"


DeclaredOrMade = Annotated[
    Annotated[AnyPolicy, Tag("declared")] | Annotated[InstanceOf[Policy], Tag("made")],
    Discriminator(_origin),
]
"""A policy of the union, as data; or any policy, a user's own among them, as an object."""


class Defaults(Frozen):
    """What happens where no policy has an opinion."""

    unknown_tool: Literal[Effect.ALLOW, Effect.WARN, Effect.DENY, Effect.TERMINATE] = Effect.DENY
    severity: Severity = Severity.MEDIUM
    """How bad a call to an unknown tool is."""


class Bundle(Frozen):
    """Policies and defaults; the order of the policies means nothing.

    A tool is known when `tools` lists it or a policy judges its call harmless;
    `defaults.unknown_tool` decides on every other one.
    """

    version: Literal[1] = 1
    name: Name = "policy"
    defaults: Defaults = Defaults()
    tools: SortedNames = ()
    policies: tuple[SerializeAsAny[DeclaredOrMade], ...] = Field(min_length=1)

    @field_validator("policies")
    @classmethod
    def _labels_are_distinct(cls, policies: tuple[Policy, ...]) -> tuple[Policy, ...]:
        labels = sorted(policy.label for policy in policies)
        for one, other in itertools.pairwise(labels):
            if one == other:
                raise ValueError(f"two policies are called `{one}`; give each a `name` of its own")
        return policies

    @cached_property
    def canonical(self) -> str:
        """The bundle and its engines as canonical JSON, whatever the order of its policies."""
        plain = self.model_dump(mode="json")
        plain["policies"].sort(key=canonical_json)
        plain["engines"] = sorted({policy.engine for policy in self.policies} - {""})
        return canonical_json(plain)

    @cached_property
    def digest(self) -> str:
        """Identifies what decides: equal in every process for equal bundles and engines."""
        return digest(self.canonical)

    @cached_property
    def plain_allow(self) -> Decision:
        """The decision on an action that no policy objects to."""
        return Decision(Effect.ALLOW, bundle=self.digest)
