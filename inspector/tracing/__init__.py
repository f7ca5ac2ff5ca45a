"""Record what a program does: spans, events, the ring that keeps them, and those who read it."""

from inspector.tracing.ids import SpanContext, format_traceparent, parse_traceparent
from inspector.tracing.log import RECORD_SIZE, Log
from inspector.tracing.logger import Logger, ModuleLogger, get_logger
from inspector.tracing.propagation import (
    caller_parent,
    parse_tracestate,
    remote_context,
    remote_parent,
    traceparent,
    tracestate,
)
from inspector.tracing.reader import LogChunk, LogReader
from inspector.tracing.sinks import (
    FORMATS,
    FileSink,
    PullingSink,
    Rotation,
    Sink,
    SinkError,
    StreamSink,
    default_format,
    inside_sink,
    open_sink,
    open_sinks,
    split_sinks,
)
from inspector.tracing.spans import Span, current_span
from protocol.records import DEBUG, ERROR, INFO, TRACE, WARN

__all__ = (
    "DEBUG",
    "ERROR",
    "FORMATS",
    "INFO",
    "RECORD_SIZE",
    "TRACE",
    "WARN",
    "FileSink",
    "Log",
    "LogChunk",
    "LogReader",
    "Logger",
    "ModuleLogger",
    "PullingSink",
    "Rotation",
    "Sink",
    "SinkError",
    "Span",
    "SpanContext",
    "StreamSink",
    "caller_parent",
    "current_span",
    "default_format",
    "format_traceparent",
    "get_logger",
    "inside_sink",
    "open_sink",
    "open_sinks",
    "parse_traceparent",
    "parse_tracestate",
    "remote_context",
    "remote_parent",
    "split_sinks",
    "traceparent",
    "tracestate",
)
