"""The example's database, built once for all tests."""

import pytest

from sql_agent.database import Pristine, pristine
from tests.examples.simulation import CACHE


@pytest.fixture(scope="session")
def original() -> Pristine:
    return pristine(CACHE)
