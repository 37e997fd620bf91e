from governor.actions import Action, AttemptState
from governor.decisions import Effect, Finding, Severity
from governor.policies import CallBudget


def find(budget: CallBudget, tool: str, so_far: AttemptState) -> Finding | None:
    return budget.evaluate(Action("ro", "at", 9, tool), so_far)


def test_a_budget_counts_the_permitted_calls_of_the_attempt() -> None:
    budget = CallBudget(calls=2)
    assert find(budget, "sql", AttemptState(asked=9, permitted=1, calls={"sql": 1})) is None
    assert find(budget, "sql", AttemptState(asked=9, permitted=2, calls={"web": 2})) == Finding(
        "call_budget", "budget", Effect.DENY, Severity.LOW, "the attempt has made 2 of 2 permitted calls"
    )


def test_a_budget_of_some_tools_counts_only_their_calls() -> None:
    budget = CallBudget(name="costly", calls=3, tools=("sql", "web"), severity=Severity.HIGH)
    so_far = AttemptState(permitted=12, calls={"sql": 1, "web": 2, "note": 9})
    assert find(budget, "note", so_far) is None
    found = find(budget, "web", so_far)
    assert found is not None
    assert (found.policy, found.severity) == ("costly", Severity.HIGH)
    assert find(budget, "sql", AttemptState(permitted=12, calls={"sql": 2, "note": 9})) is None
