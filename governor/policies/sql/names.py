"""Which tables and columns a statement mentions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp

from governor.policies.sql.vocabulary import loosely


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it is mentioned, with the real tables that it can belong to."""

    name: str
    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Names:
    """Every name of a statement, in lower case.

    `tables` are the real ones, as `name`, `schema.name` or `catalog.schema.name`;
    names of CTEs are none of them. `words` is every name and string anywhere,
    without accents. `whole_rows` tells that columns are used without being
    named, as by `*`.
    """

    tables: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    words: frozenset[str] = frozenset()
    whole_rows: bool = False


NO_NAMES = Names()


@dataclass(frozen=True, slots=True)
class _Source:
    """A real table where a statement takes it from."""

    table: str
    alias: str
    owner: exp.Expr
    """The query or change that it is a source of."""


_ROWS = {"excluded", "old", "new", "inserted", "deleted"}
"""What engines call the row of a table that is being written."""

_OWNERS = (exp.Select, exp.Insert, exp.Update, exp.Delete, exp.Merge)


def of(everything: Sequence[exp.Expr], dialect: str) -> Names:
    """The names within `everything`, the nodes of one statement."""
    sources = tuple(_sources(everything, dialect))
    return Names(
        tables=tuple(dict.fromkeys(source.table for source in sources)),
        columns=tuple(dict.fromkeys(_columns(everything, sources))),
        words=frozenset(loosely(node.this) for node in everything if isinstance(node.this, str)),
        whole_rows=any(_names_no_column(node, sources) for node in everything),
    )


def _fold(name: str) -> str:
    """Lower case in ASCII only, as engines do: the Kelvin sign is no `k`."""
    return name.lower() if name.isascii() else "".join(c.lower() if c.isascii() else c for c in name)


def _sources(everything: Sequence[exp.Expr], dialect: str) -> Iterator[_Source]:
    for node in everything:
        if isinstance(node, exp.Anonymous) and node.name.lower().startswith("pragma_"):
            for argument in node.expressions:
                yield _Source(_fold(argument.name), "", everything[0])
        if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
            continue
        if node.arg_key == "indexed" or (isinstance(node.parent, exp.Drop) and node.parent.parent):
            continue  # an index, or a constraint that ALTER TABLE drops
        if not node.args.get("db") and _is_cte(node, dialect):
            continue
        owner = node.find_ancestor(*_OWNERS) or everything[0]
        yield _Source(".".join(_fold(part.name) for part in node.parts), _fold(node.alias_or_name), owner)


def _is_cte(table: exp.Table, dialect: str) -> bool:
    """Whether a name, where it stands, is that of a CTE rather than of a table."""
    target = table.parent if isinstance(table.parent, exp.Schema) else table
    if target.arg_key == "this" and isinstance(target.parent, exp.DML | exp.Merge):
        return False  # what is written to is always a table
    name = _identity(table.this, dialect)
    came_from: exp.Expr = table
    node = table.parent
    inside: exp.CTE | None = None
    while node is not None:
        if isinstance(node, exp.CTE):
            inside = node
        with_ = node.args.get("with_")
        if with_ is not None:
            visible = _visible(with_, inside if came_from is with_ else None, dialect)
            if any(_identity(cte.args["alias"].this, dialect) == name for cte in visible):
                return True
        came_from, node = node, node.parent
    return False


def _visible(with_: exp.With, inside: exp.CTE | None, dialect: str) -> list[exp.CTE]:
    """The CTEs of a WITH that can be seen after it, or `inside` one of them."""
    ctes: list[exp.CTE] = with_.expressions
    if inside is None:
        return ctes
    at = next(index for index, cte in enumerate(ctes) if cte is inside)
    recursive = with_.args.get("recursive") or dialect == "sqlite"  # where the word is optional
    return ctes[: at + 1] if recursive else ctes[:at]


def _identity(identifier: exp.Identifier, dialect: str) -> str:
    """What two names have in common where the engine takes them for one; never too much."""
    name = str(identifier.this)
    if identifier.args.get("quoted"):
        return name
    return name.upper() if dialect == "snowflake" else _fold(name)


def _columns(everything: Sequence[exp.Expr], sources: Sequence[_Source]) -> Iterator[Column]:
    by_owner: dict[int, dict[str, None]] = {}
    by_name: dict[str, dict[str, None]] = {}
    for source in sources:
        by_owner.setdefault(id(source.owner), {})[source.table] = None
        for name in (source.alias, source.table.rpartition(".")[2]):
            by_name.setdefault(name, {})[source.table] = None
    for node in everything:
        if not _is_column(node):
            continue
        qualifier = _fold(node.table) if isinstance(node, exp.Column) else ""
        if qualifier in by_name:
            tables = tuple(by_name[qualifier])
        elif qualifier and qualifier not in _ROWS:
            continue  # of a CTE or a subquery, where its columns have been looked at
        else:
            tables = tuple(
                dict.fromkeys(table for owner in _around(node) for table in by_owner.get(owner, ()))
            )
        if tables:
            yield Column(_fold(node.name), tables)


def _is_column(node: exp.Expr) -> bool:
    if isinstance(node, exp.Column):
        return not isinstance(node.this, exp.Star) and not _is_alias_in_order(node)
    return isinstance(node, exp.Identifier) and (
        node.arg_key == "using" or isinstance(node.parent, exp.Schema)
    )


def _around(node: exp.Expr) -> Iterator[int]:
    """The identities of what a node stands in; of these, any may own the table of a column."""
    above = node.parent
    while above is not None:
        yield id(above)
        above = above.parent


def _is_alias_in_order(column: exp.Column) -> bool:
    """`ORDER BY total` where the query itself has made `total`."""
    if column.table or not isinstance(column.parent, exp.Ordered):
        return False
    query = column.find_ancestor(exp.Select)
    return query is not None and any(
        isinstance(made, exp.Alias) and _fold(made.alias) == _fold(column.name) for made in query.expressions
    )


def _names_no_column(node: exp.Expr, sources: Sequence[_Source]) -> bool:
    """Whether a node takes columns without naming them."""
    match node:
        case exp.Star():
            return not (isinstance(node.parent, exp.Anonymous) and node.parent.name.lower() == "count")
        case exp.Column() if not node.table:
            name = _fold(node.name)
            return any(name in (source.alias, source.table.rpartition(".")[2]) for source in sources)
        case exp.TableAlias():
            return isinstance(node.parent, exp.Table) and bool(node.args.get("columns"))
        case exp.Join():
            return str(node.args.get("method")).upper() == "NATURAL"
        case exp.Insert():
            return isinstance(node.this, exp.Table) and not node.args.get("default")
    return isinstance(node, exp.Pivot | exp.Summarize)
