"""Rows of a file of any size, for a log view: both ends at once, what lies between as the index gets there.

Nothing is kept but where blocks of lines are and how many rows lie before them, some sixty bytes for 256 KiB. Rows are
counted from an anchor, be it the file's end, its beginning or a time: rows before it have negative numbers. So a
screen is there before anything is counted, and no row changes its number when the rest is.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from operator import neg
from typing import Final

from tui.logs.facts import time_of
from tui.logs.files.reading import BLOCK, MAX_LINE, PlainFile
from tui.logs.files.tail import Tail
from tui.logs.store import Block, marker_line

__all__ = ("FileStore",)

_MARKER: Final = -1
_SPLIT_KEPT: Final = 4
# Blocks that may go by without a time.
_WITHOUT_TIME: Final = 16
_GONE: Final = marker_line("this line is no longer in its file")


class _Index:
    """Blocks in the order in which they were found: what row each begins with, and where its bytes are."""

    def __init__(self) -> None:
        self.rows = array("q")
        self.counts = array("q")
        self.starts = array("q")
        self.ends = array("q")
        self.sources = array("q")

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, row: int, count: int, start: int, end: int, source: int) -> None:
        self.rows.append(row)
        self.counts.append(count)
        self.starts.append(start)
        self.ends.append(end)
        self.sources.append(source)


class FileStore:
    """Records of one file, as `tui.logs.store.Records`, of which `first_row` falls while the index grows backwards.

    Whoever shows it calls `step` when there is time; each call reads some blocks at most. What comes in the file later,
    and what becomes of it, are rows too.

    Args:
        file: the store's from now on, and closed by it.
        anchor: where row 0 begins, at its last line unless given. Any place in a line stands for the next line.
        watched: whether what becomes of its name concerns it; not so for a spool.
    """

    def __init__(self, file: PlainFile, anchor: int | None = None, *, watched: bool = True) -> None:
        self._watched = watched
        size = file.size
        # A last line without its newline is not to be cut in two.
        whole = file.last_start(size)
        if anchor is None:
            anchor = file.last_start(whole - 1) if whole == size else whole
        start = min(file.line_start(anchor), whole)
        self._tail = Tail(file, start)
        self._sources = [file.again()]
        self._markers: list[bytes] = []
        # Found backwards from the anchor, with the last rows first; and forwards.
        self._back, self._front = _Index(), _Index()
        self._back_offset = start
        self._first_row = self._end_row = 0
        self._split: dict[int, list[bytes]] = {}

    def close(self) -> None:
        """Give the files back."""
        self._tail.close()
        for source in self._sources:
            source.close()

    # ---- the index ----

    @property
    def complete(self) -> bool:
        """Whether all rows up to the anchor are counted, so that `first_row` is the file's first line."""
        return self._back_offset == 0

    @property
    def indexed(self) -> float:
        """Give the share of the file's bytes that is counted."""
        size = self._tail.file.size
        return min(1.0, (self._tail.offset - self._back_offset) / size) if size else 1.0

    def step(self) -> bool:
        """Count one block more in each direction, and notice what became of the file; tell whether anything was new."""
        back = self._extend_back()
        return self._extend_front() or back

    def finish(self) -> None:
        """Take what stands behind the last newline as a line, for nothing more is expected."""
        start = self._tail.offset
        if rest := self._tail.rest():
            self._add(start, start + len(rest) + 1, 1)

    def row_at(self, at: int) -> int:
        """Give the first row of the last block, of those counted, that begins before a time.

        Args:
            at: nanoseconds since 1970.
        """
        low, high = 0, len(self._back) + len(self._front)
        while low < high:
            middle = (low + high) // 2
            # A block in the middle of a long trace has no time: what follows it tells.
            place, when = middle, self._time_of(middle)
            while when is None and place + 1 < min(high, middle + _WITHOUT_TIME):
                place += 1
                when = self._time_of(place)
            if when is not None and when < at:
                low = place + 1
            else:
                high = middle
        if not self._back and not self._front:
            return self._first_row
        index, place = self._nth(max(0, low - 1))
        return index.rows[place]

    # ---- records ----

    @property
    def first_row(self) -> int:
        """Give the first row that is counted."""
        return self._first_row

    @property
    def end_row(self) -> int:
        """Give the row behind the last one."""
        return self._end_row

    def __len__(self) -> int:
        return self._end_row - self._first_row

    def row(self, row: int) -> bytes:
        """Give one line.

        Raises:
            IndexError: it is not counted.
        """
        lines = self.rows(row, row + 1)
        if not lines:
            raise IndexError(f"row {row} is not kept")
        return lines[0]

    def rows(self, start: int, end: int) -> list[bytes]:
        """Give the lines of the rows from `start` up to `end`, those of them that are counted."""
        found: list[bytes] = []
        row, end = max(start, self._first_row), min(end, self._end_row)
        while row < end:
            index, place = self._find(row)
            first = index.rows[place]
            lines = self._split.pop(first, None) or self._block(index, place).data.split(b"\n")
            self._split[first] = lines
            if len(self._split) > _SPLIT_KEPT:
                del self._split[next(iter(self._split))]
            taken = lines[row - first : end - first]
            found += taken
            row += len(taken)
        return found

    def block_at(self, row: int) -> Block | None:
        """Give the block that a row lies in; None when it is not counted."""
        return self._block(*self._find(row)) if self._first_row <= row < self._end_row else None

    def _find(self, row: int) -> tuple[_Index, int]:
        if row >= 0:
            return self._front, bisect_right(self._front.rows, row) - 1
        # Their rows fall, so they are looked up by what grows.
        return self._back, bisect_left(self._back.rows, -row, key=neg)

    def _time_of(self, number: int) -> int | None:
        lines = self._block(*self._nth(number)).data.split(b"\n")
        return next((found for line in lines if (found := time_of(line)) is not None), None)

    def _nth(self, number: int) -> tuple[_Index, int]:
        behind = number - len(self._back)
        return (self._front, behind) if behind >= 0 else (self._back, -behind - 1)

    def _block(self, index: _Index, place: int) -> Block:
        count, start = index.counts[place], index.starts[place]
        if index.sources[place] == _MARKER:
            return Block(index.rows[place], count, self._markers[start])
        size = min(index.ends[place] - start - 1, MAX_LINE) if count == 1 else index.ends[place] - start - 1
        data = self._sources[index.sources[place]].read_at(start, size)
        if data.count(b"\n") + 1 != count:
            # It was changed since it was counted: the rows stay as many as they were.
            lines = data.split(b"\n") if data else []
            data = b"\n".join([*lines[:count], *[_GONE] * (count - len(lines))])
        return Block(index.rows[place], count, data)

    def _extend_back(self) -> bool:
        end = self._back_offset
        if end == 0:
            return False
        file = self._sources[0]
        start = file.line_start(max(0, end - BLOCK))
        if start >= end:
            start = file.last_start(end - 1)
        # The newline before `end` is that of its last line.
        count = 1 if end - start > BLOCK else file.read_at(start, end - start - 1).count(b"\n") + 1
        self._first_row -= count
        self._back.add(self._first_row, count, start, end, 0)
        self._back_offset = start
        return True

    def _extend_front(self) -> bool:
        start = self._tail.offset
        if (data := self._tail.lines()) is not None:
            self._add(start, self._tail.offset, data.count(b"\n") + 1)
            return True
        identity = self._tail.file.identity
        if not self._watched or (happened := self._tail.look()) is None:
            return False
        last, told = happened
        if self._tail.file.identity != identity:
            if last:
                self._add(start, start + len(last) + 1, 1)
            self._sources.append(self._tail.file.again())
        elif self._tail.offset < start:
            self._forget()
        self._markers.append(marker_line(told))
        self._front.add(self._end_row, 1, len(self._markers) - 1, 0, _MARKER)
        self._end_row += 1
        return True

    def _add(self, start: int, end: int, count: int) -> None:
        self._front.add(self._end_row, count, start, end, len(self._sources) - 1)
        self._end_row += count

    def _forget(self) -> None:
        """Drop all rows, for their bytes are gone; those to come have numbers of their own."""
        self._back, self._front = _Index(), _Index()
        self._back_offset = 0
        self._split.clear()
        self._first_row = self._end_row
