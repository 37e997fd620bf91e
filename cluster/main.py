"""The `governor` command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import governor
from governor.errors import AuditError, ConfigError, GovernorError

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Govern the tool calls of agents in training: decide, record, price.",
)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(governor.__version__)


@app.command()
def run(
    file: Annotated[Path, typer.Argument(help="The run's YAML file.", show_default=False)],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="`key=value` with dotted keys, such as `workers=8`.")
    ] = None,
    address: Annotated[
        str, typer.Option(help="A Ray cluster: `auto`, `host:port` or `ray://host:port`; `local` starts one.")
    ] = "local",
) -> None:
    """Train an agent, governed, on Ray rollout workers."""
    from store_bridge import light

    light.install()
    from actors import runtime
    from cluster import compose, remote, summary
    from cluster.run_config import load_run

    console = Console(highlight=False)
    loaded = load_run(file, overrides or [])
    if address.startswith(runtime.CLIENT):
        finished = remote.run(loaded, console, address)
    else:
        finished = compose.run(loaded, console, address=address)
    console.print(summary.table(finished.summary))
    console.print(f"wrote {finished.run_dir}", soft_wrap=True)
    for name in ("config.yaml", "policy.yaml", "metrics.jsonl", "summary.json", "audit/"):
        console.print(f"  {finished.run_dir / name}", soft_wrap=True)
    if finished.interrupted:
        console.print("interrupted: the figures are those of the part that ran")
        raise typer.Exit(INTERRUPTED)


def main() -> None:
    """Run the command; an error of ours is one line on stderr, exit code 2 where the input is to blame."""
    try:
        app()
    except GovernorError as exc:
        Console(stderr=True, highlight=False, markup=False).print(f"error: {exc}", soft_wrap=True)
        sys.exit(BAD_INPUT if isinstance(exc, (ConfigError, AuditError)) else FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
