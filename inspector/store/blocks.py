"""How records lie on the disk: blocks of compressed lines, each with an index of what is in it.

A block is a head of fixed size, its index and its payload::

    head      magic, sizes, checksum, numbers, levels, first and last timestamp    `_HEAD`
    index     8 bytes for each trace in it, then 8 bytes for each actor in it
    payload   zlib of: the size of the table and the table (JSON: the sites and the contexts that records have in
              common), two bytes for each record's site, two for its context, the lines joined by newlines

A site is [level, target], a context [actor or null, the ancestors of the span as records write them]. So a filter is
decided once for a site, and a record is not parsed to learn whose it is.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from inspector.tracing.recorder import Entry

if TYPE_CHECKING:
    from inspector.tracing.sites import Site
    from inspector.tracing.spans import Span

__all__ = (
    "HEAD_SIZE",
    "STAMP",
    "Block",
    "BlockBuilder",
    "BlockHead",
    "CorruptError",
    "actor_key",
    "check_block",
    "read_block",
    "read_head",
    "trace_key",
)

_MAGIC: Final = b"blk1"
_HEAD: Final = struct.Struct("<4sIIIQQQIIIB3x27s27s")
HEAD_SIZE: Final = _HEAD.size
"""Bytes of a block's head."""
# Behind the magic, the sizes and the checksum itself: what the checksum is of, with all that follows the head.
_CHECKED: Final = 16
_MAX_SIZE: Final = 64 * 2**20
"""A block of more is none: the builder is emptied long before."""

STAMP: Final = 27
"""Bytes of a timestamp, such as `2026-11-23T20:27:33.139606Z`."""
_KEY: Final = 8
_BEFORE_STAMP: Final = b'"timestamp":"'
# One: five times smaller, at about 150 MB a second; six saves another sixth and takes three times as long.
_LEVEL: Final = 1
_PIECE: Final = 5 * 1024


class CorruptError(Exception):
    """Bytes that are no whole block."""


def trace_key(trace_id: str) -> bytes:
    """Return what an index has of a trace."""
    return bytes.fromhex(trace_id[: 2 * _KEY])


def actor_key(actor: str) -> bytes:
    """Return what an index has of an actor."""
    return blake2b(actor.encode("utf-8", "surrogatepass"), digest_size=_KEY).digest()


class BlockHead(NamedTuple):
    """What is known of a block without its payload: it speaks for every record of `first_seq` to `next_seq`.

    Attributes:
        offset: of the block in its file.
        size: of the whole block, bytes.
        index_size: of its index.
        dropped: records between these numbers that were lost before they could be written.
        records: how many are in it.
        levels: a bit for each level that one of them has, 1 for TRACE.
        begin, end: the first and the last of their timestamps, in the order of time.
        traces, actors: their keys, one behind the other.
    """

    offset: int
    size: int
    index_size: int
    first_seq: int
    next_seq: int
    dropped: int
    records: int
    levels: int
    begin: bytes
    end: bytes
    traces: bytes
    actors: bytes

    def may_hold(self, levels: int, trace: bytes | None, actor: bytes | None, begin: bytes, end: bytes | None) -> bool:
        """Tell if a record may be in it, by its level, by keys of its trace and actor, and its time."""
        return (
            self.levels & levels != 0
            and begin <= self.end
            and (end is None or self.begin < end)
            and (trace is None or _within(trace, self.traces))
            and (actor is None or _within(actor, self.actors))
        )


def _within(key: bytes, keys: bytes) -> bool:
    at = keys.find(key)
    # Found across two keys: looked at again, one key after the other.
    return at >= 0 and (at % _KEY == 0 or any(keys[at : at + _KEY] == key for at in range(0, len(keys), _KEY)))


class _Table(dict[Any, int]):
    """Gives each thing a number when it is first asked for."""

    def __missing__(self, key: Any) -> int:
        number = self[key] = len(self)
        return number


class _Spans(dict[Any, int]):
    """From a span to the number of its context."""

    def __init__(self) -> None:
        super().__init__()
        self.contexts = _Table()
        self.traces: set[str] = set()

    def __missing__(self, span: Span) -> int:
        self.traces.add(span.trace_id)
        number = self[span] = self.contexts[span.actor, span.ancestors()]
        return number


class BlockBuilder:
    """Records that are to become a block.

    Attributes:
        size: bytes of the lines so far.
        first_seq, next_seq: what it speaks for so far; equal when there is nothing.
        dropped: how many of these were lost.
    """

    def __init__(self) -> None:
        self.first_seq = self.next_seq = 0
        self._clear()

    def _clear(self) -> None:
        self.size = 0
        self.dropped = 0
        self._lines: list[bytes] = []
        self._site_ids = array("H")
        self._span_ids = array("H")
        self._sites: dict[Site, int] = _Table()
        self._spans = _Spans()
        self._begin = b"\xff"
        self._end = b""

    @property
    def count(self) -> int:
        """Records so far."""
        return len(self._lines)

    def add(self, first_seq: int, next_seq: int, dropped: int, entries: list[Entry]) -> None:
        """Take what a reader took."""
        if self.first_seq == self.next_seq:
            self.first_seq = first_seq
        self.next_seq = next_seq
        self.dropped += dropped
        if not entries:
            return
        lines, sites, spans = zip(*entries, strict=True)
        self._lines += lines
        self.size += sum(map(len, lines)) + len(lines)
        self._site_ids.extend(map(self._sites.__getitem__, sites))
        self._span_ids.extend(map(self._spans.__getitem__, spans))
        stamps = _stamps(lines)
        self._begin = min(self._begin, min(stamps))
        self._end = max(self._end, max(stamps))

    def encode(self) -> bytes:
        """Return the block, and begin the next one."""
        spans = self._spans
        table = orjson.dumps(
            {
                "sites": [[site.level, site.target] for site in self._sites],
                "contexts": [[actor, orjson.Fragment(b"[%b]" % ancestors)] for actor, ancestors in spans.contexts],
            }
        )
        raw = (
            len(table).to_bytes(4, "little"),
            table,
            _little(self._site_ids),
            _little(self._span_ids),
            b"\n".join(self._lines),
        )
        payload = zlib.compress(b"".join(raw), _LEVEL)
        traces = b"".join(map(trace_key, spans.traces))
        actors = b"".join({actor_key(actor) for actor, _ in spans.contexts if actor is not None})
        levels = 0
        for site in self._sites:
            levels |= 1 << site.level
        index = traces + actors
        values = (
            self.first_seq,
            self.next_seq,
            self.dropped,
            len(self._lines),
            len(traces) // _KEY,
            len(actors) // _KEY,
            levels,
            self._begin if self._lines else b"",
            self._end,
        )
        head = _HEAD.pack(_MAGIC, len(index), len(payload), 0, *values)
        check = _checksum(head[_CHECKED:], index, payload)
        head = _HEAD.pack(_MAGIC, len(index), len(payload), check, *values)
        self.first_seq = self.next_seq
        self._clear()
        return b"".join((head, index, payload))


def _checksum(*parts: bytes) -> int:
    # In pieces for which zlib does not give the interpreter away: to have it back takes longer than the whole sum.
    check = 0
    for part in parts:
        view = memoryview(part)
        for at in range(0, len(view), _PIECE):
            check = zlib.crc32(view[at : at + _PIECE], check)
    return check


def _stamps(lines: Sequence[bytes]) -> list[bytes]:
    at = lines[0].index(_BEFORE_STAMP)
    if lines[-1].index(_BEFORE_STAMP) == at:
        # All numbers between have as many digits.
        begin = at + len(_BEFORE_STAMP)
        return [line[begin : begin + STAMP] for line in lines]
    return [line[(begin := line.index(_BEFORE_STAMP) + len(_BEFORE_STAMP)) : begin + STAMP] for line in lines]


def _little(numbers: array[int]) -> bytes:
    return numbers.tobytes()


def read_head(data: bytes | memoryview, at: int, offset: int) -> BlockHead:
    """Read a block's head and index.

    Args:
        data: holds them, from `at` on.
        offset: of the block in its file.

    Raises:
        CorruptError: there is no block.
    """
    try:
        magic, index_size, payload_size, _, *values, begin, end = _HEAD.unpack_from(data, at)
    except struct.error:
        raise CorruptError("there is no whole head") from None
    first_seq, next_seq, dropped, count, traces, actors, levels = values
    at += HEAD_SIZE
    middle = at + traces * _KEY
    if magic != _MAGIC or index_size != (traces + actors) * _KEY or payload_size > _MAX_SIZE:
        raise CorruptError("this is no block")
    if len(data) < at + index_size:
        raise CorruptError("there is no whole index")
    return BlockHead(
        offset,
        HEAD_SIZE + index_size + payload_size,
        index_size,
        first_seq,
        next_seq,
        dropped,
        count,
        levels,
        begin.rstrip(b"\0"),
        end.rstrip(b"\0"),
        bytes(data[middle - traces * _KEY : middle]),
        bytes(data[middle : at + index_size]),
    )


@dataclass(frozen=True, slots=True)
class Block:
    """The records of a block.

    Attributes:
        lines: the records as the ring had them.
        sites: what levels and targets they have, and `site_ids` which of them each.
        contexts: what actors and ancestors they have, and `context_ids` which of them each.
    """

    lines: list[bytes]
    sites: list[tuple[int, str]]
    site_ids: array[int]
    contexts: list[tuple[str | None, list[dict[str, Any]]]]
    context_ids: array[int]


def check_block(data: bytes) -> None:
    """Check a whole block's bytes.

    Raises:
        CorruptError: they are not what was written.
    """
    if _checksum(data[_CHECKED:]) != int.from_bytes(data[12:16], "little"):
        raise CorruptError("the checksum does not fit")


def read_block(data: bytes, index_size: int) -> Block:
    """Read a whole block.

    Raises:
        CorruptError: it is not what was written.
    """
    check_block(data)
    count = _HEAD.unpack_from(data)[7]
    try:
        raw = zlib.decompress(memoryview(data)[HEAD_SIZE + index_size :])
    except zlib.error as exc:
        raise CorruptError(str(exc)) from None
    at = 4 + int.from_bytes(raw[:4], "little")
    table = orjson.loads(raw[4:at])
    site_ids, context_ids = array("H"), array("H")
    site_ids.frombytes(raw[at : at + 2 * count])
    context_ids.frombytes(raw[at + 2 * count : at + 4 * count])
    lines = raw[at + 4 * count :].split(b"\n") if count else []
    return Block(
        lines,
        [(level, target) for level, target in table["sites"]],
        site_ids,
        [(actor, ancestors) for actor, ancestors in table["contexts"]],
        context_ids,
    )
