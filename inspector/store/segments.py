"""Files of the store: segments, each a run of blocks of one run of the host.

A file begins with one line, `inspector-records 1 {"host": …, "name": …}`, then has its blocks, and ends, if it was
closed in good order, with a footer: the heads of all blocks once more, each behind its place in the file, and a trailer
that sums them up. So a closed file is known by its last bytes and searched by its footer. One that was not closed, for
its host was killed, is read through once, cut behind its last whole block, and closed.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self, TypeAlias

import orjson

from inspector.store.blocks import HEAD_SIZE, BlockHead, CorruptError, check_block, read_head

__all__ = ("VERSION", "Segment", "StoreError", "cut", "file_head", "open_segment")

VERSION: Final = 1
"""Of the files. One of another version is refused, and left as it is."""

_MAGIC: Final = b"inspector-records "
_HEAD_LIMIT: Final = 64 * 1024
_NAME_LIMIT: Final = 1000
_TRAILER: Final = struct.Struct("<8sIQQQQQQB27s27s")
_TRAILER_MAGIC: Final = b"recsend1"
_CHECKED: Final = 12
_OFFSET: Final = struct.Struct("<Q")
_Sums: TypeAlias = tuple[int, int, int, int, int, bytes, bytes]


class StoreError(ValueError):
    """The store can't be used; the text says why, and of what file."""


@dataclass(slots=True)
class Segment:
    """One file, as it is known in memory. One thread writes to it, any may read.

    Attributes:
        number: later ones are greater, over all runs of the host.
        host: the id of the run.
        size: bytes.
        heads: of the blocks, while it is written to, and where its footer could not be written; else None.
        raw: what the footer will hold of them.
        begin, end: the first and the last timestamp in it.
        levels: a bit for each level that one of its records has.
    """

    number: int
    path: Path
    host: str
    size: int
    heads: list[BlockHead] | None = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    first_seq: int = 0
    next_seq: int = 0
    dropped: int = 0
    count: int = 0
    levels: int = 0
    begin: bytes = b""
    end: bytes = b""

    def add(self, data: bytes) -> None:
        """Note a block that was appended."""
        head = read_head(data, 0, self.size)
        assert self.heads is not None
        if not self.heads:
            self.first_seq = head.first_seq
        self.raw.append(data[: HEAD_SIZE + head.index_size])
        self.dropped += head.dropped
        self.count += head.records
        self.levels |= head.levels
        if head.records:
            self.begin = min(self.begin, head.begin) if self.begin else head.begin
            self.end = max(self.end, head.end)
        self.size += head.size
        self.heads.append(head)
        # Last, for readers go by it.
        self.next_seq = head.next_seq

    def footer(self) -> bytes:
        """Return what closes the file."""
        assert self.heads is not None
        body = b"".join(
            part for head, raw in zip(self.heads, self.raw, strict=True) for part in (_OFFSET.pack(head.offset), raw)
        )
        numbers = (self.size, len(body), self.first_seq, self.next_seq, self.dropped, self.count, self.levels)
        trailer = _TRAILER.pack(_TRAILER_MAGIC, 0, *numbers, self.begin, self.end)
        check = zlib.crc32(trailer[_CHECKED:], zlib.crc32(body))
        return body + _TRAILER.pack(_TRAILER_MAGIC, check, *numbers, self.begin, self.end)

    def closed(self, size: int) -> None:
        """Note that the footer was written, and the file has so many bytes."""
        self.size = size
        self.heads = None
        self.raw = []

    def read_heads(self, key: bytes | None = None) -> list[BlockHead]:
        """Return the heads of its blocks.

        Args:
            key: of a trace or an actor: none need be returned if no block has it.

        Raises:
            OSError: the file has gone, or can't be read.
            CorruptError: it is not what was written.
        """
        heads = self.heads
        if heads is not None:
            return heads[:]
        with self.path.open("rb") as file:
            footer, _ = _read_footer(file.fileno())
        if key is not None and key not in footer:
            # One look at all bytes: to read the heads one by one takes a hundred times as long.
            return []
        found: list[BlockHead] = []
        at = 0
        while at < len(footer):
            (offset,) = _OFFSET.unpack_from(footer, at)
            head = read_head(footer, at + _OFFSET.size, offset)
            found.append(head)
            at += _OFFSET.size + HEAD_SIZE + head.index_size
        return found

    @classmethod
    def of_sums(cls, number: int, path: Path, host: str, size: int, sums: _Sums) -> Self:
        """Make one from what a trailer says."""
        return cls(number, path, host, size, None, [], *sums)


def file_head(host: str, name: str) -> bytes:
    """Return the line that a file begins with."""
    return b"%b%d %b\n" % (_MAGIC, VERSION, orjson.dumps({"host": host, "name": name[:_NAME_LIMIT]}))


def open_segment(number: int, path: Path) -> tuple[Segment, bool] | None:
    """Learn what is in a file; None for one that was cut off before anything was in it.

    Returns:
        the segment, and whether it was closed in good order. If not, `cut` is due.

    Raises:
        StoreError: it is none of ours, or of another version.
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        head = file.readline(_HEAD_LIMIT)
        if not head.endswith(b"\n"):
            if head.startswith(_MAGIC) or _MAGIC.startswith(head):
                return None
            raise StoreError(f"{path} is no file of records")
        host = _host_of(head, path)
        size = os.fstat(file.fileno()).st_size
        try:
            _, sums = _read_footer(file.fileno(), body=False)
        except CorruptError:
            return _read_through(number, path, host, head + file.read(), len(head)), False
    return Segment.of_sums(number, path, host, size, sums), True


def _host_of(head: bytes, path: Path) -> str:
    version, _, rest = head.removeprefix(_MAGIC).partition(b" ")
    if not head.startswith(_MAGIC) or not version.isdigit():
        raise StoreError(f"{path} is no file of records")
    if int(version) != VERSION:
        raise StoreError(f"{path} has version {int(version)} of the format, this host knows {VERSION} alone")
    try:
        host = orjson.loads(rest)["host"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        host = None
    if not isinstance(host, str):
        raise StoreError(f"{path} does not say what host it is of")
    return host


def _read_through(number: int, path: Path, host: str, data: bytes, at: int) -> Segment:
    segment = Segment(number, path, host, at)
    while at < len(data):
        try:
            head = read_head(data, at, at)
            block = data[at : at + head.size]
            if len(block) < head.size:
                break
            check_block(block)
        except CorruptError:
            break
        segment.add(block)
        at += head.size
    return segment


def cut(segment: Segment) -> int:
    """Cut off what stands behind the last whole block of a file, and close it; return how many bytes that were.

    Raises:
        OSError: it can't be written.
    """
    with segment.path.open("r+b") as file:
        torn = os.fstat(file.fileno()).st_size - segment.size
        footer = segment.footer()
        file.truncate(segment.size)
        file.seek(segment.size)
        file.write(footer)
    segment.closed(segment.size + len(footer))
    return torn


def _read_footer(descriptor: int, *, body: bool = True) -> tuple[bytes, _Sums]:
    """Return a file's footer without its trailer, and what that says. Without `body` the footer is neither read nor
    checked.

    Raises:
        CorruptError: there is none.
    """
    size = os.fstat(descriptor).st_size
    at = size - _TRAILER.size
    if at < 0:
        raise CorruptError("the file is too short")
    trailer = os.pread(descriptor, _TRAILER.size, at)
    magic, check, offset, length, *sums, begin, end = _TRAILER.unpack(trailer)
    if magic != _TRAILER_MAGIC or offset + length != at:
        raise CorruptError("there is no footer")
    footer = b""
    if body:
        footer = os.pread(descriptor, length, offset)
        if zlib.crc32(trailer[_CHECKED:], zlib.crc32(footer)) != check:
            raise CorruptError("the footer's checksum does not fit")
    first_seq, next_seq, dropped, count, levels = sums
    return footer, (first_seq, next_seq, dropped, count, levels, begin.rstrip(b"\0"), end.rstrip(b"\0"))
