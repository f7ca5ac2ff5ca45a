"""What any widget or screen may want of the app, whichever screen it is on."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from textual.message import Message

__all__ = ("CopyWanted", "TraceWanted", "trace_of")


@dataclass
class TraceWanted(Message):
    """Somebody wants to see all that a trace said.

    Attributes:
        trace_id: which.
        span_id: the span to mark in it.
    """

    trace_id: str
    span_id: str | None = None


@dataclass
class CopyWanted(Message):
    """Somebody wants a text on the clipboard."""

    text: str


class _Traced(msgspec.Struct):
    trace_id: str


def trace_of(line: bytes) -> str | None:
    """Give the trace that a record belongs to; None for one that belongs to none, or is no record."""
    try:
        return msgspec.json.decode(line, type=_Traced).trace_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
