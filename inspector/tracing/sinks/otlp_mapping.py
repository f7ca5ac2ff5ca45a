"""What a record is in OpenTelemetry's model: the end of a span is a span, an event is a log record with its ids.

Attributes of ours that OpenTelemetry has no name for begin with `inspector.`.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from inspector.tracing.sinks.flat import stack_text
from inspector.tracing.spans import tracestate_of

if TYPE_CHECKING:
    from inspector.tracing.log import Log
    from inspector.tracing.spans import Span

__all__ = ("Mapping", "Value")

Value = str | bool | int | float | list[str] | list[bool] | list[int] | list[float]
"""What every collector takes as the value of an attribute."""

_SEVERITIES: Final = {
    "TRACE": SeverityNumber.TRACE,
    "DEBUG": SeverityNumber.DEBUG,
    "INFO": SeverityNumber.INFO,
    "WARN": SeverityNumber.WARN,
    "ERROR": SeverityNumber.ERROR,
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_UNSET: Final = Status(StatusCode.UNSET)
_OK: Final = Status(StatusCode.OK)
# A target that is made from data must not make the mapping grow for ever.
_SCOPES: Final = 1024
_INT64: Final = 2**63


class _HostResource(Resource):
    """One for all: the exporter looks it up for each record, and a plain one writes its JSON to be hashed."""

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


class Mapping:
    """Maps the records of one log."""

    def __init__(self, log: Log) -> None:
        own: dict[str, str | int] = {
            "service.name": log.host_name,
            "service.instance.id": log.host_id,
            "process.pid": os.getpid(),
            "inspector.host_id": log.host_id,
        }
        # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say goes before: whoever set them meant it.
        resource = Resource.create({**own}).merge(OTELResourceDetector().detect())
        self.resource: Final = _HostResource(resource.attributes, resource.schema_url)
        self._scopes: dict[str, InstrumentationScope] = {}

    def log_record(self, record: dict[str, Any], span: Span) -> ReadableLogRecord:
        """Return an event or a gap as a log record."""
        fields = record["fields"]
        body = fields.pop("message", "")
        attributes = _attributes(fields)
        if "exception" in record:
            attributes |= _exception(record["exception"])
        attributes["inspector.seq"] = record["seq"]
        if span.actor is not None:
            attributes["inspector.actor"] = span.actor
        if record["kind"] == "gap":
            attributes["inspector.kind"] = "gap"
        when = _nanoseconds(record["timestamp"])
        written = LogRecord(
            timestamp=when,
            observed_timestamp=when,
            # The ids by way of a context: by themselves they are deprecated.
            context=set_span_in_context(NonRecordingSpan(_context(record, span)), Context()),
            severity_text=record["level"],
            severity_number=_SEVERITIES[record["level"]],
            body=body if isinstance(body, str) else orjson.dumps(body).decode(),
            attributes=attributes,
        )
        return ReadableLogRecord(written, self.resource, self._scope(record["target"]))

    def span(self, record: dict[str, Any], span: Span) -> ReadableSpan:
        """Return the end of a span as the whole of it."""
        attributes = _attributes(record["span"], without="name")
        end = span.start_ns + record["duration_ns"]
        if "busy_ns" in record:
            attributes["inspector.busy_ns"] = record["busy_ns"]
        status = _OK if record["status"] == "ok" else _UNSET
        events: list[Event] = []
        if record["status"] == "cancelled":
            # No error, and OpenTelemetry has no third word.
            attributes["inspector.cancelled"] = True
        elif record["status"] == "error":
            exception = record.get("exception")
            status = Status(StatusCode.ERROR, None if exception is None else exception["message"])
            if exception is not None:
                events.append(Event("exception", _exception(exception), end))
        return self._readable(record, span, attributes, end, status, events)

    def unfinished(self, span: Span, now: int) -> ReadableSpan:
        """Return a span that has not ended, as far as it goes: until now, and marked as unfinished."""
        record = orjson.loads(b'{"target":%b%b' % (orjson.dumps(span.target), span.text()))
        attributes = _attributes(record["span"], without="name") | {"inspector.unfinished": True}
        return self._readable(record, span, attributes, max(now, span.start_ns), _UNSET, [])

    def _readable(
        self,
        record: dict[str, Any],
        span: Span,
        attributes: dict[str, Value],
        end: int,
        status: Status,
        events: list[Event],
    ) -> ReadableSpan:
        context = _context(record, span)
        parent = record.get("parent_id")
        remote = parent is not None and span.parent is None
        above = SpanContext(context.trace_id, int(parent, 16), remote, _SAMPLED) if parent is not None else None
        return ReadableSpan(
            record["span"]["name"],
            context=context,
            parent=above,
            resource=self.resource,
            attributes=attributes,
            events=events,
            kind=SpanKind.SERVER if remote else SpanKind.INTERNAL,
            status=status,
            start_time=span.start_ns,
            end_time=end,
            instrumentation_scope=self._scope(record["target"]),
        )

    def _scope(self, target: str) -> InstrumentationScope:
        scope = self._scopes.get(target)
        if scope is None:
            if len(self._scopes) >= _SCOPES:
                self._scopes.clear()
            scope = self._scopes[target] = InstrumentationScope(target)
        return scope


def _context(record: dict[str, Any], span: Span) -> SpanContext:
    state = tracestate_of(span)
    return SpanContext(
        int(record["trace_id"], 16),
        int(record["span_id"], 16),
        False,
        _SAMPLED,
        TraceState.from_header([state]) if state else None,
    )


def _attributes(fields: dict[str, Any], without: str | None = None) -> dict[str, Value]:
    return {name: value for name, each in fields.items() if name != without and (value := _value(each)) is not None}


def _value(value: Any) -> Value | None:
    """Return a value of JSON as one of an attribute; null is none at all."""
    if isinstance(value, int) and not isinstance(value, bool) and not -_INT64 <= value < _INT64:
        return str(value)
    if isinstance(value, list) and value and len({type(each) for each in value}) == 1:
        kind = type(value[0])
        if kind in (str, bool, float) or (kind is int and all(-_INT64 <= each < _INT64 for each in value)):
            return value
    if isinstance(value, (dict, list)):
        return orjson.dumps(value).decode()
    found: str | bool | int | float | None = value
    return found


def _exception(exception: dict[str, Any]) -> dict[str, Value]:
    return {
        "exception.type": exception["type"],
        "exception.message": exception["message"],
        "exception.stacktrace": stack_text(exception),
    }


def _nanoseconds(timestamp: str) -> int:
    return (datetime.fromisoformat(timestamp) - _EPOCH) // _MICROSECOND * 1000
