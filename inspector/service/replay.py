"""A log subscription that begins with what is on the disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from inspector.service.subscriptions import LogSubscription
from inspector.store import Passage, Playback, reading_threads
from protocol.messages import LogBatch

if TYPE_CHECKING:
    from inspector.tracing import LogReader

__all__ = ("Replay",)


class Replay(LogSubscription):
    """The span log from where it was left off, out of the store; then, without a seam, as the ring has it.

    What the reader has not taken is not read: one passage is at hand at most, and one more is being read.

    Args:
        sub: the subscription's name.
        reader: of the ring. It has recorded what it wants from now on, and begins to read when the ring's turn comes.
        playback: of the disk.
        host: the id of this run.
        nursery: where the disk is waited for.
        wake: called when there is something to collect.
    """

    def __init__(
        self,
        sub: int,
        reader: LogReader,
        playback: Playback,
        host: str,
        nursery: trio.Nursery,
        wake: Callable[[], object],
    ) -> None:
        super().__init__(sub, reader)
        self._playback: Playback | None = playback
        self._host = host
        self._nursery = nursery
        self._wake = wake
        self._passage: Passage | None = None
        self._problem: Exception | None = None
        self._reading = False
        self._lost = 0

    @property
    def dropped(self) -> int:
        """Records that this reader has lost so far."""
        return self._lost + (super().dropped if self._playback is None else 0)

    @property
    def plenty(self) -> bool:
        """What was read from the disk need not wait."""
        return super().plenty if self._playback is None else self._passage is not None

    def collect(self) -> LogBatch | None:
        """Return the next batch.

        Raises:
            Exception: the disk could not be read, for a reason that is a bug here.
        """
        if self._playback is None:
            return super().collect()
        if self._problem is not None:
            raise self._problem
        passage, self._passage = self._passage, None
        if not self._reading:
            self._reading = True
            self._nursery.start_soon(self._read, self._playback)
        if passage is None:
            return None
        self._lost += passage.dropped
        batch = LogBatch(
            sub=self._sub,
            first_seq=passage.first_seq,
            next_seq=passage.next_seq,
            dropped=passage.dropped,
            lines=passage.lines,
        )
        if passage.host != self._host:
            batch.host = passage.host
        return batch

    @trio.lowlevel.enable_ki_protection
    async def _read(self, playback: Playback) -> None:
        passage: Passage | None = None
        try:
            while passage is None and playback.seq is None and not self._reader.closed:
                passage = await trio.to_thread.run_sync(playback.read, limiter=reading_threads())
            if passage is None and not self._reader.closed:
                passage = playback.unspoken()
        except Exception as exc:
            # The root of a task; `collect` raises it where it can be told.
            self._problem = exc
        self._reading = False
        self._passage = passage
        if passage is None and self._problem is None and playback.seq is not None and not self._reader.closed:
            self._reader.start_at(playback.seq, 0)
            self._playback = None
        self._wake()
