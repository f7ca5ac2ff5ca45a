"""Ids of traces and spans, and their spelling in a W3C `traceparent`."""

from __future__ import annotations

import os
import random
import re
from dataclasses import dataclass
from typing import Final

__all__ = ("SpanContext", "format_traceparent", "new_span_id", "new_trace_id", "parse_traceparent")

# One seed for the life of the process, and ids made by the hundred: a system call an id costs more than the rest of
# a record.
_random = random.Random(os.urandom(32))
_BATCH: Final = 128
_span_ids: list[bytes] = []
_trace_ids: list[bytes] = []


def _reseed() -> None:
    _random.seed(os.urandom(32))
    _span_ids.clear()
    _trace_ids.clear()


# Without this a forked child would hand out its parent's ids once more.
os.register_at_fork(after_in_child=_reseed)

# W3C Trace Context, section 3.2: a later version may append fields, after a dash; version ff is invalid.
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL | re.ASCII)


@dataclass(frozen=True, slots=True)
class SpanContext:
    """A span by its ids alone, as it travels to or from another process.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits.
        flags: the trace flags; bit 0 is "sampled".
        tracestate: what others have put beside the ids, to be handed on unread.
    """

    trace_id: str
    span_id: str
    flags: int = 1
    tracestate: str = ""


def new_trace_id() -> bytes:
    """Make a trace id, 32 hexadecimal digits; never all zero, which W3C reserves for "invalid"."""
    try:
        return _trace_ids.pop()
    except IndexError:
        _fill(_trace_ids, 16)
        return b"%032x" % (_random.getrandbits(128) or 1)


def new_span_id() -> bytes:
    """Make a span id, 16 hexadecimal digits; never all zero, which W3C reserves for "invalid"."""
    try:
        return _span_ids.pop()
    except IndexError:
        _fill(_span_ids, 8)
        return b"%016x" % (_random.getrandbits(64) or 1)


def _fill(ids: list[bytes], size: int) -> None:
    """Put a batch of ids into a list, each of so many bytes."""
    batch = _random.randbytes(size * _BATCH).hex(" ", size).encode().split()
    # One that is all zero comes once in 2 ** 64, or seldomer.
    if b"00" * size not in batch:
        ids.extend(batch)


def parse_traceparent(text: object) -> SpanContext | None:
    """Read a `traceparent`; None when it is malformed, for then a new trace starts (W3C Trace Context 4.3)."""
    if not isinstance(text, str):
        return None
    match = _TRACEPARENT.fullmatch(text.strip(" \t"))
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == "ff" or (version == "00" and more is not None):
        return None
    if not int(trace_id, 16) or not int(span_id, 16):
        return None
    return SpanContext(trace_id, span_id, int(flags, 16))


def format_traceparent(context: SpanContext) -> str:
    """Write a `traceparent` of version 00."""
    return f"00-{context.trace_id}-{context.span_id}-{context.flags:02x}"
