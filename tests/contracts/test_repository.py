"""What the repository holds: nothing of one machine, and every pin."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
UNTRACKED = {".git", ".venv", ".cache", ".hypothesis", "__pycache__", "build", "dist", "runs"}
TEXT = {".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".json", ".sql", ".cfg", ".sh", ""}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8")
PIN = re.compile(
    r"^([a-z0-9][a-z0-9._-]*)==([^\s;]+)(?: ; [^\\\n]+)? \\\n((?:    --hash=.+\n?)+)", re.MULTILINE
)
PINS = {name: version for name, version, _ in PIN.findall(CONSTRAINTS)}

# Ray's own images and sessions live in two places of this kind, the same on every machine.
MACHINE_PATH = re.compile(r"(?<![\w.~}-])/(?:home/(?!ray\b)|tmp/(?!ray\b)|Users/|root/|work/)[\w.]")
REGISTRY = re.compile(r"pythonhosted|pypi\.(?!org/project/)|artifactory|/simple/|index-url")


def tracked_files() -> list[Path]:
    """What git has or would take; in an unpacked archive, everything that nobody generated."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        paths = [path for path in ROOT.rglob("*") if not UNTRACKED & set(path.relative_to(ROOT).parts)]
    return [path for path in paths if path.is_file()]


def lines_outside_tests() -> Iterator[tuple[str, str]]:
    """Lines with their places; tests name foreign paths and hosts as the attacks that they are."""
    for path in tracked_files():
        place = path.relative_to(ROOT)
        if path.suffix in TEXT and place.parts[0] != "tests":
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
                yield f"{place}:{number}", line


def test_the_repository_has_files() -> None:
    assert ROOT / "pyproject.toml" in tracked_files()


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    assert [(place, line) for place, line in lines_outside_tests() if MACHINE_PATH.search(line)] == []


def test_no_file_names_a_package_registry() -> None:
    assert [(place, line) for place, line in lines_outside_tests() if REGISTRY.search(line)] == []


def test_every_constraint_is_an_exact_version_with_hashes() -> None:
    left_over = [line for line in PIN.sub("", CONSTRAINTS).splitlines() if line and not line.startswith("#")]
    hashes = [line.strip(" \\") for *_, block in PIN.findall(CONSTRAINTS) for line in block.splitlines()]

    assert left_over == []
    assert [line for line in hashes if not re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line)] == []


def test_the_constraints_name_no_url() -> None:
    assert "://" not in CONSTRAINTS


@pytest.mark.parametrize(
    "requirement",
    [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]],
)
def test_the_constraints_hold_what_the_project_asks_for(requirement: str) -> None:
    asked = Requirement(requirement)

    assert asked.specifier.contains(PINS[canonicalize_name(asked.name)])


def test_a_python_file_has_less_than_400_lines() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in tracked_files()
        if path.suffix == ".py"
    }

    assert {path: length for path, length in lengths.items() if length >= 400} == {}
