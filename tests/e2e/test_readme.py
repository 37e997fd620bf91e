"""The README's Python, run as it stands by a newcomer's own script."""

import os
import subprocess
import sys
from pathlib import Path

import duckdb

from governor import Bundle, KernelSpace
from governor.loading import parse

ROOT = Path(__file__).parents[2]

BEFORE_FIRST = """
import sqlite3
from tests.toys import Collect

with sqlite3.connect("shop.db") as database:
    database.execute("create table orders (total int)")
    database.execute("insert into orders values (7)")

tasks = [{"query": q, "expected": [(7,)]} for q in ["select total from orders", "drop table orders"] * 3]
my_algorithm = Collect()


def ask_the_model(task, resources):
    return task["query"]
"""
AFTER_FIRST = """
from agentlightning.emitter.reward import find_final_reward

assert [find_final_reward(spans) for spans in my_algorithm.spans] == [6.0, -100.0] * 3
print("governed")
"""


def blocks(language: str) -> list[str]:
    return [block.split("```")[0] for block in (ROOT / "README.md").read_text().split(f"```{language}\n")[1:]]


def script(text: str, folder: Path) -> str:
    """What the script prints."""
    file = folder / "script.py"
    file.write_text(text)
    done = subprocess.run(
        [sys.executable, str(file)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "examples")])},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_governing_ones_own_agent_works_as_written(tmp_path: Path) -> None:
    own_agent, _ = blocks("python")

    assert "governed" in script(BEFORE_FIRST + own_agent + AFTER_FIRST, tmp_path)


def test_the_names_of_the_proposal_work_as_written(tmp_path: Path) -> None:
    _, names = blocks("python")

    output = script(names, tmp_path)

    assert output.splitlines()[0] == "False"
    assert "Imported(added=0" in output.splitlines()[-1]
    (sql,) = blocks("sql")
    here = sql.replace("runs/*", str(tmp_path / "runs" / "*"))
    assert ("deny", "critical") in {row[:2] for row in duckdb.connect().execute(here).fetchall()}


def test_the_bundle_shown_is_one() -> None:
    (text,) = blocks("yaml")

    kernel = KernelSpace(parse(text, Bundle, source="README.md"))

    assert kernel.check_action("calculator", {"expression": "1 + 1"}).allowed
    assert not kernel.check_action("sql", {"query": "DROP TABLE orders"}).allowed
