"""The bases of every value: frozen configuration, and canonical bytes to hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Self

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

_strict = json.JSONEncoder(sort_keys=True, allow_nan=False).encode
_sorted = msgspec.json.Encoder(order="sorted").encode

Name = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
SortedNames = Annotated[tuple[Name, ...], AfterValidator(lambda names: tuple(sorted(set(names))))]
"""A set of names in one order, so that its digest is the same in every process."""


class Frozen(BaseModel):
    """An immutable configuration value with no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy that shares no cached property with the original: a digest is of its own value."""
        copy = super().model_copy(update=update, deep=deep)
        for name in set(vars(copy)) - set(type(self).model_fields):
            del copy.__dict__[name]
        return copy


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text, everywhere.

    Raises `ValueError` for NaN, infinities and text that is not Unicode (lone
    surrogates), `TypeError` for what JSON cannot hold.
    """
    try:
        data = _sorted(value)
        plain = msgspec.json.decode(data) == value
    except TypeError:  # a subclass of `str`, say, or no JSON at all
        plain = False
    if not plain:  # a tuple, say, or what only this encoder takes for JSON
        data = _sorted(json.loads(_strict(value)))
    return data.decode()


def digest(text: str | bytes) -> str:
    """32 hexadecimal digits of BLAKE2b over `text` (UTF-8)."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=16).hexdigest()
