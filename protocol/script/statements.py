"""Read a script: its statements, each on its line. docs/scripts.md is the grammar."""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from protocol.dialects.base import Frame
from protocol.script.notation import Reader
from protocol.script.patterns import Node

__all__ = (
    "LONGEST_WAIT",
    "Close",
    "Connect",
    "Disconnect",
    "Message",
    "Raw",
    "Script",
    "Silence",
    "Statement",
    "Wanted",
    "Within",
    "parse_script",
)

LONGEST_WAIT: Final = 3600.0
"""Seconds that a script may ask to wait."""

_KEYWORD: Final = re.compile(r"->>|->|<-|<~|[a-z][a-z-]*")
# What is no comment.
_PATH: Final = re.compile(r"/[!\"$-~]*")
_WORD: Final = re.compile(r"[!\"$-~]+")
_DURATION: Final = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>ms|s)(?![^\s#])")
_STATUS: Final = re.compile(r"[1-5][0-9]{2}(?![^\s#])")
_CODE: Final = re.compile(r"[1-4][0-9]{3}(?![^\s#])")
_END: Final = re.compile(r"[ \t\r]*(?:#[^\n]*)?(?:\n|\Z)")
# A field's name and value (RFC 9110, section 5).
_FIELD: Final = re.compile(r"(?P<name>[A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*(?P<value>[^\x00-\x1f\x7f]*?)[ \t]*")
_SUBPROTOCOL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class Statement(Struct, frozen=True, kw_only=True):
    """One statement; `line` is where it begins, from 1."""

    line: int


class Connect(Statement, frozen=True, kw_only=True):
    """Ask for a websocket at `path`.

    `token` is None for the one that the player was given, empty for none. `headers` are fields, each in the place of
    those of its name that would be sent else; one without value leaves the field out. `status` is what the host must
    answer; 101 opens.
    """

    path: str
    subprotocols: tuple[str, ...] | None = None
    token: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    status: int = 101


class Disconnect(Statement, frozen=True, kw_only=True):
    """End the connection in good order."""


class Close(Statement, frozen=True, kw_only=True):
    """The host must close with this code."""

    code: int


class Within(Statement, frozen=True, kw_only=True):
    """So many seconds for each statement that waits from here on."""

    seconds: float


class Silence(Statement, frozen=True, kw_only=True):
    """Nothing may come for so many seconds."""

    seconds: float


class Message(Statement, frozen=True, kw_only=True):
    """Send a message."""

    node: Node


class Raw(Statement, frozen=True, kw_only=True):
    """Send a frame as it is: bytes a binary one, text a text one."""

    frame: Frame


class Wanted(Statement, frozen=True, kw_only=True):
    """The next message must fit; with `skip`, those before the first that fits are passed over."""

    node: Node
    skip: bool


class Script(Struct, frozen=True):
    """A script; `name` is its file, for people."""

    name: str
    statements: tuple[Statement, ...]


def parse_script(name: str, text: str) -> Script:
    """Read a script.

    Raises:
        ScriptError: at its line and column.
    """
    reader = Reader(name, text.removeprefix("\ufeff"))
    statements: list[Statement] = []
    reader.skip_space()
    is_open = False
    while reader.position < len(reader.text):
        begin = reader.position
        statement = _statement(reader)
        if not isinstance(statement, Within) and is_open == isinstance(statement, Connect):
            told = "a connection is open; `disconnect` first" if is_open else "no connection is open; `connect` first"
            raise reader.error(told, begin)
        if isinstance(statement, Connect):
            is_open = statement.status == 101
        elif isinstance(statement, Disconnect | Close):
            is_open = False
        statements.append(statement)
        if reader.take(_END) is None:
            reader.skip_blanks()
            raise reader.error(f"the end of the line is wanted, not {reader.here()}")
        reader.skip_space()
    return Script(name, tuple(statements))


def _statement(reader: Reader) -> Statement:
    begin, line = reader.position, reader.line
    match = reader.take(_KEYWORD)
    reader.skip_blanks()
    match match[0] if match else "":
        case "connect":
            return _connect(reader, line)
        case "disconnect":
            return Disconnect(line=line)
        case "close":
            return Close(line=line, code=int(_wanted(reader, _CODE, "a close code (1000 to 4999)")[0]))
        case "within":
            return Within(line=line, seconds=_seconds(reader))
        case "expect-silence":
            return Silence(line=line, seconds=_seconds(reader))
        case "->":
            return Message(line=line, node=reader.value())
        case "->>":
            data = reader.byte_string()
            return Raw(line=line, frame=reader.string() if data is None else data)
        case "<-" | "<~" as sign:
            return Wanted(line=line, node=reader.pattern(), skip=sign == "<~")
        case _:
            reader.position = begin
            raise reader.error(
                f"a statement is wanted, not {reader.here()}: connect, disconnect, close, within, expect-silence,"
                " ->, ->>, <- or <~"
            )


def _connect(reader: Reader, line: int) -> Connect:
    connect = Connect(line=line, path=_wanted(reader, _PATH, "a path that begins with `/`")[0])
    seen: set[str] = set()
    while True:
        reader.skip_blanks()
        begin = reader.position
        match = reader.take(_KEYWORD)
        if match is None:
            return connect
        word = match[0]
        if word in seen and word != "header":
            raise reader.error(f"`{word}` stands twice", begin)
        seen.add(word)
        reader.skip_blanks()
        match word:
            case "subprotocols":
                connect = replace(connect, subprotocols=_subprotocols(reader))
            case "token":
                token = _wanted(reader, _WORD, "a token or `none`")[0]
                connect = replace(connect, token="" if token == "none" else token)
            case "header":
                connect = replace(connect, headers=(*connect.headers, _header(reader)))
            case "expect":
                connect = replace(connect, status=int(_wanted(reader, _STATUS, "an HTTP status")[0]))
            case _:
                raise reader.error(f"`subprotocols`, `token`, `header` or `expect` is wanted, not {word!a}", begin)


def _subprotocols(reader: Reader) -> tuple[str, ...]:
    begin = reader.position
    names = _wanted(reader, _WORD, "a list of subprotocols")[0].split(",")
    if not all(map(_SUBPROTOCOL.fullmatch, names)):
        raise reader.error("subprotocols are names with commas between them, without blanks", begin)
    return tuple(names)


def _header(reader: Reader) -> tuple[str, str]:
    begin = reader.position
    field = _FIELD.fullmatch(reader.string())
    if field is None:
        raise reader.error('a header field is "Name: value"', begin)
    return field["name"], field["value"]


def _seconds(reader: Reader) -> float:
    begin = reader.position
    match = _wanted(reader, _DURATION, "a time such as 2s or 200ms")
    seconds = float(match["number"]) / (1000 if match["unit"] == "ms" else 1)
    if not 0 < seconds <= LONGEST_WAIT:
        raise reader.error(f"a time is more than 0 and at most {LONGEST_WAIT:g}s", begin)
    return seconds


def _wanted(reader: Reader, pattern: re.Pattern[str], what: str) -> re.Match[str]:
    match = reader.take(pattern)
    if match is None:
        raise reader.error(f"{what} is wanted, not {reader.here()}")
    return match
