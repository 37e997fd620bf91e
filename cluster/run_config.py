"""Read a run configuration, with its bundle and its overrides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from governor.bundle import Bundle
from governor.config import RunConfig
from governor.kernel_space import PRESETS
from governor.loading import load


@dataclass(frozen=True)
class LoadedRun:
    """A configuration whose paths are absolute, and the bundle it names."""

    config: RunConfig
    bundle: Bundle
    source: Path


def load_run(file: Path, overrides: Sequence[str] = ()) -> LoadedRun:
    """The run that `file` describes; `overrides` are `key=value` with dotted keys.

    Paths in the file are relative to the file, paths in overrides to the
    current folder. Every mistake is a `ConfigError` of one line.
    """
    config = load(file, RunConfig, overrides)
    overridden = {override.partition("=")[0].strip() for override in overrides}

    def absolute(path: Path, key: str) -> Path:
        return (Path.cwd() if key in overridden else file.parent).joinpath(path).resolve()

    update: dict[str, object] = {"path": tuple(absolute(folder, "path") for folder in config.path)}
    if config.run_dir is not None:
        update["run_dir"] = absolute(config.run_dir, "run_dir")
    match config.policy:
        case Bundle() as bundle:
            pass
        case Path() as path if str(path) in PRESETS:
            bundle = PRESETS[str(path)]
        case path:
            bundle = load(absolute(path, "policy"), Bundle)
            update["policy"] = absolute(path, "policy")
    return LoadedRun(config.model_copy(update=update), bundle, file)
