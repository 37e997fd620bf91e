"""Tables and columns that may be used, and those that may not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from governor.model import Frozen, Name
from governor.policies.sql.vocabulary import SHOWN, Objection, loosely

if TYPE_CHECKING:
    from governor.policies.sql.names import Names


def in_order(names: tuple[str, ...]) -> tuple[str, ...]:
    """A set of names in one order, whatever the order that they were given in."""
    return tuple(sorted(set(names)))


LowerNames = Annotated[tuple[Annotated[Name, AfterValidator(str.lower)], ...], AfterValidator(in_order)]

_DEFAULT_SCHEMAS = {"sqlite": "main", "postgres": "public", "duckdb": "main", "tsql": "dbo"}


class Access(Frozen):
    """Names that may be used, and names that may not; without `allow`, any other may.

    Tables are `table` or `schema.table`, columns `column` or `table.column`.
    """

    allow: LowerNames | None = None
    deny: LowerNames = ()


def table_objections(access: Access, names: Names, dialect: str) -> Iterator[Objection]:
    """Object to tables that are denied, or not among the allowed ones."""
    for table in names.tables:
        if any(_may_be(table, denied) for denied in access.deny):
            yield Objection("table", f"the table `{table[:SHOWN]}` is denied")
        elif access.allow is not None and not _among(access.allow, table, dialect):
            yield Objection("table", f"the table `{table[:SHOWN]}` is not allowed")


def column_objections(access: Access, names: Names, dialect: str) -> Iterator[Objection]:
    """Object to columns that are, or may be, used where they should not be.

    Without the schema nobody knows whose an unqualified column is, so a denied
    one must not be named anywhere in a statement that uses its table, nor may
    such a statement take columns without naming them.
    """
    for denied in access.deny if names.tables else ():
        table, _, column = denied.rpartition(".")
        if table and not any(_may_be(used, table) for used in names.tables):
            continue
        if loosely(column) in names.words:
            yield Objection("column", f"the column `{denied}` is denied")
        elif names.whole_rows:
            yield Objection("column", f"the column `{denied}` is denied; name the columns that you need")
    if access.allow is None:
        return
    if names.whole_rows and names.tables:
        yield Objection("column", "name the columns that you need: not all of them are allowed")
    for used in names.columns:
        for table in used.tables if used.name not in access.allow else ():
            if not _among(access.allow, f"{table}.{used.name}", dialect):
                name = f"{table[:SHOWN]}.{used.name[:SHOWN]}"
                yield Objection("column", f"the column `{name}` is not allowed")


def _may_be(used: str, denied: str) -> bool:
    """Whether two names of a table may mean the same one: they agree as far as both go."""
    ours, theirs = loosely(used).split("."), loosely(denied).split(".")
    shared = min(len(ours), len(theirs))
    return ours[-shared:] == theirs[-shared:]


def _among(allowed: tuple[str, ...], used: str, dialect: str) -> bool:
    """Whether a name is an allowed one, exactly but for the schema that is there by default."""
    prefix = _DEFAULT_SCHEMAS.get(dialect, "") + "."
    return any(used.removeprefix(prefix) == name.removeprefix(prefix) for name in allowed)
