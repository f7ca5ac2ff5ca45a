"""Sites: a target at a level, with the texts that all its records share and who wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson

from inspector.tracing.values import clean
from protocol.records import LEVEL_NAMES

if TYPE_CHECKING:
    from inspector.tracing.reader import LogReader
    from inspector.tracing.spans import Span

__all__ = ("Guard", "Site", "bounded_target")

# Characters of a target: a record's other parts leave room for so many, whatever they are. Of a longer one so many are
# kept that the note behind them fits too, for then it may be bounded twice.
_TARGET: Final = 256
_KEPT: Final = 200


class Guard(Protocol):
    """Tells if someone wants a record: of a span, or of an event with its message and fields."""

    def __call__(self, span: Span, message: str = "", fields: dict[str, Any] | None = None, /) -> bool: ...


def bounded_target(target: str) -> str:
    """Return a target as it is written: encodable, and cut to a length with a note that says by how much."""
    text = clean(str.__str__(target))
    return text if len(text) <= _TARGET else f"{text[:_KEPT]}… ({len(text) - _KEPT} more characters)"


class Site:
    """One for each target and level of a log, for as long as the log lives.

    Attributes:
        event, start, end: a record of each kind, from the end of its time up to where they differ.
        open: someone wants records from here.
        guard: None when whoever they speak of and whatever they say, else a question to ask of each.
        readers: those who want some of them.
    """

    __slots__ = ("end", "event", "guard", "level", "open", "readers", "start", "target")

    def __init__(self, level: int, target: str) -> None:
        self.level = level
        self.target = target
        quoted = orjson.dumps(target)
        head = b'Z","level":"%b","kind":"%b","target":%b'
        name = LEVEL_NAMES[level].encode()
        self.event = head % (name, b"event", quoted) + b',"fields":{"message":'
        self.start = head % (name, b"span_start", quoted)
        self.end = head % (name, b"span_end", quoted)
        self.open = False
        self.guard: Guard | None = None
        self.readers: list[LogReader] = []
