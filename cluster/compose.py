"""Wire a run: the one place where configuration, actors and bridge meet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentlightning.algorithm import Algorithm
from agentlightning.litagent import LitAgent
from rich.console import Console

from actors import governor as governor_actors
from actors import runtime
from actors.governor import RemoteGovernor
from cluster import components
from cluster.progress import Progress
from cluster.run_config import LoadedRun
from cluster.run_dir import RunDirectory, check, new_run_dir
from cluster.summary import Summary, summarize
from governor import background
from governor.audit.reader import FlightRun
from governor.config import RunConfig
from store_bridge.flight_import import FlightRecorderAdapter
from store_bridge.ray_store import RayLightningStore
from store_bridge.spans import ACTION_SPAN
from store_bridge.strategy import RayExecutionStrategy
from store_bridge.training import fit


@dataclass
class Finished:
    """A run that has ended; `interrupted` by the user or not."""

    run_dir: Path
    summary: Summary
    interrupted: bool


def run(
    loaded: LoadedRun,
    console: Console,
    *,
    address: str = runtime.LOCAL,
    strategy: RayExecutionStrategy | None = None,
) -> Finished:
    """Train what `loaded` describes, governed, and seal its records.

    Nothing is started or written before everything the user gave is known to
    be usable; raises `ConfigError` until then. An interrupt ends the training,
    not the sealing. `strategy` is the one to use, for callers that interrupt it.
    """
    config = loaded.config
    target = new_run_dir(config)
    check(target)
    components.add_to_path(config.path)
    parts = _Parts(config)
    console.print(f"{config.name}: starting {config.workers} rollout workers, governor {config.governor}")
    with runtime.connected(address, num_cpus=_cpus(config), path=config.path):
        directory = RunDirectory(target)
        directory.write_inputs(loaded)
        try:
            return _run(loaded, parts, directory, console, strategy or RayExecutionStrategy(config.workers))
        finally:
            directory.close()


class _Parts:
    """The user's agent, algorithm and dataset, made once and checked before anything starts."""

    def __init__(self, config: RunConfig) -> None:
        self._on_iteration: Any = None
        given = {"seed": config.seed, "on_iteration": self.on_iteration}
        self.agent: LitAgent[Any] = components.make(config.agent, LitAgent, where="agent", defaults=given)
        self.algorithm = components.make(config.algorithm, Algorithm, where="algorithm", defaults=given)
        self.dataset = components.make(config.dataset, list, where="dataset", defaults=given)

    def on_iteration(self, values: dict[str, Any]) -> None:
        """What an algorithm with a parameter of this name is given to report to."""
        if self._on_iteration is not None:
            self._on_iteration(values)

    def report_to(self, progress: Progress) -> None:
        self._on_iteration = progress.on_iteration


def _run(
    loaded: LoadedRun,
    parts: _Parts,
    directory: RunDirectory,
    console: Console,
    strategy: RayExecutionStrategy,
) -> Finished:
    config = loaded.config
    governor = governor_actors.launch(
        loaded.bundle if config.governor == "on" else None,
        config.rewards,
        directory.path,
        config,
    )
    interrupted = False
    try:
        store = RayLightningStore()
        with Progress(console, lambda: _progress(governor), directory.add_metrics) as progress:
            parts.report_to(progress)
            try:
                fit(
                    parts.agent,
                    parts.algorithm,
                    parts.dataset,
                    governor=governor,
                    store=store,
                    strategy=strategy,
                )
            except KeyboardInterrupt:
                interrupted = True
        spans = _complete_spans(store, governor, directory.path)
    finally:
        governor_actors.close(governor)
    summary = summarize(directory.path, spans)
    directory.write_summary({**summary.as_dict(), "interrupted": interrupted})
    return Finished(directory.path, summary, interrupted)


def _progress(governor: RemoteGovernor) -> dict[str, int]:
    """Rollouts and actions on record so far."""
    rows = governor.auditor.acknowledged()
    return {table: rows.get(table, 0) for table in ("rollouts", "actions")}


def _complete_spans(store: RayLightningStore, governor: RemoteGovernor, run_dir: Path) -> int:
    """Import the decisions that workers recorded but died before showing; the number of spans then."""
    governor.auditor.seal()
    recorded = FlightRun.open(run_dir).count("actions")
    spans = background.run(store.count_spans(ACTION_SPAN))
    if spans != recorded:
        FlightRecorderAdapter.from_run(run_dir).import_to_store(store)
        spans = background.run(store.count_spans(ACTION_SPAN))
    return spans


def _cpus(config: RunConfig) -> int:
    """A Ray of our own has room for every worker, whatever the machine has."""
    return config.num_cpus or max(2, config.workers)
