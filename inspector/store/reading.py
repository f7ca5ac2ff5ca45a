"""Reads what is on the disk, a bounded number of bytes at a time. Called from threads other than the loop's."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import trio

from inspector.store.blocks import Block, BlockHead, CorruptError, read_block
from inspector.store.segments import Segment

if TYPE_CHECKING:
    from inspector.tracing import Log

__all__ = ("BUDGET", "BlockFile", "Place", "read_segment", "reading_threads", "segments_from")

BUDGET: Final = 2**20
"""Bytes of blocks that are read for one page: some ten thousands of records, some hundredths of a second."""

_TARGET: Final = "inspector.store"
# Threads that read for all who ask: with more of them each would only wait longer for the interpreter.
_THREADS: Final = 2
_limiter: Final[trio.lowlevel.RunVar[trio.CapacityLimiter]] = trio.lowlevel.RunVar("inspector.store.limiter")


@dataclass(frozen=True, slots=True)
class Place:
    """Where one has come in reading: at the record `seq` of the run `host`.

    Attributes:
        segment: the number of the file that has it, or of one before it; 0 is before all.
    """

    segment: int
    host: str
    seq: int


def reading_threads() -> trio.CapacityLimiter:
    """Return what bounds the threads that read for this run of trio."""
    try:
        return _limiter.get()
    except LookupError:
        limiter = trio.CapacityLimiter(_THREADS)
        _limiter.set(limiter)
        return limiter


def segments_from(segments: tuple[Segment, ...], place: Place) -> list[Segment]:
    """Return the segments that have something at or behind a place, in order."""
    found = [
        each
        for each in segments
        if each.number >= place.segment and (each.host != place.host or each.next_seq > place.seq)
    ]
    own = [at for at, each in enumerate(found) if each.host == place.host]
    if own:
        # Of runs before that one nothing is wanted, also where the place knows no number.
        return found[own[0] :]
    return found if place.segment else []


def read_segment(segment: Segment, log: Log, key: bytes | None = None) -> list[BlockHead] | None:
    """Return the heads of a segment's blocks, none need be if no block has a key; None if it can't be read, which the
    log is told."""
    try:
        return segment.read_heads(key)
    except FileNotFoundError:
        # It has had its time.
        return None
    except (OSError, CorruptError) as exc:
        _tell(log, segment, 0, exc)
        return None


class BlockFile:
    """A segment's file, opened when the first block is read, for a `with` block."""

    def __init__(self, segment: Segment, log: Log) -> None:
        self._segment = segment
        self._log = log
        self._descriptor: int | None = None

    def read(self, head: BlockHead) -> Block | None:
        """Return a block; None if it can't be read, which the log is told, or has had its time."""
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self._segment.path, os.O_RDONLY | os.O_CLOEXEC)
            return read_block(os.pread(self._descriptor, head.size, head.offset), head.index_size)
        except FileNotFoundError:
            return None
        except (OSError, CorruptError) as exc:
            _tell(self._log, self._segment, head.offset, exc)
            return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)


def _tell(log: Log, segment: Segment, offset: int, error: Exception) -> None:
    log.logger(_TARGET).warn(
        "records on the disk can't be read", file=str(segment.path), offset=offset, error=str(error)
    )
