"""The log of one host: its spans, its loggers, its ring, and those who read it."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from orjson import dumps

from inspector.tracing.encode import EVENT_BYTES, SPAN_BYTES, FieldEncoder
from inspector.tracing.exceptions import encode_exception
from inspector.tracing.forks import on_fork
from inspector.tracing.ids import SpanContext, new_trace_id
from inspector.tracing.layers import HostFilters
from inspector.tracing.logger import Logger, log_closed, log_opened
from inspector.tracing.lost import LostSpans
from inspector.tracing.open_spans import OpenSpans
from inspector.tracing.reader import LogReader
from inspector.tracing.recorder import Recorder
from inspector.tracing.secrets import Secrets
from inspector.tracing.spans import Span, make_span
from inspector.tracing.wiring import Wiring
from protocol.filters import Filter, parse_filter
from protocol.records import DEBUG

if TYPE_CHECKING:
    from inspector.tracing.sinks.sink import Sink
    from inspector.tracing.sites import Site

__all__ = ("RECORD_SIZE", "Log")

RECORD_SIZE: Final = 16 * 2**20
"""The ring's size unless set, in bytes."""

_SPAN_NAMES: Final = 256
_MESSAGE: Final = len(b'{"message":')


class Log:
    """One per host. Any thread may log; no method waits for a reader or a sink, except `close`.

    What is kept is what the record filter passes, and what a sink or reader wants beyond it.

    Attributes:
        host_id: new for each log: a sequence number is good for one host id alone.
        filters: what it records and shows, and what holds over that for a while.
        host_span: the span of events outside any other. `open` starts it and `close` ends it.
        open_spans: those that the ring does not hold.
        lost: is told of those that were never ended.
        armed: the readers that wait to be woken.
        busy: while task timing is on, tells how many nanoseconds the tasks of a span have run that ends now, by its
            key and when it began; None where nobody knows. Whoever times tasks sets it.
    """

    def __init__(
        self,
        *,
        host_name: str | None = None,
        host_id: str | None = None,
        record: str | Filter = "debug",
        log: str | Filter = "info",
        record_size: int = RECORD_SIZE,
        max_records: int = 200_000,
        secret_names: Iterable[str] = (),
        clock: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        """Make a log that records from now on.

        Args:
            host_name: by default the machine's.
            record: the ring's own filter.
            log: what the sinks show that have no filter of their own.
            record_size: bytes that the ring may take, the cost of its entries included.
            max_records: records that the ring may hold.
            secret_names: field names to redact beside `SECRET_NAMES`.
            clock: nanoseconds since 1970; may step back.
            monotonic: nanoseconds from anywhere; for durations and lingering.

        Raises:
            FilterError: a filter does not parse.
            ValueError: a size is not positive.
        """
        self.host_name = socket.gethostname() if host_name is None else host_name
        self.host_id = new_trace_id().decode() if host_id is None else host_id
        self.clock = clock
        self.monotonic = monotonic
        self.secrets = Secrets(secret_names)
        self.event_fields = FieldEncoder("message", EVENT_BYTES, self.secrets)
        self.span_fields = FieldEncoder("name", SPAN_BYTES, self.secrets)
        # What each span's text begins with, by its name; a bounded number.
        self.span_heads: dict[str, bytes] = {}
        self.recorder = Recorder(record_size, max_records)
        self.armed: set[LogReader] = set()
        self.busy: Callable[[bytes, int], int | None] | None = None
        record = parse_filter(record) if isinstance(record, str) else record
        self._wiring = Wiring(self, record)
        shown = parse_filter(log) if isinstance(log, str) else log
        self.filters: Final = HostFilters(record, shown, self._wiring.set_record)
        self._sites = self._wiring.sites
        self.open_spans: Final = OpenSpans()
        self.recorder.on_drop = self.open_spans.take_over
        self._sinks: tuple[Sink, ...] = ()
        self._opened = False
        self._closed = False
        site = self.site(DEBUG, "inspector.tracing")
        self.host_span: Final = make_span(
            self, site, "host", {"host_id": self.host_id, "host_name": self.host_name}, None
        )
        self.open_spans.hold(self.host_span)
        self.lost: Final = LostSpans(self)

    # ---- its life ----

    def open(self, *, program: bool = False) -> Self:
        """Start the host's span, once, and let modules' own loggers find this log.

        Args:
            program: it is the whole program's, and stands back where a host has one of its own.
        """
        if not self._opened:
            self._opened = True
            on_fork(self)
            log_opened(self, program)
            self.host_span.restart()
            self.host_span.write_start()
        return self

    @property
    def is_open(self) -> bool:
        """Whether somebody has opened it, who will close it."""
        return self._opened and not self._closed

    def abandon(self) -> None:
        """Fall silent for good, in a forked child: the readers and the threads of the sinks are the parent's."""
        self._closed = True
        self._sinks = ()
        log_closed(self)
        # In place: the loggers' methods hold it.
        self.armed.clear()
        self._wiring.abandon()

    def close(self, timeout: float = 2.0) -> bool:
        """End the host's span and close the sinks, once. Blocks until they have written all, or for `timeout` seconds.

        What is logged later still goes into the ring, and to readers.

        Returns:
            whether every sink has written everything.
        """
        if self._closed:
            return True
        self.lost.close()
        self._closed = True
        log_closed(self)
        self.host_span.end("ok")
        # All at once: the time that one takes which hangs is not the others'.
        for sink in self._sinks:
            sink.finish()
        deadline = time.monotonic() + timeout
        done = [sink.close(max(0.0, deadline - time.monotonic())) for sink in self._sinks]
        self._sinks = ()
        return all(done)

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # ---- writing ----

    def logger(self, target: str) -> Logger:
        """Return the logger of a target, a dotted name."""
        return self._wiring.logger(target)

    def start_span(
        self,
        name: str,
        fields: dict[str, Any],
        *,
        target: str,
        level: int = DEBUG,
        parent: Span | SpanContext | None = None,
    ) -> Span:
        """Start a span and record that. It is not made the current one.

        Args:
            fields: belong to the span from then on.
            level: of its two records.
            parent: a span of this log, or of another process; None starts a new trace.
        """
        site = self._sites.get((level, target)) or self.site(level, target)
        span = make_span(self, site, name, fields, parent)
        if not span.write_start():
            self.open_spans.add(span)
        return span

    def write_event(
        self, site: Site, span: Span, message: str, fields: dict[str, Any], exception: BaseException | None
    ) -> None:
        """Record an event, if someone wants it. Loggers call this."""
        if not site.open or (site.guard is not None and not site.guard(span, message, fields)):
            return
        own = self.event_fields.encode(message, fields)[_MESSAGE:]
        text = span.text()
        if exception is not None:
            text = b'%b,"exception":%b}' % (text[:-1], encode_exception(exception, self.secrets))
        self.recorder.append(site, span, self.clock(), site.event, own, text)
        if self.armed:
            self.wake(site, span)

    def learn_span_name(self, name: str) -> None:
        """Remember how the texts of spans of this name begin, after one was written and found harmless."""
        if len(self.span_heads) >= _SPAN_NAMES:
            self.span_heads.clear()
        self.span_heads[name] = b',"span":{"name":%b,' % dumps(name)

    def add_secret(self, value: str) -> None:
        """Redact a text wherever it stands, from now on; also in the spans that are open already."""
        self.secrets.add_value(value)
        self.span_heads.clear()
        self.open_spans.forget_texts(self.recorder)
        self._wiring.rewrite()

    # ---- reading ----

    @property
    def first_seq(self) -> int:
        """The number of the oldest record kept; `next_seq` when there is none."""
        return self.recorder.first_seq

    @property
    def next_seq(self) -> int:
        """The number that the next record gets."""
        return self.recorder.next_seq

    def subscribe(
        self,
        filter: Filter,
        *,
        actor: str | None = None,
        after_seq: int | None = None,
        backlog: int | None = None,
        passive: bool = False,
        wake: Callable[[], None],
    ) -> LogReader:
        """Begin to read.

        Args:
            filter: what it wants to see; what the ring does not record is recorded from now on.
            actor: only what this actor says, by its address.
            after_seq: go on behind this record.
            backlog: begin with the last so many that match. With neither: from now on.
            passive: see what is recorded anyway; have nothing recorded for its own sake.
            wake: called from any thread when there is something new; must not block.

        Raises:
            ValueError: after_seq and backlog are both given, or one is negative.
        """
        if after_seq is not None and backlog is not None:
            raise ValueError("after_seq and backlog exclude one another")
        if (after_seq or 0) < 0 or (backlog or 0) < 0:
            raise ValueError("after_seq and backlog are never negative")
        end = self.recorder.next_seq
        reader = LogReader(self, filter, actor, end, wake)
        reader.passive = passive
        if after_seq is not None:
            first = self.recorder.first_seq
            # A number that was never given out comes from another host's log: it is not for us to wait until
            # it comes.
            reader.start_at(min(max(after_seq + 1, first), end), max(0, first - after_seq - 1))
        elif backlog:
            reader.start_at(self._last(reader, backlog, end), 0)
        self._wiring.enter(reader)
        self.arm(reader)
        return reader

    def _last(self, reader: LogReader, backlog: int, end: int) -> int:
        matching = self.recorder.backwards(end, reader.takes)
        return min(itertools.islice(matching, backlog), default=end)

    def leave(self, reader: LogReader, linger: float) -> None:
        """Let a reader go. `LogReader.close` calls this."""
        self.disarm(reader)
        self._wiring.leave(reader, linger)

    def arm(self, reader: LogReader) -> None:
        """Wake a reader at the next record that it wants."""
        self.armed.add(reader)

    def disarm(self, reader: LogReader) -> None:
        """Do not wake a reader."""
        self.armed.discard(reader)

    def wake(self, site: Site, span: Span) -> None:
        """Wake the armed readers that want a record."""
        for reader in tuple(site.readers):
            if reader in self.armed and reader.wants(site, span):
                try:
                    self.armed.remove(reader)
                except KeyError:
                    # Another thread was quicker.
                    continue
                reader.wake()

    def span_records(self, span_ids: Iterable[str]) -> list[bytes]:
        """Return the start records of spans and of their ancestors, as far as kept: root first, each once.

        Kept are spans that are still open, and those that a record in the ring speaks of. One whose start was
        never recorded, for nobody wanted it, has `seq` 0.
        """
        return self.open_spans.start_records(span_ids, self.recorder)

    # ---- who wants what ----

    @property
    def record_filter(self) -> Filter:
        """What the ring keeps, whoever reads it."""
        return self.filters.record

    def set_record_filter(self, filter: Filter) -> None:
        """Record something else from now on."""
        self.filters.set_own("record", filter)

    def wants(self, level: int, target: str) -> bool:
        """Tell if someone wants records of this level and target."""
        return self._wiring.site(level, target).open

    def site(self, level: int, target: str) -> Site:
        """Return the site of a level and target."""
        return self._wiring.site(level, target)

    def filter_changed(self, reader: LogReader) -> None:
        """Record what a reader wants now. `LogReader.set_filter` calls this."""
        self._wiring.changed(reader)

    # ---- sinks ----

    @property
    def sinks(self) -> tuple[Sink, ...]:
        """The sinks that write this log."""
        return self._sinks

    def add_sink(self, sink: Sink) -> None:
        """Let a sink write what is logged from now on."""
        if sink.follows_default:
            self.filters.follow(sink)
        sink.attach(self)
        self._sinks = (*self._sinks, sink)
