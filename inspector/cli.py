"""``inspector-host``: serve the actors of a module, or the demo."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import trio

from inspector.host import DEFAULT_PORT, Host, serve
from inspector.lifecycle import DRAIN_TIMEOUT
from inspector.registry import Registry
from inspector.tracing.sinks import open_sink
from protocol.filters import Filter, FilterError, parse_filter
from protocol.handshake import check_token

__all__ = ("main",)

_EXIT_CODES = """
\b
Exit codes:
  0    it has drained and stopped after SIGINT or SIGTERM
  1    an actor or the host failed
  2    the command line is wrong, or MODULE:REGISTRY can't be had
  3    the address can't be listened on
  130, 143    a second SIGINT or SIGTERM ended it at once
"""


class _FilterType(click.ParamType[Filter]):
    name = "filter"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Filter:
        if isinstance(value, Filter):
            return value
        try:
            return parse_filter(value)
        except FilterError as exc:
            self.fail(f"{exc}\n  {value}\n  {' ' * exc.position}^", param, ctx)


class _TokenType(click.ParamType[str]):
    name = "token"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return check_token(str(value))
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


@click.command(epilog=_EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("inspector-tui"), prog_name="inspector-host")
@click.argument("target", metavar="MODULE:REGISTRY | demo")
@click.option("--host", default="127.0.0.1", envvar="INSPECTOR_HOST", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=DEFAULT_PORT,
    type=click.IntRange(0, 65535),
    envvar="INSPECTOR_PORT",
    show_default=True,
    help="0 for any that is free.",
)
@click.option(
    "--token", type=_TokenType(), envvar="INSPECTOR_TOKEN", help="What inspectors need; one is made unless given."
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="INSPECTOR_TOKEN_FILE",
    help="Read it from a file instead.",
)
@click.option(
    "--log",
    "log_filter",
    type=_FilterType(),
    default="info",
    envvar="INSPECTOR_LOG",
    show_default=True,
    help="What is shown on stdout.",
)
@click.option(
    "--log-format",
    type=click.Choice(["json", "logfmt", "pretty"]),
    envvar="INSPECTOR_LOG_FORMAT",
    help="pretty on a terminal, else json.",
)
@click.option("--log-spans", is_flag=True, envvar="INSPECTOR_LOG_SPANS", help="Put all spans around a record into it.")
@click.option(
    "--record",
    type=_FilterType(),
    default="debug",
    envvar="INSPECTOR_RECORD",
    show_default=True,
    help="What the ring keeps.",
)
@click.option(
    "--record-size",
    default=16,
    type=click.IntRange(1, 4096),
    envvar="INSPECTOR_RECORD_SIZE",
    show_default=True,
    help="The ring's size in MiB.",
)
@click.option(
    "--drain-timeout",
    default=DRAIN_TIMEOUT,
    type=click.FloatRange(0),
    envvar="INSPECTOR_DRAIN_TIMEOUT",
    show_default=True,
    help="Seconds to end in good order.",
)
@click.option(
    "--insecure-bind",
    is_flag=True,
    envvar="INSPECTOR_INSECURE_BIND",
    help="Allow --host to be reachable from other machines, without TLS.",
)
@click.option(
    "--rate",
    default=1.0,
    type=click.FloatRange(0, 5000, min_open=True),
    help="demo: orders a second.",
    show_default=True,
)
@click.option("--seed", default=0, type=int, help="demo: the seed of all chance.", show_default=True)
def main(target: str, token_file: Path | None, log_filter: Filter, log_format: str | None, **options: Any) -> None:
    """Run actors and serve their inspector, until SIGINT or SIGTERM.

    TARGET is a registry in a module on the path, like shop.app:registry, or a function there that makes one; or demo.
    Each option but --rate and --seed can be set in the environment: INSPECTOR_HOST, INSPECTOR_LOG and so on.
    """
    token = options.pop("token")
    if token_file is not None:
        token = _read_token(token_file)
    registry = _registry(target, options)
    registry.log.set_record_filter(options.pop("record"))
    registry.log.add_sink(open_sink(log_format, filter=log_filter, span_list=options.pop("log_spans")))
    try:
        trio.run(partial(_serve, registry, token=token, **options))
    except* OSError as group:
        click.echo(f"inspector-host: {_first(group)}", err=True)
        sys.exit(3)
    except* ValueError as group:
        click.echo(f"inspector-host: {_first(group)}", err=True)
        sys.exit(2)


async def _serve(registry: Registry, **options: Any) -> None:
    shutdown = trio.Event()
    with _signals(shutdown):
        async with trio.open_nursery() as nursery:
            host: Host = await nursery.start(partial(serve, registry, shutdown=shutdown, **options))
            if sys.stderr.isatty():
                click.echo(f"attach with: inspector-tui {host.url}", err=True)


@contextmanager
def _signals(shutdown: trio.Event) -> Iterator[None]:
    """Let a first SIGINT or SIGTERM set `shutdown`, and leave the second to the system.

    The handler gives both signals back before anything else, so that a second one ends the process even when the loop
    is blocked and never gets to see the first.
    """
    token = trio.lowlevel.current_trio_token()
    before: dict[signal.Signals, Any] = {}

    def handle(signum: int, frame: object) -> None:
        for number in before:
            signal.signal(number, signal.SIG_DFL)
        token.run_sync_soon(shutdown.set, idempotent=True)

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _read_token(path: Path) -> str:
    try:
        return check_token(path.read_text().strip())
    except OSError as exc:
        raise click.BadParameter(f"{path}: {exc.strerror}", param_hint="--token-file") from exc
    except ValueError as exc:
        raise click.BadParameter(f"{path}: {exc}", param_hint="--token-file") from exc


def _registry(target: str, options: dict[str, Any]) -> Registry:
    rate, seed = options.pop("rate"), options.pop("seed")
    size = options.pop("record_size") * 2**20
    if target == "demo":
        from inspector.demo import demo_registry

        return demo_registry(rate, seed, record_size=size)
    module, _, name = target.partition(":")
    if not module or not name:
        raise click.BadParameter("it is MODULE:REGISTRY, or demo", param_hint="TARGET")
    # As with `python -m`: a module beside the one who calls is found first.
    sys.path.insert(0, os.getcwd())
    try:
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        registry = found() if callable(found) and not isinstance(found, Registry) else found
    except (ImportError, AttributeError) as exc:
        raise click.BadParameter(f"{target}: {exc}", param_hint="TARGET") from exc
    if not isinstance(registry, Registry):
        raise click.BadParameter(f"{target} is no Registry but a {type(registry).__name__}", param_hint="TARGET")
    return registry


def _first(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group
