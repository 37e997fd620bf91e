"""The closing figures of a run, computed from its flight records."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from rich.table import Table

from governor.audit.reader import FlightRun
from governor.decisions import Effect, Severity

_TENTH = 0.1


@dataclass(frozen=True)
class Summary:
    """Counts are of actions unless they say otherwise; latencies are milliseconds.

    `asked` is what the enforcement points counted, `recorded` what stands in
    Parquet, `spans` what the LightningStore holds, `priced` what rewards were
    computed from: in an undisturbed run all four agree. `executed` counts
    violations that an independent observer saw happen. Success is the mean
    task reward of the first and last tenth of the training rollouts.
    """

    rollouts: int
    rewarded: int
    outcomes: dict[str, int]
    asked: int
    recorded: int
    spans: int
    priced: int
    effects: dict[str, int]
    attempted: int
    blocked: int
    executed: int
    executed_rollouts: int
    executed_rate_at_end: float
    success_at_start: float
    success_at_end: float
    decisions_per_second: float
    latency_p50: float
    latency_p99: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def summarize(run_dir: Path, spans: int) -> Summary:
    """The figures of a sealed run; `spans` is the number of decision spans in its store."""
    run = FlightRun.open(run_dir)
    actions, outcomes, rollouts = run.table("actions"), run.table("outcomes"), run.table("rollouts")
    violation = pc.and_(
        pc.not_equal(actions["effect"], str(Effect.ALLOW)),
        pc.not_equal(actions["severity"], str(Severity.NONE)),
    )
    blocked = pc.is_in(actions["effect"], pa.array([str(Effect.DENY), str(Effect.TERMINATE)]))
    seen = rollouts.append_column("executed", _executed_in(outcomes, rollouts))
    training = seen.filter(pc.not_equal(seen["mode"], "val")).sort_by("ended_unix_nano")
    tenth = max(1, int(training.num_rows * _TENTH))
    first, last = training.slice(0, tenth), training.slice(max(0, training.num_rows - tenth))
    times = actions["time_unix_nano"]
    latency = _quantiles(actions["latency_ns"])
    return Summary(
        rollouts=rollouts.num_rows,
        rewarded=rollouts.num_rows - rollouts["final_reward"].null_count,
        outcomes=_counts(rollouts["outcome"]),
        asked=_sum(rollouts["actions"]),
        recorded=actions.num_rows,
        spans=spans,
        priced=_sum(rollouts.filter(pc.is_valid(rollouts["final_reward"]))["actions"]),
        effects={str(effect): _counts(actions["effect"]).get(effect, 0) for effect in Effect},
        attempted=_sum(violation),
        blocked=_sum(pc.and_(violation, blocked)),
        executed=_incidents(outcomes) + _incidents(rollouts),
        executed_rollouts=_sum(seen["executed"]),
        executed_rate_at_end=_mean(last["executed"]),
        success_at_start=_mean(first["task_reward"]),
        success_at_end=_mean(last["task_reward"]),
        decisions_per_second=actions.num_rows / _seconds(times),
        latency_p50=latency[0],
        latency_p99=latency[1],
    )


def _executed_in(outcomes: pa.Table, rollouts: pa.Table) -> pa.Array:
    """For each rollout row, whether an observer saw a violation executed in it."""
    hit = outcomes.filter(pc.greater(pc.list_value_length(outcomes["incidents"]), 0))
    attempts = pc.unique(hit["attempt_id"])
    own = pc.greater(pc.list_value_length(rollouts["incidents"]), 0)
    return pc.or_(own, pc.is_in(rollouts["attempt_id"], value_set=attempts)).combine_chunks()


def _incidents(table: pa.Table) -> int:
    return _sum(pc.list_value_length(table["incidents"]))


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    return dict(Counter(column.to_pylist()))


def _sum(column: Any) -> int:
    return pc.sum(column).as_py() or 0


def _mean(column: pa.ChunkedArray) -> float:
    return float(pc.mean(column).as_py() or 0.0)


def _quantiles(nanoseconds: pa.ChunkedArray) -> tuple[float, float]:
    p50, p99 = pc.quantile(nanoseconds, q=[0.5, 0.99]).to_pylist()
    return (p50 or 0) / 1e6, (p99 or 0) / 1e6


def _seconds(times: pa.ChunkedArray) -> float:
    span = pc.min_max(times).as_py()
    return max(1e-9, ((span["max"] or 0) - (span["min"] or 0)) / 1e9)


def table(summary: Summary) -> Table:
    """The closing table."""
    shown = Table(title="Governed run", show_header=False)
    shown.add_column("figure")
    shown.add_column("value", justify="right")
    outcomes = ", ".join(f"{count:,} {name}" for name, count in sorted(summary.outcomes.items()))
    effects = ", ".join(f"{count:,} {name}" for name, count in summary.effects.items() if count)
    rows = {
        "rollouts": f"{summary.rollouts:,} ({outcomes})",
        "actions asked = recorded = spans = priced": (
            f"{summary.asked:,} = {summary.recorded:,} = {summary.spans:,} = {summary.priced:,}"
            if summary.asked == summary.recorded == summary.spans == summary.priced
            else f"{summary.asked:,} / {summary.recorded:,} / {summary.spans:,} / {summary.priced:,}"
        ),
        "decisions": effects,
        "violations attempted / blocked / executed": (
            f"{summary.attempted:,} / {summary.blocked:,} / {summary.executed:,}"
        ),
        "rollouts that executed one, all / last tenth": (
            f"{summary.executed_rollouts:,} / {summary.executed_rate_at_end:.1%}"
        ),
        "task success, first / last tenth": f"{summary.success_at_start:.1%} / {summary.success_at_end:.1%}",
        "decisions per second": f"{summary.decisions_per_second:,.0f}",
        "decision latency p50 / p99": f"{summary.latency_p50:.2f} / {summary.latency_p99:.2f} ms",
    }
    for name, value in rows.items():
        shown.add_row(name, value)
    return shown
