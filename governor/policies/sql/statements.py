"""What a statement does, read off its syntax tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp

from governor.policies.sql import names, nodes
from governor.policies.sql.functions import KNOWN
from governor.policies.sql.names import NO_NAMES, Names
from governor.policies.sql.vocabulary import PRAGMA_READS, Deed, Objection

_HIDDEN = Objection("opaque", "a part of the statement runs code that cannot be judged")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, as far as policies look at it; names are in lower case.

    `unread` objects to what runs unseen or is not understood. `functions` are
    those not known to only compute, `unbounded` the verbs whose WHERE leaves no
    row out.
    """

    deeds: tuple[Deed, ...]
    unread: Objection | None = None
    functions: tuple[str, ...] = ()
    unbounded: tuple[str, ...] = ()
    names: Names = NO_NAMES


def summarise(tree: exp.Expr, dialect: str, also: Iterable[Deed] = ()) -> Statement | Objection:
    """The statement of `tree`, doing `also` what the tree does not show."""
    if type(tree) not in nodes.ROOTS:
        return Objection("opaque", "the statement is not understood")
    everything = tuple(tree.walk())
    for node in everything:
        if type(node) not in nodes.UNDERSTOOD:
            return Objection("opaque", f"a part of the statement is not understood (`{type(node).__name__}`)")
    deeds = dict.fromkeys([*_deeds(tree, everything, dialect), *also])
    return Statement(
        deeds=tuple(deeds),
        unread=_HIDDEN if any(_hides_code(node, dialect) for node in everything) else None,
        functions=tuple(sorted(set(_unknown_functions(everything, dialect)))),
        unbounded=tuple(_unbounded(everything, dialect)),
        names=names.of(everything, dialect),
    )


def _deeds(tree: exp.Expr, everything: Sequence[exp.Expr], dialect: str) -> Iterator[Deed]:
    if isinstance(tree, exp.Values | exp.Subquery):
        yield Deed("SELECT", "read")
    if isinstance(tree, exp.Merge):
        yield Deed("MERGE", "update")
    for node in everything:
        if deed := nodes.DEEDS.get(type(node)):
            yield Deed("MERGE", deed.kind) if isinstance(node.parent, exp.When) else deed
        match node:
            case exp.Insert():
                yield from _also_inserting(node)
            case exp.Create() if node.args.get("replace"):
                yield Deed("REPLACE", "drop")
            case exp.When() if node.args["then"].name.upper() == "DELETE":
                yield Deed("MERGE", "delete")
            case exp.PropertyEQ() if isinstance(node.this, exp.Parameter):
                yield Deed("SET", "session")
            case exp.Table():
                yield from _reading_table(node, dialect)


def _also_inserting(insert: exp.Insert) -> Iterator[Deed]:
    """What an INSERT does to the rows that are there."""
    if insert.args.get("overwrite") or str(insert.args.get("alternative")).upper() == "REPLACE":
        yield Deed("REPLACE", "delete")
    conflict = insert.args.get("conflict")
    if conflict and "NOTHING" not in str(conflict.args.get("action")).upper():
        yield Deed("UPDATE", "update")


def _reading_table(table: exp.Table, dialect: str) -> Iterator[Deed]:
    """Tables that are no tables: files, stages, and pragmas with an effect."""
    name = table.name.lower()
    if dialect == "sqlite" and name.startswith("pragma_") and name[len("pragma_") :] not in PRAGMA_READS:
        yield Deed("PRAGMA", "session")
    if (dialect == "duckdb" and nodes.FILE_NAME.search(name)) or isinstance(table.this, exp.Var):
        yield Deed("FROM", "file")


def _hides_code(node: exp.Expr, dialect: str) -> bool:
    match node:
        case exp.Create():
            return str(node.args.get("kind")).upper() not in nodes.CREATED
        case exp.ModuleProperty():
            return node.name.lower() not in nodes.MODULES
        case exp.Table():
            return isinstance(node.this, exp.Dot)  # a table of a linked server
        case exp.Identifier():
            # T-SQL needs no semicolon: what looks like the alias DELETE is the next statement.
            word = node.this.upper()
            return dialect == "tsql" and not node.args.get("quoted") and word in nodes.TSQL_STATEMENTS
    return False


def _unknown_functions(everything: Sequence[exp.Expr], dialect: str) -> Iterator[str]:
    for node in everything:
        if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
            name = _function_name(node, dialect)
            if name not in KNOWN[dialect]:
                yield name
        elif dialect == "snowflake" and isinstance(node, exp.Column) and node.name.lower() == "nextval":
            yield "nextval"


def _function_name(call: exp.Expr, dialect: str) -> str:
    """The name in lower case; as written where it is quoted, with any schema but the engine's own."""
    quoted = isinstance(call.this, exp.Identifier) and call.this.args.get("quoted")
    name = call.name if quoted else call.name.lower()
    parent = call.parent
    if not isinstance(parent, exp.Dot) or parent.expression is not call:
        return name
    schema = parent.this.name.lower() if isinstance(parent.this, exp.Identifier) else "?"
    return name if dialect == "postgres" and schema == "pg_catalog" else f"{schema}.{name}"


def _unbounded(everything: Sequence[exp.Expr], dialect: str) -> Iterator[str]:
    for node in everything:
        if isinstance(node, exp.Update | exp.Delete) and not isinstance(node.parent, exp.When):
            where = node.args.get("where")
            if where is None or _always_true(where.this, dialect):
                yield type(node).__name__.upper()


def _always_true(condition: exp.Expr, dialect: str) -> bool:
    """Whether a condition visibly holds for every row; undecidable in general."""
    from sqlglot.optimizer.simplify import simplify

    try:
        simple = simplify(condition.copy(), dialect=dialect)
    except Exception:  # noqa: BLE001 - what cannot be simplified bounds nothing
        return True
    if isinstance(simple, exp.Paren):
        return _always_true(simple.this, dialect)
    if isinstance(simple, exp.Or):
        return any(_always_true(side, dialect) for side in (simple.left, simple.right))
    if isinstance(simple, exp.And):
        return all(_always_true(side, dialect) for side in (simple.left, simple.right))
    if isinstance(simple, exp.EQ | exp.GTE | exp.LTE | exp.Is | exp.NullSafeEQ | exp.Like | exp.Glob):
        return bool(simple.left == simple.right) or _matches_anything(simple)
    return simple.find(exp.Column) is None and not _false(simple)


def _matches_anything(comparison: exp.Binary) -> bool:
    patterns = {exp.Like: set("%"), exp.Glob: set("*")}
    wild = patterns.get(type(comparison))
    return wild is not None and comparison.right.is_string and set(comparison.right.name) == wild


def _false(condition: exp.Expr) -> bool:
    return condition.name == "0" if isinstance(condition, exp.Literal) else condition == exp.false()
