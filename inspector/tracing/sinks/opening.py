"""Open a sink: one spelling for the command line, the environment and Python."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable
from typing import IO, Any, Final

from inspector.tracing.sinks.file import FileSink
from inspector.tracing.sinks.formats import FORMATS, Format, make_format
from inspector.tracing.sinks.pulling import PullingSink
from inspector.tracing.sinks.rotation import Rotation
from inspector.tracing.sinks.spelling import (
    SinkError,
    Spelling,
    parse_flag,
    parse_sink,
    parse_size,
    split_sinks,
)
from inspector.tracing.sinks.stream import StreamSink
from protocol.durations import parse_duration
from protocol.filters import Filter, parse_filter

__all__ = ("default_format", "open_sink", "open_sinks")

# What passes a sink that has no filter of its own until it is told what the host's is.
_DEFAULT: Final = "info"


def default_format(stream: IO[Any] | None) -> str:
    """Return the format for a stream when none is asked for: `pretty` on a terminal, else `json`."""
    return "pretty" if _is_terminal(stream) else "json"


def open_sinks(text: str) -> list[PullingSink[Any]]:
    """Make the sinks that a text spells, with blanks or newlines between, as in `INSPECTOR_SINK`.

    Raises:
        SinkError: one can't be had; then none is open.
    """
    opened: list[PullingSink[Any]] = []
    try:
        at = 0
        for each in split_sinks(text):
            at = text.index(each, at)
            try:
                opened.append(open_sink(each))
            except SinkError as error:
                raise SinkError(error.message, at + error.position, error.proposal) from error
            at += len(each)
    except BaseException:
        for sink in opened:
            sink.close(0)
        raise
    return opened


def open_sink(spelling: str = "stdout", **options: Any) -> PullingSink[Any]:
    """Make a sink, for `Log.add_sink`. What may stand in the spelling may be an argument too, which goes before.

    Args:
        spelling: a place and options: `stdout,format=logfmt`, `file:/var/log/shop.jsonl,filter="info,shop=debug"`,
            `otlp:http://collector:4318`; docs/sinks.md has all of them.
        filter: what it writes, a text or a `Filter`; None is what the host shows.
        format: `json`, `logfmt` or `pretty`; None is what fits the place.
        span_list: add the span's ancestors to each record.
        flatten: of `json`, one object without any inside.
        stream: of `stdout`, another one.
        colour: of `pretty`; None is by the stream, and never when NO_COLOR is set (https://no-color.org).
        max_size: of a file, in bytes or as a text; then it is put aside for a new one.
        max_age: of a file, in seconds or as a text; likewise.
        keep: how many files put aside are kept.
        headers: of `otlp`, a mapping, sent with each request.
        timeout: of `otlp`, seconds for a request.
        compression: of `otlp`, `gzip` or `none`.
        signal: of `otlp`, `traces` or `logs`, where the collector does not take both.

    Raises:
        SinkError: it can't be had as it is spelt.
        ValueError: an argument can't be (`FilterError` where it is the filter).
        TypeError: there is no such argument for this place.
    """
    parsed = parse_sink(spelling)
    place = _PLACES.get(parsed.kind)
    if place is None:
        near = difflib.get_close_matches(parsed.kind, _PLACES, 1)
        start = len(spelling) - len(spelling.lstrip())
        message = f"there is no place {parsed.kind!r}, there are {', '.join(_PLACES)}"
        raise SinkError(message, start, near[0] if near else None)
    open_place, readers = place
    parsed.check(readers)
    unknown = options.keys() - readers.keys() - ({"stream", "colour"} if open_place is _open_stream else set())
    if unknown:
        raise TypeError(f"{parsed.kind} takes no {', '.join(sorted(unknown))}")
    values = {name: value.read(readers[name]) for name, value in parsed.options.items()}
    for name, value in options.items():
        if value is not None:
            values[name] = readers[name](value) if isinstance(value, str) else value
    return open_place(parsed, values)


def _open_stream(spelling: Spelling, values: dict[str, Any]) -> StreamSink:
    if spelling.place is not None:
        raise SinkError(f"{spelling.kind} is a place already", spelling.place.places[0])
    filter, follows = _filter_of(values)
    stream: IO[Any] | None = values.get("stream") or getattr(sys, spelling.kind)
    terminal = _is_terminal(stream)
    colour: bool | None = values.get("colour")
    if colour is None:
        colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    written = _format_of(spelling, values, default_format(stream), colour=colour, terminal=terminal)
    return StreamSink(stream, written, filter, name=spelling.kind, follows_default=follows)


def _open_file(spelling: Spelling, values: dict[str, Any]) -> FileSink:
    if spelling.place is None:
        raise SinkError("a path is missing here: file:PATH", len(spelling.kind))
    filter, follows = _filter_of(values)
    written = _format_of(spelling, values, "json")
    try:
        rotation = Rotation(**{name: values[name] for name in ("max_size", "max_age", "keep") if name in values})
        return FileSink(spelling.place.text, written, filter, rotation=rotation, follows_default=follows)
    except OSError as error:
        why = f"{spelling.place.text}: {error.strerror}" if error.strerror else str(error)
        raise SinkError(why, spelling.place.places[0]) from error


def _open_otlp(spelling: Spelling, values: dict[str, Any]) -> PullingSink[Any]:
    # Only now: the extra is not installed everywhere, and takes a while to import.
    try:
        from inspector.tracing.sinks.otlp import OtlpSink
    except ImportError as error:
        raise SinkError(f"otlp needs OpenTelemetry's exporter: pip install 'inspector-tui[otlp]' ({error})") from error
    place = spelling.place
    # Span records are debug: with what the host shows there would be no spans.
    filter: Filter = values.pop("filter", None) or parse_filter("debug")
    if place is not None and not place.text.startswith(("http://", "https://")):
        raise SinkError("it is http://HOST:PORT or https://HOST:PORT", place.places[0])
    return OtlpSink(None if place is None else place.text, filter, **values)


def _filter_of(values: dict[str, Any]) -> tuple[Filter, bool]:
    """Return the filter, and whether it is the host's."""
    filter: Filter | None = values.get("filter")
    return filter or parse_filter(_DEFAULT), filter is None


def _format_of(spelling: Spelling, values: dict[str, Any], default: str, **terminal: bool) -> Format:
    flatten: bool = values.get("flatten", False)
    name: str = values.get("format") or ("json" if flatten else default)
    if flatten and name != "json":
        raise SinkError(f"flatten is for json, not for {name}", spelling.starts.get("flatten", 0))
    return make_format(name, span_list=values.get("span_list", False), flatten=flatten, **terminal)


def _read_format(text: str) -> str:
    if text not in FORMATS:
        raise ValueError(f"{text!r} is no log format, there are {', '.join(FORMATS)}")
    return text


def _read_age(text: str) -> float:
    seconds = parse_duration(text)
    if seconds < 1:
        raise ValueError("a file is a second old at least")
    return seconds


def _read_keep(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("it is a number of files")
    return int(text)


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"it is {' or '.join(words)}")
        return text

    return read


def _read_headers(text: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for pair in text.split(","):
        name, separator, value = pair.partition("=")
        if not separator or not name.strip():
            raise ValueError("it is NAME=VALUE, with commas between several")
        headers[name.strip()] = value.strip()
    return headers


def _is_terminal(stream: IO[Any] | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        # It is closed; the sink will say so.
        return False


_Readers = dict[str, Callable[[str], Any]]

_LINES: Final[_Readers] = {
    "filter": parse_filter,
    "format": _read_format,
    "span_list": parse_flag,
    "flatten": parse_flag,
}
_FILE: Final[_Readers] = {**_LINES, "max_size": parse_size, "max_age": _read_age, "keep": _read_keep}
_OTLP: Final[_Readers] = {
    "filter": parse_filter,
    "headers": _read_headers,
    "timeout": parse_duration,
    "compression": _one_of("gzip", "none"),
    "signal": _one_of("traces", "logs"),
}

# Where a log may be written to: what opens it, and how each of its options is read.
_PLACES: Final[dict[str, tuple[Callable[[Spelling, dict[str, Any]], PullingSink[Any]], _Readers]]] = {
    "stdout": (_open_stream, _LINES),
    "stderr": (_open_stream, _LINES),
    "file": (_open_file, _FILE),
    "otlp": (_open_otlp, _OTLP),
}
