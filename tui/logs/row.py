"""Turn a line into what a row of a log view shows, whoever wrote it.

Only lines that somebody looks at come here: the store keeps bytes. What a line is, is seen from the line itself,
for files are mixed: a server's plain words stand between a program's JSON.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import msgspec
from msgspec import Raw

from tui.logs.foreign import foreign_row
from tui.logs.lines import line_row
from tui.logs.pieces import (
    ABSENT,
    IN_LABEL,
    LEVELS,
    MAX_FIELDS,
    MAX_MESSAGE,
    MAX_RECORD,
    MAX_VALUE,
    NOT_JSON,
    Row,
    duration_text,
    exception_text,
    format_duration,
    json_object,
    json_text,
    shown_fields,
    span_label,
    split_time,
    text_row,
)

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


class _Record(msgspec.Struct):
    """The keys that a row shows, each undecoded: a record with one odd value still shows the others."""

    timestamp: Raw = ABSENT
    level: Raw = ABSENT
    kind: Raw = ABSENT
    target: Raw = ABSENT
    fields: Raw = ABSENT
    span: Raw = ABSENT
    duration_ns: Raw = ABSENT
    status: Raw = ABSENT
    exception: Raw = ABSENT


_decode_record: Final = msgspec.json.Decoder(_Record).decode
_decode_object: Final = msgspec.json.Decoder(dict[str, Raw]).decode


def parse_row(line: bytes, max_value: int = MAX_VALUE, max_message: int = MAX_MESSAGE) -> Row:
    """Take a line apart as far as a row shows it; a line of no kind that is known is shown as text.

    Args:
        line: a record of ours, one of another JSON logger, logfmt, or plain text.
        max_value: characters of one field at most.
        max_message: characters of the message, or of text, at most.
    """
    if len(line) > MAX_RECORD:
        return text_row(line, max_message)
    if not line.lstrip().startswith(b"{"):
        return line_row(line, max_value, max_message)
    try:
        record = _decode_record(line)
        if not (record.kind or record.fields or record.span):
            return foreign_row(_decode_object(line), max_value, max_message)
    except NOT_JSON:
        return text_row(line, max_message)
    kind = json_text(record.kind, 16) or "event"
    date, time = split_time(record.timestamp)
    fields = json_object(record.fields)
    span = json_object(record.span)
    shown = fields
    message = json_text(fields.pop("message", ABSENT), max_message)
    label = span_label(span)
    if kind in ("span_start", "span_end"):
        message, label = label, ""
        shown = {name: value for name, value in span.items() if name not in IN_LABEL} | fields
    return Row(
        kind=kind,
        level=json_text(record.level, 8).upper(),
        date=date,
        time=time,
        target=json_text(record.target, 200),
        message=message,
        fields=shown_fields(shown, max_value),
        more=max(0, len(shown) - MAX_FIELDS),
        span=label,
        duration=duration_text(record.duration_ns),
        status=json_text(record.status, 20),
        exception=exception_text(record.exception, max_message),
    )


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
