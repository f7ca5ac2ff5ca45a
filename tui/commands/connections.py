"""`inspector-tui connections`: who inspects a host."""

from __future__ import annotations

import datetime
from pathlib import Path

import click
import msgspec

from protocol.messages import ConnectionInfo, ConnectionsRequest, ConnectionsResponse
from tui.commands.output import print_table, write_line
from tui.commands.session import host_options, json_option, run
from tui.connection import Connection
from tui.exits import EXIT_HELP
from tui.model.values import to_json

__all__ = ("command", "print_connections")


@click.command("connections", epilog=EXIT_HELP, short_help="List who inspects the host.")
@json_option
@host_options
def command(as_json: bool, url: str | None, token_file: Path | None) -> None:
    """List the inspectors of a host, this command among them: what each was sent, in bytes, and how many log
    records each was too slow for.
    """

    async def work(connection: Connection, as_json: bool) -> int:
        response = await connection.request(ConnectionsRequest(id=0), ConnectionsResponse)
        if as_json:
            for row in response.connections:
                write_line(to_json(msgspec.to_builtins(row)))
        else:
            print_connections(response.connections)
        return 0

    run(work, url, token_file, as_json)


def print_connections(rows: list[ConnectionInfo]) -> None:
    print_table(
        ("ID", "PEER", "PROTOCOL", "SINCE", "SUBSCRIPTIONS", "SENT", "DROPPED", ""),
        (
            (
                row.id,
                row.peer,
                row.protocol,
                f"{datetime.datetime.fromtimestamp(min(row.since, 1 << 45) / 1000):%Y-%m-%d %H:%M:%S}",
                f"{row.subscriptions:,}",
                f"{row.sent:,}",
                f"{row.dropped:,}",
                "you" if row.you else "",
            )
            for row in rows
        ),
        right=frozenset((4, 5, 6)),
    )
