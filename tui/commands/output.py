"""Print tables and lines that are safe for a terminal, and lines of any amount without holding up who brings
them.
"""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from rich.cells import cell_len

from tui.logs.store import marker_line
from tui.logs.text import neutralise

__all__ = (
    "MAX_WAITING",
    "LinePrinter",
    "Table",
    "print_table",
    "write_line",
)

MAX_WAITING: Final = 8 << 20
"""Bytes that wait for a slow reader of our output; beyond them records are dropped, and told."""


def write_line(text: str) -> None:
    """Print one line, whatever the terminal's encoding can't hold replaced."""
    data = text.encode(sys.stdout.encoding or "utf-8", "backslashreplace")
    sys.stdout.buffer.write(data + b"\n")
    sys.stdout.buffer.flush()


class Table:
    """Prints rows in columns, some at a time: what was printed is not kept, and a column only ever grows wider.

    Args:
        heads: the columns' names, printed above the first rows.
        right: the columns that are numbers.
    """

    def __init__(self, heads: Sequence[str], right: frozenset[int] = frozenset()) -> None:
        self._heads: list[Sequence[str]] = [heads]
        self._right = right
        self._widths = [0] * len(heads)

    def print(self, rows: Iterable[Sequence[str]]) -> None:
        """Print further rows: texts of a host's, made safe here."""
        table = [*self._heads, *([neutralise(cell) for cell in row] for row in rows)]
        self._heads = []
        for row in table:
            self._widths = [max(width, cell_len(cell)) for width, cell in zip(self._widths, row, strict=True)]
        for row in table:
            cells = []
            for column, (cell, width) in enumerate(zip(row, self._widths, strict=True)):
                blank = " " * (width - cell_len(cell))
                cells.append(blank + cell if column in self._right else cell + blank)
            write_line("  ".join(cells).rstrip())


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]], right: frozenset[int] = frozenset()) -> None:
    """Print rows that are all there in columns; see `Table`."""
    Table(heads, right).print(rows)


class LinePrinter:
    """Writes lines to stdout in a thread, so that a reader of ours who dawdles does not cut us off from the host.

    `closed` is set when nobody reads any more.
    """

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self.dropped = 0
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._lost = 0
        self._more = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def put(self, lines: bytes, records: int) -> None:
        """Print these lines when there is room: all of them, or none and later a line that says so."""
        if self._size + len(lines) > MAX_WAITING:
            self.dropped += records
            self._lost += records
            return
        if self._lost:
            note = f"{self._lost:,} records lost: whoever reads this output was too slow"
            self._waiting.append(marker_line(note, lost=self._lost))
            self._lost = 0
        self._waiting.append(lines)
        self._size += len(lines)
        self._idle.clear()
        self._more.set()

    async def drain(self) -> None:
        """Wait until all is printed, or nobody reads."""
        await self._idle.wait()

    async def run(self) -> None:
        """Print until cancelled."""
        loop = asyncio.get_running_loop()
        descriptor = _pipe()
        if descriptor is not None:
            # The end of a pipe that is written to becomes readable when its other end is closed.
            loop.add_reader(descriptor, self._close)
        try:
            while not self.closed.is_set():
                await self._more.wait()
                self._more.clear()
                while self._waiting and not self.closed.is_set():
                    chunk = b"\n".join(self._waiting) + b"\n"
                    self._waiting.clear()
                    await asyncio.to_thread(_write, chunk)
                    self._size = sum(map(len, self._waiting))
                self._idle.set()
        except BrokenPipeError:
            self._close()
        finally:
            if descriptor is not None:
                loop.remove_reader(descriptor)

    def _close(self) -> None:
        self.closed.set()
        self._idle.set()
        self._more.set()
        with suppress(ValueError, OSError):
            descriptor = _pipe()
            if descriptor is not None:
                asyncio.get_running_loop().remove_reader(descriptor)


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _pipe() -> int | None:
    try:
        descriptor = sys.stdout.fileno()
        return descriptor if stat.S_ISFIFO(os.fstat(descriptor).st_mode) else None
    except (OSError, ValueError):
        return None
