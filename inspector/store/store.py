"""The store as a sink: what a log records goes to a directory that outlives the host."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from inspector.store.blocks import BlockBuilder
from inspector.store.folder import Folder
from inspector.store.segments import Segment
from inspector.tracing.reader import Portion
from inspector.tracing.sinks.pulling import PullingSink
from protocol.filters import parse_filter

if TYPE_CHECKING:
    from inspector.tracing import Log

__all__ = ("FLUSH", "STORE_AGE", "STORE_SIZE", "Store", "open_store", "store_of")

STORE_SIZE: Final = 256 * 2**20
"""Bytes that a store may take unless set."""
STORE_AGE: Final = 7 * 24 * 3600.0
"""Seconds that records are kept unless set."""
FLUSH: Final = 1.0
"""Seconds that a record waits for others until the system has it: so much is lost when the host is killed."""

# So many are a block; their number is looked at so often, in seconds, for at full speed a ring turns over within a
# quarter of a second.
_PLENTY: Final = 500
_POLL: Final = 0.02
# An idle host's records grow old too.
_SWEEP: Final = 60.0
_ALL: Final = parse_filter("trace")


class Store(PullingSink[bytes]):
    """Keeps what a log records; a sink, for `Log.add_sink`. Made by `open_store`.

    Attributes:
        written: the number behind the last record of this run that is on the disk; 1 if none is.
    """

    # A thread that gives the interpreter away, to compress and to write, has it back only after some milliseconds where
    # another one works on: the more it does in between, the more it keeps up with.
    portion_size = 2**22

    def __init__(self, folder: Folder, *, flush: float = FLUSH) -> None:
        super().__init__(f"records to {folder.path}", _ALL)
        self._folder = folder
        self._flush = flush
        self._builder = BlockBuilder()
        self._blocks: list[tuple[int, int]] = []
        self.written = 1

    @property
    def path(self) -> Path:
        """Its directory."""
        return self._folder.path

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Its files, oldest first."""
        return self._folder.segments

    def attach(self, log: Log) -> None:
        """Begin to keep what a log has recorded and records; once in a store's life."""
        self._folder.name(log.host_id, log.host_name)
        if self._folder.torn:
            log.logger("inspector.store").info(
                "a host did not end in good order, its file was cut behind the last whole block",
                directory=str(self.path),
                bytes=self._folder.torn,
            )
        self._log = log
        self._reader = log.subscribe(self._filter, after_seq=0, passive=True, wake=self._awake.ring)
        self._thread.start()

    def prepare(self, portion: Portion, gap: bytes | None) -> list[bytes]:
        """Make a block of a portion. What is missing stands in its head; no record of a gap is needed."""
        self._builder.add(portion.first_seq, portion.next_seq, portion.dropped, portion.entries)
        self._blocks.append((len(portion.entries), portion.next_seq))
        return [self._builder.encode()]

    def count(self, batch: list[bytes]) -> int:
        """Return how many records blocks have."""
        return sum(count for count, _ in self._blocks)

    def write(self, batch: list[bytes]) -> bool:
        """Append blocks to the directory."""
        while batch:
            if self.giving_up.is_set():
                return False
            try:
                self._folder.append(batch[0])
            except OSError:
                # The limit may be that of one file.
                self._folder.seal()
                self._folder.append(batch[0])
            del batch[0]
            _, self.written = self._blocks.pop(0)
        return True

    def rest(self) -> None:
        """Wait until there is enough for a block, or the first record has waited long enough."""
        while not self._awake.wait(_SWEEP):
            self._folder.sweep()
        reader = self._reader
        assert reader is not None
        until = time.monotonic() + self._flush
        while reader.behind < _PLENTY and (left := until - time.monotonic()) > 0:
            if self._closing.wait(min(left, _POLL)):
                return

    def end(self) -> None:
        """Close the file, and let another host have the directory."""
        self._folder.close()


def open_store(
    path: str | os.PathLike[str],
    *,
    size: int = STORE_SIZE,
    age: float | None = STORE_AGE,
    clock: Callable[[], int] = time.time_ns,
) -> Store:
    """Open a directory to keep records in, for `Log.add_sink` or `serve`.

    Args:
        path: made, for its owner alone, where it does not exist.
        size: bytes that it may take.
        age: seconds that a record is kept; None for any time.
        clock: nanoseconds since 1970.

    Raises:
        StoreError: it can't be used; see `Folder`.
    """
    return Store(Folder(Path(path), size=size, age=None if age is None else int(age * 1e9), clock=clock))


def store_of(log: Log) -> Store | None:
    """Return the store that keeps what a log records, if there is one."""
    return next((sink for sink in log.sinks if isinstance(sink, Store)), None)
