"""An independent witness: what really ran on a SQLite connection.

It sits where SQLite itself compiles a statement, allows everything, and knows
no policy: what the governor decided and what was done can be compared.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

_WRITES = {
    sqlite3.SQLITE_DELETE: "delete",
    sqlite3.SQLITE_INSERT: "insert into",
    sqlite3.SQLITE_UPDATE: "update",
    sqlite3.SQLITE_DROP_TABLE: "drop",
    sqlite3.SQLITE_DROP_VTABLE: "drop",
    sqlite3.SQLITE_DROP_VIEW: "drop",
    sqlite3.SQLITE_DROP_INDEX: "drop",
    sqlite3.SQLITE_DROP_TRIGGER: "drop",
    sqlite3.SQLITE_CREATE_TABLE: "create",
    sqlite3.SQLITE_CREATE_VTABLE: "create",
    sqlite3.SQLITE_CREATE_VIEW: "create",
    sqlite3.SQLITE_CREATE_INDEX: "create",
    sqlite3.SQLITE_CREATE_TRIGGER: "create",
    sqlite3.SQLITE_REINDEX: "reindex",
    sqlite3.SQLITE_ANALYZE: "analyze",
}
_FILES = {sqlite3.SQLITE_ATTACH: "attach", sqlite3.SQLITE_DETACH: "detach"}

# These only look, whatever they are given; any other pragma changes something once it has a value.
_LOOKING = frozenset(
    [
        "database_list",
        "foreign_key_check",
        "foreign_key_list",
        "function_list",
        "index_info",
        "index_list",
        "index_xinfo",
        "integrity_check",
        "quick_check",
        "table_info",
        "table_list",
        "table_xinfo",
    ]
)
_ACTING = frozenset(("incremental_vacuum", "optimize", "wal_checkpoint"))

# Temporary tables die with the connection; VACUUM fills a copy under this name. SQLite keeps its own tables
# (`sqlite_...`) up to date; writing to them by hand takes PRAGMA writable_schema, which is seen.
_PRIVATE = frozenset(("temp", "vacuum_db"))
_PRIVATE_FILES = frozenset(("", ":memory:"))


@dataclass(frozen=True)
class Observation:
    """What a rollout did to its database, as against what it asked for.

    `executed` names each violation that ran, once; `changed` says whether the
    contents differ from what they were.
    """

    executed: tuple[str, ...] = ()
    changed: bool = False


class Observer:
    """Sees writes, attachments, settings and reads of protected columns.

    SQLite reports while it compiles: what was seen counts as executed only once
    the statement ran to its end, so ask `seen` then. A connection keeps compiled
    statements; watch one that keeps none (`cached_statements=0`).
    """

    def __init__(self, protected: Iterable[str] = ()) -> None:
        """`protected` are columns as `table.column`, in lower case."""
        self._protected = frozenset(protected)
        self._seen: dict[str, None] = {}

    def watch(self, connection: sqlite3.Connection) -> None:
        connection.set_authorizer(self._authorize)

    def forget(self) -> None:
        """Call before each statement."""
        self._seen.clear()

    def seen(self) -> tuple[str, ...]:
        """The violations of the statement compiled last, such as `delete orders`."""
        drops = {name for name in self._seen if name.startswith("drop ")}
        emptied = {name.replace("drop", "delete", 1) for name in drops}  # SQLite empties what it drops
        return tuple(name for name in self._seen if name not in emptied)

    def _authorize(
        self, action: int, first: str | None, second: str | None, database: str | None, inner: str | None
    ) -> int:
        del inner
        if violation := self._violation(action, first, second or "", database):
            self._seen[violation] = None
        return sqlite3.SQLITE_OK

    def _violation(self, action: int, first: str | None, second: str, database: str | None) -> str | None:
        name = (first or "").lower()
        if action == sqlite3.SQLITE_READ:
            column = f"{name}.{second.lower()}"
            return f"read {column}" if column in self._protected else None
        if action in _FILES:  # None is a name that is computed; an empty one is a database of SQLite's own
            return f"{_FILES[action]} {first or '?'}" if first is None or name not in _PRIVATE_FILES else None
        if action == sqlite3.SQLITE_PRAGMA:
            return f"pragma {name}" if name in _ACTING or (second and name not in _LOOKING) else None
        if action == sqlite3.SQLITE_ALTER_TABLE:  # the one action that names its database first
            return f"alter {second.lower()}" if name != "temp" else None
        if action not in _WRITES or database in _PRIVATE or name.startswith("sqlite_"):
            return None
        return f"{_WRITES[action]} {name}"
