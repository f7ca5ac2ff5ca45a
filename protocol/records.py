"""Log records as their readers see them, and the levels."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = (
    "DEBUG",
    "ERROR",
    "INFO",
    "LEVEL_NAMES",
    "OFF",
    "TRACE",
    "WARN",
    "LevelError",
    "Record",
    "RecordError",
    "decode_record",
    "level_from_name",
    "propose_level",
)

TRACE = 0
DEBUG = 1
INFO = 2
WARN = 3
ERROR = 4
OFF = 5
"""Above every level: a filter's word for nothing at all, never the level of a record."""

LEVEL_NAMES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR")
"""The levels as a record spells them, by number."""

_LEVELS = {name.lower(): number for number, name in enumerate(LEVEL_NAMES)} | {"off": OFF}

# Words of other logging systems, and what they are called here.
_FOREIGN = {
    "warning": "warn",
    "warnings": "warn",
    "err": "error",
    "errors": "error",
    "critical": "error",
    "crit": "error",
    "fatal": "error",
    "severe": "error",
    "panic": "error",
    "alert": "error",
    "emerg": "error",
    "notice": "info",
    "information": "info",
    "informational": "info",
    "default": "info",
    "dbg": "debug",
    "verbose": "trace",
    "finest": "trace",
    "silly": "trace",
    "all": "trace",
    "any": "trace",
    "max": "trace",
    "notset": "trace",
    "on": "trace",
    "true": "trace",
    "none": "off",
    "no": "off",
    "false": "off",
    "null": "off",
    "never": "off",
    "silent": "off",
    "quiet": "off",
    "disabled": "off",
}


class LevelError(ValueError):
    """A word that is no level.

    Attributes:
        proposal: the level that was perhaps meant, None when nothing comes near.
    """

    def __init__(self, message: str, proposal: str | None) -> None:
        super().__init__(message)
        self.proposal = proposal


class RecordError(ValueError):
    """A line that is no log record."""


class Record(msgspec.Struct, frozen=True):
    """One line of the span log.

    `timestamp` is RFC 3339 in UTC; `duration_ns` and `busy_ns` are nanoseconds. What a kind of record does
    not have is None. `span` is the span's name and fields, `spans` its ancestors, root first, where the line
    carries them.
    """

    seq: int
    timestamp: str
    level: Literal["TRACE", "DEBUG", "INFO", "WARN", "ERROR"]
    kind: Literal["event", "span_start", "span_end", "gap"]
    target: str
    span: dict[str, Any]
    trace_id: str
    span_id: str
    parent_id: str | None = None
    fields: dict[str, Any] = {}
    spans: list[dict[str, Any]] | None = None
    duration_ns: int | None = None
    busy_ns: int | None = None
    status: Literal["ok", "error", "cancelled"] | None = None
    exception: dict[str, Any] | None = None

    @property
    def level_number(self) -> int:
        """The level as a number, TRACE = 0 to ERROR = 4."""
        return LEVEL_NAMES.index(self.level)

    @property
    def message(self) -> str:
        """What an event says; empty for the records of a span."""
        message = self.fields.get("message", "")
        return message if isinstance(message, str) else str(message)


_decoder = msgspec.json.Decoder(Record)


def decode_record(line: bytes | str) -> Record:
    """Decode one line.

    Raises:
        RecordError: it is no JSON, or JSON of another shape.
    """
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise RecordError(f"not a log record: {error}") from error


def level_from_name(name: str) -> int:
    """Return the level that a word names, in any case; `off` is OFF.

    Raises:
        LevelError: it names none.
    """
    level = _LEVELS.get(name.strip().lower())
    if level is not None:
        return level
    proposal = propose_level(name)
    hint = f"; did you mean {proposal!r}?" if proposal else "; levels are off, error, warn, info, debug, trace"
    raise LevelError(f"{name!r} is not a level{hint}", proposal)


def propose_level(word: str) -> str | None:
    """Return the level that a word was perhaps meant to name, None if it looks like none.

    A word of another logging system, or one slip (a letter added, lost, changed or swapped) from a level's
    name.
    """
    word = word.strip().lower()
    if word in _LEVELS:
        return word
    foreign = _FOREIGN.get(word)
    if foreign is not None:
        return foreign
    return next((name for name in _LEVELS if _one_slip(word, name)), None)


def _one_slip(word: str, name: str) -> bool:
    if word == name + name[-1] or word == name + "s":
        return True
    if len(word) == len(name):
        differing = [at for at, (a, b) in enumerate(zip(word, name, strict=True)) if a != b]
        if len(differing) == 1:
            return len(name) > 3
        if len(differing) != 2 or differing[1] != differing[0] + 1:
            return False
        first, second = differing
        return word[first] == name[second] and word[second] == name[first]
    longer, shorter = (word, name) if len(word) > len(name) else (name, word)
    if len(longer) != len(shorter) + 1 or len(shorter) < 2:
        return False
    return any(longer[:at] + longer[at + 1 :] == shorter for at in range(len(longer)))
