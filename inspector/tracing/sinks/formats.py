"""Formats of a sink: how a record of the ring is written on one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import orjson

from inspector.tracing.sinks.flat import flat_line
from inspector.tracing.spans import Span

__all__ = ("FORMATS", "Format", "json_line", "logfmt_line", "make_format", "pretty_line", "visible")

Format = Callable[[bytes, Span], bytes]
"""From a record's line and the span that it speaks of to what is written, without a newline."""

FORMATS: Final = ("json", "logfmt", "pretty")

# A line with its ancestors is a record too: of very deep trees the outer part is left out.
_SPANS_BYTES: Final = 16 * 1024

# What a terminal obeys: control characters of both sets, and what turns the direction of a text round.
_COMMANDS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_BARE: Final = re.compile(r"[^\s=\"\\]+")

_RESET: Final = "\x1b[0m"
_DIM: Final = "\x1b[2m"
_COLOURS: Final = {
    "TRACE": "\x1b[35m",
    "DEBUG": "\x1b[34m",
    "INFO": "\x1b[32m",
    "WARN": "\x1b[33m",
    "ERROR": "\x1b[31m",
}
_BOLD: Final = "\x1b[1m"


def make_format(
    name: str, *, span_list: bool = False, flatten: bool = False, colour: bool = False, terminal: bool = False
) -> Format:
    """Return a format by its name.

    Args:
        span_list: add the span's ancestors to each record.
        flatten: of `json` alone, one object without any inside.
        colour: of `pretty` alone.
        terminal: it is written to one: of `json`, escape what JSON leaves and a terminal obeys.

    Raises:
        ValueError: there is no format of this name.
    """
    if name == "json":

        def json_format(line: bytes, span: Span) -> bytes:
            line = json_line(line, span, span_list)
            line = flat_line(line) if flatten else line
            return visible(line.decode(), escape=True).encode() if terminal else line

        return json_format
    if name == "logfmt":
        return lambda line, span: logfmt_line(json_line(line, span, span_list))
    if name == "pretty":
        return lambda line, span: pretty_line(json_line(line, span, span_list), colour)
    raise ValueError(f"{name!r} is no log format, there are {', '.join(FORMATS)}")


def visible(text: str, *, escape: bool = False) -> str:
    """Return a text with what a terminal obeys written out: `\\x1b`, or with `escape` as JSON writes it."""

    def written(match: re.Match[str]) -> str:
        code = ord(match[0])
        return f"\\u{code:04x}" if escape or code > 0xFF else f"\\x{code:02x}"

    return _COMMANDS.sub(written, text)


def json_line(line: bytes, span: Span, span_list: bool) -> bytes:
    """Return the record as it stands in the ring, with its span's ancestors behind if asked."""
    if not span_list:
        return line
    ancestors = span.ancestors()
    if len(ancestors) > _SPANS_BYTES:
        ancestors = _cut(ancestors)
    return b'%b,"spans":[%b]}' % (line[:-1], ancestors)


def _cut(ancestors: bytes) -> bytes:
    spans = orjson.loads(b"[%b]" % ancestors)
    total, size = len(spans), 0
    kept: list[bytes] = []
    while spans:
        text = orjson.dumps(spans.pop())
        size += len(text) + 1
        if size > _SPANS_BYTES:
            break
        kept.append(text)
    kept.append(orjson.dumps({"name": "…", "cut": total - len(kept)}))
    return b",".join(reversed(kept))


def logfmt_line(line: bytes) -> bytes:
    """Return a record as `key=value` pairs; nested values are JSON in quotes."""
    record = orjson.loads(line)
    pairs: list[tuple[str, Any]] = [
        ("ts", record["timestamp"]),
        ("level", record["level"].lower()),
        ("target", record["target"]),
    ]
    if record["kind"] != "event":
        pairs.append(("kind", record["kind"]))
    fields = record.get("fields", {})
    if "message" in fields:
        pairs.append(("msg", fields["message"]))
    # The user's names stand behind a dot, so that none can pass for one of the record's own.
    pairs += [(f"fields.{name}", value) for name, value in fields.items() if name != "message"]
    span = record["span"]
    pairs.append(("span", span["name"]))
    pairs += [(f"span.{name}", value) for name, value in span.items() if name != "name"]
    for key in ("spans", "duration_ns", "busy_ns", "status", "exception", "trace_id", "span_id", "parent_id", "seq"):
        if key in record:
            pairs.append((key, record[key]))
    return " ".join(f"{_bare_key(key)}={_bare(value)}" for key, value in pairs).encode()


def _bare_key(key: str) -> str:
    return re.sub(r"[\s=\"\\]", "_", visible(key))


def _bare(value: object) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    if _BARE.fullmatch(text) and not _COMMANDS.search(text):
        return text
    return visible(orjson.dumps(text).decode(), escape=True)


def pretty_line(line: bytes, colour: bool) -> bytes:
    """Return a record for people: time, level, target, what it says, its fields, its span; an exception below it."""
    record = orjson.loads(line)

    def painted(text: str, paint: str) -> str:
        text = visible(text)
        return f"{paint}{text}{_RESET}" if colour and paint else text

    level = record["level"]
    span = record["span"]
    fields = record.get("fields", {})
    kind = record["kind"]
    parts = [
        painted(record["timestamp"][11:23], _DIM),
        painted(f"{level:5}", _COLOURS[level]),
        painted(record["target"], _DIM),
    ]
    if kind in ("event", "gap"):
        parts.append(painted(_word(fields.get("message", "")), _BOLD if level in ("WARN", "ERROR") else ""))
        parts += [_pair(name, value, painted) for name, value in fields.items() if name != "message"]
        parts.append(painted(f"in {span['name']}", _DIM))
    else:
        parts.append(painted(f"{'→' if kind == 'span_start' else '←'} {span['name']}", _DIM))
        if kind == "span_end":
            parts.append(painted(f"{record['duration_ns'] / 1e6:.3f} ms {record['status']}", _DIM))
    parts += [_pair(name, value, painted) for name, value in span.items() if name != "name"]
    if "spans" in record:
        parts.append(painted("below " + " > ".join(_word(each["name"]) for each in record["spans"]), _DIM))
    lines = [" ".join(parts)]
    if "exception" in record:
        lines += _exception_lines(record["exception"], "    ", painted)
    return "\n".join(lines).encode()


def _word(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _pair(name: str, value: object, painted: Callable[[str, str], str]) -> str:
    return f"{painted(name + '=', _DIM)}{painted(_word(value), '')}"


def _exception_lines(exception: dict[str, Any], indent: str, painted: Callable[[str, str], str]) -> list[str]:
    lines = [f"{indent}{painted(exception['type'], _COLOURS['ERROR'])}: {painted(exception['message'], '')}"]
    for frame in exception["frames"]:
        where = f"{frame['file']}:{frame['line']} in {frame['function']}"
        lines.append(f"{indent}  {painted(where, _DIM)}")
    for relation in ("cause", "context"):
        if relation in exception:
            lines.append(f"{indent}  {painted(relation, _DIM)}")
            lines += _exception_lines(exception[relation], indent + "    ", painted)
    for member in exception.get("exceptions", ()):
        lines += _exception_lines(member, indent + "    ", painted)
    return lines
