"""Places that a log is written to."""

from inspector.tracing.sinks.file import FileSink
from inspector.tracing.sinks.formats import FORMATS
from inspector.tracing.sinks.opening import default_format, open_sink, open_sinks
from inspector.tracing.sinks.pulling import PullingSink, inside_sink
from inspector.tracing.sinks.rotation import Rotation
from inspector.tracing.sinks.sink import Sink
from inspector.tracing.sinks.spelling import SinkError, split_sinks
from inspector.tracing.sinks.stream import StreamSink

__all__ = (
    "FORMATS",
    "FileSink",
    "PullingSink",
    "Rotation",
    "Sink",
    "SinkError",
    "StreamSink",
    "default_format",
    "inside_sink",
    "open_sink",
    "open_sinks",
    "split_sinks",
)
