import json
import os
import subprocess
import sys
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from governor import (
    Action,
    AttemptState,
    Bundle,
    CallBudget,
    Defaults,
    Effect,
    Finding,
    KernelSpace,
    Policy,
    Severity,
    SQLPolicy,
    decide,
)
from governor.errors import ConfigError


class Verdict(Policy):
    """Always finds the same."""

    type: Literal["verdict"] = "verdict"
    effect: Effect
    severity: Severity = Severity.MEDIUM

    def evaluate(self, action: Action, so_far: AttemptState) -> Finding | None:
        return Finding(self.label, "always", self.effect, self.severity, f"always {self.effect}")


class Broken(Policy):
    """Fails."""

    type: Literal["broken"] = "broken"

    def evaluate(self, action: Action, so_far: AttemptState) -> Finding | None:
        raise RuntimeError("no such table")


def an_action(tool: str = "search") -> Action:
    return Action("ro-1", "at-1", 1, tool, '{"q":"x"}')


def verdicts() -> st.SearchStrategy[Policy]:
    return st.builds(
        Verdict,
        name=st.uuids().map(str),
        effect=st.sampled_from([e for e in Effect if e is not Effect.MODIFY]),
        severity=st.sampled_from(Severity),
    )


policies = st.lists(
    st.one_of(verdicts(), st.builds(Broken, name=st.uuids().map(str))),
    min_size=1,
    max_size=6,
    unique_by=lambda p: p.label,
)


def test_a_tool_that_no_policy_knows_is_denied() -> None:
    decision = decide(Bundle(policies=(CallBudget(calls=9),)), an_action(), AttemptState())

    assert decision.effect is Effect.DENY
    assert decision.findings[0].rule == "unknown-tool"


def test_a_listed_tool_is_allowed() -> None:
    bundle = Bundle(tools=("search",), policies=(CallBudget(calls=9),))

    assert decide(bundle, an_action(), AttemptState()).allowed


def test_a_tool_name_is_not_a_prefix() -> None:
    bundle = Bundle(tools=("search",), policies=(CallBudget(calls=9),))

    assert not decide(bundle, an_action("search_and_delete"), AttemptState()).allowed


def test_a_policy_that_raises_denies_and_is_named() -> None:
    decision = decide(Bundle(tools=("search",), policies=(Broken(),)), an_action(), AttemptState())

    assert decision.effect is Effect.DENY
    assert (decision.findings[0].policy, decision.findings[0].rule) == ("broken", "policy-error")


def test_after_a_terminating_decision_everything_is_refused() -> None:
    bundle = Bundle(tools=("search",), policies=(Verdict(effect=Effect.TERMINATE),))
    first = decide(bundle, an_action(), AttemptState())
    state = AttemptState().after(an_action(), first)

    harmless = Bundle(tools=("search",), policies=(CallBudget(calls=9),))
    assert decide(harmless, an_action(), state).effect is Effect.TERMINATE


def test_the_severity_is_that_of_the_winning_effect() -> None:
    loud_warning = Verdict(name="a", effect=Effect.WARN, severity=Severity.CRITICAL)
    quiet_denial = Verdict(name="b", effect=Effect.DENY, severity=Severity.LOW)

    decision = decide(Bundle(policies=(loud_warning, quiet_denial)), an_action(), AttemptState())

    assert (decision.effect, decision.severity) == (Effect.DENY, Severity.LOW)
    assert len(decision.findings) == 2


@given(policies, st.randoms())
def test_the_order_of_policies_does_not_matter(some: list[Policy], random: object) -> None:
    shuffled = list(some)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = Bundle(policies=tuple(some)), Bundle(policies=tuple(shuffled))

    assert one.digest == other.digest
    assert decide(one, an_action(), AttemptState()) == decide(other, an_action(), AttemptState())


@given(policies, verdicts(), st.booleans())
def test_a_further_policy_never_opens_what_was_closed(
    some: list[Policy], extra: Policy, listed: bool
) -> None:
    bundle = Bundle(tools=("search",) if listed else (), policies=tuple(some))
    before = decide(bundle, an_action(), AttemptState())
    after = decide(bundle.model_copy(update={"policies": (*some, extra)}), an_action(), AttemptState())

    # Only an unknown tool opens, by a policy that knows it.
    if any(finding.rule != "unknown-tool" for finding in before.findings) or before.allowed:
        closed_by_policy = max(
            (f.effect for f in before.findings if f.rule != "unknown-tool"), default=Effect.ALLOW
        )
        assert after.effect >= closed_by_policy


def test_two_policies_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match="two policies are called `call_budget`"):
        Bundle(policies=(CallBudget(calls=1), CallBudget(calls=2)))


def test_a_bundle_without_policies_is_refused() -> None:
    with pytest.raises(ValidationError):
        Bundle(policies=())


def test_the_digest_depends_on_what_decides() -> None:
    one = Bundle(policies=(CallBudget(calls=1),))

    assert one.digest == Bundle(policies=(CallBudget(calls=1),)).digest
    assert one.digest != Bundle(policies=(CallBudget(calls=2),)).digest
    assert one.digest != one.model_copy(update={"defaults": Defaults(unknown_tool=Effect.WARN)}).digest


def test_decisions_are_the_same_in_every_process() -> None:
    code = (
        "from governor import *; import msgspec;"
        "k = KernelSpace([SQLPolicy(deny=['DROP', 'DELETE']), CallBudget(calls=2)]);"
        "asked = ('DROP TABLE t', 'select 1', 'x y z', 'delete from t');"
        "ds = [k.check_action('sql', {'query': q}) for q in asked];"
        "print(msgspec.json.encode(ds).decode())"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1", "2", "3")
    }

    assert len(answers) == 1
    assert [decision[0] for decision in json.loads(answers.pop())] == ["deny", "allow", "deny", "deny"]


def test_a_kernel_space_takes_a_policy_a_list_a_preset_or_a_bundle() -> None:
    for policy in (
        SQLPolicy(read_only=True),
        [SQLPolicy(read_only=True), CallBudget(calls=3)],
        "strict",
        Bundle(policies=(SQLPolicy(read_only=True),)),
    ):
        kernel = KernelSpace(policy=policy)

        assert kernel.check_action("sql", {"query": "SELECT 1"}).allowed
        assert not kernel.check_action("sql", {"query": "DROP TABLE customers"}).allowed


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="unknown preset `strikt`; did you mean `strict`"):
        KernelSpace("strikt")
