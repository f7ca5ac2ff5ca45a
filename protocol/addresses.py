"""Addresses of actors: ``name/key/key…``, and back.

A segment is written as it is where it holds only ``A-Z a-z 0-9 . _ : @ + ! $ ' ( ) * , ; = & -``; any other
byte of its UTF-8 form is ``%XX`` with upper-case digits (RFC 3986, section 2.1), so that ``/`` never stands
inside a segment. An empty segment is a lone ``~``; a segment that really is ``~`` is written ``%7E``, as is
every tilde.

``encode_address`` writes one spelling only. ``decode_address`` is generous to people who type: characters
outside ASCII may stand for themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from protocol.errors import AddressError

__all__ = ("decode_address", "encode_address")

_PLAIN = re.compile(r"[A-Za-z0-9._:@+!$'()*,;=&-]+")
_UNSAFE = re.compile(rb"[^A-Za-z0-9._:@+!$'()*,;=&-]")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})?")
_LONGEST_KEPT = 512


def encode_address(name: str, key: Iterable[str] = ()) -> str:
    """Write the address of the actor `name` with the key segments `key`.

    Raises:
        AddressError: a segment is no text that UTF-8 can hold (a lone surrogate).
    """
    return "/".join([_encode_segment(name), *map(_encode_segment, key)])


def decode_address(address: str) -> tuple[str, tuple[str, ...]]:
    """Read an address into its name and its key segments.

    Raises:
        AddressError: an empty segment, a ``%`` without two hex digits, or bytes that are no UTF-8.
    """
    # Whoever may send addresses must not fill the memory with long ones.
    return _decode_short(address) if len(address) <= _LONGEST_KEPT else _decode(address)


def _decode(address: str) -> tuple[str, tuple[str, ...]]:
    name, *key = (_decode_segment(segment, address) for segment in address.split("/"))
    return name, tuple(key)


_decode_short = lru_cache(maxsize=4096)(_decode)


def _encode_segment(segment: str) -> str:
    if _PLAIN.fullmatch(segment):
        return segment
    if not segment:
        return "~"
    try:
        raw = segment.encode()
    except UnicodeEncodeError as exc:
        raise AddressError(f"{_shown(segment)} can't be part of an address: {exc.reason}") from None
    return _UNSAFE.sub(lambda match: b"%%%02X" % match[0][0], raw).decode("ascii")


def _decode_segment(segment: str, address: str) -> str:
    if segment == "~":
        return ""
    if not segment:
        raise AddressError(f"{_shown(address)} is no address: an empty segment is written ~")
    try:
        return _ESCAPE.sub(_unescape, segment.encode()).decode()
    except UnicodeError:
        raise AddressError(f"{_shown(address)} is no address: {_shown(segment)} is no UTF-8") from None
    except ValueError:
        raise AddressError(f"{_shown(address)} is no address: a % wants two hex digits") from None


def _unescape(match: re.Match[bytes]) -> bytes:
    if match[1] is None:
        raise ValueError
    return bytes((int(match[1], 16),))


def _shown(text: str) -> str:
    return repr(text) if len(text) <= 80 else f"{text[:80]!r}…"
