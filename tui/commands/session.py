"""What every headless command shares: how to find the host, what to do with errors, and how to end.

A command gives `run` a coroutine that works with an open connection; everything that can go wrong becomes one
line on stderr, `code: message`, and an exit code of `tui.exits`.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from protocol.errors import InspectorError
from protocol.handshake import check_token
from tui.connection import CannotAttach, Connection, LinkLost, dial
from tui.discovery import NoHost, Target, Wanted, parse_url
from tui.exits import ANSWERED_ERROR, INTERRUPTED, NO_HOST, OK
from tui.logs.text import neutralise

__all__ = (
    "complain",
    "ended_by_reader",
    "host_options",
    "json_option",
    "run",
    "run_alone",
    "run_at",
    "wanted",
)


def wanted(url: str | None, token_file: Path | None) -> Wanted:
    """Read what the command line and the environment say of the host.

    Raises:
        click.UsageError: the URL or the token makes no sense.
    """
    try:
        place = None if url is None else parse_url(url)
    except ValueError as exc:
        raise click.UsageError(neutralise(str(exc))) from None
    token, source = os.environ.get("INSPECTOR_TOKEN") or None, "INSPECTOR_TOKEN"
    if token_file is not None:
        source = str(token_file)
        try:
            token = token_file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise click.UsageError(f"can't read {source}: {getattr(exc, 'strerror', None) or exc}") from None
    if token is not None:
        try:
            token = check_token(token)
        except ValueError as exc:
            raise click.UsageError(f"{source}: {exc}") from None
    context = click.get_current_context(silent=True)
    return Wanted(place, token, ca=context.meta.get(_CA) if context is not None else None)


_CA = "tui.ca"


def _take_ca(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    """Check the file before anything is connected, and keep it where `wanted` finds it."""
    if path is None:
        return
    try:
        ssl.create_default_context(cafile=path)
    except (ssl.SSLError, OSError) as exc:
        reason = "it holds no certificate" if isinstance(exc, ssl.SSLError) else exc.strerror
        raise click.UsageError(f"--ca: can't use {path}: {reason}") from None
    context.meta[_CA] = str(path)


def host_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which host, and with which token."""
    for option in (
        click.option(
            "--ca",
            type=click.Path(path_type=Path, dir_okay=False),
            envvar="INSPECTOR_CA",
            expose_value=False,
            callback=_take_ca,
            help="File of the certificates to trust (PEM), for https; without it the system's.",
        ),
        click.option(
            "--token-file",
            type=click.Path(path_type=Path, dir_okay=False),
            envvar="INSPECTOR_TOKEN_FILE",
            help="File that holds the token; without it INSPECTOR_TOKEN, or the host's runtime file.",
        ),
        click.option(
            "--url",
            envvar="INSPECTOR_URL",
            help="http://HOST:PORT (https, ws, wss alike); without it this user's only running host.",
        ),
    ):
        command = option(command)
    return command


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option that chooses JSON lines."""
    return click.option("--json", "as_json", is_flag=True, help="JSON lines; the default where stdout is no terminal.")(
        command
    )


def complain(code: str, message: str) -> None:
    """Write an error as one line on stderr."""
    click.echo(f"{code}: {neutralise(message)}", err=True)


def run(
    work: Callable[[Connection, bool], Awaitable[int]], url: str | None, token_file: Path | None, as_json: bool
) -> None:
    """Attach, work, and end the process with the exit code that fits.

    Args:
        work: gets the connection, and whether to print JSON; its result is the exit code.
        url: as it was given on the command line.
        token_file: likewise.
        as_json: likewise.
    """
    found = wanted(url, token_file)
    sys.exit(run_at(found.resolve, work, as_json or not sys.stdout.isatty()))


def run_at(resolve: Callable[[], Target], work: Callable[[Connection, bool], Awaitable[int]], as_json: bool) -> int:
    """Attach to what `resolve` finds, work, and give the exit code."""

    async def attached() -> int:
        async with dial(resolve()) as connection:
            return await work(connection, as_json)

    return run_alone(attached)


def run_alone(work: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Work without a connection that is open already, and give the exit code."""
    try:
        code = asyncio.run(work())
        sys.stdout.flush()
        return code
    except NoHost as none:
        hosts = "".join(f" {host.url} ({host.name or 'no name'}, pid {host.pid})," for host in none.hosts)
        complain("no_host", f"{none}{' with --url:' + hosts.rstrip(',') if hosts else ''}")
        return NO_HOST
    except CannotAttach as exc:
        complain("cannot_attach", str(exc))
        return NO_HOST
    except LinkLost as lost:
        complain("link_lost", str(lost))
        return NO_HOST
    except InspectorError as error:
        complain(error.name, error.message)
        return ANSWERED_ERROR
    except BrokenPipeError:
        return ended_by_reader()
    except KeyboardInterrupt:
        return INTERRUPTED


def ended_by_reader() -> int:
    """End well because nobody reads what is printed any more, and give the exit code."""
    # Whoever read has had enough (`| head`): that is success. What is still buffered would fail once more
    # when the interpreter ends, so it goes nowhere.
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return OK
