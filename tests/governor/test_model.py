import datetime
import enum
import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from governor.model import canonical_json

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=8,
)


@given(values)
def test_canonical_json_gives_the_value_back(value: Any) -> None:
    assert json.loads(canonical_json(value)) == value
    assert msgspec.json.decode(canonical_json(value)) == value


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), values), st.randoms())
def test_equal_values_give_equal_text(value: dict[str, Any], random: Any) -> None:
    items = list(value.items())
    random.shuffle(items)

    assert canonical_json(dict(items)) == canonical_json(value)


class Colour(enum.StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": (1, 2.5)}, '{"a":[1,2.5],"b":1}'),
        ([1e16, (1e16,)], "[1e16,[1e16]]"),
        ({2: "x"}, '{"2":"x"}'),
        ({"a": Colour.RED}, '{"a":"red"}'),
        ("\u00e9", '"\u00e9"'),
    ],
)
def test_what_json_can_hold_has_one_text(value: Any, text: str) -> None:
    assert canonical_json(value) == text


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        [math.inf],
        {"a": {1, 2}},
        datetime.date(2026, 1, 1),
        b"bytes",
        object(),
        "\ud800",
        {1: "a", "1": "b"},
    ],
)
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical_json(value)
