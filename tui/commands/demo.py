"""`inspector-tui demo`: a demo host and the app on it; without a terminal, its live log."""

from __future__ import annotations

import signal
import sys
from types import FrameType

import click

from protocol.messages import LogsSubscribe
from tui.commands.logs import stream
from tui.commands.session import complain, run_at
from tui.connection import Connection
from tui.demo_host import DemoFailed, DemoHost
from tui.exits import EXIT_HELP, INTERRUPTED, NO_HOST, OK

__all__ = ("command",)


@click.command("demo", epilog=EXIT_HELP, short_help="Start a demo host and attach to it.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Orders a second; 1 unless given.")
@click.option("--seed", type=int, help="Seed of all that is random in it.")
@click.option("--filter", "filter_", default="info", show_default=True, help="Of the log, where stdout is no terminal.")
def command(rate: float | None, seed: int | None, filter_: str) -> None:
    """Start a host with living actors and attach to it; it ends with this command.

    Where stdout is no terminal, its live log is printed as JSON lines instead, until interrupted or nobody
    reads it.
    """
    sys.exit(_demo(rate, seed, filter_))


def _demo(rate: float | None, seed: int | None, filter_: str) -> int:
    # A supervisor's SIGTERM ends this in good order too, as Ctrl+C does.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with DemoHost(rate, seed) as demo:
            target = demo.target
            if sys.stdout.isatty():
                from tui.commands.attach import show

                return show(lambda: target, target.place)

            async def work(connection: Connection, as_json: bool) -> int:
                await stream(connection, LogsSubscribe(id=0, filter=filter_, backlog=1000), as_json=True)
                return OK

            code = run_at(lambda: target, work, as_json=True)
            # Ctrl+C is how a demo is meant to end.
            return OK if code == INTERRUPTED else code
    except DemoFailed as exc:
        complain("demo_failed", str(exc))
        return NO_HOST
    except KeyboardInterrupt:
        return OK


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
