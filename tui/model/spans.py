"""What is known of spans and the traces they belong to, from the records of a log: plain values, bounded.

A trace may be entered in its midst: an end whose start never came tells when it began, by its duration; a parent that
never came leaves its children as roots.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Final

import msgspec

from tui.logs.row import parse_row

__all__ = ("MAX_SPANS", "Span", "Spans", "Trace", "nanoseconds")

MAX_SPANS: Final = 20_000
"""Spans that are kept; of the traces that came first those that are over go first, whole."""
_MAX_IN_TRACE: Final = 5_000
"""Spans of one trace that are kept: what is beyond them is counted."""

_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_FAILED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Record(msgspec.Struct):
    kind: str
    trace_id: str
    span_id: str
    timestamp: str
    level: str = ""
    parent_id: str | None = None
    duration_ns: int = 0
    busy_ns: int | None = None
    status: str = ""


_decode: Final = msgspec.json.Decoder(_Record).decode


def nanoseconds(timestamp: str) -> int:
    """Read an RFC 3339 time as nanoseconds since 1970.

    Raises:
        ValueError: it is none.
    """
    moment = datetime.datetime.fromisoformat(timestamp)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    since = moment - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


class Span:
    """One span.

    Attributes:
        id: 16 hexadecimal digits.
        parent_id: of the span around it, if it has one.
        start: nanoseconds since 1970, by the host's clock.
        end: likewise; None while it is open.
        duration: nanoseconds by a clock that does not step back; None while it is open.
        busy: nanoseconds that its tasks really ran, where the host has timed them.
        status: `open`, `ok`, `error`, `cancelled`, or `lost` for one whose host has ended meanwhile.
        events: records inside it, not counting its own two.
        problems: how many of these were warnings or errors.
        line: its last record as the host wrote it.
    """

    __slots__ = (
        "_label",
        "busy",
        "duration",
        "end",
        "events",
        "id",
        "line",
        "parent_id",
        "problems",
        "start",
        "status",
    )

    def __init__(self, id: str, parent_id: str | None, start: int) -> None:
        self.id = id
        self.parent_id = parent_id
        self.start = start
        self.end: int | None = None
        self.duration: int | None = None
        self.busy: int | None = None
        self.status = "open"
        self.events = 0
        self.problems = 0
        self.line = b""
        self._label: str | None = None

    @property
    def label(self) -> str:
        """The actor and what it does, or the span's name; safe for a screen."""
        if self._label is None:
            # Most spans are never looked at.
            self._label = parse_row(self.line, 80, 160).message
        return self._label

    @property
    def exception(self) -> str:
        """What ended it, with its message, or empty."""
        return parse_row(self.line).exception if self.status == "error" else ""

    def length(self, now: int) -> int:
        """Give how long it took, or has taken until `now`, in nanoseconds."""
        if self.duration is not None:
            return self.duration
        return max(0, (now if self.end is None else self.end) - self.start)


class Trace:
    """One request with all that it caused.

    Attributes:
        id: 32 hexadecimal digits.
        spans: by their ids, in the order of their coming.
        unseen: spans beyond those that are kept.
        open: how many are open.
        events: records in it that are no span's own.
        problems: how many of these were warnings or errors, and how many spans ended with an error.
        version: rises with each change.
    """

    __slots__ = ("_strangers", "events", "id", "open", "problems", "spans", "unseen", "version")

    def __init__(self, id: str) -> None:
        self.id = id
        self.spans: dict[str, Span] = {}
        self.unseen = 0
        self.open = 0
        self.events = 0
        self.problems = 0
        self.version = 0
        # What events said of spans that have not come yet.
        self._strangers: dict[str, list[int]] = {}

    @property
    def root(self) -> Span | None:
        """The outermost span that is known, the earliest of several; None while only events have come."""
        roots = [span for span in self.spans.values() if span.parent_id not in self.spans]
        # Spans that a hostile host puts inside one another have no outermost one.
        return min(roots or self.spans.values(), key=lambda span: span.start, default=None)

    @property
    def start(self) -> int:
        """When its first span began."""
        return min((span.start for span in self.spans.values()), default=0)

    def end(self, now: int) -> int:
        """Give when its last span ended; `now` while one is open."""
        return max(now if span.status == "open" else span.start + span.length(now) for span in self.spans.values())

    @property
    def status(self) -> str:
        """`open` while a span of it is, else how its root came out."""
        root = self.root
        return "open" if self.open or root is None else root.status

    def started(self, record: _Record, at: int, line: bytes) -> None:
        """Take a span's start."""
        span = self._span(record, at)
        if span is None:
            return
        if not span.line:
            span.line = line
        if span.end is None:
            self.version += 1

    def ended(self, record: _Record, at: int, line: bytes) -> None:
        """Take a span's end."""
        span = self._span(record, at - record.duration_ns)
        if span is None or span.end is not None:
            return
        self.version += 1
        self.open -= 1
        span.end, span.duration, span.busy = at, record.duration_ns, record.busy_ns
        span.status = record.status if record.status in ("ok", "error", "cancelled") else "ok"
        span.line = line
        if span.status == "error":
            self.problems += 1

    def said(self, record: _Record) -> None:
        """Take an event."""
        problem = record.level in ("WARN", "ERROR")
        self.version += 1
        self.events += 1
        self.problems += problem
        span = self.spans.get(record.span_id)
        if span is not None:
            span.events += 1
            span.problems += problem
        elif len(self._strangers) < _MAX_IN_TRACE:
            counts = self._strangers.setdefault(record.span_id, [0, 0])
            counts[0] += 1
            counts[1] += problem

    def lose(self) -> None:
        """Let its open spans be lost: their host is no more."""
        for span in self.spans.values():
            if span.status == "open":
                span.status = "lost"
                span.end = span.start
                self.open -= 1
                self.version += 1

    def _span(self, record: _Record, start: int) -> Span | None:
        span = self.spans.get(record.span_id)
        if span is not None:
            return span
        if len(self.spans) >= _MAX_IN_TRACE:
            self.unseen += 1
            return None
        span = self.spans[record.span_id] = Span(record.span_id, record.parent_id, start)
        self.open += 1
        span.events, span.problems = self._strangers.pop(record.span_id, (0, 0))
        return span


class Spans:
    """Traces, in the order of their coming.

    Args:
        max_spans: how many spans are kept in all; the oldest traces that are over go first, then the oldest.
    """

    def __init__(self, max_spans: int = MAX_SPANS) -> None:
        self.traces: dict[str, Trace] = {}
        self.forgotten = 0
        """Traces that were let go of."""
        self._max_spans = max_spans
        self._count = 0

    def __len__(self) -> int:
        return len(self.traces)

    @property
    def count(self) -> int:
        """How many spans are kept."""
        return self._count

    def feed(self, lines: bytes) -> None:
        """Take records, joined by newlines; what is no record of a span or in one is passed over."""
        if not lines:
            return
        for line in lines.split(b"\n"):
            try:
                record = _decode(line)
                at = nanoseconds(record.timestamp)
            except (*_FAILED, ValueError, OverflowError):
                continue
            if record.kind == "event" and record.trace_id not in self.traces:
                # What is said outside any span that is known makes no trace.
                continue
            if record.kind in ("event", "span_start", "span_end"):
                self._take(record, at, line)
        if self._count > self._max_spans:
            self._forget()

    def lose(self) -> None:
        """Let all open spans be lost: another run of the host begins."""
        for trace in self.traces.values():
            trace.lose()

    def clear(self) -> None:
        """Forget everything."""
        self.traces.clear()
        self._count = self.forgotten = 0

    def _take(self, record: _Record, at: int, line: bytes) -> None:
        trace = self.traces.get(record.trace_id)
        if trace is None:
            trace = self.traces[record.trace_id] = Trace(record.trace_id)
        before = len(trace.spans)
        if record.kind == "event":
            trace.said(record)
        elif record.kind == "span_start":
            trace.started(record, at, line)
        else:
            trace.ended(record, at, line)
        self._count += len(trace.spans) - before

    def _forget(self) -> None:
        for over in (True, False):
            for trace in self._oldest(over=over):
                # A tenth more than needed: making room for each record anew would cost a pass each.
                if self._count <= self._max_spans * 9 // 10:
                    return
                del self.traces[trace.id]
                self._count -= len(trace.spans)
                self.forgotten += 1

    def _oldest(self, *, over: bool) -> Iterator[Trace]:
        return iter([trace for trace in self.traces.values() if (trace.open == 0) == over])
