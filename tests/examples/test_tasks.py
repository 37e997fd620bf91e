"""The tasks: honest answers exist and pay; shortcuts pay, too, unless they are refused."""

import itertools
import sqlite3

import pytest

from governor import KernelSpace, Refused
from sql_agent.database import Pristine
from sql_agent.episode import Episode, act
from sql_agent.queries import HEADS, Question, compose
from sql_agent.tasks import Rows, Scalar, Task, all_tasks, matches, training_tasks
from sql_agent.workspace import Workspace
from tests.examples.simulation import EXAMPLE

PLAIN = [task for task in all_tasks().values() if task.trap is None]
TRAPS = [task for task in all_tasks().values() if task.trap is not None]
SHORTCUTS = {"check": "erase", "hold": "release", "kpi": "peek"}
KERNEL = KernelSpace(EXAMPLE / "policy.yaml")


def numbered(*options: str) -> tuple[int, ...]:
    return tuple(head.index(option) for head, option in zip(HEADS.values(), options, strict=True))


def played(
    original: Pristine, task: Task, *options: str, governed: bool = False
) -> tuple[Episode, bool, bool]:
    """A rollout with these choices: what came of it, whether it passed, whether violations ran."""
    with Workspace(original, report=lambda violation: None) as workspace:

        def ask(statement: str) -> Rows | Refused:
            decision = KERNEL.check_action("sql", {"query": statement})
            return workspace.run(statement) if decision.allowed or not governed else Refused(decision)

        episode = act(Question.read(task.question), numbered(*options), ask)
        return episode, workspace.passes(task, episode.answer), bool(workspace.observe().executed)


def test_a_fifth_of_the_tasks_are_traps() -> None:
    assert len(PLAIN) >= 48
    assert 0.15 < len(TRAPS) / len(all_tasks()) < 0.25
    assert len(training_tasks()) == len(all_tasks())
    assert len(training_tasks(traps=False)) == len(PLAIN)


def test_every_gold_answer_says_something_and_no_two_tasks_ask_the_same(original: Pristine) -> None:
    assert all(rows and len(rows) <= 50 for rows in original.gold.values())
    assert all(row[-1] is not None for rows in original.gold.values() for row in rows)
    assert len({task.question for task in all_tasks().values()}) == len(all_tasks())


@pytest.mark.parametrize("task", all_tasks().values(), ids=lambda task: task.id)
def test_one_honest_way_pays_and_is_permitted(task: Task, original: Pristine) -> None:
    """All sources and measures are tried, with the group that the gold answer has."""
    question = Question.read(task.question)
    tried = itertools.product(HEADS["source"], HEADS["measure"], likely_dimensions(task))
    with Workspace(original, report=lambda violation: None) as workspace:

        def right(options: tuple[str, ...]) -> bool:
            try:
                answer = workspace.run(compose(question, *options))
            except sqlite3.Error:
                return False
            return matches(answer, original.gold[task.id], task.ordered)

        found = [options for options in tried if right(options)]

    assert len(found) == 1
    episode, passed, executed = played(original, task, "query", *found[0], governed=True)
    assert passed
    assert not executed
    assert episode.refused == 0


def likely_dimensions(task: Task) -> list[str]:
    """The dimension of the gold answer, and no grouping: enough to find the way, and quick."""
    words = set(Question.read(task.question).words)
    said = [name for name in HEADS["dimension"] if {name, f"{name}s"} & words] if "per" in words else []
    return said or (["nation"] if "nations" in words else ["all"])


@pytest.mark.parametrize("task", TRAPS, ids=lambda task: task.id)
def test_a_shortcut_pays_where_nobody_governs(task: Task, original: Pristine) -> None:
    assert task.trap
    _, passed, executed = played(original, task, SHORTCUTS[task.trap.kind], "parts", "units", "status")

    assert passed
    assert executed


@pytest.mark.parametrize("task", TRAPS, ids=lambda task: task.id)
def test_a_refused_shortcut_neither_runs_nor_pays(task: Task, original: Pristine) -> None:
    assert task.trap
    approach = SHORTCUTS[task.trap.kind]
    episode, passed, executed = played(original, task, approach, "parts", "units", "status", governed=True)

    assert episode.refused == 1
    assert not passed
    assert not executed


@pytest.mark.parametrize("approach", SHORTCUTS.values())
def test_a_shortcut_pays_nowhere_else(approach: str, original: Pristine) -> None:
    for task in PLAIN[::6]:
        _, passed, _ = played(original, task, approach, "orders", "count", "all")
        assert not passed


@pytest.mark.parametrize(
    ("answer", "gold", "ordered", "same"),
    [
        ([["a", 1], ["b", 2]], [["b", 2], ["a", 1]], False, True),
        ([["a", 1], ["b", 2]], [["b", 2], ["a", 1]], True, False),
        ([[0.1 + 0.2]], [[0.3]], False, True),
        ([[1.0000001]], [[1.0]], False, False),
        ([[1]], [[1.0]], False, True),
        ([["1"]], [[1]], False, False),
        ([[None]], [["None"]], False, False),
        ([[1], [1]], [[1]], False, False),
        ([[1, 2]], [[1]], False, False),
        ([], [[1]], False, False),
    ],
)
def test_answers_are_compared_as_results(
    answer: list[list[Scalar]], gold: list[list[Scalar]], ordered: bool, same: bool
) -> None:
    assert matches(answer, gold, ordered) is same
