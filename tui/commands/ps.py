"""`inspector-tui ps`: the actors of a host."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from msgspec import UNSET

from protocol.messages import ActorInfo, ActorsRequest, ActorsResponse
from tui.commands.output import Table, write_line
from tui.commands.session import host_options, json_option, run
from tui.connection import Connection
from tui.exits import EXIT_HELP
from tui.model.values import to_json

__all__ = ("command",)

_PAGE = 500
_HEADS = ("ACTOR", "STATUS", "MAILBOX", "RUNNING", "ACTIONS", "ERRORS", "RESTARTS", "FAILURE")


@click.command("ps", epilog=EXIT_HELP, short_help="List the actors.")
@click.option("--prefix", default="", help="Only addresses that begin with this.")
@json_option
@host_options
def command(prefix: str, as_json: bool, url: str | None, token_file: Path | None) -> None:
    """List the actors of a host: address, status, what waits and runs, totals of actions, errors, restarts."""

    async def work(connection: Connection, as_json: bool) -> int:
        table = Table(_HEADS, right=frozenset(range(2, 7)))
        request = ActorsRequest(id=0, limit=_PAGE, prefix=prefix or UNSET)
        while True:
            page = await connection.request(request, ActorsResponse)
            # Printed as it comes: of a host of 100,000 actors the first line is there at once, and no list of them.
            if as_json:
                for info in page.actors:
                    write_line(to_json(msgspec.to_builtins(info)))
            else:
                table.print(map(_row, page.actors))
            if not isinstance(page.cursor, str):
                return 0
            request.cursor = page.cursor

    run(work, url, token_file, as_json)


def _row(info: ActorInfo) -> tuple[str, ...]:
    return (
        info.actor,
        info.status,
        f"{info.mailbox:,}",
        f"{info.running:,}",
        f"{info.actions:,}",
        f"{info.errors:,}",
        f"{info.restarts:,}",
        "" if info.failure is UNSET else f"{info.failure.type}: {info.failure.message}"[:80],
    )
