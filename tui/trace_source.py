"""Everything that a host has of one trace, and what comes: the past by pages, the rest from the live log."""

from __future__ import annotations

import re
from typing import Final, Protocol

import msgspec

from protocol.errors import InspectorError
from protocol.messages import LogBatch, TraceQueryRequest, TraceQueryResponse
from tui.connection import LinkLost
from tui.feed import LogFeed
from tui.inspection import Inspection

__all__ = ("TracePlace", "TraceSource")

_FILTER: Final = "debug"
"""Span records are debug; more than that the host does not record unless it is told to."""
_PAGE: Final = 2_000
_PAGES: Final = 50
"""A trace of more than so many pages is not read to its end: no screen holds it, and it may have none."""


_TRACE_ID: Final = re.compile("[0-9a-f]{32}")


class TracePlace(Protocol):
    """Where a trace is shown."""

    def take(self, lines: bytes, dropped: int = 0) -> None:
        """Take records of the trace, joined by newlines."""

    def seam(self, text: str) -> None:
        """Take word that another run of the host begins here."""

    def told(self, why: str) -> None:
        """Hear that all of the past has been told."""

    def refused(self, error: InspectorError) -> None:
        """Hear that the host does not tell."""


class _Numbered(msgspec.Struct):
    seq: int


class TraceSource:
    """Asks for one trace.

    What comes live while the past is still being told waits, so that a place gets each record once and in order.
    """

    def __init__(self, inspection: Inspection, trace_id: str, place: TracePlace) -> None:
        self._inspection = inspection
        self._trace_id = trace_id
        self._place = place
        # The host's own encoder writes no blanks; the id is hex, so it needs no escapes.
        self._needle = f'"trace_id":"{trace_id}"'.encode()
        self._waiting: list[bytes] | None = []
        self._last = 0
        self._feed = LogFeed(
            _FILTER,
            None,
            self,
            on_refused=place.refused,
            backlog=0,
            offset=lambda: inspection.link.clock_offset,
            clock=inspection.link.wall,
        )

    @property
    def host_time(self) -> float:
        """Seconds since 1970 by the host's clock."""
        return self._feed.host_time

    async def run(self) -> None:
        """Ask for what there is, and for what comes, until `end`."""
        if not _TRACE_ID.fullmatch(self._trace_id):
            # A host may say anything; asked so it could only refuse.
            self._place.told("What the host gave is no trace id.")
            return
        await self._inspection.link.subscribe(self._feed)
        why = "The host has no record of this trace (any more)."
        try:
            await self._tell_past()
        except (InspectorError, LinkLost) as error:
            why = str(error)
        waiting, self._waiting = self._waiting or [], None
        if waiting:
            self._take(b"\n".join(waiting), 0)
        self._place.told(why)

    async def end(self) -> None:
        """Want no more of it."""
        await self._inspection.link.unsubscribe(self._feed)

    async def _tell_past(self) -> None:
        request = TraceQueryRequest(id=0, trace_id=self._trace_id, limit=_PAGE)
        for _ in range(_PAGES):
            page = await self._inspection.link.request(request, TraceQueryResponse)
            if page.lines:
                self._place.take(page.lines)
                connection = self._inspection.link.connection
                if connection is not None and page.host == connection.init.host.id:
                    self._last = max(self._last, _seq(page.lines[page.lines.rfind(b"\n") + 1 :]))
            if not isinstance(page.cursor, str):
                return
            request = TraceQueryRequest(id=0, trace_id=self._trace_id, limit=_PAGE, cursor=page.cursor)

    # ---- what the feed brings ----

    def append(self, batch: LogBatch, /) -> None:
        """Take a batch of the live log; what is of other traces is passed over."""
        if self._needle in batch.lines:
            lines = [line for line in batch.lines.split(b"\n") if self._needle in line]
            if self._waiting is not None:
                self._waiting += lines
            else:
                self._take(b"\n".join(lines), batch.dropped)

    def seam(self, text: str, /) -> None:
        """Take word that another run of the host begins here."""
        self._last = 0
        self._place.seam(text)

    def _take(self, lines: bytes, dropped: int) -> None:
        if self._last:
            lines = b"\n".join(line for line in lines.split(b"\n") if _seq(line) > self._last)
        if lines:
            self._place.take(lines, dropped)


def _seq(line: bytes) -> int:
    try:
        return msgspec.json.decode(line, type=_Numbered).seq
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0
