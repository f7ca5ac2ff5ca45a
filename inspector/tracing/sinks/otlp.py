"""A sink that sends to an OpenTelemetry collector, by OTLP over HTTP. Needs the extra `otlp`."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Mapping as Headers
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

import orjson
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.trace import ReadableSpan

from inspector.tracing.sinks.otlp_channel import Channel, Session
from inspector.tracing.sinks.otlp_mapping import Mapping
from inspector.tracing.sinks.pulling import PullingSink, RefusedError, inside_sink
from protocol.filters import Filter

if TYPE_CHECKING:
    from inspector.tracing.log import Log
    from inspector.tracing.reader import Portion
    from inspector.tracing.spans import Span

__all__ = ("OtlpSink", "Parcel")

# A request for each record would cost more than all of them.
_COALESCE: Final = 0.2

_OPEN_SPANS: Final = 10_000

# What these say of a request goes to `logging` and, where nobody has set that up, to stderr at each try. The sink tells
# it once.
_TALKATIVE: Final = (
    "opentelemetry.exporter.otlp.common.http",
    "opentelemetry.exporter.otlp.proto.common._internal",
    "opentelemetry.exporter.otlp.proto.http._log_exporter",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "urllib3.connectionpool",
)


@dataclass(frozen=True, slots=True)
class Parcel:
    """What goes in one request."""

    items: list[ReadableSpan] | list[ReadableLogRecord]
    channel: Channel


class OtlpSink(PullingSink[Parcel]):
    """Sends spans when they have ended, and events as log records that carry their span's ids.

    A collector that is down, slow or busy is waited for; what it refuses is lost, counted and told. It may get a record
    twice, when it took a request and the answer got lost. Spans that have not ended when the log does are sent as far
    as they go, marked `inspector.unfinished`; of more than 10,000 open at once some are not.
    """

    def __init__(
        self,
        endpoint: str | None,
        filter: Filter,
        *,
        headers: Headers[str, str] | None = None,
        timeout: float | None = None,
        compression: Literal["gzip", "none"] | None = None,
        signal: Literal["traces", "logs"] | None = None,
    ) -> None:
        """Make a sink that sends nothing yet. What is not given is as the OTEL_EXPORTER_OTLP_* variables say.

        Args:
            endpoint: the collector's, without `/v1/traces`.
            headers: to be sent with each request.
            timeout: seconds for a request with its tries.
            signal: send these alone.
        """
        super().__init__(f"otlp:{_shown(endpoint)}" if endpoint else "otlp", filter, coalesce=_COALESCE)
        for name in _TALKATIVE:
            logging.getLogger(name).addFilter(_not_from_a_sink)
        packed = None if compression is None else Compression(compression)
        base = None if endpoint is None else endpoint.rstrip("/")
        settings: dict[str, Any] = {"headers": headers, "timeout": timeout, "compression": packed}
        self._traces: Channel | None = None
        self._logs: Channel | None = None
        if signal != "logs":
            session = Session()
            self._traces = Channel(
                OTLPSpanExporter(base and f"{base}/v1/traces", session=session, **settings),
                session,
                ExportTraceServiceResponse,
                "rejected_spans",
            )
        if signal != "traces":
            session = Session()
            self._logs = Channel(
                OTLPLogExporter(base and f"{base}/v1/logs", session=session, **settings),
                session,
                ExportLogsServiceResponse,
                "rejected_log_records",
            )
        self._mapping: Mapping | None = None
        self._open: dict[bytes, weakref.ref[Span]] = {}

    def attach(self, log: Log) -> None:
        """Begin to write a log, from now on; once in a sink's life."""
        self._mapping = Mapping(log)
        super().attach(log)

    def prepare(self, portion: Portion, gap: bytes | None) -> list[Parcel]:
        """Return the spans that have ended, and the events."""
        mapping = self._mapping
        assert mapping is not None
        spans: list[ReadableSpan] = []
        logs: list[ReadableLogRecord] = []
        if gap is not None:
            logs.append(mapping.log_record(orjson.loads(gap), self.log.host_span))
        for line, _, span in portion.entries:
            record = orjson.loads(line)
            kind = record["kind"]
            if kind == "span_start":
                self._opened(span)
            elif kind == "span_end":
                self._open.pop(span.key, None)
                spans.append(mapping.span(record, span))
            else:
                logs.append(mapping.log_record(record, span))
        return self._parcels(spans, logs)

    def remains(self) -> list[Parcel]:
        """Return the spans that have not ended."""
        mapping = self._mapping
        assert mapping is not None
        now = self.log.clock()
        left = [span for reference in self._open.values() if (span := reference()) is not None]
        return self._parcels([mapping.unfinished(span, now) for span in left], [])

    def write(self, batch: list[Parcel]) -> bool:
        """Send a batch.

        Raises:
            OSError: the collector is not reached, or says that it is busy.
            RefusedError: it does not take a parcel.
        """
        while batch:
            if self.giving_up.is_set():
                return False
            parcel = batch[0]
            if not parcel.channel.export(parcel.items):
                if self.giving_up.is_set():
                    return False
                try:
                    parcel.channel.blame(len(parcel.items))
                except RefusedError:
                    del batch[0]
                    raise
            del batch[0]
            parcel.channel.check()
        return True

    def count(self, batch: list[Parcel]) -> int:
        """Return how many spans and log records a batch is."""
        return sum(len(parcel.items) for parcel in batch)

    def interrupt(self) -> None:
        """Give up the tries of a request."""
        for channel in (self._traces, self._logs):
            if channel is not None:
                channel.close()

    def end(self) -> None:
        """Close the connections."""
        self.interrupt()

    def _parcels(self, spans: list[ReadableSpan], logs: list[ReadableLogRecord]) -> list[Parcel]:
        parcels: list[Parcel] = []
        if spans and self._traces is not None:
            parcels.append(Parcel(spans, self._traces))
        if logs and self._logs is not None:
            parcels.append(Parcel(logs, self._logs))
        return parcels

    def _opened(self, span: Span) -> None:
        if len(self._open) >= _OPEN_SPANS:
            self._open = {key: reference for key, reference in self._open.items() if reference() is not None}
        if len(self._open) < _OPEN_SPANS and self._traces is not None:
            # Weak: whoever works in a span holds it, and one that was lost must not stay for ever.
            self._open[span.key] = weakref.ref(span)


def _not_from_a_sink(record: logging.LogRecord) -> bool:
    return not inside_sink()


def _shown(endpoint: str) -> str:
    """Return an endpoint without a password in it."""
    parts = urlsplit(endpoint)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
