"""`inspector-tui call`: fire an action and print what it returns."""

from __future__ import annotations

from pathlib import Path

import click

from protocol.messages import ActionRequest, ActionResponse
from tui.commands.output import write_line
from tui.commands.session import host_options, json_option, run
from tui.connection import Connection
from tui.exits import EXIT_HELP
from tui.model.form import parse_arguments
from tui.model.values import to_json

__all__ = ("command",)


@click.command("call", epilog=EXIT_HELP, short_help="Fire an action, print its result.")
@click.argument("address")
@click.argument("action")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.option("--timeout", type=click.FloatRange(0, min_open=True), help="Seconds the action may take; else its own.")
@json_option
@host_options
def command(
    address: str,
    action: str,
    args: tuple[str, ...],
    timeout: float | None,
    as_json: bool,
    url: str | None,
    token_file: Path | None,
) -> None:
    """Fire ACTION at the actor with ADDRESS and print what it returns, as JSON.

    ARGS are JSON values by position, or NAME=VALUE by name; a word that is no JSON is a string. Write --
    before arguments that begin with a dash. On a terminal the JSON is indented.
    """
    try:
        arguments = parse_arguments(args)
    except ValueError as exc:
        raise click.UsageError(str(exc)) from None

    async def work(connection: Connection, as_json: bool) -> int:
        request = ActionRequest(id=0, actor=address, name=action, args=arguments)
        if timeout is not None:
            request.timeout_ms = max(1, round(timeout * 1000))
        # The host has a deadline for each action: none is needed here.
        response = await connection.request(request, ActionResponse, within=None)
        write_line(to_json(response.output, indent=None if as_json else 2))
        return 0

    run(work, url, token_file, as_json)
