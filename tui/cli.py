"""`inspector-tui`: the app, and the same headless.

A command is a module of `tui.commands` with a `command`, and a line in `COMMANDS`; it is imported when it is
used.
"""

from __future__ import annotations

import importlib
import os
import sys
from importlib.metadata import version
from typing import Any, Final

import click

from tui.exits import EXIT_HELP

__all__ = ("COMMANDS", "main")

COMMANDS: Final[dict[str, str]] = {
    "attach": "tui.commands.attach",
    "demo": "tui.commands.demo",
    "ps": "tui.commands.ps",
    "logs": "tui.commands.logs",
    "spans": "tui.commands.spans",
    "trace": "tui.commands.trace",
    "tasks": "tui.commands.tasks",
    "call": "tui.commands.call",
    "state": "tui.commands.state",
    "restart": "tui.commands.restart",
    "connections": "tui.commands.connections",
    "filter": "tui.commands.filter",
    "watch": "tui.commands.watch",
    "script": "tui.commands.script",
    "open": "tui.commands.open",
}
_DEFAULT: Final = "attach"


class _Commands(click.Group):
    """Commands by name; anything that looks like a host is attached to."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run, with every standard stream there."""
        _open_missing_streams()
        return super().main(*args, **options)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command = importlib.import_module(module).command
        assert isinstance(command, click.Command)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or _is_place(args[0]) or args[0].partition("=")[0] in ("--url", "--token-file", "--ca"):
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)


def _open_missing_streams() -> None:
    """Open /dev/null for each standard stream that whoever started us has closed (`>&-`).

    Python has None for such a stream, and the next file that is opened, be it a socket, would get its number.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            # Lower ones are open by now, so it has the stream's own number; children have it too, as ever.
            os.set_inheritable(descriptor, True)
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=descriptor != number))


def _is_place(word: str) -> bool:
    # A bare word is more likely a command mistyped than a host's name.
    return not word.startswith("-") and word not in COMMANDS and (word == "localhost" or any(c in word for c in ".:/["))


@click.group(
    cls=_Commands,
    epilog=EXIT_HELP,
    context_settings={"help_option_names": ["-h", "--help"]},
    subcommand_metavar="[URL | COMMAND [ARGS]...]",
)
@click.version_option(version("inspector-tui"), prog_name="inspector-tui")
def main(**_: Any) -> None:
    """Watch and steer the actors of a live host.

    With no argument, or with the URL of a host, this is the terminal app. Its commands print the same for
    pipes and scripts. The token comes from --token-file, INSPECTOR_TOKEN, or the runtime file of a host of
    your own.
    """
