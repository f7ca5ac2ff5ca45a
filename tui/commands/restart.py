"""`inspector-tui restart`: end an actor's life and begin its next."""

from __future__ import annotations

from pathlib import Path

import click

from protocol.messages import ActorRestart, ActorRestartResponse
from tui.commands.output import write_line
from tui.commands.session import host_options, json_option, run
from tui.connection import Connection
from tui.exits import EXIT_HELP
from tui.model.values import to_json

__all__ = ("command",)


@click.command("restart", epilog=EXIT_HELP, short_help="Restart an actor; its state is lost.")
@click.argument("address")
@json_option
@host_options
def command(address: str, as_json: bool, url: str | None, token_file: Path | None) -> None:
    """End the life of the actor with ADDRESS and begin its next, also if it has failed or been stopped.

    Its state is lost, actions under way are ended, and what waits in its mailbox waits on. Prints the number of
    the new life.
    """

    async def work(connection: Connection, as_json: bool) -> int:
        done = await connection.request(ActorRestart(id=0, actor=address), ActorRestartResponse)
        write_line(to_json({"generation": done.generation}) if as_json else f"generation {done.generation}")
        return 0

    run(work, url, token_file, as_json)
