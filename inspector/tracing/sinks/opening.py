"""The one spelling of a sink, for the command line, the environment and Python."""

from __future__ import annotations

import os
import sys
from typing import IO, Any

from inspector.tracing.sinks.formats import make_format
from inspector.tracing.sinks.stream import StreamSink
from protocol.filters import Filter, parse_filter

__all__ = ("default_format", "open_sink")


def default_format(stream: IO[Any] | None) -> str:
    """Return the format for a stream when none is asked for: `pretty` on a terminal, else `json`."""
    return "pretty" if _is_terminal(stream) else "json"


def open_sink(
    format: str | None = None,
    *,
    stream: IO[Any] | None = None,
    filter: str | Filter = "info",
    span_list: bool = False,
    colour: bool | None = None,
) -> StreamSink:
    """Make a sink, for `Log.add_sink`.

    Args:
        format: `json`, `logfmt` or `pretty`; None is what fits the stream.
        stream: standard output unless given.
        filter: what it writes.
        span_list: add the span's ancestors to each record.
        colour: of `pretty`; None is by the stream, and never when NO_COLOR is set (https://no-color.org).

    Raises:
        ValueError: there is no such format, or the filter does not parse (`FilterError`).
    """
    stream = sys.stdout if stream is None else stream
    terminal = _is_terminal(stream)
    if colour is None:
        colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    name = default_format(stream) if format is None else format
    written = make_format(name, span_list=span_list, colour=colour, terminal=terminal)
    return StreamSink(stream, written, parse_filter(filter) if isinstance(filter, str) else filter)


def _is_terminal(stream: IO[Any] | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        # It is closed; the sink will say so.
        return False
