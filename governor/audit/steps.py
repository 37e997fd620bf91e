"""Named points between the log's steps, where a crash test ends the process."""

from __future__ import annotations

from typing import Literal

Step = Literal[
    "segment created",
    "frames written",
    "frames durable",
    "segment full",
    "parts staged",
    "part renamed",
    "parts in place",
    "line written",
    "segment listed",
    "segment retired",
]


def reached(step: Step) -> None:
    """Nothing, outside tests."""
