"""Who may import whom: by the source, and by what a process loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN = {
    "governor": {"ray", "agentlightning", "actors", "store_bridge", "cluster"},
    "actors": {"agentlightning", "store_bridge", "cluster"},
    "store_bridge": {"cluster"},
    "cluster": set[str](),
}
OUTSIDE = {"tests", "examples", "benchmarks", "sql_agent"}
"""Not part of the distribution, so not there where it is installed."""


def imported_packages(path: Path) -> set[str]:
    """The top-level packages that a file imports anywhere, functions and type checking included."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def offenders(room: str, unwanted: set[str]) -> dict[str, set[str]]:
    return {
        str(path.relative_to(ROOT)): found
        for path in sorted((ROOT / room).rglob("*.py"))
        if (found := imported_packages(path) & unwanted)
    }


@pytest.mark.parametrize("room", FORBIDDEN)
def test_a_room_imports_only_from_the_rooms_below_it(room: str) -> None:
    assert offenders(room, FORBIDDEN[room]) == {}


@pytest.mark.parametrize("room", FORBIDDEN)
def test_what_is_installed_stands_without_what_is_not(room: str) -> None:
    assert offenders(room, OUTSIDE) == {}


@pytest.mark.parametrize("room", ["governor", "actors", "store_bridge"])
def test_below_the_command_only_the_audit_log_imports_pyarrow(room: str) -> None:
    found = {path for path in offenders(room, {"pyarrow"}) if not path.startswith("governor/audit/")}

    assert found == set()


@pytest.mark.parametrize(
    ("room", "heavy"),
    [("governor", {"ray", "agentlightning", "pyarrow"}), ("actors", {"agentlightning", "litellm"})],
)
def test_importing_a_room_loads_nothing_heavy_that_it_can_do_without(room: str, heavy: set[str]) -> None:
    code = f"import sys, {room}; print(*sorted({heavy!r} & set(sys.modules)))"

    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.PIPE)

    assert loaded.stdout.split() == []
