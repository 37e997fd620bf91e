"""Each benchmark runs, quickly, and says what it promises to say; the figures are not judged here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEADLINES = {
    "decision_path": [
        "ratio_256_agents",
        "ratio_256_windowed",
        "ratio_256_strict",
        "ratio_256_local",
        "ratio_lone_p50",
    ],
}


def test_every_benchmark_is_known_here() -> None:
    assert {file.stem for file in (ROOT / "benchmarks").glob("*.py")} == set(HEADLINES)


@pytest.mark.parametrize("name", HEADLINES)
def test_a_benchmark_prints_a_table_and_writes_its_figures(name: str, tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), "--quick", "--json", str(figures)]

    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    assert done.returncode == 0, done.stderr
    found = json.loads(figures.read_text())
    for headline in HEADLINES[name]:
        assert found[headline] > 0
        assert headline in done.stdout
