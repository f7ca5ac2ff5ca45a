"""Options of who can reach the host, and how: the address, the token, names and origins, TLS."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource

from inspector.cli.options import TokenType, group, option
from inspector.host import DEFAULT_PORT
from inspector.lifecycle import DRAIN_TIMEOUT
from inspector.service.tls import open_context
from protocol.handshake import check_token

__all__ = ("REACH", "choose_token", "reach")

REACH: Final = group(
    option("--host", default="127.0.0.1", envvar="INSPECTOR_HOST", show_default=True, help="Address to listen on."),
    option(
        "--port",
        default=DEFAULT_PORT,
        type=click.IntRange(0, 65535),
        envvar="INSPECTOR_PORT",
        show_default=True,
        help="0 for any that is free.",
    ),
    option(
        "--token", type=TokenType(), envvar="INSPECTOR_TOKEN", help="What inspectors need; one is made unless given."
    ),
    option(
        "--token-file",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="INSPECTOR_TOKEN_FILE",
        help="Read it from a file instead.",
    ),
    option(
        "--drain-timeout",
        default=DRAIN_TIMEOUT,
        type=click.FloatRange(0),
        envvar="INSPECTOR_DRAIN_TIMEOUT",
        show_default=True,
        help="Seconds to end in good order.",
    ),
    option(
        "--allow-host",
        "allow_hosts",
        multiple=True,
        metavar="NAME",
        envvar="INSPECTOR_ALLOW_HOST",
        help="A name that this host goes by, besides loopback's and --host. Repeatable.",
    ),
    option(
        "--allow-origin",
        "allow_origins",
        multiple=True,
        metavar="ORIGIN",
        envvar="INSPECTOR_ALLOW_ORIGIN",
        help="An origin whose pages may connect from a browser. Repeatable.",
    ),
    option(
        "--tls-cert",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="INSPECTOR_TLS_CERT",
        help="Serve with TLS: a PEM file with the certificate, those that lead to its root behind it.",
    ),
    option(
        "--tls-key",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="INSPECTOR_TLS_KEY",
        help="Its private key, not encrypted; in the same file unless given.",
    ),
    option(
        "--insecure-bind",
        is_flag=True,
        envvar="INSPECTOR_INSECURE_BIND",
        help="Allow --host to be reachable from other machines, without TLS.",
    ),
)
"""Puts them on a command."""


def reach(
    context: click.Context,
    *,
    token: str | None,
    token_file: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    **serving: Any,
) -> dict[str, Any]:
    """Return what `inspector.host.serve` is to be given.

    Raises:
        click.UsageError: options that exclude each other, or a file that can't be used.
    """
    return serving | {"token": choose_token(context, token, token_file), "tls": _tls(tls_cert, tls_key)}


def choose_token(context: click.Context, token: str | None, path: Path | None) -> str | None:
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
