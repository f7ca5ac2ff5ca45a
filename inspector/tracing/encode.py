"""Fields as JSON text: a fast way for plain values under harmless names, and a slow one for everything else."""

from __future__ import annotations

import itertools
from types import NoneType
from typing import Any, Final

import orjson
from orjson import dumps

from inspector.tracing.secrets import Secrets
from inspector.tracing.values import Limits, Plain

__all__ = ("BRACE", "BRACKET", "EVENT_BYTES", "PLAIN", "RECORD_BYTES", "SCALARS", "SHORT", "SPAN_BYTES", "FieldEncoder")

RECORD_BYTES: Final = 64 * 1024
"""The longest record. An event's fields, its span's and an exception have their parts of it, so that the sum fits."""
EVENT_BYTES: Final = 32 * 1024
SPAN_BYTES: Final = 12 * 1024

PLAIN: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
"""For orjson, of values that nobody has looked at yet: leave what has code of its own to us, for it ends the process
where that code raises, as a slot does that is not set yet, or a time zone."""

SCALARS: Final = frozenset((str, int, float, bool, NoneType))
BRACE: Final = b"{"[0]
BRACKET: Final = b"["[0]
# How deep containers are looked through, and how many values in all (64 characters of a text are one); what has more
# takes the long way.
_DEPTH: Final = 6
_PLAIN_VALUES: Final = 1024
_CACHE_SIZE: Final = 4096
# Of more fields only these are looked at.
_FIELDS: Final = 2000

SHORT: Final = 4096
"""Fields up to here may take a short way, which leaves the limits of a record to the long one."""

# Tried in turn until the fields fit. The last ones leave a little of everything that is there.
_LIMITS: Final = tuple(Limits(text, max(text // 8, 8)) for text in (24576, 8192, 2048, 512, 128, 32))


class FieldEncoder:
    """Writes the fields of a span, or those of an event, beside the record's own one.

    Any thread may call it.

    Attributes:
        harmless: names of fields that may show their values, as far as they have been met.
    """

    __slots__ = ("_head", "_limit", "_own", "_secrets", "harmless")

    def __init__(self, own: str, limit: int, secrets: Secrets) -> None:
        """Take the name of the record's own field (`message`, `name`) and the bytes that all fields may take."""
        self._own = own
        self._head = b'{"%b":' % own.encode()
        self._limit = limit
        self._secrets = secrets
        self.harmless: set[str] = set()

    def encode(self, own: str, fields: dict[str, Any]) -> bytes:
        """Return the JSON object of the record's own field and the user's."""
        return self.encode_plain(own, fields) or self.encode_any(own, fields)

    def encode_plain(self, own: str, fields: dict[str, Any]) -> bytes | None:
        """Return the JSON object of few, short and plain fields whose names are known to be harmless."""
        # Looked through before orjson writes them: what is huge, or shared a million times, it would write in full.
        if type(own) is not str or not self.harmless.issuperset(fields) or not self._is_plain(fields):
            return None
        try:
            first, rest = dumps(own), dumps(fields)[1:]
        except TypeError:
            return None
        if len(self._head) + len(first) + len(rest) >= self._limit or self._secrets.within(first):
            return None
        if self._secrets.within(rest):
            return None
        return b"%b%b,%b" % (self._head, first, rest) if fields else b"%b%b}" % (self._head, first)

    def is_plain(self, rest: bytes, fields: dict[str, Any]) -> bool:
        """Tell if what orjson made of the fields, less its opening brace, may be written as it is."""
        return self.harmless.issuperset(fields) and self._is_plain(fields) and not self._secrets.within(rest)

    def _is_plain(self, fields: dict[str, Any]) -> bool:
        left = _PLAIN_VALUES
        for value in fields.values():
            left = self._spend(value, left, _DEPTH)
            if left < 0:
                return False
        return True

    def _spend(self, value: Any, left: int, depth: int) -> int:
        """Return what is left of the values that may be written when this one is; negative if it may not be."""
        kind = type(value)
        if kind is str:
            return left - 1 - (len(value) >> 6)
        if kind in SCALARS:
            return left - 1
        if depth == 0:
            return -1
        if kind is dict:
            secret = self._secrets.is_secret
            for name, each in value.items():
                if type(name) is not str or secret(name):
                    return -1
                left = self._spend(each, left - 1 - (len(name) >> 6), depth - 1)
                if left < 0:
                    return left
            return left - 1
        if kind is list or kind is tuple:
            for each in value:
                left = self._spend(each, left, depth - 1)
                if left < 0:
                    return left
            return left - 1
        return -1

    def encode_any(self, own: object, fields: dict[str, Any]) -> bytes:
        """Return the JSON object of whatever the fields are."""
        # A copy: they may be changed by what is asked of them.
        fields, total = dict(itertools.islice(fields.items(), _FIELDS)), len(fields)
        names = {name: self._written(name, fields) for name in fields}
        written: dict[str, Any] = {}
        for limits in _LIMITS:
            plain = Plain(self._secrets, limits)
            written = {self._own: self._own_text(own, plain)}
            for name, known in names.items():
                written[plain.text(known, 256)] = plain.field(known, fields[name])
            if len(fields) < total:
                written["…"] = f"{total - len(fields)} more fields"
            text = dumps(written)
            if len(text) <= self._limit:
                return text
        return self._encode_some(written, total)

    def _encode_some(self, written: dict[str, Any], total: int) -> bytes:
        """Write as many fields as fit: there are too many, however short each is."""
        # Each with its comma, in place of the brace that dumps makes; and room for the last one.
        size = 64
        kept: dict[str, Any] = {}
        for name, value in written.items():
            size += len(dumps({name: value})) - 1
            if size > self._limit:
                break
            kept[name] = value
        # Less the record's own one.
        kept["…"] = f"{total - len(kept) + 1} more fields"
        return dumps(kept)

    def _own_text(self, own: object, plain: Plain) -> str:
        text = plain.value(own)
        return text if isinstance(text, str) else plain.text(str(text))

    def _written(self, name: object, fields: dict[str, Any]) -> str:
        if not isinstance(name, str):
            # Not by a keyword argument, but a dict given whole may hold anything.
            return _text_of_key(name)
        # Taken before the question: should the secrets change meanwhile, the answer goes into a set that is
        # thrown away.
        harmless = self.harmless
        if name != self._own:
            if not self._secrets.is_secret(name):
                if len(harmless) >= _CACHE_SIZE:
                    harmless.clear()
                harmless.add(name)
            return str.__str__(name)
        free = f"{name}_"
        while free in fields:
            free += "_"
        return free


def _text_of_key(key: object) -> str:
    try:
        return repr(key)
    except Exception:
        # As for any value: a key whose repr raises costs its name, not the record.
        return f"<{type(key).__name__}>"
