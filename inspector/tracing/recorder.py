"""The ring: a flight recorder of encoded records, bounded in bytes and in number."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from inspector.tracing.timestamps import Timestamps

if TYPE_CHECKING:
    from inspector.tracing.sites import Site
    from inspector.tracing.spans import Span

__all__ = ("Entry", "Recorder", "Segment")

Entry = tuple[bytes, "Site", "Span"]
"""A record's line, where it was written and the span that it speaks of: filters decide by these, without parsing."""

# What an entry costs beside the text of its line: the objects' heads and the tuple; with a start record comes the span.
_ENTRY_COST: Final = 128
_SPAN_COST: Final = 640

_SEGMENTS: Final = 32


class Segment:
    """A run of records: `entries[n]` is number `first_seq + n`. Entries are appended, never changed or removed."""

    __slots__ = ("entries", "first_seq", "size")

    def __init__(self, first_seq: int) -> None:
        self.first_seq = first_seq
        self.entries: list[Entry] = []
        self.size = 0


class Recorder:
    """Numbers records, stamps them and keeps the last ones.

    Any thread may append, and so may a signal handler or a finaliser that interrupts an append: what comes in between
    waits in line for the append that it interrupted. Readers look without the lock: a number is taken and its entry
    appended in one step that the interpreter can't divide, and segments are only ever dropped whole.
    """

    __slots__ = (
        "_busy",
        "_late",
        "_limit",
        "_lock",
        "_max_entries",
        "_segment_size",
        "_segments",
        "_size",
        "_tail",
        "_timestamps",
    )

    def __init__(self, size: int, max_records: int) -> None:
        """Take the bytes that all records may cost, and their greatest number.

        Raises:
            ValueError: one of them is not positive.
        """
        if size <= 0 or max_records <= 0:
            raise ValueError("a ring holds at least one byte and one record")
        self._limit = size
        self._segment_size = max(1, size // _SEGMENTS)
        self._max_entries = max(1, max_records // _SEGMENTS)
        self._tail = Segment(1)
        # Replaced, never changed in place, so that a reader's copy stays true.
        self._segments: tuple[Segment, ...] = (self._tail,)
        self._size = 0
        self._lock = threading.RLock()
        self._busy = False
        self._late: deque[tuple[Site, bytes, Span, int, bool]] = deque()
        self._timestamps = Timestamps()

    @property
    def first_seq(self) -> int:
        """The number of the oldest record kept; `next_seq` when there is none."""
        return self._segments[0].first_seq

    @property
    def next_seq(self) -> int:
        """The number that the next record gets."""
        tail = self._tail
        return tail.first_seq + len(tail.entries)

    def append(self, site: Site, text: bytes, span: Span, ns: int, starts: bool = False) -> None:
        """Record what stands after the time in a line.

        Args:
            text: the rest of the record, from the quote that closes its time to its closing brace.
            ns: when, in nanoseconds since 1970.
            starts: it is the span's start record: the span remembers its number.
        """
        with self._lock:
            if self._busy:
                # This thread is inside an append further down its stack.
                self._late.append((site, text, span, ns, starts))
                return
            self._busy = True
            try:
                tail = self._tail
                entries = tail.entries
                seq = tail.first_seq + len(entries)
                line = b'{"seq":%d,"timestamp":"%b%b' % (seq, self._timestamps.text(ns), text)
                entries.append((line, site, span))
                if starts:
                    span.start_seq = seq
                    tail.size += len(line) + _SPAN_COST
                else:
                    tail.size += len(line) + _ENTRY_COST
                if tail.size >= self._segment_size or len(entries) >= self._max_entries:
                    self._roll()
            finally:
                self._busy = False
        while self._late:
            try:
                late = self._late.popleft()
            except IndexError:
                # Another thread was quicker.
                break
            self.append(*late)

    def _roll(self) -> None:
        """Begin a segment, and drop the oldest ones beyond the limits."""
        full = self._tail
        segments = [*self._segments]
        self._size += full.size
        # The new tail may grow to a segment's size.
        while segments and (self._size + self._segment_size > self._limit or len(segments) >= _SEGMENTS):
            if len(segments) == 1:
                # One record is kept whatever it costs, so that a reader always finds the last one.
                break
            self._size -= segments.pop(0).size
        tail = Segment(full.first_seq + len(full.entries))
        self._segments = (*segments, tail)
        self._tail = tail

    def entries(self, seq: int, end: int) -> Iterator[tuple[int, list[Entry]]]:
        """Yield runs of the records kept of `seq` to `end` (not included), each with the number of its first."""
        segments = self._segments
        at = max(0, bisect_right(segments, seq, key=lambda segment: segment.first_seq) - 1)
        for segment in segments[at:]:
            if segment.first_seq >= end:
                return
            start = max(seq, segment.first_seq)
            run = segment.entries[start - segment.first_seq : end - segment.first_seq]
            if run:
                yield start, run

    def backwards(self, end: int, found: Callable[[Entry], bool]) -> int | None:
        """Return the number of the last record before `end` with which `found` is content, asking from the end on."""
        for segment in reversed(self._segments):
            for at in range(min(len(segment.entries), end - segment.first_seq) - 1, -1, -1):
                if found(segment.entries[at]):
                    return segment.first_seq + at
        return None
