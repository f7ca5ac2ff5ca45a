"""Readers of the ring: each has its own cursor, filter and count of what it missed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from inspector.tracing.decide import Judge
from inspector.tracing.recorder import Entry, Parts, line_of, numbered
from protocol.filters import Filter, Rule

if TYPE_CHECKING:
    from inspector.tracing.log import Log
    from inspector.tracing.sites import Site
    from inspector.tracing.spans import Span

__all__ = ("MAX_CHUNK", "LogChunk", "LogReader", "Portion")

MAX_CHUNK: Final = 256 * 1024
"""Bytes of a chunk's lines unless asked for otherwise."""

_T = TypeVar("_T")
_Writer = Callable[[bytes, Sequence[bytes], list[Parts], "dict[Site, bool | Rule]"], tuple[list[_T], int]]
"""Makes pieces of those records of a block that are wanted, and says how long the lines are with their newlines."""


@dataclass(frozen=True, slots=True)
class Portion:
    """What a reader took: it speaks for every record of `first_seq` to `next_seq` (not included).

    Attributes:
        dropped: how many of these could no longer be looked at.
        entries: those that matched.
    """

    first_seq: int
    next_seq: int
    dropped: int
    entries: list[Entry]


@dataclass(frozen=True, slots=True)
class LogChunk:
    """A portion with its lines joined by newlines, no newline at the end."""

    first_seq: int
    next_seq: int
    dropped: int
    lines: bytes


class LogReader:
    """One who follows the log. Made by `Log.subscribe`; used by one thread at a time.

    `wake` is called, from whatever thread logs, when there may be something new since the last `collect` that
    came to the end of the log: so call `collect` until it returns None, then wait to be woken.

    Attributes:
        judge: decides by its filter.
        next_seq: the number of the first record that it has not looked at yet.
        missed: how many of the records that it asked for were no longer kept when it came.
        passive: it sees what is recorded anyway, and has nothing recorded for its own sake.
        total_dropped: how many it lost since, for it was too slow.
    """

    __slots__ = (
        "_log",
        "_spoken",
        "_wake",
        "actor",
        "armed",
        "closed",
        "judge",
        "missed",
        "next_seq",
        "passive",
        "total_dropped",
    )

    def __init__(self, log: Log, filter: Filter, actor: str | None, next_seq: int, wake: Callable[[], None]) -> None:
        self._log = log
        self.judge = Judge(filter)
        self._wake = wake
        self._spoken = next_seq
        self.actor = actor
        self.armed = False
        self.closed = False
        self.missed = 0
        self.next_seq = next_seq
        self.passive = False
        self.total_dropped = 0

    def start_at(self, next_seq: int, missed: int) -> None:
        """Begin there instead, before anything was read."""
        self.next_seq = self._spoken = next_seq
        self.missed = missed

    @property
    def filter(self) -> Filter:
        """What it wants to see."""
        return self.judge.filter

    def set_filter(self, filter: Filter) -> None:
        """Want something else from now on, also of the records that it has not looked at yet."""
        self.judge = Judge(filter)
        self._log.filter_changed(self)

    @property
    def behind(self) -> int:
        """How many records have come since it last looked, whether it wants them or not."""
        return self._log.next_seq - self.next_seq

    @property
    def lost(self) -> int:
        """How many records it has lost by now, those included that it has yet to be told of."""
        return self.total_dropped + max(0, self._log.first_seq - self.next_seq)

    def wants(self, site: Site, span: Span) -> bool:
        """Tell if what is written at a site in a span belongs to what this reader sees, or may do so."""
        return (self.actor is None or self.actor == span.actor) and self.judge.of_span(site, span) is not False

    def takes(self, parts: Parts) -> bool:
        """Tell if a record belongs to what this reader sees."""
        return (self.actor is None or self.actor == parts[2].actor) and _inside(self.judge, parts)

    def collect(self, max_bytes: int = MAX_CHUNK) -> LogChunk | None:
        """Return the next lines; None when nothing that matches has come.

        Args:
            max_bytes: of the lines; a single longer one comes alone.
        """
        found = self._look(max_bytes, _joined)
        if found is None:
            return None
        first_seq, next_seq, dropped, texts = found
        if texts:
            # Less its newline, before all are one: to copy as much as a chunk costs more than it looks.
            texts[0] = texts[0][1:]
        return LogChunk(first_seq, next_seq, dropped, b"".join(texts))

    def take(self, max_bytes: int = MAX_CHUNK) -> Portion | None:
        """Return the next records one by one; None when nothing that matches has come."""
        found = self._look(max_bytes, _entries)
        return None if found is None else Portion(*found)

    def _look(self, max_bytes: int, write: _Writer[_T]) -> tuple[int, int, int, list[_T]] | None:
        """Return what a portion says, with the pieces that `write` makes of the records that match."""
        if self.closed:
            return None
        # Armed before it looks: a record that comes while it looks is seen or wakes, perhaps both, never
        # neither.
        self._log.arm(self)
        recorder = self._log.recorder
        end = recorder.next_seq
        seq = self.next_seq
        pieces: list[_T] = []
        dropped = size = 0
        judge = self.judge
        for first, run in recorder.runs(seq, end):
            dropped += first - seq
            seq = first
            for head, all_numbers, whole in numbered(first, run):
                # What does not fit is halved, until it does or is one record.
                left: list[tuple[Sequence[bytes], list[Parts]]] = [(all_numbers, whole)]
                while left:
                    numbers, block = left.pop()
                    more, length = write(head, *self._narrowed(numbers, block, judge), judge.rules)
                    if size + length > max_bytes + 1:
                        if len(block) > 1:
                            half = len(block) // 2
                            left += [(numbers[half:], block[half:]), (numbers[:half], block[:half])]
                            continue
                        if pieces:
                            self._log.disarm(self)
                            return self._told(seq, dropped, pieces)
                    pieces += more
                    size += length
                    seq += len(block)
        # Whatever lies between the last one seen and the end was dropped while it looked.
        dropped += end - seq
        return self._told(end, dropped, pieces)

    def _narrowed(
        self, numbers: Sequence[bytes], block: list[Parts], judge: Judge
    ) -> tuple[Sequence[bytes], list[Parts]]:
        """Leave out what one can only tell by the record, not by its site."""
        actor = self.actor
        if actor is None and not judge.scoped:
            return numbers, block
        kept = [
            at
            for at, parts in enumerate(block)
            if (actor is None or parts[2].actor == actor) and (not judge.scoped or _inside(judge, parts))
        ]
        return [numbers[at] for at in kept], [block[at] for at in kept]

    def _told(self, next_seq: int, dropped: int, pieces: list[_T]) -> tuple[int, int, int, list[_T]] | None:
        self.next_seq = next_seq
        if not dropped and not pieces:
            # The next portion speaks for these too.
            return None
        first_seq, self._spoken = self._spoken, next_seq
        self.total_dropped += dropped
        return first_seq, next_seq, dropped, pieces

    def wake(self) -> None:
        """Call the reader's own `wake`, once until it looks again."""
        # Whoever logs has no part in what a reader's callback raises, such as trio's RunFinishedError to a thread that
        # logs after the end. The reader finds its records at the next look.
        with contextlib.suppress(Exception):
            self._wake()

    def close(self, linger: float = 0.0) -> None:
        """Stop reading, once. What it wants beyond the others is kept for `linger` seconds more, so that one who comes
        back misses nothing."""
        if not self.closed:
            self.closed = True
            self._log.leave(self, linger)


def _joined(
    head: bytes, numbers: Sequence[bytes], block: list[Parts], decided: dict[Site, bool | Rule]
) -> tuple[list[bytes], int]:
    """Write the lines of a block as one text, each behind a newline: no line is made for itself."""
    head = b"\n" + head
    texts: list[bytes] = []
    add = texts.extend
    for number, (fields, site, _, stamp, microsecond, before, behind) in zip(numbers, block, strict=True):
        if decided[site]:
            add((head, number, stamp, microsecond, before, fields, behind))
    text = b"".join(texts)
    return [text] if text else [], len(text)


def _entries(
    head: bytes, numbers: Sequence[bytes], block: list[Parts], decided: dict[Site, bool | Rule]
) -> tuple[list[Entry], int]:
    join = b"".join
    entries = [
        (join((head, number, stamp, microsecond, before, fields, behind)), site, span)
        for number, (fields, site, span, stamp, microsecond, before, behind) in zip(numbers, block, strict=True)
        if decided[site]
    ]
    return entries, sum([len(entry[0]) for entry in entries]) + len(entries)


def _inside(judge: Judge, parts: Parts) -> bool:
    site, span = parts[1], parts[2]
    decided = judge.of_span(site, span)
    return judge.of_line(site, span, line_of(0, parts)) if decided is None else decided
