"""Sites: a target at a level, with the texts that all its records share and who wants them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import orjson

from protocol.records import LEVEL_NAMES

if TYPE_CHECKING:
    from inspector.tracing.spans import Span

__all__ = ("Site",)


class Site:
    """One for each target and level of a log, for as long as the log lives.

    Attributes:
        event, start, end: a record of each kind, from the end of its time up to where they differ.
        open: someone wants records from here.
        guard: None when whoever they speak of, else a question to ask of each record's span.
    """

    __slots__ = ("end", "event", "guard", "level", "open", "start", "target")

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
        self.guard: Callable[[Span], bool] | None = None
