"""The folder of one run: configuration, bundle, metrics, audit and summary."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from cluster.run_config import LoadedRun
from governor.config import RunConfig
from governor.errors import ConfigError
from store_bridge.runner import new_run_id


def new_run_dir(config: RunConfig) -> Path:
    """The folder that `run_dir` names, or a new one under `runs`."""
    return config.run_dir or Path("runs").resolve() / new_run_id(config.name)


def check(path: Path) -> None:
    """Raise `ConfigError` where no run can be written to `path`; writes nothing."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ConfigError(f"`run_dir`: `{path}` is not an empty folder")
    parent = next(folder for folder in (path, *path.parents) if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise ConfigError(
            f"`run_dir`: `{path}` cannot be written: `{parent}` is no folder that can be written to"
        )


class RunDirectory:
    """`config.yaml`, `policy.yaml`, `metrics.jsonl`, `summary.json` and `audit/`.

    Made new or in an empty folder; raises `ConfigError` where it cannot be
    written.
    """

    def __init__(self, path: Path) -> None:
        check(path)
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._metrics = (path / "metrics.jsonl").open("a", encoding="utf-8")
        except OSError as exc:
            raise ConfigError(f"`run_dir`: `{path}` cannot be written: {exc.strerror}") from None

    def write_inputs(self, run: LoadedRun) -> None:
        """The resolved configuration, and the bundle with its digest."""
        config = run.config.model_dump(mode="json") | {"run_dir": str(self.path), "policy": "policy.yaml"}
        self._write("config.yaml", yaml.safe_dump(config, sort_keys=False))
        bundle = yaml.safe_dump(run.bundle.model_dump(mode="json"), sort_keys=False)
        self._write("policy.yaml", f"# digest: {run.bundle.digest}\n{bundle}")

    def add_metrics(self, values: Mapping[str, Any]) -> None:
        """Append one line to `metrics.jsonl`."""
        self._metrics.write(json.dumps(values) + "\n")
        self._metrics.flush()

    def write_summary(self, figures: Mapping[str, Any]) -> None:
        self._write("summary.json", json.dumps(figures, indent=2) + "\n")

    def close(self) -> None:
        self._metrics.close()

    def _write(self, name: str, text: str) -> None:
        staged = self.path / f".{name}"
        staged.write_text(text, encoding="utf-8")
        staged.rename(self.path / name)
