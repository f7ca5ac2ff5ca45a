"""Tell from the first lines of a file what wrote it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import orjson

from tui.logs.foreign import LEVEL_KEYS, MESSAGE_KEYS, TIME_KEYS, first_of
from tui.logs.lines import parse_logfmt

__all__ = ("FORMATS", "detect_format", "format_of")

FORMATS: Final = {
    "records": "records of our own hosts",
    "tracing": "tracing_subscriber's JSON",
    "bunyan": "bunyan",
    "pino": "pino",
    "structlog": "structlog's JSON",
    "json": "JSON lines",
    "logfmt": "logfmt",
    "text": "plain text",
}
"""Formats, and what they are called."""

_CUT_LINE: Final = 1 << 20


def detect_format(lines: Iterable[bytes]) -> str:
    """Give the format that most of these lines are in; `text` when there are none.

    Files are mixed, and each line is read as what it is: this is what to call the file.
    """
    found = Counter(format_of(line) for line in lines if line.strip())
    # Of as many, the one that says more than `text`.
    order = list(FORMATS)
    return max(found, key=lambda name: (found[name], -order.index(name)), default="text")


def format_of(line: bytes) -> str:
    """Give the format of one line."""
    if len(line) > _CUT_LINE:
        return "text"
    if not line.lstrip().startswith(b"{"):
        return "text" if parse_logfmt(line) is None else "logfmt"
    try:
        record: dict[str, Any] = orjson.loads(line)
    except orjson.JSONDecodeError:
        return "text"
    if "fields" in record or "span" in record:
        return "records" if "kind" in record or "seq" in record else "tracing"
    if "kind" in record and "level" in record:
        return "records"
    if isinstance(record.get("level"), int) and "msg" in record:
        return "bunyan" if "v" in record and isinstance(record.get("time"), str) else "pino"
    if "event" in record and first_of((*LEVEL_KEYS, *TIME_KEYS), record):
        return "structlog"
    return "json" if first_of((*LEVEL_KEYS, *TIME_KEYS, *MESSAGE_KEYS), record) else "text"
