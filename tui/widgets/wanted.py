"""What any widget or screen may want of the app, whichever screen it is on."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

__all__ = ("CopyWanted", "TraceWanted")


@dataclass
class TraceWanted(Message):
    """Somebody wants to see all that a trace said."""

    trace_id: str


@dataclass
class CopyWanted(Message):
    """Somebody wants a text on the clipboard."""

    text: str
