"""When lines were written: of a line that says nothing, when the one before it was; and which part of a file that is.

Files are nearly in the order of time: threads that log at once are some milliseconds out of it. So a look at some
thousand places tells which parts of a file need no look at each line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from tui.logs.facts import time_of
from tui.logs.files.criteria import line_end
from tui.logs.files.reading import BLOCK, PlainFile

__all__ = ("SLACK", "Clock", "Part", "Period", "clock_at", "parts_of")

SLACK: Final = 10 * 10**9
"""Nanoseconds by which a line may be out of order."""

_SAMPLES: Final = 2048
# So far behind a sampled place a line with a time is looked for, and so far before a place the last one.
_LOOK: Final = 16 << 10


@dataclass(frozen=True, slots=True)
class Period:
    """Times from `since` up to `until`, in nanoseconds since 1970; None is open."""

    since: int | None = None
    until: int | None = None

    def __bool__(self) -> bool:
        return self.since is not None or self.until is not None

    def holds(self, at: int | None) -> bool:
        """Tell whether a time is inside; what has none is, when all is."""
        if at is None:
            return not self
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)

    def misses(self, first: int, last: int) -> bool:
        """Tell whether nothing between two times can be inside, be it a little out of order."""
        return (self.since is not None and last < self.since - SLACK) or (
            self.until is not None and first >= self.until + SLACK
        )

    def covers(self, first: int, last: int) -> bool:
        """Tell whether all between two times is inside, be it a little out of order."""
        return (self.since is None or first >= self.since + SLACK) and (self.until is None or last < self.until - SLACK)


class Clock:
    """Knows when the lines of a file were written, one block after the other.

    Args:
        at: when the line before the first one was.
    """

    def __init__(self, at: int | None = None) -> None:
        self._at = at

    def when(self, data: bytes, start: int) -> int | None:
        """Give when the line of a block was written that begins there."""
        at = time_of(data[start : line_end(data, start)])
        while at is None and start > 0:
            end = start - 1
            start = data.rfind(b"\n", 0, end) + 1
            at = time_of(data[start:end])
        return self._at if at is None else at

    def leave(self, data: bytes) -> None:
        """Go on to the next block."""
        self._at = self.when(data, data.rfind(b"\n") + 1)


@dataclass(frozen=True, slots=True)
class Part:
    """Lines that begin from `start` up to `end`; `sure` when all of them are in the period."""

    start: int
    end: int
    sure: bool


def clock_at(file: PlainFile, offset: int) -> Clock:
    """Make a clock that knows when the line before that place was written."""
    clock = Clock()
    start = max(0, offset - _LOOK)
    data = file.read_at(start, max(0, offset - start - 1))
    if start:
        data = data.partition(b"\n")[2]
    if data:
        clock.leave(data)
    return clock


def parts_of(file: PlainFile, size: int, period: Period) -> list[Part]:
    """Give the parts of a file that may have lines of a period, in order.

    Args:
        size: up to where the file is looked at.
    """
    if not period:
        return [Part(0, size, sure=True)]
    step = max(BLOCK, -(-size // _SAMPLES))
    places = sorted({file.line_start(offset) for offset in range(0, size, step)} | {size})
    times = [_first_time(file, place) for place in places[:-1]]
    known = [at for at in times if at is not None]
    if not known or any(later < earlier - SLACK for earlier, later in pairwise(known)):
        return [Part(0, size, sure=False)]
    # A place without a time bounds nothing: the next one that is known does, and before it the last.
    after: list[int | None] = [None]
    for at in reversed(times[1:]):
        after.append(after[-1] if at is None else at)
    parts: list[Part] = []
    before: int | None = None
    for (start, end), at, last in zip(pairwise(places), times, reversed(after), strict=True):
        before = before if at is None else at
        # Nothing is known before the first time and behind the last.
        first, latest = -(1 << 62) if before is None else before, (1 << 62) if last is None else last
        if not period.misses(first, latest):
            parts.append(Part(start, end, period.covers(first, latest)))
    return list(_joined(parts))


def _first_time(file: PlainFile, place: int) -> int | None:
    data = file.read_at(place, _LOOK)
    return next((at for line in data.split(b"\n")[:50] if (at := time_of(line)) is not None), None)


def _joined(parts: list[Part]) -> Iterator[Part]:
    held: Part | None = None
    for part in parts:
        if held is not None and held.end == part.start and held.sure == part.sure:
            held = Part(held.start, part.end, held.sure)
        else:
            if held is not None:
                yield held
            held = part
    if held is not None:
        yield held
