"""Keep records that arrive live, as the bytes they arrived in, in bounded memory.

A record here is one line; a row is a record's place in the store, counted from 0 and never given twice.
Rows stay what they are while the ring turns over, so that whoever looks at row N goes on looking at it
until it is dropped.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

__all__ = ("DEFAULT_MAX_BYTES", "SEGMENT_BYTES", "Block", "LogStore", "Records", "marker_line")

DEFAULT_MAX_BYTES: Final = 64 << 20
SEGMENT_BYTES: Final = 256 << 10

# What CPython spends on a segment beyond its bytes, roughly: counted, so that one-line segments are bounded
# too.
_SEGMENT_OVERHEAD: Final = 512
_SPLIT_KEPT: Final = 4


@dataclass(frozen=True, slots=True)
class Block:
    """A run of whole records that lie beside one another.

    Attributes:
        first_row: the row of the first line.
        count: the number of lines, at least one.
        data: the lines, joined by newlines, no newline at the end.
    """

    first_row: int
    count: int
    data: bytes

    @property
    def end_row(self) -> int:
        """Give the row after the last one."""
        return self.first_row + self.count


class Records(Protocol):
    """Rows of raw records, wherever their bytes lie: a ring in memory, a file, segments of a spool."""

    @property
    def first_row(self) -> int:
        """Give the oldest row that is kept; one that is negative was there before whoever looks began to."""

    @property
    def end_row(self) -> int:
        """Give the row that the next record will have."""

    def __len__(self) -> int:
        """Give the number of rows that are kept."""

    def row(self, row: int, /) -> bytes:
        """Give one line; IndexError when it is not kept."""

    def rows(self, start: int, end: int) -> list[bytes]:
        """Give the lines of the rows from `start` up to `end`, those of them that are kept."""

    def block_at(self, row: int) -> Block | None:
        """Give the block that a row lies in; None when it is not kept."""


def marker_line(text: str, *, lost: int = 0, after_seq: int | None = None) -> bytes:
    """Make the record of something that happened to the stream itself (`kind` is `gap`).

    Args:
        text: what the reader is told.
        lost: how many records are missing here.
        after_seq: the sequence number before which all is known, when there is one.
    """
    record: dict[str, object] = {"kind": "gap", "level": "WARN", "fields": {"message": text, "lost": lost}}
    if after_seq is not None:
        record["after_seq"] = after_seq
    return msgspec.json.encode(record)


class _Segment:
    """Lines that came one after another; joined only when somebody looks."""

    __slots__ = ("_chunks", "count", "first_row", "size")

    def __init__(self, first_row: int) -> None:
        self.first_row = first_row
        self.count = 0
        self.size = 0
        self._chunks: list[bytes] = []

    def add(self, chunk: bytes, count: int) -> None:
        self._chunks.append(chunk)
        self.count += count
        self.size += len(chunk) + 1

    @property
    def data(self) -> bytes:
        if len(self._chunks) > 1:
            self._chunks = [b"\n".join(self._chunks)]
        return self._chunks[0]


class LogStore:
    """A ring of raw records, bounded in bytes, that drops its oldest segment whole.

    Args:
        max_bytes: what the ring holds at most. The newest segment always stays, so one record that is
            larger is kept until the next one comes.
        segment_bytes: how much is dropped at once; smaller than an eighth of the ring, whatever is asked.
    """

    def __init__(self, max_bytes: int = DEFAULT_MAX_BYTES, segment_bytes: int = SEGMENT_BYTES) -> None:
        if max_bytes < 1 or segment_bytes < 1:
            raise ValueError("a log store needs room for at least one byte")
        self.max_bytes = max_bytes
        self._segment_bytes = max(1, min(segment_bytes, max_bytes // 8))
        self._segments: list[_Segment] = []
        # Beside the segments so that a bisection needs no key function.
        self._starts: list[int] = []
        self._split: dict[int, tuple[int, list[bytes]]] = {}
        self._end_row = 0
        self._size = 0
        self._lost = 0
        self._next_seq: int | None = None

    def __len__(self) -> int:
        return self._end_row - self.first_row

    @property
    def first_row(self) -> int:
        """Give the oldest row that is kept; equal to `end_row` when there is none."""
        return self._starts[0] if self._starts else self._end_row

    @property
    def end_row(self) -> int:
        """Give the row that the next record will have."""
        return self._end_row

    @property
    def size(self) -> int:
        """Give the bytes held, what a segment costs included."""
        return self._size

    @property
    def lost(self) -> int:
        """Give the number of records that the stream said were lost, since the last `clear`."""
        return self._lost

    @property
    def next_seq(self) -> int | None:
        """Give the sequence number up to which the stream has spoken; None at first and after a seam."""
        return self._next_seq

    def append_batch(self, lines: bytes, first_seq: int, next_seq: int, dropped: int = 0) -> int:
        """Take what one batch of the stream brought; what it lost becomes a row before its records.

        A batch that begins after the end of the last one is a hole that nobody spoke of, and is shown as
        one too.

        Args:
            lines: JSON lines joined by newlines; empty when nothing matched.
            first_seq: the first sequence number that the batch speaks for.
            next_seq: the one after the last.
            dropped: matching records of these that were not sent.

        Returns:
            the number of rows added, markers included.
        """
        before = self._end_row
        known, self._next_seq = self._next_seq, next_seq
        if known is not None and first_seq > known:
            hole = first_seq - known
            self.append_marker(f"up to {_records(hole)} missing here", hole, known - 1)
        if dropped:
            self.append_marker(f"{_records(dropped)} lost: this reader was too slow", dropped, first_seq - 1)
        if lines:
            self._append(lines.removesuffix(b"\n"))
        return self._end_row - before

    def append_marker(self, text: str, lost: int = 0, after_seq: int | None = None) -> int:
        """Add a row that tells what happened to the stream, and give its number.

        Args:
            text: what the reader is told.
            lost: how many records are missing here, as far as known.
            after_seq: the last sequence number before it, when there is one.
        """
        self._lost += lost
        self._append(marker_line(text, lost=lost, after_seq=after_seq))
        return self._end_row - 1

    def append_seam(self, text: str) -> int:
        """Mark where another stream begins, and forget the sequence number: it means nothing there."""
        self._next_seq = None
        return self.append_marker(text)

    def clear(self) -> None:
        """Drop every row, and what is known of the stream. No later row has the number of an earlier one."""
        self._segments.clear()
        self._starts.clear()
        self._split.clear()
        self._size = self._lost = 0
        self._next_seq = None

    def row(self, row: int) -> bytes:
        """Give one line.

        Raises:
            IndexError: the row was dropped or has not come yet.
        """
        segment = self._segment(row)
        if segment is None:
            raise IndexError(f"row {row} is not kept")
        return self._lines(segment)[row - segment.first_row]

    def rows(self, start: int, end: int) -> list[bytes]:
        """Give the lines of the rows from `start` up to `end`, those of them that are kept."""
        found: list[bytes] = []
        row, end = max(start, self.first_row), min(end, self._end_row)
        while row < end and (segment := self._segment(row)) is not None:
            lines = self._lines(segment)[row - segment.first_row : end - segment.first_row]
            found += lines
            row += len(lines)
        return found

    def block_at(self, row: int) -> Block | None:
        """Give the block that a row lies in; None when it is not kept.

        Whoever goes on with `block_at(block.end_row)` or `block_at(block.first_row - 1)` walks through the
        store and may rest between two steps for as long as it likes, while records come and go.
        """
        segment = self._segment(row)
        return None if segment is None else Block(segment.first_row, segment.count, segment.data)

    def blocks(self, start: int | None = None) -> Iterator[Block]:
        """Give all blocks from the one that holds `start` (the oldest, unless said) to the newest."""
        row = self.first_row if start is None else max(start, self.first_row)
        while (block := self.block_at(row)) is not None:
            yield block
            row = max(block.end_row, self.first_row)

    def _segment(self, row: int) -> _Segment | None:
        if not self.first_row <= row < self._end_row:
            return None
        return self._segments[bisect_right(self._starts, row) - 1]

    def _lines(self, segment: _Segment) -> list[bytes]:
        # Rows on a screen lie in one or two segments: to split those once is cheaper than to look for each
        # line. Only a few are kept, since a split segment is its bytes a second time.
        kept = self._split.pop(segment.first_row, None)
        if kept is None or kept[0] != segment.count:
            kept = (segment.count, segment.data.split(b"\n"))
        self._split[segment.first_row] = kept
        if len(self._split) > _SPLIT_KEPT:
            del self._split[next(iter(self._split))]
        return kept[1]

    def _append(self, lines: bytes) -> None:
        start, room = 0, self._segment_bytes
        while len(lines) - start > room:
            # A chunk ends at a line's end: the last one inside the segment's size, or the first after a
            # longer line.
            end = lines.rfind(b"\n", start, start + room)
            if end < 0:
                end = lines.find(b"\n", start + room)
            if end < 0:
                break
            self._add(lines[start:end])
            start = end + 1
        self._add(lines[start:] if start else lines)
        while self._size > self.max_bytes and len(self._segments) > 1:
            segment = self._segments.pop(0)
            del self._starts[0]
            self._split.pop(segment.first_row, None)
            self._size -= segment.size + _SEGMENT_OVERHEAD

    def _add(self, chunk: bytes) -> None:
        if not self._segments or self._segments[-1].size + len(chunk) > self._segment_bytes:
            self._segments.append(_Segment(self._end_row))
            self._starts.append(self._end_row)
            self._size += _SEGMENT_OVERHEAD
        count = chunk.count(b"\n") + 1
        self._segments[-1].add(chunk, count)
        self._end_row += count
        self._size += len(chunk) + 1


def _records(count: int) -> str:
    return f"{count:,} record" if count == 1 else f"{count:,} records"
