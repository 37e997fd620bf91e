"""A run on a cluster that is only reached through Ray Client (`ray://`).

Actor handles that travel inside an agent do not survive Ray Client, and a long
training should not depend on a laptop's connection for every call: the whole
run happens in an actor of the cluster, and its folder is fetched afterwards.
"""

from __future__ import annotations

import io
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayTaskError
from rich.console import Console

from actors import runtime
from cluster.compose import Finished
from cluster.run_config import LoadedRun
from cluster.run_dir import check, new_run_dir
from governor.errors import ConfigError, GovernorError

_POLL_SECONDS = 1.0


class RemoteRun:
    """The run, in an actor of the cluster; its folder there is temporary."""

    def __init__(self, loaded: LoadedRun) -> None:
        from store_bridge.strategy import RayExecutionStrategy

        self._folder = Path(tempfile.mkdtemp(prefix="governor-"))
        here = {"run_dir": self._folder / loaded.config.name, "path": ()}
        self._loaded = LoadedRun(loaded.config.model_copy(update=here), loaded.bundle, loaded.source)
        self._strategy = RayExecutionStrategy(loaded.config.workers)
        self._said = io.StringIO()
        self._heard = 0

    def run(self) -> Finished:
        from cluster import compose

        return compose.run(self._loaded, Console(file=self._said, width=200), strategy=self._strategy)

    def interrupt(self) -> None:
        """End the training; `run` then seals the records and returns."""
        self._strategy.interrupt()

    def said(self) -> str:
        """What was printed since the last call."""
        text = self._said.getvalue()
        news, self._heard = text[self._heard :], len(text)
        return news

    def fetch(self) -> bytes:
        """The run's folder as a tar archive; it is removed here."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(self._folder / self._loaded.config.name, arcname=".")
        shutil.rmtree(self._folder)
        return archive.getvalue()


def run(loaded: LoadedRun, console: Console, address: str) -> Finished:
    """`compose.run` on the cluster behind `address`; its folder ends up here."""
    if len(loaded.config.path) > 1:
        raise ConfigError("`path`: a cluster behind `ray://` can be given one folder of modules")
    target = new_run_dir(loaded.config)
    check(target)
    with runtime.connected(address, path=loaded.config.path):
        finished = _followed(_started(loaded), console, target)
    return Finished(target, finished.summary, finished.interrupted)


def _started(loaded: LoadedRun) -> Any:
    remote_run: Any = ray.remote(RemoteRun)
    return remote_run.options(num_cpus=0, max_concurrency=4).remote(loaded)


def _followed(actor: Any, console: Console, target: Path) -> Finished:
    """Show what the run prints until it ends, then unpack its folder into `target`."""
    result = actor.run.remote()
    done: list[Any] = []
    interrupted = False
    while not done:
        try:
            done, _ = ray.wait([result], timeout=_POLL_SECONDS)
            console.print(ray.get(actor.said.remote()), end="", highlight=False, soft_wrap=True)
        except KeyboardInterrupt:
            if interrupted:
                raise
            interrupted = True
            actor.interrupt.remote()
    try:
        finished: Finished = ray.get(result)
    except RayTaskError as exc:
        if isinstance(exc.cause, GovernorError):
            raise exc.cause from None
        raise
    with tarfile.open(fileobj=io.BytesIO(ray.get(actor.fetch.remote()))) as tar:
        tar.extractall(target, filter="data")
    return finished
