"""`inspector-tui script`: play protocol scripts against a host."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final

import click

from protocol.dialects import Frame
from protocol.errors import BadMessage
from protocol.script import (
    SPELLINGS,
    Do,
    Ended,
    Happened,
    Heard,
    Leave,
    Mismatch,
    Open,
    Opened,
    Refused,
    Say,
    Script,
    ScriptError,
    parse_script,
)
from protocol.script.difference import write
from protocol.script.spelling import Spelling
from tui.commands.output import write_line
from tui.commands.session import complain, host_options, wanted
from tui.connection import CannotAttach
from tui.discovery import NoHost, Target
from tui.exits import ANSWERED_ERROR, INTERRUPTED, NO_HOST, OK, USAGE
from tui.logs.text import neutralise
from tui.script_link import play_script

__all__ = ("command",)

# `inspector.cbor.v1` is `cbor` to those who type it.
_DIALECTS: Final = {name.split(".")[1]: name for name in SPELLINGS}
_EPILOG: Final = (
    "Exit codes: 0 each script was played to its end; 1 a host did something else than a script says; 2 wrong usage, or"
    " a script that can't be read; 3 no host, or it can't be reached; 130 interrupted. docs/scripts.md is the grammar."
)
_LONGEST: Final = 4000
"""Characters of a message that is shown; what is longer is cut, and says so."""


@click.command("script", epilog=_EPILOG, short_help="Play protocol scripts against a host.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--dialect",
    type=click.Choice(list(_DIALECTS)),
    default=next(iter(_DIALECTS)),
    show_default=True,
    help="What a script speaks that names no subprotocol.",
)
@click.option("--verbose", is_flag=True, help="Write each message that goes by to stderr, as scripts write it.")
@host_options
def command(files: tuple[Path, ...], dialect: str, verbose: bool, url: str | None, token_file: Path | None) -> None:
    """Play each FILE against a host, one after the other.

    All are read before the first is played. A mismatch is written to stderr, FILE:LINE: first, then what was expected
    (-) and what came (+); the next file is played all the same.
    """
    found = wanted(url, token_file)
    scripts = _read(files)
    try:
        sys.exit(asyncio.run(_play(scripts, found.resolve(), _DIALECTS[dialect], verbose)))
    except NoHost as none:
        complain("no_host", f"{none}{''.join(f' {host.url}' for host in none.hosts)}")
        sys.exit(NO_HOST)
    except CannotAttach as exc:
        complain("cannot_attach", str(exc))
        sys.exit(NO_HOST)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _read(files: tuple[Path, ...]) -> list[Script]:
    scripts = []
    faults = []
    for path in files:
        try:
            scripts.append(parse_script(str(path), path.read_text("utf-8")))
        except ScriptError as error:
            faults.append(str(error))
        except (OSError, UnicodeDecodeError) as exc:
            faults.append(f"{path}: can't be read: {getattr(exc, 'strerror', None) or exc}")
    if faults:
        for fault in faults:
            click.echo(neutralise(fault), err=True)
        sys.exit(USAGE)
    return scripts


async def _play(scripts: list[Script], target: Target, subprotocol: str, verbose: bool) -> int:
    code = OK
    for script in scripts:
        try:
            await play_script(script, target, subprotocol, _Transcript() if verbose else None)
        except Mismatch as mismatch:
            click.echo("\n".join(map(neutralise, str(mismatch).split("\n"))), err=True)
            code = ANSWERED_ERROR
        else:
            write_line(neutralise(f"{script.name}: passed, {len(script.statements)} statements"))
    return code


class _Transcript:
    """Writes down what is said, in the words of scripts where they have some."""

    def __init__(self) -> None:
        self._spelling: Spelling | None = None

    def __call__(self, do: Do, told: Happened) -> None:
        """Write a step down."""
        match do, told:
            case Open(path=path), Opened(subprotocol=subprotocol):
                self._spelling = SPELLINGS.get(subprotocol or "")
                self._line(f"connect {path} # {subprotocol}")
            case Open(path=path), Refused(status=status, body=body):
                self._line(f"connect {path} expect {status} # {body}")
            case Say(frame=frame), _:
                message = self._read(frame)
                self._line(f"->> {write(frame)}" if message is None else f"-> {message}")
            case Leave(), _:
                self._line("disconnect")
        if isinstance(told, Heard):
            self._line(f"<- {self._read(told.frame) or write(told.frame)}")
        elif isinstance(told, Ended):
            self._line(f"close {told.code} # {told.reason}")

    def _read(self, frame: Frame) -> str | None:
        if self._spelling is None:
            return None
        try:
            return write(self._spelling.decode(frame))
        except BadMessage:
            return None

    @staticmethod
    def _line(text: str) -> None:
        shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… # {len(text)} characters"
        click.echo(neutralise(shown.replace("\n", " ")), err=True)
