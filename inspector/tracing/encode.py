"""Fields as JSON text: a fast way for plain values under harmless names, and a slow one for everything else."""

from __future__ import annotations

from types import NoneType
from typing import Any, Final

from orjson import dumps

from inspector.tracing.secrets import Secrets
from inspector.tracing.values import Limits, Plain

__all__ = ("BRACE", "BRACKET", "EVENT_BYTES", "RECORD_BYTES", "SPAN_BYTES", "FieldEncoder")

RECORD_BYTES: Final = 64 * 1024
"""The longest record. An event's fields, its span's and an exception have their parts of it, so that the sum fits."""
EVENT_BYTES: Final = 32 * 1024
SPAN_BYTES: Final = 12 * 1024

_SCALARS: Final = frozenset((str, int, float, bool, NoneType))
BRACE: Final = b"{"[0]
BRACKET: Final = b"["[0]
# Containers within containers that are looked through; deeper ones take the long way.
_DEPTH: Final = 6
_CACHE_SIZE: Final = 4096

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
        try:
            first, rest = dumps(own), dumps(fields)[1:]
        except TypeError:
            return None
        if type(own) is not str or self._secrets.within(first):
            return None
        if not self.is_plain(rest, fields, self._limit - len(self._head) - len(first) - 1):
            return None
        return b"%b%b,%b" % (self._head, first, rest) if fields else b"%b%b}" % (self._head, first)

    def is_plain(self, rest: bytes, fields: dict[str, Any], limit: int) -> bool:
        """Tell if what orjson made of the fields, less its opening brace, may be written as it is."""
        if len(rest) > limit or not self.harmless.issuperset(fields):
            return False
        # Inside a container may stand a secret name. A single byte is found at once; it may only stand in a text.
        if BRACE in rest or BRACKET in rest:
            for value in fields.values():
                if not self._is_plain_value(value, _DEPTH):
                    return False
        return not self._secrets.within(rest)

    def _is_plain_value(self, value: object, depth: int) -> bool:
        kind = type(value)
        if kind in _SCALARS:
            return True
        if depth == 0:
            return False
        if kind is dict:
            secret = self._secrets.is_secret
            entries = value.items()  # type: ignore[attr-defined]  # object has no items, an exact dict has
            return all(not secret(name) and self._is_plain_value(each, depth - 1) for name, each in entries)
        if kind is list or kind is tuple:
            return all(self._is_plain_value(each, depth - 1) for each in value)  # type: ignore[attr-defined]  # as above
        return False

    def encode_any(self, own: object, fields: dict[str, Any]) -> bytes:
        """Return the JSON object of whatever the fields are."""
        names = {name: self._written(name, fields) for name in fields}
        written: dict[str, Any] = {}
        for limits in _LIMITS:
            plain = Plain(self._secrets, limits)
            written = {self._own: self._own_text(own, plain)}
            for name, value in fields.items():
                written[plain.text(names[name], 256)] = plain.field(names[name], value)
            text = dumps(written)
            if len(text) <= self._limit:
                return text
        return self._encode_some(written)

    def _encode_some(self, written: dict[str, Any]) -> bytes:
        """Write as many fields as fit: there are too many, however short each is."""
        size = 64
        kept: dict[str, Any] = {}
        for name, value in written.items():
            size += len(dumps({name: value}))
            if size > self._limit:
                break
            kept[name] = value
        kept["…"] = f"{len(written) - len(kept)} more fields"
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
