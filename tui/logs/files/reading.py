"""Read files in blocks of whole lines: as they are, packed by gzip, or as a stream that comes once.

`pread` and not `mmap`: a file that is truncated under a map ends the process by a signal, and a map counts as memory.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path
from typing import Final

__all__ = ("BLOCK", "MAX_LINE", "PlainFile", "cut_blocks", "is_gzip", "unpacked")

BLOCK: Final = 256 << 10
"""Bytes that are read at once."""
MAX_LINE: Final = 4 << 20
"""Bytes of a line; a longer one is cut into several."""

_GZIP_MAGIC: Final = b"\x1f\x8b"
# With a header, and as gzip writes it.
_GZIP: Final = 16 + zlib.MAX_WBITS


class PlainFile:
    """A file that is read anywhere, while it may grow, be truncated, or be moved away.

    Args:
        path: of the file; what it is now stays open, whatever becomes of its name.
        descriptor: of the file where it is open already, which it stays.

    Raises:
        OSError: it can't be opened.
    """

    def __init__(self, path: Path, descriptor: int | None = None) -> None:
        self.path = path
        self._file = FileIO(str(path) if descriptor is None else os.dup(descriptor))

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def again(self) -> PlainFile:
        """Give the same file once more, to be closed on its own."""
        return PlainFile(self.path, self._file.fileno())

    @property
    def regular(self) -> bool:
        """Whether it can be read anywhere, unlike a pipe or a terminal."""
        return stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)

    @property
    def size(self) -> int:
        """Give the bytes that it has now."""
        return os.fstat(self._file.fileno()).st_size

    @property
    def identity(self) -> tuple[int, int]:
        """Give what tells it from another file of its name."""
        found = os.fstat(self._file.fileno())
        return found.st_dev, found.st_ino

    def read_at(self, offset: int, size: int = BLOCK) -> bytes:
        """Give up to so many bytes from there on; fewer at the end."""
        return os.pread(self._file.fileno(), size, offset)

    def read_on(self) -> bytes:
        """Give the next bytes of a file that is read once; none at its end."""
        return self._file.read(BLOCK)

    def lines_at(self, offset: int, end: int | None = None) -> tuple[bytes, int]:
        """Give whole lines from a line's beginning on, without the last newline, and where the next line begins.

        The offset comes back unmoved where there is no whole line up to the end. A line that is too long is given in
        pieces.

        Args:
            offset: where a line begins.
            end: where to stop at the latest; the end of the file as it is now.
        """
        size = BLOCK
        while True:
            data = self.read_at(offset, size if end is None else min(size, end - offset))
            cut = data.rfind(b"\n")
            if cut >= 0:
                return data[:cut], offset + cut + 1
            if len(data) >= MAX_LINE:
                return data, offset + len(data)
            if len(data) < size:
                return b"", offset
            size = min(4 * size, MAX_LINE)

    def line_start(self, offset: int) -> int:
        """Give where the first line begins that begins there or behind; the file's size when none does."""
        if offset <= 0:
            return 0
        at = offset - 1
        while data := self.read_at(at, 4096):
            found = data.find(b"\n")
            if found >= 0:
                return at + found + 1
            at += len(data)
        return self.size

    def last_start(self, end: int) -> int:
        """Give where the last line begins that begins before `end` or there: behind the last newline before it."""
        while end > 0:
            start = max(0, end - BLOCK)
            found = self.read_at(start, end - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
        return 0


def cut_blocks(read: Callable[[], bytes]) -> Iterator[bytes]:
    """Cut what comes in any portions into blocks of whole lines, each without its last newline.

    Args:
        read: gives the next bytes, none at the end.
    """
    parts: list[bytes] = []
    size = 0
    while chunk := read():
        cut = chunk.rfind(b"\n")
        if cut < 0:
            parts.append(chunk)
            size += len(chunk)
            if size >= MAX_LINE:
                yield b"".join(parts)
                parts, size = [], 0
            continue
        yield b"".join((*parts, chunk[:cut]))
        parts = [chunk[cut + 1 :]]
        size = len(parts[0])
    if size:
        yield b"".join(parts)


def is_gzip(head: bytes) -> bool:
    """Tell by its first bytes whether a file is packed by gzip."""
    return head.startswith(_GZIP_MAGIC)


def unpacked(read: Callable[[], bytes]) -> Callable[[], bytes]:
    """Unpack what was packed by gzip, also several of it behind one another, as a rotated log may be.

    Args:
        read: gives the next packed bytes, none at the end.

    Returns:
        What gives the next unpacked bytes. It raises EOFError when the packed ones end too early, and zlib.error when
        they are damaged; what came before has been given by then.
    """
    unpacker = zlib.decompressobj(_GZIP)
    packed = b""

    def read_unpacked() -> bytes:
        nonlocal unpacker, packed
        while True:
            if unpacker.eof:
                packed = unpacker.unused_data or read()
                # Some writers fill the last block of a tape or a disk.
                if not packed.strip(b"\0"):
                    return b""
                unpacker = zlib.decompressobj(_GZIP)
            ended = not packed and not (packed := read())
            data = unpacker.decompress(packed, BLOCK)
            packed = unpacker.unconsumed_tail
            if data:
                return data
            if ended and not unpacker.eof:
                raise EOFError("the packed data ends too early")

    return read_unpacked
