"""``inspector-host``: serve the actors of a module, or the demo."""

from __future__ import annotations

import importlib
import os
import resource
import signal
import ssl
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import trio
from click.core import ParameterSource

from inspector.actors.supervision import EscalationError
from inspector.demo import demo_registry
from inspector.host import DEFAULT_PORT, open_host
from inspector.lifecycle import DRAIN_TIMEOUT
from inspector.registry import Registry
from inspector.service.tls import open_context
from inspector.tracing.sinks import open_sink
from protocol.filters import Filter, FilterError, parse_filter
from protocol.handshake import check_token

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

_DESCRIPTORS = 4096


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


_option = partial(click.option, show_envvar=True)


@click.command(epilog=_EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("inspector-tui"), prog_name="inspector-host")
@click.argument("target", metavar="MODULE:REGISTRY | demo")
@_option("--host", default="127.0.0.1", envvar="INSPECTOR_HOST", show_default=True, help="Address to listen on.")
@_option(
    "--port",
    default=DEFAULT_PORT,
    type=click.IntRange(0, 65535),
    envvar="INSPECTOR_PORT",
    show_default=True,
    help="0 for any that is free.",
)
@_option("--token", type=_TokenType(), envvar="INSPECTOR_TOKEN", help="What inspectors need; one is made unless given.")
@_option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="INSPECTOR_TOKEN_FILE",
    help="Read it from a file instead.",
)
@_option(
    "--log",
    "log_filter",
    type=_FilterType(),
    default="info",
    envvar="INSPECTOR_LOG",
    show_default=True,
    help="What is shown on stdout.",
)
@_option(
    "--log-format",
    type=click.Choice(["json", "logfmt", "pretty"]),
    envvar="INSPECTOR_LOG_FORMAT",
    help="pretty on a terminal, else json.",
)
@_option("--log-spans", is_flag=True, envvar="INSPECTOR_LOG_SPANS", help="Put all spans around a record into it.")
@_option(
    "--record",
    type=_FilterType(),
    envvar="INSPECTOR_RECORD",
    help="What the ring keeps; debug unless the registry says otherwise.",
)
@_option(
    "--record-size",
    default=16,
    type=click.IntRange(1, 4096),
    envvar="INSPECTOR_RECORD_SIZE",
    show_default=True,
    help="demo: the ring's size in MiB. A registry of yours says its own.",
)
@_option(
    "--drain-timeout",
    default=DRAIN_TIMEOUT,
    type=click.FloatRange(0),
    envvar="INSPECTOR_DRAIN_TIMEOUT",
    show_default=True,
    help="Seconds to end in good order.",
)
@_option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    metavar="NAME",
    envvar="INSPECTOR_ALLOW_HOST",
    help="A name that this host goes by, besides loopback's and --host. Repeatable.",
)
@_option(
    "--allow-origin",
    "allow_origins",
    multiple=True,
    metavar="ORIGIN",
    envvar="INSPECTOR_ALLOW_ORIGIN",
    help="An origin whose pages may connect from a browser. Repeatable.",
)
@_option(
    "--tls-cert",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="INSPECTOR_TLS_CERT",
    help="Serve with TLS: a PEM file with the certificate, those that lead to its root behind it.",
)
@_option(
    "--tls-key",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="INSPECTOR_TLS_KEY",
    help="Its private key, not encrypted; in the same file unless given.",
)
@_option(
    "--insecure-bind",
    is_flag=True,
    envvar="INSPECTOR_INSECURE_BIND",
    help="Allow --host to be reachable from other machines, without TLS.",
)
@_option(
    "--rate",
    default=1.0,
    type=click.FloatRange(0, 5000, min_open=True),
    help="demo: orders a second.",
    show_default=True,
)
@_option("--seed", default=0, type=int, help="demo: the seed of all chance.", show_default=True)
@click.pass_context
def main(
    context: click.Context,
    /,
    target: str,
    log_filter: Filter,
    log_format: str | None,
    log_spans: bool,
    record: Filter | None,
    record_size: int,
    rate: float,
    seed: int,
    token: str | None,
    token_file: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    **serving: Any,
) -> None:
    """Run actors and serve their inspector, until SIGINT or SIGTERM.

    TARGET is a registry in a module on the path, like shop.app:registry, or a function there that makes one; or demo.
    What stands on the command line goes before the environment.
    """
    serving["token"] = _token(context, token, token_file)
    serving["tls"] = _tls(tls_cert, tls_key)
    _raise_descriptor_limit()
    registry = demo_registry(rate, seed, record_size=record_size * 2**20) if target == "demo" else _find(target)
    if record is not None:
        registry.log.set_record_filter(record)
    registry.log.add_sink(open_sink(log_format, filter=log_filter, span_list=log_spans))
    problem = trio.run(_serve, registry, serving)
    if problem is not None:
        code, text = problem
        click.echo(f"inspector-host: {text}", err=True)
        context.exit(code)


async def _serve(registry: Registry, serving: dict[str, Any]) -> tuple[int, str] | None:
    """Serve until a signal; return exit code and reason of any other end."""
    shutdown = trio.Event()
    with _signals(shutdown):
        try:
            async with AsyncExitStack() as stack:
                try:
                    host = await stack.enter_async_context(open_host(registry, shutdown=shutdown, **serving))
                except OSError as exc:
                    return 3, f"can't listen on {serving['host']}, port {serving['port']}: {exc.strerror or exc}"
                except ValueError as exc:
                    # What is an argument there is an option here.
                    return 2, str(exc).replace("insecure_bind", "--insecure-bind")
                if sys.stderr is not None and sys.stderr.isatty():
                    click.echo(f"attach with: inspector-tui {host.url}", err=True)
                await host.wait_stopped()
        except EscalationError as exc:
            return exc.exit_code, str(exc)
    return None


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


def _token(context: click.Context, token: str | None, path: Path | None) -> str | None:
    """Choose between --token and --token-file: what stands on the command line is meant before the environment."""
    if token is None or path is None:
        return token if path is None else _read_token(path)
    here = [context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in ("token", "token_file")]
    if here[0] == here[1]:
        raise click.UsageError("--token and --token-file exclude each other", context)
    return token if here[0] else _read_token(path)


def _read_token(path: Path) -> str:
    try:
        return check_token(path.read_text().strip())
    except OSError as exc:
        raise click.BadParameter(f"{path}: {exc.strerror}", param_hint="--token-file") from exc
    except ValueError as exc:
        # The cause stays out of the text: it may quote the file.
        raise click.BadParameter(
            f"{path}: a token is one or more of A-Z a-z 0-9 . _ ~ -", param_hint="--token-file"
        ) from exc


def _tls(cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if cert is None:
        if key is not None:
            raise click.UsageError("--tls-key without --tls-cert")
        return None
    try:
        return open_context(cert, key)
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--tls-cert") from exc


def _raise_descriptor_limit() -> None:
    """Take as many file descriptors as a full host needs, where the system's default for a process is lower.

    That default is low for the sake of programs that still use `select`; who needs more may take it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _find(target: str) -> Registry:
    module, _, name = target.partition(":")
    if not module or not name:
        raise click.BadParameter("it is MODULE:REGISTRY, or demo", param_hint="TARGET")
    # As with `python -m`: a module beside the one who calls is found first.
    sys.path.insert(0, os.getcwd())
    try:
        found: Any = importlib.import_module(module)
    except ImportError as exc:
        raise click.BadParameter(f"{target}: {exc}", param_hint="TARGET") from exc
    try:
        for part in name.split("."):
            found = getattr(found, part)
    except AttributeError as exc:
        raise click.BadParameter(f"{target}: {exc}", param_hint="TARGET") from exc
    # What the program's own code raises is shown as it is, with its traceback.
    if callable(found) and not isinstance(found, Registry):
        found = found()
    if not isinstance(found, Registry):
        raise click.BadParameter(f"{target} is no Registry but a {type(found).__name__}", param_hint="TARGET")
    return found
