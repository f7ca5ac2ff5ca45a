"""Which part of the log a screen shows, and the change from one part to another.

What is shown stays until the host has accepted the next, so that a filter that it refuses costs nothing.
"""

from __future__ import annotations

from typing import Protocol

from protocol.errors import InspectorError
from protocol.messages import LogBatch
from tui.feed import LogFeed, LogSink
from tui.link import Link

__all__ = ("LogPlace", "LogSource")


class LogPlace(Protocol):
    """Where a log is shown."""

    @property
    def sink(self) -> LogSink:
        """Takes the records."""

    def adopt(self, feed: LogFeed) -> None:
        """Begin anew with a feed that the host has accepted."""

    def refused(self, filter: str, error: InspectorError) -> None:
        """Say why the host did not accept a filter."""


class _Sink:
    """Lets a feed write for as long as it is the one that is shown."""

    def __init__(self, source: LogSource) -> None:
        self._source = source
        self.feed: LogFeed | None = None

    def append(self, batch: LogBatch, /) -> None:
        if self._source.feed is self.feed:
            self._source.place.sink.append(batch)

    def seam(self, text: str, /) -> None:
        if self._source.feed is self.feed:
            self._source.place.sink.seam(text)


class LogSource:
    """The feed that a place shows, and the one that may follow it.

    Args:
        link: brings the records.
        place: shows them.
    """

    def __init__(self, link: Link, place: LogPlace) -> None:
        self.place = place
        self.feed: LogFeed | None = None
        """What is shown."""
        self._link = link
        self._candidate: LogFeed | None = None
        self._over: list[LogFeed] = []
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Records lost since the beginning, whatever was shown then."""
        return self._dropped + (self.feed.dropped if self.feed else 0)

    async def want(self, filter: str, actor: str | None) -> None:
        """Ask for another part of the log: what passes `filter`, of one actor or of all."""
        sink = _Sink(self)
        feed = LogFeed(
            filter,
            actor,
            sink,
            on_open=lambda: self._adopt(feed),
            on_refused=lambda error: self._refuse(feed, error),
            offset=lambda: self._link.clock_offset,
            clock=self._link.wall,
        )
        sink.feed = feed
        former, self._candidate = self._candidate, feed
        if former is not None:
            await self._link.unsubscribe(former)
        await self._link.subscribe(feed)

    async def tidy(self) -> None:
        """End the subscriptions of feeds that are shown no more."""
        while self._over:
            await self._link.unsubscribe(self._over.pop())

    def _adopt(self, feed: LogFeed) -> None:
        if self._candidate is feed:
            self._candidate = None
        if self.feed is not None:
            self._dropped += self.feed.dropped
            self._over.append(self.feed)
        self.feed = feed
        self.place.adopt(feed)

    def _refuse(self, feed: LogFeed, error: InspectorError) -> None:
        if self._candidate is feed:
            self._candidate = None
            self._over.append(feed)
        self.place.refused(feed.filter, error)
