"""Answers questions about the past, a page at a time, without keeping the loop from others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from inspector.store.query import Cursor, CursorError, Page, PageLines, Query
from inspector.tracing.decide import Judge

if TYPE_CHECKING:
    from inspector.tracing import Log

__all__ = ("Past",)

# Records of the ring that are looked at in one scheduling step: some tenths of a millisecond.
_SLICE: Final = 2000


class Past:
    """What is kept of a log."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def page(self, query: Query, cursor: Cursor | None) -> Page:
        """Return the next page.

        Args:
            query: what is asked.
            cursor: that of the page before; None for the first page.

        Raises:
            CursorError: it leads nowhere.
        """
        log = self._log
        if cursor is not None and cursor.host != log.host_id:
            raise CursorError(f"nothing is kept of the run {cursor.host[:64]!r}")
        return await self._from_ring(query, 1 if cursor is None else cursor.seq)

    async def _from_ring(self, query: Query, seq: int) -> Page:
        log = self._log
        recorder = log.recorder
        page = PageLines(query.limit)
        judge = Judge(query.filter)
        rules, scoped = judge.rules, judge.scoped
        actor, trace_id, any_time = query.actor, query.trace_id, query.any_time
        # What is logged meanwhile is no part of the past.
        end = recorder.next_seq
        for first, run in recorder.entries(seq, end):
            for start in range(0, len(run), _SLICE):
                for number, (line, site, span) in enumerate(run[start : start + _SLICE], first + start):
                    if (
                        rules[site]
                        and (actor is None or actor == span.actor)
                        and (trace_id is None or trace_id == span.trace_id)
                        and (not scoped or judge.of_line(site, span, line))
                        and (any_time or query.in_time(line, line.index(b'"timestamp":"') + 13))
                        and not page.add(line)
                    ):
                        return Page(log.host_id, page.joined(), Cursor(0, log.host_id, number))
                await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint_if_cancelled()
        return Page(log.host_id, page.joined(), None)
