"""The log subscription of a screen: resumed where it was cut, and honest about what is missing.

A sequence number is good for one host id. The same host again: the stream goes on behind the last record
known, and what the host no longer keeps leaves a gap row. Another host: a seam row, and a fresh beginning.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from protocol.errors import InspectorError
from protocol.messages import Init, LogBatch, LogsSubscribe, LogsSubscribeResponse
from tui.logs.text import neutralise
from tui.model.meter import Meter, unix_seconds

__all__ = ("BACKLOG", "LogFeed", "LogSink")

BACKLOG: Final = 500
"""Records of the past that a new subscription begins with."""


_GRACE: Final = 1.0


class LogSink(Protocol):
    """Where the records go: a `LogView`, or whatever prints them."""

    def append(self, batch: LogBatch, /) -> None:
        """Take a batch."""

    def seam(self, text: str, /) -> None:
        """Take word that another stream begins here, or that this one goes on behind a hole."""


class _Stamp(msgspec.Struct):
    timestamp: str = ""


_stamp: Final = msgspec.json.Decoder(_Stamp).decode


class LogFeed:
    """What the user wants to read, as a subscription for `tui.link.Link`.

    Args:
        filter: as the host's filter grammar has it.
        actor: the address of the one actor to hear of; None for all.
        sink: takes the records; it is not touched before the host has accepted the filter.
        on_open: hears that the host accepted it, before anything reaches the sink.
        on_refused: hears that the host did not.
        backlog: records of the past to begin with.
        offset: gives the seconds that the host's clock is before ours; without it the greeting is taken to be new.
    """

    def __init__(
        self,
        filter: str,
        actor: str | None,
        sink: LogSink,
        *,
        on_open: Callable[[], None] = lambda: None,
        on_refused: Callable[[InspectorError], None] = lambda error: None,
        backlog: int = BACKLOG,
        offset: Callable[[], float] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.filter = filter
        self.actor = actor
        self.dropped = 0
        """Records that matched and never came: this reader was too slow, or the host no longer kept them."""
        self.records = 0
        """Records that came."""
        self.meter = Meter()
        """Records a second."""
        self.lag: float | None = None
        """Seconds that the newest record of the last live batch was old when it came, by the host's clock."""
        self._sink = sink
        self._on_open = on_open
        self._on_refused = on_refused
        self._backlog = backlog
        self._clock = clock
        self._host_id: str | None = None
        self._next_seq: int | None = None
        self._accepted = False
        self._live_from = 0.0
        self._offset = 0.0
        self._told_offset = offset

    @property
    def host_time(self) -> float:
        """Seconds since 1970 by the host's clock, as far as its greeting told."""
        return self._clock() + self._offset

    def request(self, init: Init) -> LogsSubscribe:
        """Make the request that begins the stream or goes on with it."""
        request = LogsSubscribe(id=0, filter=self.filter)
        if self.actor is not None:
            request.actor = self.actor
        same = init.host.id == self._host_id
        if not same and self._host_id is not None:
            name = neutralise(f"{init.host.name} {init.host.version}"[:80])
            self._sink.seam(f"another run of the host begins here: {name}, pid {init.host.pid}")
            self._next_seq = None
        self._host_id = init.host.id
        # A greeting grows old: a feed may be opened long after it.
        self._offset = init.now / 1000 - self._clock() if self._told_offset is None else self._told_offset()
        if self._next_seq is not None:
            request.after_seq = self._next_seq - 1
        else:
            request.backlog = self._backlog
        return request

    def opened(self, response: LogsSubscribeResponse) -> None:
        """Note what the host no longer keeps of what a resumed stream missed."""
        # By the host's clock: what is older than this is the past, told on demand, and neither late nor a
        # rate.
        self._live_from = self._clock() + self._offset - _GRACE
        if not self._accepted:
            self._accepted = True
            self._on_open()
        if self._next_seq is not None and response.missed:
            self.dropped += response.missed
            self._next_seq = response.next_seq
            self._sink.seam(f"reconnected: up to {response.missed:,} records were missed, the host no longer has them")

    def pushed(self, batch: LogBatch) -> None:
        """Take a batch."""
        self._next_seq = batch.next_seq
        self.dropped += batch.dropped
        count = batch.lines.count(b"\n") + 1 if batch.lines else 0
        self.records += count
        now = self._clock()
        if count:
            self._measure(batch.lines, count, now)
        self._sink.append(batch)

    def ended(self, error: InspectorError) -> None:
        """Hear that the host refuses the stream, or ends it."""
        self._on_refused(error)

    def _measure(self, lines: bytes, count: int, now: float) -> None:
        try:
            stamp = unix_seconds(_stamp(lines[lines.rfind(b"\n") + 1 :]).timestamp)
        except (msgspec.DecodeError, ValueError, UnicodeDecodeError):
            # A hostile or future record has no time that we can read: the lag stays what it was.
            return
        if stamp >= self._live_from:
            self.meter.add(count, now)
            self.lag = max(0.0, now + self._offset - stamp)
