"""The files that are looked through: their lines in blocks, those of several in the order of time."""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tui.logs.files.criteria import Criterion, line_end
from tui.logs.files.period import Clock, Period, clock_at, parts_of
from tui.logs.files.reading import PlainFile, cut_blocks, is_gzip, unpacked
from tui.logs.files.tail import Tail

__all__ = ("Chunk", "Damage", "LogInput", "count_lines", "found_lines", "merged_lines")

_FIRST_OF_ALL: Final = -(1 << 62)


class Damage(Exception):
    """A packed file whose rest can't be had; the text says why."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A block of lines.

    Attributes:
        clock: tells when its lines were written, as long as it is the last block that was given.
        sure: whether all its lines are in the period that was asked for.
    """

    data: bytes
    clock: Clock
    sure: bool


class LogInput:
    """One file of whatever kind, read once from its beginning to where it ended when it was opened.

    Args:
        path: of the file, or what to call it.
        descriptor: of a stream that is open already; it is read once.

    Attributes:
        plain: whether it is a file that can be read anywhere, and followed.

    Raises:
        OSError: it can't be opened.
    """

    def __init__(self, path: Path, descriptor: int | None = None) -> None:
        self.name = path.name
        self._file = PlainFile(path, descriptor)
        self.plain = descriptor is None and self._file.regular and not is_gzip(self._file.read_at(0, 2))
        self._end = self._file.size if self.plain else 0
        self._offset = 0

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    @property
    def size(self) -> int:
        """Give the bytes that are read; 0 where that shows only at the end."""
        return self._end

    def chunks(self, period: Period, *, rest: bool = True, share: tuple[int, int] = (0, 1)) -> Iterator[Chunk]:
        """Give the blocks that may have lines of a period.

        Args:
            rest: with what stands behind the last newline, which may be half a line that is being written.
            share: which part of a plain file, from 0, and of how many of about the same size.

        Raises:
            Damage: a packed file ends too early, or is none.
        """
        if self.plain:
            yield from self._plain_chunks(period, rest, *share)
            return
        clock = Clock()
        try:
            for data in cut_blocks(self._stream()):
                yield Chunk(data, clock, sure=not period)
                clock.leave(data)
        except (EOFError, zlib.error) as exc:
            raise Damage(f"{self.name}: {exc}") from None

    def tail(self) -> Tail:
        """Give what follows the file from where `chunks` came to; the file is the tail's then."""
        return Tail(self._file, self._offset)

    def cut_short(self) -> bool:
        """Tell whether the file has become shorter than it was read."""
        return self.plain and self._file.size < self._offset

    def _plain_chunks(self, period: Period, rest: bool, share: int, shares: int) -> Iterator[Chunk]:
        file, end = self._file, self._end
        low, high = (min(file.line_start(end * edge // shares), end) for edge in (share, share + 1))
        for part in parts_of(file, end, period):
            offset, stop = max(part.start, low), min(part.end, high)
            if offset >= stop:
                continue
            clock = clock_at(file, offset)
            while offset < stop:
                data, following = file.lines_at(offset, stop)
                if following == offset:
                    break
                self._offset = offset = following
                yield Chunk(data, clock, part.sure)
                clock.leave(data)
            if rest and stop == end and offset < end and (data := file.read_at(offset, end - offset)):
                self._offset = end
                yield Chunk(data, clock, part.sure)
        if not rest:
            # What lies behind the last part is not asked for, and nobody has to read it.
            self._offset = max(self._offset, file.last_start(end))

    def _stream(self) -> Callable[[], bytes]:
        first = self._file.read_on()

        def read() -> bytes:
            nonlocal first
            held, first = first, b""
            return held or self._file.read_on()

        return unpacked(read) if is_gzip(first) else read


def count_lines(chunks: Iterable[Chunk], criterion: Criterion, period: Period) -> int:
    """Count the lines that meet a criterion and were written in a period."""
    total = 0
    for chunk in chunks:
        if chunk.sure:
            total += criterion.count(chunk.data)
        else:
            total += sum(1 for _ in _starts(chunk, criterion, period))
    return total


def found_lines(chunks: Iterable[Chunk], criterion: Criterion, period: Period) -> Iterator[bytes]:
    """Give the lines that meet a criterion and were written in a period, in the file's order."""
    for chunk in chunks:
        for start in _starts(chunk, criterion, period):
            yield chunk.data[start : line_end(chunk.data, start)]


def merged_lines(many: Iterable[Iterable[Chunk]], criterion: Criterion, period: Period) -> Iterator[bytes]:
    """Give such lines of several files in the order of time, each file's own in its own order."""
    streams = [_timed(chunks, criterion, period) for chunks in many]
    for _, line in heapq.merge(*streams, key=lambda each: each[0]):
        yield line


def _timed(chunks: Iterable[Chunk], criterion: Criterion, period: Period) -> Iterator[tuple[int, bytes]]:
    latest = _FIRST_OF_ALL
    for chunk in chunks:
        for start in _starts(chunk, criterion, period):
            at = chunk.clock.when(chunk.data, start)
            # A line that is a little early among its own must not be put before them.
            latest = latest if at is None else max(latest, at)
            yield latest, chunk.data[start : line_end(chunk.data, start)]


def _starts(chunk: Chunk, criterion: Criterion, period: Period) -> Iterator[int]:
    starts = criterion.starts(chunk.data)
    if chunk.sure:
        return starts
    return (start for start in starts if period.holds(chunk.clock.when(chunk.data, start)))
