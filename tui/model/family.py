"""One span and all inside it, picked out of the records of its trace."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ("Family",)

_MOST: Final = 50_000
"""Spans that are remembered; what is inside later ones is not found."""


class _Placed(msgspec.Struct):
    span_id: str
    parent_id: str | None = None


_decode: Final = msgspec.json.Decoder(_Placed).decode


class Family:
    """Picks the records of a span and of spans inside it; a record names its span's parent, so each tells its place."""

    def __init__(self, span_id: str) -> None:
        self._members = {span_id}

    def pick(self, lines: bytes) -> bytes:
        """Give those of the lines that belong to it."""
        return b"\n".join(line for line in lines.split(b"\n") if self._belongs(line))

    def _belongs(self, line: bytes) -> bool:
        try:
            place = _decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        if place.span_id in self._members:
            return True
        if place.parent_id in self._members:
            if len(self._members) < _MOST:
                self._members.add(place.span_id)
            return True
        return False
