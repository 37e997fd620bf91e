"""`governor run` as users start it: real Ray, real Trainer, real database."""

import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from cluster.run_config import load_run
from governor.audit.reader import FlightRun

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "sql_agent" / "run.yaml"
DEADLINE = 240
BRIEF = ["algorithm.iterations=2", "algorithm.evaluations=0"]


def readme_commands() -> list[list[str]]:
    """The arguments of each `governor run examples/...` of the README, in its order."""
    blocks = (ROOT / "README.md").read_text().split("```console\n")[1:]
    lines = [line for block in blocks for line in block.split("```")[0].splitlines()]
    return [shlex.split(line)[3:] for line in lines if line.startswith("governor run ")]


PLAIN, FLAGS, OFF, AUTO = readme_commands()  # each runs in a test of this file


@contextmanager
def started(
    run_dir: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A run in a process group of its own; whatever is left of it is killed at the end."""
    command = [sys.executable, "-m", "cluster.main", "run", str(EXAMPLE), f"run_dir={run_dir}", *arguments]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | dict(environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=_hear_interrupts,
    )
    try:
        yield process
    finally:
        for child in descendants(process.pid):
            child.kill()
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def _hear_interrupts() -> None:
    """Undo what a shell does to its background jobs."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def run(run_dir: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run to the end; the summary that was written."""
    with started(run_dir, *arguments, environment=environment) as process:
        output, _ = process.communicate(timeout=DEADLINE)
        assert process.returncode == 0, output
    summary: dict[str, Any] = json.loads((run_dir / "summary.json").read_text())
    return summary


def decided(run_dir: Path) -> Counter[tuple[str, int, str, str, str, str]]:
    """Every decision, by the task it was taken for instead of by its rollout's random id."""
    flight = FlightRun.open(run_dir)
    task = {record.attempt_id: record.input_digest for record in flight.rollouts()}
    return Counter(
        (
            task[record.action.attempt_id],
            record.action.step,
            record.action.tool,
            record.action.args,
            str(record.decision.effect),
            record.decision.bundle,
        )
        for record in flight.actions()
    )


def killed(process: subprocess.Popen[str], name: str) -> bool:
    """SIGKILL one actor of this name; whether there was one."""
    for child in descendants(process.pid):
        with contextlib.suppress(psutil.Error):
            if child.cmdline()[:1] and child.cmdline()[0].startswith(f"ray::{name}"):
                child.kill()
                return True
    return False


def wait_for(condition: Any, what: str, process: subprocess.Popen[str]) -> Any:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if found := condition():
            return found
        assert process.poll() is None, f"the run ended before {what}"
        time.sleep(0.05)
    pytest.fail(f"{what} did not happen")


def progressed(run_dir: Path) -> bool:
    """Whether decisions are being made."""
    metrics = run_dir / "metrics.jsonl"
    lines = metrics.read_text().split("\n")[:-1] if metrics.exists() else []
    return any(json.loads(line).get("actions", 0) > 50 for line in lines)


def interrupt(process: subprocess.Popen[str]) -> None:
    """Ctrl-C; the run must end with 130, without a traceback and with nothing left running."""
    family = descendants(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []


def counts_agree(summary: dict[str, Any]) -> bool:
    return len({summary[name] for name in ("asked", "recorded", "spans", "priced")}) == 1


def test_two_runs_of_one_seed_decide_alike_and_their_counts_agree(tmp_path: Path) -> None:
    summaries = [run(tmp_path / name, *PLAIN, *BRIEF) for name in ("one", "two")]

    assert decided(tmp_path / "one") == decided(tmp_path / "two")
    for summary in summaries:
        assert counts_agree(summary)
        assert summary["recorded"] > 100
        assert summary["executed"] == summary["executed_rollouts"] == 0
    for name in ("config.yaml", "policy.yaml", "metrics.jsonl", "summary.json"):
        assert (tmp_path / "one" / name).stat().st_size > 0
    again = load_run(tmp_path / "one" / "config.yaml")
    assert (tmp_path / "one" / "policy.yaml").read_text().startswith(f"# digest: {again.bundle.digest}\n")
    assert {bundle for *_, bundle in decided(tmp_path / "one")} == {again.bundle.digest}


def test_ungoverned_the_learner_learns_to_break_things(tmp_path: Path) -> None:
    summary = run(tmp_path / "off", *OFF, "algorithm.iterations=8", "algorithm.evaluations=0")

    assert summary["effects"]["deny"] == 0
    assert summary["executed_rate_at_end"] > 0.05


def test_killing_a_kernel_and_the_auditor_stops_nothing_and_loses_nothing(tmp_path: Path) -> None:
    run_dir = tmp_path / "killed"

    with started(run_dir, *FLAGS) as process:
        wait_for(lambda: progressed(run_dir), "the first decisions", process)
        for name in ("KernelHost", "Auditor"):
            wait_for(lambda name=name: killed(process, name), f"the end of an actor {name}", process)
        output, _ = process.communicate(timeout=DEADLINE)
        assert process.returncode == 0, output

    summary = json.loads((run_dir / "summary.json").read_text())
    ids = [record.action.id for record in FlightRun.open(run_dir).actions()]
    assert len(ids) == len(set(ids)) == summary["recorded"]
    assert counts_agree(summary)
    assert summary["outcomes"] == {"ok": summary["rollouts"]}


def test_an_interrupt_ends_cleanly_with_what_was_recorded(tmp_path: Path) -> None:
    run_dir = tmp_path / "interrupted"

    with started(run_dir, "algorithm.iterations=1000") as process:
        wait_for(lambda: progressed(run_dir), "the first decisions", process)
        interrupt(process)

    flight = FlightRun.open(run_dir)
    assert flight.count("actions") > 50
    assert json.loads((run_dir / "summary.json").read_text())["interrupted"]


def test_an_interrupt_while_ray_starts_leaves_nothing_behind(tmp_path: Path) -> None:
    with started(tmp_path / "early") as process:
        wait_for(lambda: descendants(process.pid), "the start of Ray", process)
        interrupt(process)

    assert not (tmp_path / "early").exists()


def test_a_cluster_that_is_there_is_used_and_left_running(tmp_path: Path) -> None:
    """As a driver on its head, and as a client that only reaches its `ray://` port."""
    ray_command = str(Path(sys.executable).parent / "ray")
    folder = tempfile.mkdtemp(prefix="r")  # Ray's sockets need a short path
    environment = os.environ | {"RAY_TMPDIR": folder, "RAY_AUTH_MODE": "disabled"}
    port, client_port = free_port(), free_port()
    start = [ray_command, "start", "--head", "--block", f"--port={port}", "--num-cpus=2"]
    head = subprocess.Popen(
        [*start, "--include-dashboard=false", f"--ray-client-server-port={client_port}"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        listening(port)
        driver = run(tmp_path / "driver", *AUTO, *BRIEF, environment={"RAY_ADDRESS": f"127.0.0.1:{port}"})
        listening(client_port)
        client = run(tmp_path / "client", "--address", f"ray://127.0.0.1:{client_port}", *BRIEF)
        assert head.poll() is None
    finally:
        for child in descendants(head.pid):
            child.kill()
        head.kill()
        head.wait()
        shutil.rmtree(folder, ignore_errors=True)
    assert counts_agree(driver)
    assert counts_agree(client)
    assert decided(tmp_path / "driver") == decided(tmp_path / "client")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listening(port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    pytest.fail("the cluster did not come up")
