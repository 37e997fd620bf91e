"""The configuration of a run: one YAML file, checked before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, StringConstraints

from governor.bundle import Bundle
from governor.model import Frozen, Name
from governor.rewards import Additive, AnyScheme

ImportPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
"""`package.module:name`."""


class Component(BaseModel):
    """A class or function of the user's, and the options to call it with."""

    model_config = ConfigDict(frozen=True, extra="allow")

    use: ImportPath

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.__pydantic_extra__ or {})


class KernelOptions(Frozen):
    """Kernel actors; times in seconds."""

    replicas: PositiveInt = 2
    timeout: PositiveFloat = 2.0
    """After this long a batch is asked of another replica."""
    deadline: PositiveFloat = 30.0
    """After this long a decision counts as unavailable, and the attempt is over."""


class AuditOptions(Frozen):
    """The audit actor; times in seconds."""

    mode: Literal["strict", "windowed"] = "strict"
    """`strict`: an action waits until its record is durable. `windowed`: it does
    not; a crash of the worker can lose the records not yet acknowledged."""
    timeout: PositiveFloat = 10.0
    deadline: PositiveFloat = 60.0
    seal_seconds: PositiveFloat = 10.0
    max_producers: PositiveInt = 64
    """How many workers may wait for the same write."""


class RewardOptions(Frozen):
    """Reward aggregators; times in seconds."""

    replicas: PositiveInt = 2
    timeout: PositiveFloat = 2.0
    deadline: PositiveFloat = 30.0


class GovernorOptions(Frozen):
    """How many actors the governor has, and how long its clients wait for them."""

    kernels: KernelOptions = KernelOptions()
    audit: AuditOptions = AuditOptions()
    aggregators: RewardOptions = RewardOptions()


class RunConfig(GovernorOptions):
    """One governed training run. Paths are relative to the file that names them."""

    name: Name = "run"
    seed: Annotated[int, Field(ge=0)] = 0
    governor: Literal["on", "off"] = "on"
    policy: Path | Bundle
    rewards: AnyScheme = Additive()
    workers: PositiveInt = 2
    run_dir: Path | None = None
    path: tuple[Path, ...] = ()
    """Folders from which the user's modules are imported, here and on the workers."""
    agent: Component
    algorithm: Component
    dataset: Component
    num_cpus: PositiveInt | None = None
    """CPUs of a Ray started for this run; as many as it finds where not given."""
