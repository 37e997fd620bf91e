"""Fixtures that more than one room uses."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from store_bridge import light

light.install()

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def ray_session() -> Iterator[None]:
    """One local Ray for all tests that need one; workers can import `tests` and the examples."""
    from actors import runtime

    with runtime.connected(num_cpus=4, path=[ROOT, ROOT / "examples"]):
        yield
