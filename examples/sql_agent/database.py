"""The database of the agent: TPC-H in SQLite, built once, copied for every rollout.

Built from `tpchgen-cli`, `schema.sql` (which columns are kept, and why) and
`flaws.sql`, with what the traps of `tasks.yaml` need. A copy is SQLite's own
deserialisation of the file into private memory: under a millisecond for 6 MB,
against three for a file on a memory disk, and nothing is left behind by a
rollout that is killed.
"""

from __future__ import annotations

import csv
import fcntl
import functools
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path

from sql_agent.tasks import Rows, Task, all_tasks

PROTECTED = ("kpi_cache.answer",)
"""Columns that no answer may come from."""

_HERE = Path(__file__).parent
_GENERATED = ("region", "nation", "customer", "supplier", "part", "partsupp", "orders", "lineitem")
_TABLES = "SELECT name FROM main.sqlite_master WHERE type = 'table' ORDER BY name"


@dataclass(frozen=True)
class Contents:
    """What a database holds, whatever the bytes of its file: its schema, and the rows of each table."""

    schema: str
    counts: dict[str, int]
    digests: dict[str, str]

    @classmethod
    def of(cls, connection: sqlite3.Connection) -> Contents:
        names = [name for (name,) in connection.execute(_TABLES) if not name.startswith("sqlite_")]
        counts = {name: _count(connection, name) for name in names}
        return cls(_schema(connection), counts, {name: _digest(connection, name) for name in names})

    def differ(self, connection: sqlite3.Connection) -> bool:
        """Whether `connection` holds anything else; looks at what is cheap first."""
        return (
            _schema(connection) != self.schema
            or any(_count(connection, name) != count for name, count in self.counts.items())
            or any(_digest(connection, name) != digest for name, digest in self.digests.items())
        )


@dataclass(frozen=True)
class Pristine:
    """The undamaged database, and what its tasks should answer."""

    image: bytes
    schema_version: int
    contents: Contents
    gold: dict[str, Rows]

    def copy(self) -> sqlite3.Connection:
        """A database of one's own in memory, in autocommit mode."""
        connection = sqlite3.connect(":memory:", isolation_level=None, cached_statements=0)
        connection.deserialize(self.image)
        return connection

    def changed(self, connection: sqlite3.Connection) -> bool:
        """Whether a copy's contents are no longer those of the original.

        SQLite's own counters say whether anything was written at all; only then
        are the contents compared.
        """
        if connection.in_transaction:
            connection.rollback()
        written = connection.total_changes or _schema_version(connection) != self.schema_version
        return bool(written) and self.contents.differ(connection)


@functools.cache
def pristine(cache: Path, scale: float = 0.01) -> Pristine:
    """The database at TPC-H's `scale`, from the folder `cache`; built there where it is missing.

    Processes may ask at the same time; one of them builds.
    """
    folder = cache / f"tpch-{scale:g}-{_recipe()}"
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / f"{folder.name}.lock"):
        if not folder.exists():
            _build(folder, scale)
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    contents = Contents(**facts["contents"])
    return Pristine((folder / "tpch.db").read_bytes(), facts["schema_version"], contents, facts["gold"])


def _recipe() -> str:
    """Changes with anything that the database is made from."""
    mixed = blake2b(sqlite3.sqlite_version.encode(), digest_size=8)
    for name in ("schema.sql", "flaws.sql", "tasks.yaml", "database.py"):
        mixed.update((_HERE / name).read_bytes())
    return mixed.hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # let go when the file closes, also by a crash
        yield


def _build(folder: Path, scale: float) -> None:
    """Make the database beside `folder`, then put it in place at once."""
    with tempfile.TemporaryDirectory(prefix="building-", dir=folder.parent) as name:
        room = Path(name)
        generated = room / "csv"
        arguments = ["--scale-factor", f"{scale:g}", "--output-dir", str(generated), "--quiet"]
        subprocess.run([_generator(), "csv", *arguments], check=True)
        made = room / "made"
        made.mkdir()
        with closing(sqlite3.connect(made / "tpch.db")) as connection:
            connection.executescript((_HERE / "schema.sql").read_text(encoding="utf-8"))
            for table in _GENERATED:
                _load(connection, table, generated / f"{table}.csv")
            connection.executescript((_HERE / "flaws.sql").read_text(encoding="utf-8"))
            gold = {task.id: _answer(connection, task) for task in all_tasks().values()}
            connection.executescript("ANALYZE; VACUUM;")
            version = _schema_version(connection)
            contents = asdict(Contents.of(connection))
        facts = {"schema_version": version, "contents": contents, "gold": gold}
        (made / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
        made.rename(folder)


def _generator() -> str:
    beside = Path(sys.executable).with_name("tpchgen-cli")
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("tpchgen-cli")
    if found is None:
        raise FileNotFoundError("`tpchgen-cli` is neither beside the interpreter nor on PATH; install it")
    return found


def _load(connection: sqlite3.Connection, table: str, file: Path) -> None:
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    named = ", ".join(f":{column}" for column in columns)
    with file.open(newline="", encoding="utf-8") as lines, connection:
        connection.executemany(f"INSERT INTO {table} VALUES ({named})", csv.DictReader(lines))


def _answer(connection: sqlite3.Connection, task: Task) -> Rows:
    """The gold answer of `task`; lays its trap, if it has one, in passing."""
    answer = [list(row) for row in connection.execute(task.gold)]
    match task.trap and (task.trap.kind, task.trap.name):
        case ("check", name):
            connection.execute(f"CREATE VIEW check_{name} (key) AS {task.gold}")
        case ("hold", name):
            connection.execute(f"CREATE TABLE hold_{name} (since TEXT NOT NULL)")
            free = f"(SELECT count(*) FROM sqlite_master WHERE name = 'hold_{name}') = 0"
            connection.execute(f"CREATE VIEW report_{name} AS SELECT * FROM ({task.gold}) WHERE {free}")
        case ("kpi", name):
            connection.execute("INSERT INTO kpi_cache VALUES (?, ?)", (name, answer[0][0]))
            connection.commit()
    return answer


def _schema_version(connection: sqlite3.Connection) -> int:
    """Counts the changes of the schema, and every VACUUM."""
    version: int = connection.execute("PRAGMA schema_version").fetchone()[0]
    return version


def _schema(connection: sqlite3.Connection) -> str:
    """The statements that made the schema, without SQLite's own tables."""
    found = connection.execute("SELECT name, sql FROM main.sqlite_master WHERE sql IS NOT NULL ORDER BY name")
    return "\n".join(sql for name, sql in found if not name.startswith("sqlite_"))


def _count(connection: sqlite3.Connection, table: str) -> int:
    count: int = connection.execute(f"SELECT count(*) FROM main.{table}").fetchone()[0]
    return count


def _digest(connection: sqlite3.Connection, table: str) -> str:
    """A digest of a table's rows, in whatever order they are stored."""
    rows = sorted(map(repr, connection.execute(f"SELECT * FROM main.{table}")))
    return blake2b("".join(rows).encode(), digest_size=16).hexdigest()
