import pytest
from hypothesis import given
from hypothesis import strategies as st

from governor.actions import Action
from governor.audit.frames import Frames, decode
from governor.audit.window import FlightWindow
from governor.decisions import Decision, Effect
from governor.errors import AuditError
from governor.records import ActionRecord, OutcomeRecord, OutcomeStatus
from tests.governor.audit.flights import numbered, send


class Log:
    """A log in memory: what it stored, in order, and the bytes it saw for each number."""

    def __init__(self) -> None:
        self.high = -1
        self.stored: dict[str, list[int]] = {"actions": [], "outcomes": [], "rollouts": []}
        self.seen: dict[int, bytes] = {}

    def append(self, data: bytes, most: int = 100) -> int:
        """Take at most `most` of the frames, as a log that is killed within a write does."""
        for frame in list(Frames(data))[:most]:
            assert self.seen.setdefault(frame.seq, bytes(frame.raw)) == frame.raw
            if frame.seq == self.high + 1:
                self.high += 1
                name = "attempt" if frame.table == "rollouts" else "step"
                self.stored[frame.table] += decode(frame).column(name).to_pylist()
        return self.high

    def holds(self, position: int) -> bool:
        return set(range(1, position + 1)) <= set().union(*self.stored.values())


events = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 12)),
        st.tuples(st.sampled_from(["deliver", "lose the answer", "lose", "cut", "repeat"]), st.just(1)),
    ),
    max_size=60,
)


@given(events, st.integers(6_500, 9_000))
def test_whatever_is_lost_or_repeated_each_record_arrives_once_and_in_order(
    events: list[tuple[str, int]], send_bytes: int
) -> None:
    log, window = Log(), FlightWindow("p", send_bytes=send_bytes)
    added, safe, old = 0, 0, list[bytes]()

    def deliver() -> None:
        nonlocal safe
        if frames := window.frames_to_send():
            old.append(frames)
            now = window.acknowledge(log.append(frames))
            assert now >= safe
            safe = now

    for event, times in events:
        match event:
            case "add":
                for _ in range(times):
                    added += 1
                    assert window.add(numbered(added, args="x" * (added % 7) * 100)) == added
            case "deliver":
                deliver()
            case "repeat":
                if old:
                    log.append(old[added % len(old)])
            case _:
                if frames := window.frames_to_send():
                    old.append(frames)
                    if event != "lose":
                        log.append(frames, 1 if event == "cut" else 100)
                    window.resend()
        assert log.holds(safe)
        assert window.pending == added - safe
    while window.pending:
        deliver()
    assert safe == added
    for numbers in log.stored.values():
        assert numbers == sorted(set(numbers))


def test_frames_behind_a_gap_are_sent_again() -> None:
    window = FlightWindow("p")
    first = send(window, numbered(1))
    send(window, numbered(3))
    assert window.acknowledge(-1) == 0
    again = window.frames_to_send()
    assert again is not None
    assert again.startswith(first)
    assert [frame.seq for frame in Frames(again)] == [0, 1]


def test_a_record_is_not_safe_while_an_earlier_one_is_not() -> None:
    window = FlightWindow("p")
    send(window, numbered(2), numbered(1))  # an outcome, then an action, which is sent first
    assert window.acknowledge(0) == 0
    assert window.acknowledge(window_high(window)) == 2


def window_high(window: FlightWindow) -> int:
    frames = window.frames_to_send()
    assert frames is not None
    return list(Frames(frames))[-1].seq


def test_an_action_travels_before_its_outcome() -> None:
    window = FlightWindow("p")
    frames = send(window, numbered(2), numbered(10), numbered(1))
    assert [frame.table for frame in Frames(frames)] == ["actions", "outcomes", "rollouts"]


@given(st.lists(st.text(max_size=9_000), min_size=1, max_size=60))
def test_a_send_keeps_its_size_unless_one_row_is_larger(texts: list[str]) -> None:
    window = FlightWindow("p")
    for step, text in enumerate(texts):
        action = Action("ro-0123456789abcdef", "at-0123456789abcdef", step, "shell", text)
        window.add(ActionRecord(action, Decision(Effect.ALLOW, args=text * 2), 2**60, 2**20, "worker-1"))
        window.add(OutcomeRecord(action.id, "r", "a", step, OutcomeStatus.OK, 2**60, incidents=(text,) * 2))
    while frames := window.frames_to_send():
        sent = list(Frames(frames))
        assert len(frames) <= 90_000 or sum(frame.rows for frame in sent) == 1
        window.acknowledge(sent[-1].seq)
    assert window.pending == 0


def test_a_row_larger_than_a_send_goes_alone() -> None:
    window = FlightWindow("p", send_bytes=90_000)
    big = numbered(1, args="x" * 200_000)
    for record in (numbered(3), big, numbered(7)):
        window.add(record)
    rows = []
    while frames := window.frames_to_send():
        sent = list(Frames(frames))
        rows.append([frame.rows for frame in sent])
        window.acknowledge(sent[-1].seq)
    assert rows == [[1], [1], [1]]


def test_a_window_is_full_by_records() -> None:
    window = FlightWindow("p", records=2)
    frames = send(window, numbered(1))
    assert not window.full
    window.add(numbered(3))
    assert window.full
    assert window.acknowledge(list(Frames(frames))[-1].seq) == 1
    assert not window.full


def test_a_window_is_full_by_bytes() -> None:
    window = FlightWindow("p", size=10_000)
    frames = send(window, numbered(1, args="x" * 10_000))
    assert window.full
    window.acknowledge(list(Frames(frames))[-1].seq)
    assert not window.full


def test_an_answer_for_frames_never_sent_is_an_error() -> None:
    window = FlightWindow("p")
    send(window, numbered(1))
    with pytest.raises(AuditError, match="frame 1 was acknowledged, but the last one sent is 0"):
        window.acknowledge(1)


def test_a_log_that_lost_acknowledged_records_is_an_error() -> None:
    window = FlightWindow("p")
    send(window, numbered(1))
    window.acknowledge(0)
    with pytest.raises(AuditError, match="records are lost"):
        window.acknowledge(-1)


def test_text_that_is_not_unicode_does_not_hold_up_its_batch() -> None:
    window = FlightWindow("p")
    bad = OutcomeRecord("a", "r", "t", 2, OutcomeStatus.ERROR, 1, error="\udc80", incidents=("\ud800",))
    (frame,) = Frames(send(window, bad, numbered(2)))
    assert decode(frame).column("error").to_pylist() == ["\\udc80", ""]
    assert decode(frame).column("incidents").to_pylist() == [["\\ud800"], []]


def test_nothing_to_send_is_none() -> None:
    assert FlightWindow("p").frames_to_send() is None
