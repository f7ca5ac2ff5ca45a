"""``inspector.json.v1``: one text frame, one JSON object (RFC 8259).

What JSON has no word for is a map with one key, as is a user's map that looks like one:

    {"$bytes": "AAE="}            bytes, in base64 (RFC 4648, section 4)
    {"$float": "NaN"}             what is no finite number: NaN, Infinity, -Infinity
    {"$map": {"$bytes": 1}}       the map inside, taken by its word: its one key is not looked at

Every map whose only key is one of these three is written inside a ``$map``, and no other map is; so each text has
one meaning, and a JSON Schema's ``$ref`` stays as it is. Integers are written with all their digits, 4,300 at
most. Times are text (RFC 3339). A key that is no text is refused, since JSON would change what it is.

Decoding is strict: no duplicate key, no lone surrogate, no number that is beyond a double and not an integer, at
most `MAX_DEPTH` containers deep (a form from above counts as the value that it stands for).

`lines` of LogBatch, SpansResponse and TraceQueryResponse is an array of the records as they are: nothing above holds
inside them.
"""

from __future__ import annotations

import datetime
import json
import math
import re
from base64 import b64decode, b64encode
from contextlib import suppress
from typing import Any, Final

import msgspec
import orjson

from protocol.dialects.base import MAX_DEPTH, MAX_DEPTH_TO_CLIENT, Frame, to_client, to_host
from protocol.dialects.plain import BYTES, PLAIN, fits, in_rfc3339, to_plain, unserializable
from protocol.errors import BadMessage
from protocol.messages import LogBatch, Message, Request, SpansResponse, TraceQueryResponse

__all__ = ("JSON", "MAX_DIGITS", "JsonDialect", "dump_text", "load_text")

MAX_DIGITS: Final = 4300
"""Digits that an integer may have. Beyond, CPython refuses too: reading and writing take the square of them."""

_LEAST_TOO_LONG: Final = 10**MAX_DIGITS
_BYTES_KEY: Final = "$bytes"
_FLOAT_KEY: Final = "$float"
_MAP_KEY: Final = "$map"
_KEYS: Final = frozenset((_BYTES_KEY, _FLOAT_KEY, _MAP_KEY))
# What JavaScript's Number and Python's float both read.
_FLOATS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_NESTING: Final = frozenset((dict, list))
_WITH_LINES: Final = (LogBatch.__name__, SpansResponse.__name__, TraceQueryResponse.__name__)
# Of fewer digits every number is exact in 64 bits; what is longer orjson reads as a double. Five digits are kept: four
# may belong to an escape, and whether a number begins with a needless zero shows in two.
_LONG: Final = re.compile(r"([0-9]{5})[0-9]{14,}")
# orjson would write a dataclass or a subclass that an Enum holds, by rules of its own.
_PASSTHROUGH: Final = (
    orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS
)


class _Lines(msgspec.Struct):
    lines: list[msgspec.Raw]


class JsonDialect:
    """The JSON spelling; see `protocol.dialects.base.Dialect`."""

    subprotocol: Final = "inspector.json.v1"
    binary: Final = False

    def encode(self, message: Message) -> str:
        """Write a message as one frame."""
        if isinstance(message, (LogBatch, SpansResponse, TraceQueryResponse)):
            return _dump_lines(message)
        if type(message) in PLAIN:
            try:
                return msgspec.json.encode(message).decode()
            except UnicodeEncodeError as exc:
                raise unserializable(exc) from exc
        return dump_text(message, MAX_DEPTH if isinstance(message, Request) else MAX_DEPTH_TO_CLIENT)

    def decode_to_host(self, frame: Frame) -> Request:
        """Read a client's frame."""
        return to_host(load_text(_text(frame)))

    def decode_to_client(self, frame: Frame) -> Message | None:
        """Read a host's frame."""
        text = _text(frame)
        try:
            decoded = _parse(text)
            if type(decoded) is dict and decoded.get("type") in _WITH_LINES and "lines" in decoded:
                lines = _load_lines(text, decoded.pop("lines"), decoded["type"])
                decoded = {**_restored(decoded, MAX_DEPTH_TO_CLIENT), "lines": lines}
            else:
                decoded = _restored(decoded, MAX_DEPTH_TO_CLIENT)
        except (ValueError, RecursionError, msgspec.MsgspecError) as exc:
            raise _malformed(exc) from None
        return to_client(decoded)


JSON: Final = JsonDialect()


# ---- writing ----


def dump_text(value: Any, max_depth: int = MAX_DEPTH_TO_CLIENT) -> str:
    """Encode a value that msgspec knows: Structs as maps, sets as arrays.

    Raises:
        InspectorError: ``actor.unserializable``, also for more than `max_depth` containers inside one another, a
            key that is no text, and an integer of more than `MAX_DIGITS` digits.
    """
    # A value is the actor's own: its code (a zone's offset) may raise anything, which is the value's fault.
    try:
        plain = to_plain(value, max_depth)
        with suppress(orjson.JSONEncodeError):
            data = orjson.dumps(plain, option=_PASSTHROUGH)
            # What is no finite number is `null` here.
            if b"null" not in data and b'{"$' not in data:
                return data.decode()
        written = _written(plain)
        with suppress(orjson.JSONEncodeError):
            return orjson.dumps(written).decode()
        # Integers beyond 64 bits, and what is deeper than orjson goes.
        text = json.dumps(written, ensure_ascii=False, separators=(",", ":"))
        # A lone surrogate has no UTF-8, and this library does not mind.
        text.encode()
        return text
    except Exception as exc:
        raise unserializable(exc) from exc


def _dump_lines(message: LogBatch | SpansResponse | TraceQueryResponse) -> str:
    fields: dict[str, Any] = {"type": type(message).__name__}
    fields |= {name: value for name, value in msgspec.structs.asdict(message).items() if value is not msgspec.UNSET}
    # In JSON a newline can stand between records alone: inside a text it is an escape.
    fields["lines"] = orjson.Fragment(b"[%b]" % message.lines.replace(b"\n", b","))
    try:
        return orjson.dumps(fields).decode()
    except Exception as exc:
        raise unserializable(exc) from exc


def _written(plain: Any) -> Any:
    kind = type(plain)
    if kind is str or kind is bool or plain is None:
        return plain
    if kind is dict:
        for key in plain:
            if type(key) is not str:
                raise TypeError(f"keys are text in JSON, not objects of type {type(key).__name__}")
        written = {key: _written(item) for key, item in plain.items()}
        return {_MAP_KEY: written} if len(plain) == 1 and not _KEYS.isdisjoint(plain) else written
    if kind is list or kind is tuple:
        return [_written(item) for item in plain]
    if kind is int:
        if not -_LEAST_TOO_LONG < plain < _LEAST_TOO_LONG:
            raise OverflowError(f"more than {MAX_DIGITS} digits are too many for objects of type int")
        return plain
    if kind is float:
        if math.isfinite(plain):
            return plain
        return {_FLOAT_KEY: "NaN" if plain != plain else "Infinity" if plain > 0 else "-Infinity"}
    if isinstance(plain, datetime.datetime):
        text = in_rfc3339(plain).isoformat()
        return text[:-6] + "Z" if text.endswith("+00:00") else text
    if kind in BYTES:
        return {_BYTES_KEY: b64encode(plain).decode()}
    # The value of an Enum's member is not made plain.
    raise TypeError(f"JSON knows no objects of type {kind.__name__}")


# ---- reading ----


def load_text(text: str, max_depth: int = MAX_DEPTH) -> Any:
    """Decode one JSON text strictly.

    Raises:
        BadMessage: it breaks one of the rules at the head of this module.
    """
    try:
        return _restored(_parse(text), max_depth)
    except (ValueError, RecursionError) as exc:
        raise _malformed(exc) from None


def _parse(text: str) -> Any:
    """Read strict JSON, its forms for other values not looked at."""
    # orjson judges the text, and stops at 1,024 containers: the standard library takes lone surrogates and trusts the
    # recursion limit, so it never sees a text that was not judged. It alone tells duplicate keys and reads long
    # numbers exactly. That no key stands twice shows when there are no more colons than entries, colons in texts
    # included.
    short = _LONG.sub(r"\1", text)
    value = orjson.loads(short)
    if len(short) == len(text) and text.count(":") == _entries(value):
        return value
    return _EXACT.decode(text)


def _entries(value: Any) -> int:
    total = 0
    stack = [value]
    while stack:
        item = stack.pop()
        if type(item) is dict:
            total += len(item)
            stack.extend(item.values())
        elif type(item) is list:
            stack.extend(item)
    return total


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in a map")
    return found


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise ValueError(f"an integer has more than {MAX_DIGITS} digits")
    return int(digits)


def _number(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number is beyond what a double holds")
    return number


_EXACT: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_int=_integer, parse_float=_number)


def _restored(value: Any, left: int) -> Any:
    """Read the forms of other values; `left` containers may be inside one another."""
    kind = type(value)
    if kind is dict:
        if len(value) == 1:
            (key,) = value
            if key in _KEYS:
                inner = value[key]
                if key == _BYTES_KEY:
                    return _bytes(inner)
                if key == _FLOAT_KEY:
                    return _float(inner)
                if type(inner) is not dict:
                    raise ValueError("`$map` wants a map")
                value = inner
    elif kind is not list:
        return value
    if not left:
        raise RecursionError("there are more containers inside one another than are read")
    below = left - 1
    if kind is list:
        return [_restored(item, below) if type(item) in _NESTING else item for item in value]
    return {key: _restored(item, below) if type(item) in _NESTING else item for key, item in value.items()}


def _bytes(text: object) -> bytes:
    if type(text) is str:
        # Without this it would skip what is not of its alphabet.
        data = b64decode(text, validate=True)
        # One spelling alone: unused bits are zero, and nothing is behind the padding.
        if b64encode(data).decode() == text:
            return data
    raise ValueError("`$bytes` wants base64 with padding; a map of that key is written inside `$map`")


def _float(text: object) -> float:
    if type(text) is not str or text not in _FLOATS:
        raise ValueError("`$float` wants NaN, Infinity or -Infinity; a map of that key is written inside `$map`")
    return _FLOATS[text]


def _load_lines(text: str, records: Any, kind: str) -> bytes:
    """Return the records of a frame as lines, byte by byte as they stand there."""
    if type(records) is not list or not all(type(record) is dict for record in records):
        raise BadMessage(f"{kind}: `lines` wants an array of maps", malformed=False, field="lines")
    # The array is one container of its own inside the message's map.
    if not fits(records, MAX_DEPTH_TO_CLIENT - 2):
        raise RecursionError("there are more containers inside one another than are read")
    raw = msgspec.json.decode(text, type=_Lines).lines
    # A newline in a record is white space, and would end the line.
    return b"\n".join([bytes(record).replace(b"\n", b" ") for record in raw])


def _text(frame: Frame) -> str:
    if type(frame) is not str:
        raise BadMessage("inspector.json.v1 speaks in text frames, not in binary ones")
    return frame


def _malformed(exc: Exception) -> BadMessage:
    return BadMessage(f"the frame is no JSON of this protocol: {str(exc)[:200]}")
