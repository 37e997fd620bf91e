"""What a governed action costs, beside bare Ray actor calls of the same run.

    python benchmarks/decision_path.py [--quick] [--json PATH]

One worker process runs 1 or 256 agents, each calling a tool that does nothing
through the enforcement point. The yardstick is what Ray itself gives in the
same process: the p50 of one no-op actor call, and the no-op calls per second
with 200 of them under way. Rounds are interleaved, and the best of each counts,
because a busy neighbour can only slow a round down.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
from rich.console import Console
from rich.table import Table

from actors import governor as governor_actors
from actors import runtime
from actors.governor import RemoteGovernor
from governor.bundle import Bundle
from governor.config import AuditOptions, GovernorOptions
from governor.enforcement import Attempt
from governor.local import LocalDecisions
from governor.policies import CallBudget
from governor.ports import Governor, Services
from governor.records import Record
from governor.rewards import Additive

BUNDLE = Bundle(tools=("noop",), policies=(CallBudget(calls=1_000_000_000),))
BARE_WINDOW = 200
CROWD = 256
LIMITS = {
    "ratio_256_agents": (">=", 10.0),
    "ratio_256_windowed": (">=", 4.0),
    "ratio_256_strict": None,
    "ratio_256_local": None,
    "ratio_lone_p50": ("<=", 3.0),
    "ratio_lone_windowed_p50": ("<=", 3.0),
    "ratio_lone_strict_p50": None,
}


class Unrecorded:
    """A recorder that keeps nothing: the cost of deciding alone."""

    async def append(self, record: Record) -> int:
        return 0

    async def ahead(self, position: int) -> None:
        return

    async def flush(self) -> None:
        return


@dataclass
class Variant:
    """A governor with some of its services replaced."""

    governor: RemoteGovernor
    recorded: bool = True
    local: bool = False
    _services: Services | None = None

    def connect(self) -> Services:
        if self._services is None:
            services = self.governor.connect()
            if not self.recorded:
                services = replace(services, recorder=Unrecorded())
            if self.local:
                services = replace(services, decisions=LocalDecisions(BUNDLE))
            self._services = services
        return self._services


class Target:
    """The bare actor."""

    def noop(self) -> None:
        return None


class Worker:
    """The worker process; both the governed and the bare calls come from here."""

    def bare_latencies(self, target: Any, calls: int) -> list[float]:
        return [_timed(lambda: ray.get(target.noop.remote())) for _ in range(calls)]

    def bare_rate(self, target: Any, seconds: float) -> float:
        calls, began = 0, time.perf_counter()
        while (passed := time.perf_counter() - began) < seconds:
            ray.get([target.noop.remote() for _ in range(BARE_WINDOW)])
            calls += BARE_WINDOW
        return calls / passed

    def governed(self, variant: Governor, agents: int, seconds: float) -> list[float]:
        """Seconds of every governed action of `agents` concurrent agents."""
        return asyncio.run(_crowd(variant, agents, seconds))


async def _crowd(governor: Governor, agents: int, seconds: float) -> list[float]:
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    end = time.perf_counter() + seconds

    async def agent(number: int) -> None:
        attempt = Attempt(governor, rollout_id=f"ro-{number}", attempt_id="at-1", home=loop)
        args: Mapping[str, Any] = {"query": "x" * 200, "number": number}
        while (began := time.perf_counter()) < end:
            await attempt.call("noop", _noop, args)
            latencies.append(time.perf_counter() - began)

    await asyncio.gather(*(agent(number) for number in range(agents)))
    await governor.connect().recorder.flush()
    return latencies


async def _noop(query: str, number: int) -> None:
    return None


def _timed(call: Any) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def measure(rounds: int, seconds: float, run_dir: Path) -> dict[str, list[float]]:
    """Rates (per second) and p50 latencies (s) of all variants, one value a round."""
    windowed = _launch(run_dir / "windowed", "windowed")
    strict = _launch(run_dir / "strict", "strict")
    variants = {
        "agents": Variant(windowed, recorded=False),
        "windowed": Variant(windowed),
        "strict": Variant(strict),
        "local": Variant(windowed, local=True),
    }
    worker: Any = ray.remote(Worker).options(num_cpus=0).remote()
    target: Any = ray.remote(Target).options(num_cpus=0, enable_task_events=False).remote()
    found: dict[str, list[float]] = defaultdict(list)
    for warm_up in [True, *[False] * rounds]:
        span = min(0.3, seconds) if warm_up else seconds
        row = {
            "bare_rate": ray.get(worker.bare_rate.remote(target, span)),
            "bare_p50": statistics.median(ray.get(worker.bare_latencies.remote(target, int(span * 500)))),
        }
        for name, variant in variants.items():
            crowd = ray.get(worker.governed.remote(variant, CROWD, span))
            lone = ray.get(worker.governed.remote(variant, 1, span / 2))
            row |= {
                f"{name}_rate": len(crowd) / span,
                f"{name}_crowd_p50": statistics.median(crowd),
                f"{name}_lone_p50": statistics.median(lone),
            }
        if not warm_up:
            for key, value in row.items():
                found[key].append(value)
    for governor in (windowed, strict):
        governor_actors.close(governor)
    return found


def _launch(run_dir: Path, mode: Any) -> RemoteGovernor:
    return governor_actors.launch(BUNDLE, Additive(), run_dir, GovernorOptions(audit=AuditOptions(mode=mode)))


def figures(found: Mapping[str, list[float]]) -> dict[str, float]:
    """The headline ratios, and what they are made of."""
    best = {key: (max if key.endswith("_rate") else min)(values) for key, values in found.items()}
    rates = {
        f"ratio_256_{name}": best[f"{name}_rate"] / best["bare_rate"]
        for name in ("agents", "windowed", "strict", "local")
    }
    lone = {
        "ratio_lone_p50": best["agents_lone_p50"] / best["bare_p50"],
        "ratio_lone_windowed_p50": best["windowed_lone_p50"] / best["bare_p50"],
        "ratio_lone_strict_p50": best["strict_lone_p50"] / best["bare_p50"],
    }
    return rates | lone | best


def show(result: Mapping[str, float], console: Console) -> None:
    console.print(
        f"bare no-op actor call: {result['bare_p50'] * 1e3:.2f} ms p50, {result['bare_rate']:,.0f}/s "
        f"with {BARE_WINDOW} under way"
    )
    shown = Table("figure", "value", "limit", "256 agents", "p50 of 256", "p50 of 1")
    for key, limit in LIMITS.items():
        name = {"agents": "agents", "lone": "agents"}.get(key.split("_")[1], key.split("_")[2])
        name = (
            key.removeprefix("ratio_256_").removeprefix("ratio_lone_").removesuffix("p50").rstrip("_")
            or "agents"
        )
        shown.add_row(
            key,
            f"{result[key]:.2f}",
            "" if limit is None else f"{limit[0]} {limit[1]:g}",
            f"{result[f'{name}_rate']:,.0f}/s",
            f"{result[f'{name}_crowd_p50'] * 1e3:.2f} ms",
            f"{result[f'{name}_lone_p50'] * 1e3:.2f} ms",
        )
    console.print(shown)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds, rougher figures")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the figures to PATH")
    options = parser.parse_args()
    rounds, seconds = (1, 0.6) if options.quick else (3, 2.0)
    with runtime.connected(num_cpus=2), tempfile.TemporaryDirectory() as folder:
        result = figures(measure(rounds, seconds, Path(folder)))
    show(result, Console())
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
