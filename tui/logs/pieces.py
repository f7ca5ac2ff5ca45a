"""What a row of a log view is, and the pieces that it is made of.

A value's own bytes are taken apart no further than a row needs (a number or an object is shown as it was
spelled), and a long one is cut before it is decoded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

import msgspec
from msgspec import Raw

from tui.logs.text import cut, neutralise

__all__ = (
    "ABSENT",
    "IN_LABEL",
    "LEVELS",
    "MAX_FIELDS",
    "MAX_MESSAGE",
    "MAX_RECORD",
    "MAX_VALUE",
    "NOT_JSON",
    "Row",
    "duration_text",
    "exception_text",
    "format_duration",
    "json_object",
    "json_text",
    "json_value",
    "quoted",
    "shown_fields",
    "span_label",
    "split_time",
    "text_row",
)

LEVELS: Final = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR")

MAX_MESSAGE: Final = 2_000
"""Characters of a message, or of a line that is no record, that a row shows."""
MAX_VALUE: Final = 300
"""Characters of one field that a row shows."""
MAX_FIELDS: Final = 32
"""Fields that a row shows: a record may bring thousands."""
MAX_RECORD: Final = 4 << 20
"""Bytes past which a line is not taken apart but shown as text."""

# A bare value reads as one word; anything else needs its quotes for a reader to see where it ends.
_BARE: Final = re.compile(r"[^\s\"=]+")
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d(?:\.\d{1,9})?)(?:[Zz]|[+-]\d\d:?\d\d)?")
ABSENT: Final = Raw(b"")
"""A key that is not there."""
# The longest thing that a cut can leave behind unfinished: an escaped surrogate pair.
_LONGEST_ESCAPE: Final = 12
IN_LABEL: Final = frozenset({"name", "actor", "action", "task", "actor_id", "rid", "generation"})
"""Fields of a span that its label shows already, and ids: they are in the record, on demand."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a row shows, every text of it cut and safe for a screen.

    Attributes:
        kind: `event`, `span_start`, `span_end`, `gap`, or `text` for a line that is no record.
        level: one of `LEVELS`; what the record says, when that is none of them; empty when it says nothing.
        date: `YYYY-MM-DD`, as the record has it, or empty.
        time: `HH:MM:SS` and a fraction, or empty.
        target: the dotted module, or empty.
        message: the event's message, or the label of the span that starts or ends.
        fields: names and values, in the record's order.
        more: how many fields there are beyond these.
        span: the label of the span that an event was written in, or empty.
        duration: how long the span that ends took, with its unit, or empty.
        status: `ok`, `error` or `cancelled` of the span that ends, or empty.
        exception: its type and message, or empty.
    """

    kind: str
    level: str = ""
    date: str = ""
    time: str = ""
    target: str = ""
    message: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    more: int = 0
    span: str = ""
    duration: str = ""
    status: str = ""
    exception: str = ""

    @property
    def text(self) -> str:
        """Give all that the row shows, in one line: what a search looks at."""
        parts = [self.date, self.time, self.level, self.target, self.span]
        parts += [self.message, self.status, self.duration]
        parts += [f"{name}={value}" for name, value in self.fields]
        parts.append(self.exception)
        return " ".join(part for part in parts if part)


_decode_object: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_str: Final = msgspec.json.Decoder(str).decode
NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are no JSON."""


def format_duration(nanoseconds: int) -> str:
    """Write a duration with three figures and the unit that suits it."""
    if nanoseconds < 1_000:
        return f"{nanoseconds} ns"
    for divisor, unit in ((1_000, "µs"), (1_000_000, "ms"), (1_000_000_000, "s")):
        value = nanoseconds / divisor
        # What would round to a thousand is one of the next unit.
        if value < 999.5 and not (unit == "s" and value >= 60):
            places = 2 if value < 9.995 else 1 if value < 99.95 else 0
            return f"{value:.{places}f} {unit}"
    minutes, seconds = divmod(round(nanoseconds / 1_000_000_000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m{seconds:02}s" if hours else f"{minutes}m{seconds:02}s"


def text_row(line: bytes, limit: int) -> Row:
    """Show a line as it is, at most `limit` characters of it."""
    # Four bytes are the most that a character takes: what is longer is cut for sure.
    head = line[: 4 * limit + 4].decode("utf-8", "replace")
    text = cut(head, limit)
    if len(line) > 4 * limit + 4:
        text = f"{head[:limit]}…+{len(line) - len(head[:limit].encode()):,} bytes"
    return Row(kind="text", message=neutralise(text))


def json_object(raw: Raw) -> dict[str, Raw]:
    """Give an object's values undecoded by their keys; nothing of what is no object."""
    try:
        return _decode_object(raw)
    except NOT_JSON:
        return {}


def json_text(raw: Raw, limit: int) -> str:
    """Give a JSON value as text: a string's characters, anything else as it is spelled."""
    data = bytes(raw)
    if not data.startswith(b'"'):
        if data == b"null":
            return ""
        return neutralise(cut(data.decode("utf-8", "replace"), limit))
    if len(data) > 12 * limit + 2:
        return neutralise(_string_head(data, limit))
    try:
        return neutralise(cut(_decode_str(data), limit))
    except NOT_JSON:
        # A lone surrogate, or bytes that are no text: shown as they are spelled.
        return neutralise(cut(data.decode("utf-8", "replace"), limit))


def _string_head(data: bytes, limit: int) -> str:
    """Decode only the beginning of a long JSON string, and say about how much there is more."""
    end = 12 * limit
    for back in range(_LONGEST_ESCAPE + 1):
        try:
            head = _decode_str(data[: end - back] + b'"')[:limit]
        except NOT_JSON:
            continue
        break
    else:
        head = data[1:limit].decode("utf-8", "replace")
    return f"{head}…+{len(data) - 2 - len(head.encode('utf-8', 'replace')):,} bytes"


def json_value(raw: Raw, limit: int) -> str:
    """Give a field's value: a bare word, a number or JSON as it is, any other text in quotes."""
    text = json_text(raw, limit)
    if not bytes(raw).startswith(b'"'):
        return text or "null"
    return quoted(text)


def quoted(text: str) -> str:
    """Put a text in quotes unless it reads as one word."""
    if _BARE.fullmatch(text):
        return text
    return '"' + text.replace('"', '\\"') + '"'


def shown_fields(fields: Mapping[str, Raw], limit: int) -> tuple[tuple[str, str], ...]:
    """Give the fields that a row shows, names and values cut and safe."""
    pairs = islice(fields.items(), MAX_FIELDS)
    return tuple((neutralise(cut(name, 80)), json_value(value, limit)) for name, value in pairs)


def split_time(raw: Raw) -> tuple[str, str]:
    """Give the date and the time of a timestamp; all of it as time when it is written in another way."""
    text = json_text(raw, 40)
    found = _TIME.fullmatch(text)
    return (found[1], found[2]) if found else ("", text)


def span_label(span: dict[str, Raw]) -> str:
    """Name a span by the actor it belongs to and what that does, else by its name."""
    actor = json_text(span.get("actor", ABSENT), 80)
    name = json_text(span.get("name", ABSENT), 80)
    what = json_text(span.get("action", span.get("task", ABSENT)), 80) or name
    if not actor:
        return what if name in ("", "action", what) else f"{name} {what}"
    return f"{actor} {what}" if what != "actor" else actor


def duration_text(raw: Raw) -> str:
    """Give a number of nanoseconds with the unit that suits it."""
    data = bytes(raw)
    return format_duration(int(data)) if data.isdigit() and len(data) < 20 else ""


def exception_text(raw: Raw, limit: int) -> str:
    """Give the type and the message of an exception's object."""
    if not (found := json_object(raw)):
        return ""
    kind = json_text(found.get("type", ABSENT), 120)
    message = json_text(found.get("message", ABSENT), limit)
    return f"{kind}: {message}" if kind and message else kind or message
