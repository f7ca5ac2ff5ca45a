"""Any value at all as something that JSON has words for, safely and bounded.

This is the slow way, for what the encoder's fast path does not take. It never raises, never asks a value for
more than it must, and stops at limits for length, number, depth and the work in all.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import decimal
import enum
import itertools
import pathlib
import threading
import uuid
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from inspector.tracing.secrets import REDACTED, Secrets

__all__ = ("Limits", "Plain", "clean")

_DEPTH: Final = 16
_KEY_LENGTH: Final = 256
# CPython refuses to write an integer of more than 4,300 digits, and one of 4,096 bits is beyond any reader
# already.
_INTEGER_BITS: Final = 4096
# A repr that logs the object whose repr it is would go round for ever.
_REPR_DEPTH: Final = 2

_reprs = threading.local()


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """How much of a value is written: characters of a text, entries of a container, values in all."""

    text: int
    entries: int
    values: int = 10_000


class Plain:
    """Turns values into plain ones: dict with text keys, list, str, int of 64 bits, finite float, bool, None.

    One is good for one record: it counts what it has written.
    """

    __slots__ = ("_left", "_limits", "_path", "_secrets")

    def __init__(self, secrets: Secrets, limits: Limits) -> None:
        self._secrets = secrets
        self._limits = limits
        self._left = limits.values
        self._path: set[int] = set()

    def value(self, value: object) -> Any:
        """Return the plain form of a value."""
        try:
            return self._value(value)
        except Exception as error:
            # Whatever a foreign object's methods raise, its record must come out; Cancelled is no Exception.
            return f"<unprintable {type(value).__name__}: {type(error).__name__}>"

    def field(self, name: str, value: object) -> Any:
        """Return the plain form of a named value; of a name that looks secret, no value."""
        if value is not None and type(value) is not bool and self._secrets.is_secret(name):
            return REDACTED
        return self.value(value)

    def text(self, text: str, limit: int | None = None) -> str:
        """Return a text without secrets, encodable, cut to the limit with a note that says by how much."""
        text = clean(self._secrets.hide(text))
        limit = self._limits.text if limit is None else limit
        if len(text) <= limit:
            return text
        return f"{text[:limit]}… ({len(text) - limit} more characters)"

    def _value(self, value: object) -> Any:
        self._left -= 1
        if value is None or value is True or value is False:
            return value
        if isinstance(value, enum.Enum):
            return self._value(value.value)
        if isinstance(value, str):
            return self.text(str.__str__(value))
        if isinstance(value, int):
            return _integer(int.__int__(value))
        if isinstance(value, float):
            # orjson writes null for what is not a finite number, as JSON.stringify does.
            return float.__float__(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return self._bytes(value)
        if isinstance(value, type):
            return self.text(value.__qualname__)
        if isinstance(value, datetime.date | datetime.time):
            return self.text(value.isoformat())
        if isinstance(value, uuid.UUID | decimal.Decimal | pathlib.PurePath | datetime.timedelta):
            return self.text(str(value))
        if self._left <= 0 or len(self._path) >= _DEPTH:
            return f"<{type(value).__name__}: too deep or too much>"
        if id(value) in self._path:
            return f"<{type(value).__name__}: within itself>"
        self._path.add(id(value))
        try:
            return self._compound(value)
        finally:
            self._path.discard(id(value))

    def _compound(self, value: object) -> Any:
        # The methods of the builtin types, not the value's own: a subclass may lie about its size or never
        # end.
        if isinstance(value, dict):
            return self._entries(dict.items(value), dict.__len__(value))
        if isinstance(value, list):
            return self._items(list.__iter__(value), list.__len__(value))
        if isinstance(value, tuple):
            return self._items(tuple.__iter__(value), tuple.__len__(value))
        if isinstance(value, set):
            return self._items(set.__iter__(value), set.__len__(value))
        if isinstance(value, frozenset):
            return self._items(frozenset.__iter__(value), frozenset.__len__(value))
        if isinstance(value, deque):
            return self._items(deque.__iter__(value), deque.__len__(value))
        if isinstance(value, BaseException):
            return {"type": type(value).__qualname__, "message": self.text(_safe_text(value, str))}
        if isinstance(value, msgspec.Struct):
            names = type(value).__struct_fields__
            return self._entries(((name, getattr(value, name)) for name in names), len(names))
        if dataclasses.is_dataclass(value):
            members = [member.name for member in dataclasses.fields(value)]
            return self._entries(((name, getattr(value, name)) for name in members), len(members))
        return self.text(_safe_text(value, repr))

    def _entries(self, entries: Iterable[tuple[object, object]], total: int) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for key, value in itertools.islice(entries, self._limits.entries):
            name = str.__str__(key) if isinstance(key, str) else str(self.value(key))
            # Decided by the whole name, which may be cut in what is written.
            plain[self.text(name, _KEY_LENGTH)] = self.field(name, value)
            if self._left <= 0:
                break
        if len(plain) < total:
            plain["…"] = f"{total - len(plain)} more entries"
        return plain

    def _items(self, items: Iterable[object], total: int) -> list[Any]:
        plain: list[Any] = []
        for item in itertools.islice(items, self._limits.entries):
            plain.append(self.value(item))
            if self._left <= 0:
                break
        if len(plain) < total:
            plain.append(f"… {total - len(plain)} more entries")
        return plain

    def _bytes(self, value: bytes | bytearray | memoryview) -> dict[str, Any]:
        data = self._secrets.hide_bytes(bytes(value))
        # Four characters for three bytes.
        kept = data[: self._limits.text * 3 // 4]
        plain: dict[str, Any] = {"$bytes": base64.b64encode(kept).decode("ascii")}
        if len(kept) < len(data):
            plain["…"] = f"{len(data) - len(kept)} more bytes"
        return plain


def clean(text: str) -> str:
    """Return a text that has UTF-8: lone surrogates are written as escapes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def _integer(value: int) -> int | str:
    if -(1 << 63) <= value < 1 << 64:
        return value
    # As text: a reader whose numbers are doubles would change its last digits without a word.
    return str(value) if value.bit_length() <= _INTEGER_BITS else f"<int of {value.bit_length()} bits>"


def _safe_text(value: object, way: Any) -> str:
    depth = getattr(_reprs, "depth", 0)
    if depth >= _REPR_DEPTH:
        return f"<{type(value).__name__}: its text logs itself>"
    _reprs.depth = depth + 1
    try:
        text: str = way(value)
    except Exception as error:
        return f"<unprintable {type(value).__name__}: {type(error).__name__}>"
    finally:
        _reprs.depth = depth
    return text
