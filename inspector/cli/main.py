"""``inspector-host``: serve the actors of a module, or the demo."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import click
import trio

from inspector.cli.options import option
from inspector.cli.reach import REACH, reach
from inspector.cli.records import RECORDS, set_up_log
from inspector.cli.run import arguments_of_run, run_program
from inspector.cli.serving import raise_descriptor_limit, serve_until_signal
from inspector.cli.target import find_registry
from inspector.cli.tasks import TASKS
from inspector.demo import demo_registry
from inspector.tracing import Sink
from protocol.filters import Filter

__all__ = ("main",)

_EXIT_CODES = """
\b
Exit codes:
  0    it has drained and stopped after SIGINT or SIGTERM
  1    an actor or the host failed
  2    the command line is wrong, or there is no such MODULE:REGISTRY
  3    the address can't be listened on
  N    an actor has crashed whose class says escalate(N), and the host has drained
  130, 143    a second SIGINT or SIGTERM ended it at once
"""


class _Host(click.Command):
    """Two commands in one: what serves a registry, and ``run``, whose program's arguments are not click's to read."""

    def main(  # type: ignore[override]  # the overloads say what is returned without standalone mode, as here
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> Any:
        arguments = sys.argv[1:] if args is None else list(args)
        program = arguments_of_run(arguments)
        if program is None:
            return super().main(arguments, prog_name, **extra)
        return run_program(program, f"{prog_name or 'inspector-host'} run")


@click.command(cls=_Host, epilog=_EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("inspector-tui"), prog_name="inspector-host")
@click.argument("target", metavar="MODULE:REGISTRY | demo")
@REACH
@RECORDS
@TASKS
@option(
    "--rate",
    default=1.0,
    type=click.FloatRange(0, 5000, min_open=True),
    help="demo: orders a second.",
    show_default=True,
)
@option("--seed", default=0, type=int, help="demo: the seed of all chance.", show_default=True)
@click.pass_context
def main(
    context: click.Context,
    /,
    target: str,
    log_filter: Filter,
    log_format: str | None,
    log_spans: bool,
    sinks: tuple[Sink, ...],
    record: Filter | None,
    record_size: int,
    rate: float,
    seed: int,
    **serving: Any,
) -> None:
    """Run actors and serve their inspector, until SIGINT or SIGTERM.

    TARGET is a registry in a module on the path, like shop.app:registry, or a function there that makes one; or demo.
    What stands on the command line goes before the environment.

    For a program of any other kind: inspector-host run SCRIPT.py [ARGS]..., see inspector-host run --help.
    """
    options = reach(context, **serving)
    raise_descriptor_limit()
    registry = demo_registry(rate, seed, record_size=record_size * 2**20) if target == "demo" else find_registry(target)
    set_up_log(
        registry.log,
        log_filter=log_filter,
        log_format=log_format,
        log_spans=log_spans,
        sinks=sinks,
        record=record,
    )
    problem = trio.run(serve_until_signal, registry, options)
    if problem is not None:
        code, text = problem
        click.echo(f"inspector-host: {text}", err=True)
        context.exit(code)
