"""Connect to Ray: one of our own for a run, or a cluster that is there."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray

from governor.errors import ConfigError

_PROBE_SECONDS = 5.0

LOCAL = "local"
CLIENT = "ray://"

_QUIET = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}
"""A Ray of our own: on this machine only, without reports, and without changing what workers see."""


def _fast_failure() -> dict[str, Any]:
    """Hear of a dead actor within 0.1 s instead of 1.4 s; a fresh value, because Ray changes it."""
    return {"timeout_ms_task_wait_for_death_info": 50, "core_worker_internal_heartbeat_ms": 50}


@contextmanager
def connected(
    address: str = LOCAL, *, num_cpus: int | None = None, path: Sequence[Path] = ()
) -> Iterator[None]:
    """Ray for the time of the block; a Ray that this process already uses is left as it is.

    `path` are folders from which workers import the user's modules. Raises
    `ConfigError` where `address` cannot be reached.
    """
    if ray.is_initialized():
        yield
        return
    try:
        _init(address, num_cpus, path)
        yield
    finally:
        with _interrupts_later():
            ray.shutdown()


def _init(address: str, num_cpus: int | None, path: Sequence[Path]) -> None:
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == LOCAL:
        os.environ.pop("RAY_ADDRESS", None)
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        # A worker of a local Ray inherits this process's environment, which is faster than a runtime_env.
        os.environ["PYTHONPATH"] = _python_path(path)
        options |= {"num_cpus": num_cpus, "include_dashboard": False, "object_store_memory": 256 << 20}
        options["_system_config"] = _fast_failure()
    else:
        _probe(address)
        far = address.startswith(CLIENT)  # modules are sent to a cluster that may not see our folders
        options["runtime_env"] = (
            {"working_dir": str(path[0]), "excludes": ["**/__pycache__"]}
            if far and path
            else {"env_vars": {"PYTHONPATH": _python_path(path)}}
        )
    for last in (False, True):
        try:
            with _interrupts_later():
                ray.init(address, **options)
        except (ConnectionError, RuntimeError, ValueError) as exc:
            if last or not isinstance(exc, ConnectionError):
                first_line = str(exc).strip().split("\n", 1)[0]
                raise ConfigError(f"no Ray at `{address}`: {first_line}") from None
        else:
            return  # the proxy of a young cluster may fail its first client, and then works


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Hold Ctrl-C back until Ray has started or ended as a whole: half of it crashes or stays behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: held.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)
    if held:
        raise KeyboardInterrupt


def _python_path(path: Sequence[Path]) -> str:
    inherited = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    return os.pathsep.join(dict.fromkeys([*(str(folder.resolve()) for folder in path), *inherited]))


def _probe(address: str) -> None:
    """Fail at once where nobody listens; Ray itself would try for a minute."""
    if address == "auto":
        if not (os.environ.get("RAY_ADDRESS") or _running_cluster()):
            raise ConfigError(
                "no running Ray was found on this machine for `auto`; start one with `ray start --head`"
            )
        return
    host, _, port = address.removeprefix(CLIENT).rpartition(":")
    if not host or not port.isdigit():
        raise ConfigError(
            f"`{address}` is not an address of Ray: `auto`, `local`, `host:port` or `ray://host:port`"
        )
    try:
        socket.create_connection((host, int(port)), timeout=_PROBE_SECONDS).close()
    except OSError as exc:
        raise ConfigError(f"no Ray at `{address}`: {exc.strerror or exc}") from None


def _running_cluster() -> bool:
    from ray._private.services import find_gcs_addresses

    return bool(find_gcs_addresses())
