"""`inspector-tui ps`: the actors of a host."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from protocol.messages import ActorInfo, ActorsRequest, ActorsResponse
from tui.commands.output import print_table, write_line
from tui.commands.session import host_options, json_option, run
from tui.connection import Connection
from tui.exits import EXIT_HELP
from tui.model.values import to_json

__all__ = ("command",)

_PAGE = 500


@click.command("ps", epilog=EXIT_HELP, short_help="List the actors.")
@click.option("--prefix", default="", help="Only addresses that begin with this.")
@json_option
@host_options
def command(prefix: str, as_json: bool, url: str | None, token_file: Path | None) -> None:
    """List the actors of a host: address, status, what waits and runs, totals of actions, errors, restarts."""

    async def work(connection: Connection, as_json: bool) -> int:
        rows: list[ActorInfo] = []
        request = ActorsRequest(id=0, limit=_PAGE)
        if prefix:
            request.prefix = prefix
        while True:
            page = await connection.request(request, ActorsResponse)
            if as_json:
                for info in page.actors:
                    write_line(to_json(msgspec.to_builtins(info)))
            else:
                rows += page.actors
            if not isinstance(page.cursor, str):
                break
            request = ActorsRequest(id=0, limit=_PAGE, cursor=page.cursor)
            if prefix:
                request.prefix = prefix
        if not as_json:
            _table(rows)
        return 0

    run(work, url, token_file, as_json)


def _table(rows: list[ActorInfo]) -> None:
    print_table(
        ("ACTOR", "STATUS", "MAILBOX", "RUNNING", "ACTIONS", "ERRORS", "RESTARTS", "FAILURE"),
        (
            (
                info.actor,
                info.status,
                f"{info.mailbox:,}",
                f"{info.running:,}",
                f"{info.actions:,}",
                f"{info.errors:,}",
                f"{info.restarts:,}",
                "" if info.failure is msgspec.UNSET else f"{info.failure.type}: {info.failure.message}"[:80],
            )
            for info in rows
        ),
        right=frozenset(range(2, 7)),
    )
