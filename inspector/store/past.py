"""Answers questions about the past, a page at a time, without keeping the loop from others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from inspector.store.matching import Matcher, seq_of
from inspector.store.query import Cursor, CursorError, Page, PageLines, Query
from inspector.store.reading import BUDGET, BlockFile, Place, read_segment, reading_threads, segments_from
from inspector.store.store import Store, store_of

if TYPE_CHECKING:
    from inspector.tracing import Log

__all__ = ("Past",)

# Records of the ring that are looked at in one scheduling step: about a millisecond.
_SLICE: Final = 1000
_NEVER: Final = 2**63


class Past:
    """What is kept of a log: on the disk, where a store keeps it, and in the ring."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._store = store_of(log)

    async def page(self, query: Query, cursor: Cursor | None) -> Page:
        """Return the next page.

        Args:
            query: what is asked.
            cursor: that of the page before; None for the first page.

        Raises:
            CursorError: it leads nowhere.
        """
        place = self._begin(cursor)
        lines = PageLines(query.limit)
        matcher = Matcher(query)
        while True:
            store = self._store
            if store is not None and (
                place.host != self._log.host_id or self._log.first_seq > place.seq < store.written
            ):
                found = await trio.to_thread.run_sync(
                    _from_disk, self._log, store, matcher, place, lines, limiter=reading_threads()
                )
            else:
                found = await self._from_ring(matcher, place.seq, lines)
            if isinstance(found, Page):
                return found
            place = found

    def _begin(self, cursor: Cursor | None) -> Place:
        own = self._log.host_id
        segments = () if self._store is None else self._store.segments
        if cursor is None:
            first = segments[0].host if segments else own
            return Place(0, first, 1)
        if cursor.host != own and not any(
            each.host == cursor.host or each.number >= cursor.segment > 0 for each in segments
        ):
            raise CursorError(f"nothing is kept of the run {cursor.host[:64]!r}")
        return Place(cursor.segment, cursor.host, cursor.seq)

    async def _from_ring(self, matcher: Matcher, seq: int, lines: PageLines) -> Page | Place:
        log = self._log
        host = log.host_id
        recorder = log.recorder
        # What is logged meanwhile is no part of the past.
        end = recorder.next_seq
        while seq < end:
            kept = recorder.first_seq
            if kept > seq and self._store is not None and seq < self._store.written:
                # The ring has turned over meanwhile, and the disk has what it lost.
                return Place(0, host, seq)
            seq = max(seq, kept)
            stop = min(seq + _SLICE, end)
            for first, run in recorder.entries(seq, stop):
                for number, entry in enumerate(run, first):
                    if matcher.in_ring(entry) and not lines.add(entry[0]):
                        return Page(host, lines.joined(), Cursor(0, host, number))
            seq = stop
            await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint_if_cancelled()
        return Page(host, lines.joined(), None)


def _from_disk(log: Log, store: Store, matcher: Matcher, place: Place, lines: PageLines) -> Page | Place:
    """Go on from a place on the disk; return a page that is full, or where to go on."""
    own = log.host_id
    # What the ring has needs no disk.
    end = max(log.first_seq, place.seq if place.host == own else 1)
    spent = 0
    for segment in segments_from(store.segments, place):
        if segment.host != place.host:
            if lines.lines:
                return Page(place.host, lines.joined(), Cursor(segment.number, segment.host, 1))
            place = Place(segment.number, segment.host, 1)
        until = end if segment.host == own else None
        heads = (matcher.may_lie_within(segment) and read_segment(segment, log, matcher.key)) or []
        asked = [
            head
            for head in heads
            if head.next_seq > place.seq and (until is None or head.first_seq < until) and matcher.may_lie_in(head)
        ]
        with BlockFile(segment, log) as file:
            for head in asked:
                if spent > BUDGET:
                    return Page(place.host, lines.joined(), Cursor(segment.number, segment.host, head.first_seq))
                spent += head.size
                block = file.read(head)
                if block is None:
                    continue
                inside = head.first_seq >= place.seq and (until is None or head.next_seq <= until)
                for line in matcher.in_block(block):
                    if not inside and not place.seq <= seq_of(line) < (until or _NEVER):
                        continue
                    if not lines.add(line):
                        return Page(place.host, lines.joined(), Cursor(segment.number, segment.host, seq_of(line)))
                place = Place(segment.number, segment.host, head.next_seq)
    if place.host != own and lines.lines:
        return Page(place.host, lines.joined(), Cursor(0, own, 1))
    return Place(0, own, end)
