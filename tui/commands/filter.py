"""`inspector-tui filter`: what a host records and shows, changed for a while."""

from __future__ import annotations

import asyncio
import datetime
from pathlib import Path
from typing import Any

import click

from protocol.filters import Filter
from protocol.messages import LogFilterRequest, LogFilterResponse
from tui.commands.kinds import DurationType, FilterType
from tui.commands.output import write_line
from tui.commands.session import host_options, json_option, run
from tui.connection import Connection, LinkLost
from tui.exits import EXIT_HELP, OK
from tui.logs.text import neutralise
from tui.model.values import to_json

__all__ = ("command", "print_filters")

_LATEST = 1 << 45
"""Milliseconds since 1970 that every platform has a date for."""


@click.command("filter", epilog=EXIT_HELP, short_help="Change what the host records, for a while.")
@click.argument("directives", required=False, type=FilterType())
@click.option("--for", "seconds", type=DurationType(), metavar="TIME", help="Until then at most, such as 5m or 1.5h.")
@click.option("--log", is_flag=True, help="Change what the host itself shows of its log, not what it records.")
@json_option
@host_options
def command(
    directives: Filter | None,
    seconds: float | None,
    log: bool,
    as_json: bool,
    url: str | None,
    token_file: Path | None,
) -> None:
    """Let a running host record what passes DIRECTIVES, as long as this command runs or --for says.

    Then the filter that held before holds again. Without DIRECTIVES, print the filters that hold now. A filter is
    written as in INSPECTOR_LOG: 'info,shop.cart=debug,[poll]=off,[action{actor=cart/7}]=trace'.
    """
    if directives is None and (seconds is not None or log):
        raise click.UsageError("--for and --log say more of DIRECTIVES, and there are none")

    async def work(connection: Connection, as_json: bool) -> int:
        request = LogFilterRequest(id=0)
        if directives is not None:
            setattr(request, "log" if log else "record", str(directives))
            if seconds is not None:
                request.for_ms = max(1, round(seconds * 1000))
        print_filters(await connection.request(request, LogFilterResponse), as_json)
        if directives is None:
            return OK
        try:
            async with asyncio.timeout(seconds):
                raise LinkLost(await asyncio.shield(connection.closed))
        except TimeoutError:
            # By our clock; by the host's there may be a moment left.
            back = LogFilterRequest(id=0, record=None, log=None)
            print_filters(await connection.request(back, LogFilterResponse), as_json)
        return OK

    run(work, url, token_file, as_json)


def print_filters(response: LogFilterResponse, as_json: bool) -> None:
    """Print the filters that hold, as one line of JSON or for people."""
    until = response.until if isinstance(response.until, int) else None
    if as_json:
        row: dict[str, Any] = {"record": response.record, "log": response.log}
        write_line(to_json(row if until is None else {**row, "until": until}))
        return
    write_line(f"record  {neutralise(response.record)}")
    write_line(f"log     {'(nothing follows it)' if response.log is None else neutralise(response.log)}")
    if until is not None:
        write_line(f"until   {datetime.datetime.fromtimestamp(min(until, _LATEST) / 1000):%Y-%m-%d %H:%M:%S}")
