"""``inspector.cbor.v1``: one binary frame, one CBOR map (RFC 8949).

Decoding is strict: no trailing byte, no duplicate key, no tag but 0 to 3, no `undefined` nor any other simple
value, no map key that is neither text nor bytes (numbers can be chosen to collide), at most `MAX_DEPTH`
containers deep. Shared references are tags too, so there is no cycle.

Nothing deeper than the other side reads is written either: cbor2 has no bound of its own when it encodes and
ends the process at some thousands.
"""

from __future__ import annotations

import datetime
import re
import secrets
import struct
from collections.abc import Iterable, Mapping
from typing import Any, Final, NoReturn

import cbor2
import msgspec

from protocol.dialects.base import MAX_DEPTH, MAX_DEPTH_TO_CLIENT, Frame, to_client, to_host
from protocol.dialects.plain import BYTES, PLAIN, in_rfc3339, to_plain, unserializable
from protocol.errors import BadMessage, InspectorError
from protocol.messages import ActionResponse, Message, Request

__all__ = ("CBOR", "CborDialect", "dump_value", "load_value")

# cbor2 says nothing of bytes behind the first item. Wrapped into an array whose second element nobody outside
# this process can know, a frame with too many or too few bytes can't come out as two elements that end in it.
_HEAD: Final = b"\x82"
_SENTINEL: Final = secrets.token_bytes(16)
_TAIL: Final = b"\x50" + _SENTINEL

# The first bytes of simple values and `undefined`; cbor2 has no switch against them. Most frames have none of
# these bytes, so the look for the values themselves is rarely taken.
_SIMPLE: Final = bytes((*range(0xE0, 0xF4), 0xF7, 0xF8))
_PLAIN: Final = frozenset((str, int, bytes, bool, float, type(None)))

_DECODED_TAGS: Final = (4, 5, 25, 28, 29, 30, 35, 36, 37, 100, 256, 258, 260, 261, 1004, 43000, 55799)
# A time whose offset has seconds, as zones had before 1900. RFC 3339 has no word for it, and cbor2 writes some so that
# nobody can read them; such a time is written in UTC.
_ODD_OFFSET: Final = re.compile(rb"\xc0(?:w|x.)[0-9T:.-]{19,26}(?:Z|[+-]\d\d:\d\d):", re.DOTALL)


def _refuse_tag(*_: object) -> NoReturn:
    raise cbor2.CBORDecodeError("a tag that this protocol does not use")


_SEMANTIC: Final = dict.fromkeys(_DECODED_TAGS, _refuse_tag)


class CborDialect:
    """The CBOR spelling; see `protocol.dialects.base.Dialect`."""

    subprotocol: Final = "inspector.cbor.v1"
    binary: Final = True

    def encode(self, message: Message) -> bytes:
        """Write a message as one frame."""
        if type(message) is ActionResponse:
            try:
                return _dump_answer(message)
            except (IndexError, UnicodeEncodeError, InspectorError):
                # Ids that are none of a trace; an output without a form, of which the whole message is to tell.
                return dump_value(message)
        if type(message) in PLAIN:
            try:
                return cbor2.dumps(msgspec.to_builtins(message))
            except UnicodeEncodeError as exc:
                raise unserializable(exc) from exc
        return dump_value(message, MAX_DEPTH if isinstance(message, Request) else MAX_DEPTH_TO_CLIENT)

    def decode_to_host(self, frame: Frame) -> Request:
        """Read a client's frame."""
        if type(frame) is not bytes:
            raise BadMessage("inspector.cbor.v1 speaks in binary frames, not in text")
        return to_host(load_value(frame))

    def decode_to_client(self, frame: Frame) -> Message | None:
        """Read a host's frame."""
        if type(frame) is not bytes:
            raise BadMessage("inspector.cbor.v1 speaks in binary frames, not in text")
        return to_client(load_value(frame, trusted=True))


CBOR: Final = CborDialect()


def dump_value(value: Any, max_depth: int = MAX_DEPTH_TO_CLIENT) -> bytes:
    """Encode a value that msgspec or cbor2 knows: Structs as maps, sets as arrays, times as tag 0.

    Raises:
        InspectorError: ``actor.unserializable``, also for more than `max_depth` containers inside one
            another.
    """
    # A value is the actor's own: its code (a zone's offset) may raise anything, which is the value's fault.
    try:
        plain = to_plain(value, max_depth)
        frame = cbor2.dumps(plain)
        if 0xC0 in frame and _ODD_OFFSET.search(frame) is not None:
            frame = cbor2.dumps(plain, encoders={datetime.datetime: _encode_time})
        return frame
    except cbor2.CBOREncodeError:
        # A time without a zone has no tag; as text, below, it keeps all that it says.
        pass
    except Exception as exc:
        raise unserializable(exc) from exc
    try:
        return cbor2.dumps(msgspec.to_builtins(value, builtin_types=BYTES))
    except Exception as exc:
        raise unserializable(exc) from exc


# What stands between the values of an ActionResponse, the answer that there are most of: the head of its map, and the
# keys in the order of its fields.
_TYPE, _OUTPUT, _TRACE, _SPAN, _DURATION = (
    bytes((0xA0 + len(ActionResponse.__struct_encode_fields__) + 1,))
    + b"".join(map(cbor2.dumps, ("type", ActionResponse.__name__, "rid"))),
    *map(cbor2.dumps, ("output", "trace_id", "span_id", "duration_ns")),
)
_SCALARS: Final = frozenset((int, bool, float, type(None)))
# The heads of unsigned integers of two and four bytes, and those of texts by their lengths.
_UINT16: Final = struct.Struct(">BH")
_UINT32: Final = struct.Struct(">BI")
_TEXT: Final = [cbor2.dumps("x" * size).rstrip(b"x") for size in range(65)]


def _dump_answer(message: ActionResponse) -> bytes:
    """Do what `dump_value` does, in half the time: all but the output is known beforehand."""
    output = message.output
    # The message's own map is one of the containers.
    value = cbor2.dumps(output) if type(output) in _SCALARS else dump_value(output, MAX_DEPTH_TO_CLIENT - 1)
    trace, span = message.trace_id.encode(), message.span_id.encode()
    return b"".join(
        (
            _TYPE,
            _dump_uint(message.rid),
            _OUTPUT,
            value,
            _TRACE,
            _TEXT[len(trace)],
            trace,
            _SPAN,
            _TEXT[len(span)],
            span,
            _DURATION,
            _dump_uint(message.duration_ns),
        )
    )


def _dump_uint(number: int) -> bytes:
    if 0xFF < number <= 0xFFFF:
        return _UINT16.pack(0x19, number)
    if 0xFFFF < number <= 0xFFFF_FFFF:
        return _UINT32.pack(0x1A, number)
    return cbor2.dumps(number)


def _encode_time(encoder: cbor2.CBOREncoder, value: datetime.datetime) -> None:
    encoder.encode_semantic(0, in_rfc3339(value).isoformat())


def load_value(data: bytes, *, trusted: bool = False) -> Any:
    """Decode one CBOR item strictly.

    Args:
        data: the item, all of it.
        trusted: the item is a host's own: any map key, and nested as deeply as a host may write.

    Raises:
        BadMessage: it breaks one of the rules at the head of this module.
    """
    try:
        wrapped = cbor2.loads(
            _HEAD + data + _TAIL,
            tag_hook=_refuse_tag,
            semantic_decoders=_SEMANTIC,
            # The wrapping is not counted.
            max_depth=MAX_DEPTH_TO_CLIENT if trusted else MAX_DEPTH,
            allow_duplicate_keys=False,
            strict_hashable_types=not trusted,
        )
    except cbor2.CBORDecodeEOF:
        raise BadMessage("the frame ends before its value does") from None
    except (cbor2.CBORDecodeError, RecursionError, ValueError, OverflowError) as exc:
        raise BadMessage(f"the frame is no CBOR of this protocol: {_reason(exc)}") from None
    if len(wrapped) != 2 or wrapped[1] != _SENTINEL:
        raise BadMessage("there are bytes behind the frame's value")
    value = wrapped[0]
    if len(data.translate(None, _SIMPLE)) != len(data):
        _refuse_simple(value)
    return value


def _refuse_simple(value: object) -> None:
    stack = [value]
    while stack:
        item = stack.pop()
        inner: Iterable[object]
        if type(item) is dict:
            inner = (*item.keys(), *item.values())
        elif isinstance(item, (list, tuple)):
            inner = item
        elif item is cbor2.undefined or isinstance(item, cbor2.CBORSimpleValue):
            raise BadMessage("the frame holds `undefined` or another simple value that this protocol does not use")
        elif isinstance(item, Mapping):
            # A map that is a key comes as another kind of mapping.
            inner = (*item.keys(), *item.values())
        else:
            continue
        stack.extend([part for part in inner if type(part) not in _PLAIN])


def _reason(exc: BaseException) -> str:
    # cbor2 chains: "error decoding map" says little, its innermost cause says it all.
    while exc.__cause__ is not None:
        exc = exc.__cause__
    return str(exc)[:200] or type(exc).__name__
