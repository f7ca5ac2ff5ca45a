"""Places that a log is written to."""

from inspector.tracing.sinks.formats import FORMATS
from inspector.tracing.sinks.opening import default_format, open_sink
from inspector.tracing.sinks.sink import Sink
from inspector.tracing.sinks.stream import StreamSink

__all__ = ("FORMATS", "Sink", "StreamSink", "default_format", "open_sink")
