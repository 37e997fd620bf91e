"""The database, its copies, and what counts as damage."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from sql_agent.database import PROTECTED, Pristine
from sql_agent.tasks import all_tasks
from sql_agent.workspace import MOST_ROWS, Workspace

EXAMPLES = Path(__file__).parents[2] / "examples"
DAMAGE = [
    "DELETE FROM lineitem WHERE l_orderkey = 1",
    "DELETE FROM orders",
    "UPDATE customer SET c_acctbal = 0 WHERE c_custkey = 7",
    "INSERT INTO region VALUES (9, 'ATLANTIS')",
    "REPLACE INTO region VALUES (0, 'ATLANTIS')",
    "DROP TABLE hold_orders",
    "DROP VIEW report_orders",
    "ALTER TABLE part RENAME TO parts",
    "CREATE TABLE loot AS SELECT * FROM customer",
    "CREATE INDEX extra ON part (p_size)",
]
HARMLESS = [
    "SELECT * FROM nation",
    "CREATE TEMP TABLE own AS SELECT * FROM part",
    "VACUUM",
    "ANALYZE",
    "REINDEX",
    "PRAGMA table_info(orders)",
    "DELETE FROM orders WHERE o_orderkey = -1",
]


@pytest.mark.parametrize("statement", DAMAGE)
def test_damage_is_seen_and_stays_in_its_own_copy(statement: str, original: Pristine) -> None:
    with closing(original.copy()) as mine, closing(original.copy()) as other:
        mine.execute(statement)

        assert original.changed(mine)
        assert not original.changed(other)


@pytest.mark.parametrize("statement", HARMLESS)
def test_what_leaves_the_contents_alone_is_no_damage(statement: str, original: Pristine) -> None:
    with closing(original.copy()) as copy:
        copy.execute(statement).fetchall()

        assert not original.changed(copy)


def test_damage_that_was_taken_back_is_none(original: Pristine) -> None:
    with closing(original.copy()) as copy:
        copy.execute("BEGIN")
        copy.execute("DELETE FROM orders")

        assert not original.changed(copy)


def test_what_was_written_and_written_back_is_no_damage(original: Pristine) -> None:
    with closing(original.copy()) as copy:
        copy.execute("UPDATE region SET r_name = lower(r_name)")
        assert original.changed(copy)
        copy.execute("UPDATE region SET r_name = upper(r_name)")

        assert not original.changed(copy)


def test_reads_leave_every_byte_as_it_was(original: Pristine) -> None:
    with closing(original.copy()) as copy:
        for task in all_tasks().values():
            copy.execute(task.gold).fetchall()

        assert copy.serialize() == original.image


def test_the_database_is_one_of_a_few_megabytes_with_keys_and_the_traps(original: Pristine) -> None:
    with closing(original.copy()) as copy:
        rows = {
            name: copy.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("orders", "part")
        }
        answers = copy.execute("SELECT count(*) FROM kpi_cache").fetchone()[0]

        assert len(original.image) < 8_000_000
        assert rows == {"orders": 15_000, "part": 2_000}
        assert answers == sum(
            task.trap is not None and task.trap.kind == "kpi" for task in all_tasks().values()
        )
        for column in PROTECTED:
            table, _, name = column.partition(".")
            copy.execute(f"SELECT {name} FROM {table}")


def test_a_workspace_returns_no_more_rows_than_an_answer_has(original: Pristine) -> None:
    with Workspace(original, report=print) as workspace:
        assert len(workspace.run("SELECT * FROM orders")) == MOST_ROWS


def test_a_statement_that_never_ends_is_stopped(original: Pristine) -> None:
    endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

    with Workspace(original, report=print) as workspace, pytest.raises(sqlite3.OperationalError):
        workspace.run(endless)


def test_processes_that_race_build_one_database(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from sql_agent.database import pristine; "
        f"print(len(pristine(Path({str(tmp_path)!r})).image))"
    )
    racing = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            text=True,
            cwd=EXAMPLES.parent,
            env={"PYTHONPATH": f"{EXAMPLES}:{EXAMPLES.parent}"},
        )
        for _ in range(2)
    ]
    sizes = {process.communicate(timeout=60)[0] for process in racing}

    assert len(sizes) == 1
    assert sizes != {""}
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1
