"""Flight records for the tests of the log, and what a log holds of them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from hypothesis import strategies as st

from governor.actions import Action
from governor.audit.frames import Frames
from governor.audit.reader import FlightRun
from governor.audit.window import FlightWindow
from governor.decisions import Decision, Effect, Finding, Severity
from governor.records import (
    ActionRecord,
    Conduct,
    Outcome,
    OutcomeRecord,
    OutcomeStatus,
    Record,
    Reward,
    RolloutRecord,
)

TABLES = ("actions", "outcomes", "rollouts")


def numbered(position: int, producer: str = "p", args: str = "{}") -> Record:
    """A record whose table follows from its position, and which can be recognised by it."""
    if position % 10 == 0:
        conduct = Conduct(allow=position)
        return RolloutRecord(producer, "at", position, "d", "train", Outcome.OK, conduct, None, 0, position)
    if position % 2:
        return ActionRecord(
            Action(producer, "at", position, "sql", args), Decision(Effect.ALLOW), position, 7
        )
    return OutcomeRecord(f"a/{position}", producer, "at", position, OutcomeStatus.OK, position)


def send(window: FlightWindow, *records: Record) -> bytes:
    for record in records:
        window.add(record)
    frames = window.frames_to_send()
    assert frames is not None
    return frames


def one_frame(producer: str = "p", seq: int = 0, rows: int = 1) -> bytes:
    """Frame `seq` of a producer whose frames hold `rows` actions each."""
    window = FlightWindow(producer)
    for number in range(seq + 1):
        frames = send(window, *(numbered(2 * (number * rows + row) + 1, producer) for row in range(rows)))
        window.acknowledge(number)
    assert [frame.seq for frame in Frames(frames)] == [seq]
    return frames


def positions(run_dir: Path) -> dict[str, list[int]]:
    """The positions that a run holds of each producer, sorted, with their repetitions."""
    run = FlightRun.open(run_dir)
    run.verify()
    found: dict[str, list[int]] = defaultdict(list)
    for action in run.actions():
        found[action.action.rollout_id].append(action.action.step)
    for outcome in run.outcomes():
        found[outcome.rollout_id].append(outcome.step)
    for rollout in run.rollouts():
        found[rollout.rollout_id].append(rollout.attempt)
    return {producer: sorted(numbers) for producer, numbers in found.items()}


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
counts = st.integers(0, 2**62)
rewards = st.floats(allow_nan=False)
findings = st.builds(
    Finding, texts, texts, st.sampled_from(Effect), st.sampled_from(Severity), reason=texts, where=texts
)
decisions = st.builds(
    Decision,
    st.sampled_from(Effect),
    st.sampled_from(Severity),
    st.lists(findings, max_size=3).map(tuple),
    st.none() | texts,
    bundle=texts,
)
incidents = st.lists(texts, max_size=3).map(tuple)
actions = st.builds(
    ActionRecord, st.builds(Action, texts, texts, counts, texts, texts), decisions, counts, counts, texts
)
outcomes = st.builds(
    OutcomeRecord,
    texts,
    texts,
    texts,
    counts,
    st.sampled_from(OutcomeStatus),
    counts,
    counts,
    counts,
    texts,
    texts,
    incidents,
)
conducts = st.builds(Conduct, *[st.integers(0, 1000)] * len(Conduct.__struct_fields__))
rollouts = st.builds(
    RolloutRecord,
    texts,
    texts,
    counts,
    texts,
    texts,
    st.sampled_from(Outcome),
    conducts,
    st.none() | st.builds(Reward, rewards, rewards, rewards, rewards, texts),
    counts,
    counts,
    error=texts,
    incidents=incidents,
    worker=texts,
)
