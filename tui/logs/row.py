"""Turn a raw record into what a row of a log view shows.

Only records that somebody looks at come here: the store keeps bytes. A value's own bytes are taken apart no
further than a row needs (a number or an object is shown as the host spelled it), and a long one is cut
before it is decoded.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice
from typing import Final

import msgspec
from msgspec import Raw

from tui.logs.text import cut, neutralise

__all__ = (
    "LEVELS",
    "MAX_FIELDS",
    "MAX_MESSAGE",
    "MAX_RECORD",
    "MAX_VALUE",
    "Row",
    "Rows",
    "format_duration",
    "parse_row",
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
_EMPTY: Final = Raw(b"")
# The longest thing that a cut can leave behind unfinished: an escaped surrogate pair.
_LONGEST_ESCAPE: Final = 12
# No field of a span that its label does not show already, and no id: they are in the record, on demand.
_IN_LABEL: Final = frozenset({"name", "actor", "action", "task", "actor_id", "rid", "generation"})


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


class _Record(msgspec.Struct):
    """The keys that a row shows, each undecoded: a record with one odd value still shows the others."""

    timestamp: Raw = _EMPTY
    level: Raw = _EMPTY
    kind: Raw = _EMPTY
    target: Raw = _EMPTY
    fields: Raw = _EMPTY
    span: Raw = _EMPTY
    duration_ns: Raw = _EMPTY
    status: Raw = _EMPTY
    exception: Raw = _EMPTY


_decode_record: Final = msgspec.json.Decoder(_Record).decode
_decode_object: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_str: Final = msgspec.json.Decoder(str).decode
_FAILED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def parse_row(line: bytes, max_value: int = MAX_VALUE, max_message: int = MAX_MESSAGE) -> Row:
    """Take a line apart as far as a row shows it; a line that is no record is shown as text.

    Args:
        line: one JSON line of the stream, or anything else.
        max_value: characters of one field at most.
        max_message: characters of the message, or of text, at most.
    """
    if len(line) > MAX_RECORD:
        return _text_row(line, max_message)
    try:
        record = _decode_record(line)
    except _FAILED:
        return _text_row(line, max_message)
    kind = _string(record.kind, 16) or "event"
    date, time = _moment(record.timestamp)
    fields = _object(record.fields)
    span = _object(record.span)
    shown = fields
    message = _string(fields.pop("message", _EMPTY), max_message)
    label = _label(span)
    if kind in ("span_start", "span_end"):
        message, label = label, ""
        shown = {name: value for name, value in span.items() if name not in _IN_LABEL} | fields
    return Row(
        kind=kind,
        level=_string(record.level, 8).upper(),
        date=date,
        time=time,
        target=_string(record.target, 200),
        message=message,
        fields=tuple(
            (neutralise(cut(name, 80)), _value(value, max_value)) for name, value in islice(shown.items(), MAX_FIELDS)
        ),
        more=max(0, len(shown) - MAX_FIELDS),
        span=label,
        duration=_duration(record.duration_ns),
        status=_string(record.status, 20),
        exception=_exception(record.exception, max_message),
    )


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


class Rows:
    """The rows that were looked at last, by number, so that a redraw takes nothing apart twice.

    Args:
        limit: how many are kept; a few screens of them.
    """

    def __init__(self, limit: int = 512) -> None:
        self._limit = limit
        self._kept: OrderedDict[int, Row] = OrderedDict()

    def get(self, number: int, line: bytes) -> Row:
        """Give the row of a line; the number stands for the line, for it never changes."""
        row = self._kept.get(number)
        if row is None:
            row = self._kept[number] = parse_row(line)
            if len(self._kept) > self._limit:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(number)
        return row


def _text_row(line: bytes, limit: int) -> Row:
    # Four bytes are the most that a character takes: what is longer is cut for sure.
    head = line[: 4 * limit + 4].decode("utf-8", "replace")
    text = cut(head, limit)
    if len(line) > 4 * limit + 4:
        text = f"{head[:limit]}…+{len(line) - len(head[:limit].encode()):,} bytes"
    return Row(kind="text", message=neutralise(text))


def _object(raw: Raw) -> dict[str, Raw]:
    try:
        return _decode_object(raw)
    except _FAILED:
        return {}


def _string(raw: Raw, limit: int) -> str:
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
    except _FAILED:
        # A lone surrogate, or bytes that are no text: shown as they are spelled.
        return neutralise(cut(data.decode("utf-8", "replace"), limit))


def _string_head(data: bytes, limit: int) -> str:
    """Decode only the beginning of a long JSON string, and say about how much there is more."""
    end = 12 * limit
    for back in range(_LONGEST_ESCAPE + 1):
        try:
            head = _decode_str(data[: end - back] + b'"')[:limit]
        except _FAILED:
            continue
        break
    else:
        head = data[1:limit].decode("utf-8", "replace")
    return f"{head}…+{len(data) - 2 - len(head.encode('utf-8', 'replace')):,} bytes"


def _value(raw: Raw, limit: int) -> str:
    text = _string(raw, limit)
    if not bytes(raw).startswith(b'"'):
        return text or "null"
    if _BARE.fullmatch(text):
        return text
    return '"' + text.replace('"', '\\"') + '"'


def _moment(raw: Raw) -> tuple[str, str]:
    text = _string(raw, 40)
    found = _TIME.fullmatch(text)
    return (found[1], found[2]) if found else ("", text)


def _label(span: dict[str, Raw]) -> str:
    """Name a span by the actor it belongs to and what that does, else by its name."""
    actor = _string(span.get("actor", _EMPTY), 80)
    name = _string(span.get("name", _EMPTY), 80)
    what = _string(span.get("action", span.get("task", _EMPTY)), 80) or name
    if not actor:
        return what if name in ("", "action", what) else f"{name} {what}"
    return f"{actor} {what}" if what != "actor" else actor


def _duration(raw: Raw) -> str:
    data = bytes(raw)
    return format_duration(int(data)) if data.isdigit() and len(data) < 20 else ""


def _exception(raw: Raw, limit: int) -> str:
    if not (found := _object(raw)):
        return ""
    kind = _string(found.get("type", _EMPTY), 120)
    message = _string(found.get("message", _EMPTY), limit)
    return f"{kind}: {message}" if kind and message else kind or message
