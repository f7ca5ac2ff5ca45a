"""The ring: a flight recorder of encoded records, bounded in bytes and in number."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from inspector.tracing.timestamps import MICROSECONDS, millisecond_text

if TYPE_CHECKING:
    from inspector.tracing.sites import Site
    from inspector.tracing.spans import Span

__all__ = ("ENTRY_COST", "SPAN_COST", "Entry", "Parts", "Recorder", "Segment", "line_of", "numbered")

Parts = tuple[bytes, "Site", "Span", bytes, bytes, bytes, bytes]
"""A record as the ring keeps it: what it has for itself, where it was written, the span that it speaks of, and the
texts that it shares with others: its millisecond, its microsecond, what stands before its own part and what behind.

Its line is joined when somebody reads it. Joined at once it would be written twice, to be copied again by each reader,
and take more than twice the room; to put it there takes a quarter of the time of the whole record.
"""

Entry = tuple[bytes, "Site", "Span"]
"""A record's line, where it was written and the span that it speaks of: filters decide without parsing."""

# What an entry costs beside its texts: the heads of the objects, its tuple, its place in the segment, and the time
# where no other record is of the same millisecond; with a start record comes the span.
ENTRY_COST: Final = 320
SPAN_COST: Final = 640

_SEGMENTS: Final = 32

# Records of a block; it divides a thousand.
_BLOCK: Final = 100
_BELOW_THOUSAND: Final = tuple(b"%d" % number for number in range(1000))

# Stands where the next record of a segment would, so that whoever still knows the segment as the last one sees
# that it is not.
_CLOSED: Final[Any] = ()


class Segment:
    """A run of records by number, `first_seq` on, without a hole. Records come in order and stay."""

    __slots__ = ("first_seq", "next", "size", "slots")

    def __init__(self, first_seq: int) -> None:
        self.first_seq = first_seq
        # Where to try first: never beyond the first free number, a little before it when threads cross.
        self.next = first_seq
        self.slots: dict[int, Parts] = {}
        self.size = 0

    def entries(self) -> list[Parts]:
        """Return the records so far."""
        entries = [*self.slots.values()]
        if entries and entries[-1] is _CLOSED:
            entries.pop()
        return entries

    def next_seq(self) -> int:
        """Return the number behind the last record."""
        seq = self.first_seq + len(self.slots)
        return seq - 1 if self.slots.get(seq - 1) is _CLOSED else seq


class Recorder:
    """Numbers records, stamps them and keeps the last ones.

    Any thread may append, and so may a signal handler or a finaliser that interrupts an append. There is no lock
    to wait for, or to be left locked by a KeyboardInterrupt: a number belongs to whoever puts an entry there
    first (`dict.setdefault` is one step that the interpreter doesn't divide), and who comes second tries the next
    one. A lock costs a tenth of the time of a record. Readers need none either: segments are dropped whole.

    Attributes:
        segment_size: what a segment may cost before the next one begins, bytes.
        on_drop: called with each segment that is about to be dropped.
        stamp: the begin of the last record's millisecond and its text; `restamp` makes it.
        tail: the segment that the next record goes into.
    """

    __slots__ = ("_limit", "_lock", "_max_records", "_segments", "on_drop", "segment_size", "stamp", "tail")

    def __init__(self, size: int, max_records: int) -> None:
        """Take the bytes that all records may cost, and their greatest number.

        Raises:
            ValueError: one of them is not positive.
        """
        if size <= 0 or max_records <= 0:
            raise ValueError("a ring holds at least one byte and one record")
        self._limit = size
        self.segment_size = max(1, size // _SEGMENTS)
        self._max_records = max_records
        self.tail = Segment(1)
        # Replaced, never changed in place, so that a reader's copy stays true.
        self._segments: tuple[Segment, ...] = (self.tail,)
        self._lock = threading.RLock()
        self.stamp = (-1_000_000, b"")
        self.on_drop: Callable[[Segment], object] | None = None

    @property
    def first_seq(self) -> int:
        """The number of the oldest record kept; `next_seq` when there is none."""
        return self._segments[0].first_seq

    @property
    def next_seq(self) -> int:
        """The number that the next record gets."""
        return self.tail.next_seq()

    def append(self, site: Site, span: Span, ns: int, head: bytes, fields: bytes, tail: bytes, cost: int = 0) -> int:
        """Record what stands behind the time in a line, and return its number.

        Args:
            ns: when, in nanoseconds since 1970.
            head: the first part, from the end of the time on.
            fields: the second part, may be empty.
            tail: the last part, with the closing brace.
            cost: bytes that the record keeps alive beside its own.
        """
        began, stamp = self.stamp
        since = ns - began
        if since < 0 or since >= 1_000_000:
            began, stamp = self.restamp(ns)
            since = ns - began
        parts = (fields, site, span, stamp, MICROSECONDS[since // 1000], head, tail)
        cost += len(head) + len(fields) + len(tail) + ENTRY_COST
        segment = self.tail
        seq = segment.next
        if segment.slots.setdefault(seq, parts) is not parts:
            return self.place(parts, cost)
        segment.next = seq + 1
        # Two threads may add at once and one sum be lost: a segment is a record longer then.
        segment.size = size = segment.size + cost
        if size >= self.segment_size:
            self.roll(segment)
        return seq

    def place(self, parts: Parts, cost: int) -> int:
        """Give a record the next number that is free, and return it. The long way: it may meet others."""
        while True:
            segment = self.tail
            seq = segment.next
            found = segment.slots.setdefault(seq, parts)
            if found is parts:
                segment.next = seq + 1
                break
            if found is _CLOSED:
                self.roll(segment)
            elif segment.next <= seq:
                segment.next = seq + 1
        segment.size = size = segment.size + cost
        if size >= self.segment_size:
            self.roll(segment)
        return seq

    def restamp(self, ns: int) -> tuple[int, bytes]:
        """Return the begin of a time's millisecond and its text, and keep them for the records that follow."""
        millisecond = ns // 1_000_000
        # One tuple, so that no thread sees one without the other.
        self.stamp = stamp = (millisecond * 1_000_000, b',"timestamp":"' + millisecond_text(millisecond))
        return stamp

    def roll(self, full: Segment) -> None:
        """Begin a segment behind a full one, and drop the oldest ones beyond the limits."""
        end = full.next
        while full.slots.setdefault(end, _CLOSED) is not _CLOSED:
            end += 1
        with self._lock:
            segments = [*self._segments]
            size = sum(segment.size for segment in segments)
            # The new tail may grow to a segment's size. One full segment stays whatever it costs, so that a
            # reader always finds the last record.
            while len(segments) > 1 and (
                size + self.segment_size > self._limit or end - segments[0].first_seq > self._max_records
            ):
                dropped = segments.pop(0)
                size -= dropped.size
                if self.on_drop is not None:
                    self.on_drop(dropped)
            tail = Segment(end)
            rolled = (*segments, tail)
            # Nothing is called between the question and its answer, so that not even a signal handler that logs
            # can begin a segment in between.
            if self._segments[-1] is full:
                self._segments = rolled
            self.tail = self._segments[-1]

    def runs(self, seq: int, end: int) -> Iterator[tuple[int, list[Parts]]]:
        """Yield runs of the records kept of `seq` to `end` (not included), each with its first number."""
        segments = self._segments
        at = max(0, bisect_right(segments, seq, key=lambda segment: segment.first_seq) - 1)
        for segment in segments[at:]:
            if segment.first_seq >= end:
                return
            start = max(seq, segment.first_seq)
            run = segment.entries()[start - segment.first_seq : end - segment.first_seq]
            if run:
                yield start, run

    def entries(self, seq: int, end: int) -> Iterator[tuple[int, list[Entry]]]:
        """Yield the same with the lines."""
        for first, run in self.runs(seq, end):
            yield first, [(line_of(number, parts), parts[1], parts[2]) for number, parts in enumerate(run, first)]

    def backwards(self, end: int, found: Callable[[Parts], bool]) -> Iterator[int]:
        """Yield the numbers of records before `end` with which `found` is content, from the end on."""
        for segment in reversed(self._segments):
            entries = segment.entries()[: max(0, end - segment.first_seq)]
            for at in range(len(entries) - 1, -1, -1):
                if found(entries[at]):
                    yield segment.first_seq + at


def line_of(seq: int, parts: Parts) -> bytes:
    """Return the line of a record."""
    fields, _, _, stamp, microsecond, head, tail = parts
    return b"".join((b'{"seq":%d' % seq, stamp, microsecond, head, fields, tail))


def numbered(first: int, run: list[Parts]) -> Iterator[tuple[bytes, tuple[bytes, ...], list[Parts]]]:
    """Yield a run of records in blocks of at most a hundred, with what each line begins with.

    That is the same for a block up to the last digits, of which there is one text for each record: to write every
    number anew takes as long as to join the rest of the line.
    """
    at = 0
    while at < len(run):
        thousands, low = divmod(first + at, 1000)
        block = run[at : at + _BLOCK - low % _BLOCK]
        at += len(block)
        if thousands:
            yield b'{"seq":%d' % thousands, MICROSECONDS[low : low + len(block)], block
        else:
            yield b'{"seq":', _BELOW_THOUSAND[low : low + len(block)], block
