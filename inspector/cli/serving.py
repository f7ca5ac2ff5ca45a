"""Serve until a signal, and say how it ended."""

from __future__ import annotations

import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import click
import trio

from inspector.actors.supervision import EscalationError
from inspector.host import open_host
from inspector.registry import Registry

__all__ = ("raise_descriptor_limit", "serve_until_signal")

_DESCRIPTORS = 4096


async def serve_until_signal(registry: Registry, serving: dict[str, Any]) -> tuple[int, str] | None:
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


def raise_descriptor_limit() -> None:
    """Take as many file descriptors as a full host needs, where the system's default for a process is lower.

    That default is low for the sake of programs that still use `select`; who needs more may take it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
