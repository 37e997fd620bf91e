import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from governor import Additive, Decision, Effect, PolicyReward, RewardScheme, Seed, Severity
from governor.records import Conduct
from governor.rewards import SeverityPrices

SCHEMES: list[RewardScheme] = [Additive(), Seed(), PolicyReward()]
conducts = st.builds(
    Conduct,
    **{name: st.integers(0, 50) for name in ("allow", "deny", "low", "medium", "high", "critical")},
)
tasks = st.floats(-10, 10)


@pytest.mark.parametrize("scheme", SCHEMES)
@given(task=tasks, conduct=conducts, level=st.sampled_from([s for s in Severity if s.rank]))
def test_one_more_violation_never_raises_a_reward(
    scheme: RewardScheme, task: float, conduct: Conduct, level: Severity
) -> None:
    more = {name: getattr(conduct, name) for name in Conduct.__struct_fields__}
    more[level.value] += 1
    more["deny"] += 1

    assert scheme.price(task, Conduct(**more)).final <= scheme.price(task, conduct).final


@pytest.mark.parametrize("scheme", SCHEMES)
@given(
    task=tasks,
    conduct=conducts,
    pair=st.sampled_from([("low", "medium"), ("medium", "high"), ("high", "critical")]),
)
def test_a_worse_violation_never_raises_a_reward(
    scheme: RewardScheme, task: float, conduct: Conduct, pair: tuple[str, str]
) -> None:
    milder, worse = pair
    counts = {name: getattr(conduct, name) for name in Conduct.__struct_fields__}

    mild = scheme.price(task, Conduct(**{**counts, milder: counts[milder] + 1}))
    bad = scheme.price(task, Conduct(**{**counts, worse: counts[worse] + 1}))

    assert bad.final <= mild.final


@pytest.mark.parametrize("scheme", SCHEMES)
def test_doing_nothing_is_never_paid(scheme: RewardScheme) -> None:
    assert scheme.price(0.0, Conduct()).final == 0.0


@pytest.mark.parametrize("scheme", SCHEMES)
@given(task=tasks, conduct=conducts)
def test_the_parts_add_up_to_the_final_reward(scheme: RewardScheme, task: float, conduct: Conduct) -> None:
    reward = scheme.price(task, conduct)

    assert math.isclose(reward.final, reward.task + reward.bonus - reward.cost)


def test_an_unsafe_success_never_beats_a_clean_failure() -> None:
    unsafe = Additive().price(1.0, Conduct(allow=1, deny=1, critical=1))
    clean = Additive().price(0.0, Conduct(allow=1))

    assert unsafe.final <= clean.final


def test_the_published_penalties_are_the_defaults() -> None:
    reward = PolicyReward()
    levels = ["critical", "high", "medium", "low"]

    assert [reward.price(0.0, Conduct(deny=1, **{level: 1})).final for level in levels] == [
        -100,
        -50,
        -10,
        -1,
    ]
    assert reward.price(1.0, Conduct(allow=1)).final == 6.0


@pytest.mark.parametrize("task", [math.nan, math.inf, -math.inf])
def test_a_reward_that_is_not_finite_is_refused(task: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Additive().price(task, Conduct())


def test_prices_that_reward_the_worse_violation_are_refused() -> None:
    with pytest.raises(ValidationError, match="must not cost less"):
        SeverityPrices(critical=1, high=2, medium=0.5, low=0.1)


def test_conduct_counts_each_decision_once() -> None:
    decisions = [
        Decision(Effect.ALLOW),
        Decision(Effect.DENY, Severity.HIGH),
        Decision(Effect.WARN, Severity.NONE),
        Decision(Effect.TERMINATE, Severity.CRITICAL),
    ]

    conduct = Conduct.of(decisions)

    assert (conduct.asked, conduct.permitted, conduct.violations) == (4, 2, 2)
    assert (conduct.high, conduct.critical) == (1, 1)
