"""`inspector-tui logs`: the live log of a host, or its last records."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import click

from protocol.errors import InspectorError
from protocol.messages import LogBatch, LogsSubscribe, LogsSubscribeResponse
from tui.commands.output import LinePrinter
from tui.commands.session import host_options, json_option, run
from tui.connection import Connection, LinkLost
from tui.exits import EXIT_HELP
from tui.logs.row import parse_row
from tui.logs.store import marker_line

__all__ = ("command", "readable", "stream")

_QUIET = 0.5
"""Seconds without a record after which the past is taken to be told, where no record says so."""


@click.command("logs", epilog=EXIT_HELP, short_help="Print the log, live.")
@click.option("--filter", "filter_", default="info", show_default=True, help="As INSPECTOR_LOG: info,shop.cart=debug")
@click.option("--actor", help="Only records of the actor with this address.")
@click.option("--backlog", type=click.IntRange(0), default=50, show_default=True, help="Begin with the last N.")
@click.option("--follow/--no-follow", default=True, show_default=True, help="Go on with what comes, or end.")
@json_option
@host_options
def command(
    filter_: str,
    actor: str | None,
    backlog: int,
    follow: bool,
    as_json: bool,
    url: str | None,
    token_file: Path | None,
) -> None:
    """Print the log of a host.

    Where stdout is a terminal, a line is what a person reads; else it is the host's own JSON record. Records
    that were lost on the way are told in the stream itself, as a record of kind gap.
    """

    async def work(connection: Connection, as_json: bool) -> int:
        request = LogsSubscribe(id=0, filter=filter_)
        if actor is not None:
            request.actor = actor
        if backlog or not follow:
            request.backlog = backlog
        await stream(connection, request, as_json=as_json, follow=follow)
        return 0

    run(work, url, token_file, as_json)


class _Stream:
    """Prints what a subscription brings."""

    def __init__(self, printer: LinePrinter, head: int, as_json: bool, pick: Callable[[bytes], bool] | None) -> None:
        self.caught_up = asyncio.Event()
        self.heard = asyncio.Event()
        self.error: asyncio.Future[InspectorError] = asyncio.get_running_loop().create_future()
        self._printer = printer
        self._head = head
        self._as_json = as_json
        self._pick = pick

    def opened(self, response: LogsSubscribeResponse) -> None:
        self.heard.set()
        if response.next_seq >= self._head:
            self.caught_up.set()

    def pushed(self, batch: LogBatch) -> None:
        self.heard.set()
        if batch.dropped:
            note = f"{batch.dropped:,} records lost: this reader was too slow"
            self._print(marker_line(note, lost=batch.dropped, after_seq=batch.first_seq - 1), 0)
        lines = batch.lines
        if self._pick is not None:
            lines = b"\n".join(line for line in lines.split(b"\n") if self._pick(line))
        if lines:
            self._print(lines, lines.count(b"\n") + 1)
        if batch.next_seq >= self._head:
            self.caught_up.set()

    def ended(self, error: InspectorError) -> None:
        if not self.error.done():
            self.error.set_result(error)

    def _print(self, lines: bytes, records: int) -> None:
        if not self._as_json:
            lines = "\n".join(readable(line) for line in lines.split(b"\n")).encode()
        self._printer.put(lines, records)


def readable(line: bytes) -> str:
    """Write a record as a line that a person reads."""
    row = parse_row(line)
    fields = " ".join(f"{name}={value}" for name, value in row.fields)
    ended = f"{row.status} {row.duration}".strip()
    parts = (row.time or "–", f"{row.level:<5}", row.target, row.span, row.message, ended, fields, row.exception)
    return "  ".join(part for part in parts if part)


async def stream(
    connection: Connection,
    request: LogsSubscribe,
    *,
    as_json: bool,
    follow: bool = True,
    pick: Callable[[bytes], bool] | None = None,
) -> None:
    """Print a subscription's records until nobody reads them, or, without `follow`, until the past is told.

    Args:
        pick: chooses the records to print; all without it.

    Raises:
        InspectorError: the host refuses it, or ends it.
        LinkLost: the connection ended.
    """
    printer = LinePrinter()
    printing = asyncio.create_task(printer.run())
    subscriber = _Stream(printer, connection.init.log.next_seq, as_json, pick)
    try:
        await connection.subscribe(request, subscriber)
        ends: list[asyncio.Future[object]] = [
            asyncio.ensure_future(printer.closed.wait()),
            asyncio.shield(connection.closed),
            asyncio.ensure_future(_first(subscriber.error)),
        ]
        if not follow:
            ends.append(asyncio.ensure_future(_past_told(subscriber)))
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        if subscriber.error.done():
            raise subscriber.error.result()
        if not printer.closed.is_set():
            await printer.drain()
        if connection.closed.done() and not printer.closed.is_set():
            raise LinkLost(connection.closed.result())
    finally:
        printing.cancel()
        await asyncio.gather(printing, return_exceptions=True)


async def _first(error: asyncio.Future[InspectorError]) -> object:
    return await asyncio.shield(error)


async def _past_told(subscriber: _Stream) -> object:
    """Wait until all is there that there was. A tail where nothing matches is never spoken of: silence ends
    it.
    """
    while not subscriber.caught_up.is_set():
        subscriber.heard.clear()
        try:
            async with asyncio.timeout(_QUIET):
                await subscriber.heard.wait()
        except TimeoutError:
            break
    return None
