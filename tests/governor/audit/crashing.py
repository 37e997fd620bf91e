"""What a crash test runs in a process of its own, until it is killed."""

from __future__ import annotations

import os
import random
import signal
import threading
from itertools import count
from multiprocessing.synchronize import Event
from pathlib import Path

from governor.audit import steps
from governor.audit.log import FlightLog
from governor.audit.window import FlightWindow
from tests.governor.audit.flights import numbered

PRODUCERS = 3


def die_at(last: str, time: int) -> None:
    """Kill this process when it reaches the step `last` for the given time."""
    turns = count(1)

    def reached(step: steps.Step) -> None:
        if step == last and next(turns) == time:
            os.kill(os.getpid(), signal.SIGKILL)

    steps.reached = reached


def produce(log: FlightLog, producer: str, truth: Path) -> None:
    """Send records for ever, some twice, and write down what was acknowledged."""
    window = FlightWindow(producer)
    dice = random.Random(producer)
    numbers = count(1)
    fd = os.open(truth / producer, os.O_CREAT | os.O_WRONLY)
    old = b""
    while True:
        for _ in range(dice.randrange(1, 40)):
            window.add(numbered(next(numbers), producer))
        while frames := window.frames_to_send():
            safe = window.acknowledge(log.append(frames))
            os.pwrite(fd, b"%20d" % safe, 0)
            if old and dice.random() < 0.3:
                log.append(old)
            old = frames


def run(root: Path, truth: Path, name: str, step: str, time: int) -> None:
    """Open the log and produce under load; `step` "" leaves the killing to the parent."""
    if step:
        die_at(step, time)
    log = FlightLog(root, run_id="run", seal_bytes=40_000, seal_seconds=60)
    threads = [
        threading.Thread(target=produce, args=(log, f"{name}-{number}", truth)) for number in range(PRODUCERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def hold(root: Path, ready: Event, done: Event) -> None:
    """Keep a log open until told otherwise."""
    with FlightLog(root, run_id="run"):
        ready.set()
        done.wait()
