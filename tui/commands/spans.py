"""`inspector-tui spans`: what came of each piece of work, as it ends."""

from __future__ import annotations

from pathlib import Path

import click

from protocol.messages import LogsSubscribe
from tui.commands.logs import stream
from tui.commands.session import host_options, json_option, run
from tui.connection import Connection
from tui.exits import EXIT_HELP

__all__ = ("command", "is_span")


@click.command("spans", epilog=EXIT_HELP, short_help="Print spans as they end, live.")
@click.option("--filter", "filter_", default="debug", show_default=True, help="Span records are debug.")
@click.option("--actor", help="Only spans of the actor with this address.")
@click.option("--starts", is_flag=True, help="Their starts too.")
@click.option(
    "--backlog", type=click.IntRange(0), default=500, show_default=True, help="Begin with those in the last N records."
)
@click.option("--follow/--no-follow", default=True, show_default=True, help="Go on with what comes, or end.")
@json_option
@host_options
def command(
    filter_: str,
    actor: str | None,
    starts: bool,
    backlog: int,
    follow: bool,
    as_json: bool,
    url: str | None,
    token_file: Path | None,
) -> None:
    """Print each span as it ends: how long it took, and how it came out.

    Where stdout is a terminal, a line is what a person reads; else it is the host's own JSON record, of kind span_end.
    Its trace_id leads to all else that happened for the same request: inspector-tui trace ID.
    """

    async def work(connection: Connection, as_json: bool) -> int:
        request = LogsSubscribe(id=0, filter=filter_)
        if actor is not None:
            request.actor = actor
        if backlog or not follow:
            request.backlog = backlog
        await stream(connection, request, as_json=as_json, follow=follow, pick=lambda line: is_span(line, starts))
        return 0

    run(work, url, token_file, as_json)


def is_span(line: bytes, starts: bool) -> bool:
    """Tell whether a record is the end of a span, or perhaps its start."""
    # The host's own encoder writes no blanks, and a user's field can't be a key of the record.
    head = line[:200]
    return b'"kind":"span_end"' in head or (starts and b'"kind":"span_start"' in head)
