"""Readers of the ring: each has its own cursor, filter and count of what it missed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from inspector.tracing.recorder import Entry
from protocol.filters import Filter

if TYPE_CHECKING:
    from inspector.tracing.log import Log
    from inspector.tracing.sites import Site
    from inspector.tracing.spans import Span

__all__ = ("MAX_CHUNK", "LogChunk", "LogReader", "Portion")

MAX_CHUNK: Final = 256 * 1024
"""Bytes of a chunk's lines unless asked for otherwise."""


@dataclass(frozen=True, slots=True)
class Portion:
    """What a reader took: it speaks for every record of `first_seq` to `next_seq` (not included).

    Attributes:
        dropped: how many of these could no longer be looked at.
        entries: those that matched.
    """

    first_seq: int
    next_seq: int
    dropped: int
    entries: list[Entry]


@dataclass(frozen=True, slots=True)
class LogChunk:
    """A portion with its lines joined by newlines, no newline at the end."""

    first_seq: int
    next_seq: int
    dropped: int
    lines: bytes


class LogReader:
    """One who follows the log. Made by `Log.subscribe`; used by one thread at a time.

    `wake` is called, from whatever thread logs, when there may be something new since the last `collect` that
    came to the end of the log: so call `collect` until it returns None, then wait to be woken.

    Attributes:
        next_seq: the number of the first record that it has not looked at yet.
        missed: how many of the records that it asked for were no longer kept when it came.
        total_dropped: how many it lost since, for it was too slow.
    """

    __slots__ = (
        "_decided",
        "_filter",
        "_log",
        "_spoken",
        "_wake",
        "actor",
        "armed",
        "closed",
        "missed",
        "next_seq",
        "total_dropped",
    )

    def __init__(self, log: Log, filter: Filter, actor: str | None, next_seq: int, wake: Callable[[], None]) -> None:
        self._log = log
        self._filter = filter
        self._decided: dict[Site, bool] = {}
        self._wake = wake
        self._spoken = next_seq
        self.actor = actor
        self.armed = False
        self.closed = False
        self.missed = 0
        self.next_seq = next_seq
        self.total_dropped = 0

    def start_at(self, next_seq: int, missed: int) -> None:
        """Begin there instead, before anything was read."""
        self.next_seq = self._spoken = next_seq
        self.missed = missed

    @property
    def filter(self) -> Filter:
        """What it wants to see."""
        return self._filter

    def set_filter(self, filter: Filter) -> None:
        """Want something else from now on, also of the records that it has not looked at yet."""
        self._filter = filter
        self._decided = {}
        self._log.rewire()

    @property
    def behind(self) -> int:
        """How many records have come since it last looked, whether it wants them or not."""
        return self._log.next_seq - self.next_seq

    @property
    def lost(self) -> int:
        """How many records it has lost by now, those included that it has yet to be told of."""
        return self.total_dropped + max(0, self._log.first_seq - self.next_seq)

    def wants(self, site: Site, span: Span) -> bool:
        """Tell if a record belongs to what this reader sees."""
        decided = self._decided.get(site)
        if decided is None:
            decided = self._decide(site)
        return decided and (self.actor is None or self.actor == span.actor)

    def _decide(self, site: Site) -> bool:
        decided = self._decided[site] = self._filter.enabled(site.level, site.target)
        return decided

    def collect(self, max_bytes: int = MAX_CHUNK) -> LogChunk | None:
        """Return the next lines; None when nothing that matches has come.

        Args:
            max_bytes: of the lines; a single longer one comes alone.
        """
        portion = self.take(max_bytes)
        if portion is None:
            return None
        lines = b"\n".join([entry[0] for entry in portion.entries])
        return LogChunk(portion.first_seq, portion.next_seq, portion.dropped, lines)

    def take(self, max_bytes: int = MAX_CHUNK) -> Portion | None:
        """Return the next records as they stand in the ring; None when nothing that matches has come."""
        if self.closed:
            return None
        # Armed before it looks: a record that comes while it looks is seen or wakes, perhaps both, never
        # neither.
        self._log.arm(self)
        recorder = self._log.recorder
        end = recorder.next_seq
        seq = self.next_seq
        entries: list[Entry] = []
        dropped = size = 0
        decisions, actor = self._decided, self.actor
        for first, run in recorder.entries(seq, end):
            dropped += first - seq
            seq = first
            for entry in run:
                # As `wants` does it: a call for each record halves the rate of a stream.
                line, site, span = entry
                decided = decisions.get(site)
                if decided is None:
                    decided = self._decide(site)
                if decided and (actor is None or actor == span.actor):
                    size += len(line) + 1
                    if size > max_bytes + 1 and entries:
                        self._log.disarm(self)
                        return self._portion(seq, dropped, entries)
                    entries.append(entry)
                seq += 1
        # Whatever lies between the last one seen and the end was dropped while it looked.
        dropped += end - seq
        return self._portion(end, dropped, entries)

    def _portion(self, next_seq: int, dropped: int, entries: list[Entry]) -> Portion | None:
        self.next_seq = next_seq
        if not dropped and not entries:
            # The next portion speaks for these too.
            return None
        first_seq, self._spoken = self._spoken, next_seq
        self.total_dropped += dropped
        return Portion(first_seq, next_seq, dropped, entries)

    def wake(self) -> None:
        """Call the reader's own `wake`, once until it looks again."""
        # Whoever logs has no part in what a reader's callback raises, such as trio's RunFinishedError to a thread that
        # logs after the end. The reader finds its records at the next look.
        with contextlib.suppress(Exception):
            self._wake()

    def close(self, linger: float = 0.0) -> None:
        """Stop reading, once. What it wants beyond the others is kept for `linger` seconds more, so that one who comes
        back misses nothing."""
        if not self.closed:
            self.closed = True
            self._log.leave(self, linger)
