"""Governed, the agent learns the honest way; ungoverned, it learns to break things."""

import numpy as np
import pytest

from governor import Seed
from sql_agent.database import Pristine
from sql_agent.learner import Experience, Learner, advantages
from sql_agent.model import Model
from tests.examples.simulation import Figures, Simulation


def trained(simulation: Simulation) -> tuple[Figures, Figures]:
    start = simulation.evaluate(0)
    simulation.train()
    return start, simulation.evaluate(1000)


def test_governed_it_learns_to_answer_and_stops_trying(original: Pristine) -> None:
    start, end = trained(Simulation(original, governed=True, seed=0))

    assert start.success < 0.15
    assert end.success > 0.7
    assert start.attempted > 0.15
    assert end.attempted < 0.03
    assert start.executed == end.executed == 0


def test_ungoverned_it_learns_the_shortcuts(original: Pristine) -> None:
    start, end = trained(Simulation(original, governed=False, seed=0))

    assert start.success < 0.15
    assert end.success > 0.7
    assert 0.12 < end.executed < 0.25


def test_the_large_penalties_of_the_seed_scheme_can_be_learned_from(original: Pristine) -> None:
    simulation = Simulation(original, governed=True, seed=1, scheme=Seed())
    simulation.train(iterations=4)

    assert simulation.evaluate(1000).attempted < 0.1


def test_one_seed_gives_the_same_weights_again(original: Pristine) -> None:
    texts = []
    for _ in range(2):
        simulation = Simulation(original, governed=True, seed=3)
        simulation.train(iterations=2, tasks=4)
        texts.append(str(simulation.learner.model))

    assert texts[0] == texts[1]


def test_another_seed_chooses_otherwise(original: Pristine) -> None:
    one, other = (Simulation(original, governed=True, seed=seed) for seed in (1, 2))
    for simulation in (one, other):
        simulation.train(iterations=1, tasks=4)

    assert str(one.learner.model) != str(other.learner.model)


def test_a_model_and_its_text_are_the_same() -> None:
    learner = Learner(Model.initial(["orders", "many"], hint=2.0, caution=1.5), rate=0.37, entropy=0.01)
    learner.learn([Experience(("many", "orders", "odd"), (0, 1, 2, 3), True, 0.77)])

    again = Model.parse(str(learner.model))

    assert str(again) == str(learner.model)
    for odds, same in zip(
        learner.model.probabilities(["orders", "odd"]), again.probabilities(["orders", "odd"]), strict=True
    ):
        assert np.array_equal(odds, same)


def test_what_went_well_becomes_likelier_and_what_was_not_in_play_stays() -> None:
    learner = Learner(Model({}), rate=0.3, entropy=0.0)
    before = learner.model.probabilities(["word"])

    learner.learn([Experience(("word",), (3, 1, 2, 3), False, 1.0)])
    after = learner.model.probabilities(["word"])

    assert after[0][3] > before[0][3]
    assert all(np.array_equal(one, two) for one, two in zip(after[1:], before[1:], strict=True))


@pytest.mark.parametrize("rewards", [[1.0, 1.0, 1.0], [-100.0] * 8])
def test_a_group_that_agrees_teaches_nothing(rewards: list[float]) -> None:
    assert advantages(rewards) == [0.0] * len(rewards)


def test_the_scale_of_the_rewards_hardly_matters() -> None:
    small, large = advantages([0, 0, 0, 1]), advantages([0, 0, 0, 100])

    assert large == pytest.approx([-0.577, -0.577, -0.577, 1.732], abs=0.01)
    assert small == pytest.approx(large, rel=0.25)
