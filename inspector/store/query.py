"""Questions to the past: what is asked, where a page ends, and where the next one begins."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Final

import orjson

from inspector.tracing.timestamps import timestamp
from protocol.filters import Filter

__all__ = ("MAX_PAGE", "Cursor", "CursorError", "Page", "PageLines", "Query", "make_query")

MAX_PAGE: Final = 256 * 1024
"""Bytes of a page's lines; a single longer record comes alone."""


class CursorError(ValueError):
    """A cursor that nobody here has made, or that leads nowhere any more."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked: records that fit all of it.

    Attributes:
        actor: the address of the actor whose work they are; None is any.
        trace_id: 32 hexadecimal digits; None is any.
        begin: the least timestamp, as records write it.
        end: the first timestamp behind; None is no end.
        limit: records of a page.
    """

    filter: Filter
    actor: str | None
    trace_id: str | None
    begin: bytes
    end: bytes | None
    limit: int


def make_query(
    filter: Filter,
    *,
    actor: str | None = None,
    trace_id: str | None = None,
    start_ms: int | None = None,
    end_ms: int | None = None,
    limit: int,
) -> Query:
    """Make a query.

    Args:
        filter: what passes.
        actor: the address of an actor.
        trace_id: 32 hexadecimal digits.
        start_ms: the first millisecond, since 1970.
        end_ms: the first millisecond behind.
        limit: records of a page, at least 1.
    """
    return Query(
        filter,
        actor,
        trace_id,
        b"" if start_ms is None else timestamp(start_ms * 1_000_000),
        None if end_ms is None else timestamp(end_ms * 1_000_000),
        limit,
    )


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins: at the record `seq` of the run `host`, which segment `segment` of the store holds.

    `segment` is 0 where there is no store, or the ring holds the record; it places a run that is no longer kept.
    """

    segment: int
    host: str
    seq: int

    def encode(self) -> str:
        """Write it as one word."""
        return base64.urlsafe_b64encode(orjson.dumps([self.segment, self.host, self.seq])).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Cursor:
        """Read it.

        Raises:
            CursorError: it is none.
        """
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            value: Any = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        except (ValueError, binascii.Error) as exc:
            raise CursorError("this is no cursor") from exc
        match value:
            case [int(segment), str(host), int(seq)] if 0 <= segment < 2**63 and 0 < seq < 2**63:
                cursor = cls(segment, host, seq)
                # One spelling only, so that nobody relies on another.
                if cursor.encode() == text:
                    return cursor
        raise CursorError("this is no cursor")


@dataclass(frozen=True, slots=True)
class Page:
    """Some records of one run of the host, oldest first; with a cursor there may be more, however few these are."""

    host: str
    lines: bytes
    cursor: Cursor | None


class PageLines:
    """Lines of a page that is being filled.

    Attributes:
        lines: so far.
    """

    __slots__ = ("_limit", "_size", "lines")

    def __init__(self, limit: int) -> None:
        self.lines: list[bytes] = []
        self._limit = limit
        self._size = 0

    def add(self, line: bytes) -> bool:
        """Take a line, or tell that it does not fit any more."""
        size = self._size + len(line) + 1
        if self.lines and (len(self.lines) >= self._limit or size > MAX_PAGE + 1):
            return False
        self.lines.append(line)
        self._size = size
        return True

    def joined(self) -> bytes:
        """Return them as one."""
        return b"\n".join(self.lines)
