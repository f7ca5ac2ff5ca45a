"""What every dialect does the same way: from a decoded map to a typed message, and the bounds for all."""

from __future__ import annotations

import re
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from protocol.errors import BadMessage, InspectorError
from protocol.messages import TO_CLIENT, TO_HOST, LogBatch, Message, Request, SpansResponse, TraceQueryResponse

__all__ = ("MAX_DEPTH", "MAX_DEPTH_TO_CLIENT", "MAX_UINT", "Dialect", "Frame", "frame_size", "to_client", "to_host")

Frame: TypeAlias = bytes | str
"""A websocket message: bytes of a binary one, text of a text one."""

MAX_DEPTH = 64
"""Containers inside one another in a frame to the host, the message's own map counted."""
MAX_DEPTH_TO_CLIENT = 256
"""The same in a frame to a client. Decoders of many languages give up at 400 or 500."""
MAX_UINT = 2**64 - 1
"""The greatest number that a CBOR unsigned integer holds (RFC 8949, section 3.1)."""


# msgspec would read a text there as base64.
_WITH_BYTES: Final = frozenset({LogBatch, SpansResponse, TraceQueryResponse})
# Where msgspec says that a value does not fit: "… - at `$.host.pid`", of a key "… - at `key` in `$.args`".
_PATH: Final = re.compile(r" - at (?:`key` in )?`\$\.?([^`]*)`\Z")
_MISSING: Final = re.compile(r"Object missing required field `(\w+)`")


class Dialect(Protocol):
    """One spelling of the messages."""

    @property
    def subprotocol(self) -> str:
        """The websocket subprotocol that selects this dialect."""

    @property
    def binary(self) -> bool:
        """Whether its frames are binary; else they are text."""

    def encode(self, message: Message) -> Frame:
        """Write a message as one frame.

        Raises:
            InspectorError: ``actor.unserializable``, a value in it has no form on the wire.
        """

    def decode_to_host(self, frame: Frame) -> Request:
        """Read a client's frame.

        Raises:
            BadMessage: it breaks the contract.
            InspectorError: ``inspector.unknown_type``, with the request's id as ``metadata["id"]``.
        """

    def decode_to_client(self, frame: Frame) -> Message | None:
        """Read a host's frame; None for a type that this side does not know, from a newer host.

        Raises:
            BadMessage: it breaks the contract.
        """


def frame_size(frame: Frame) -> int:
    """Return the bytes that a frame's payload takes on the wire; a text goes as UTF-8."""
    return len(frame) if isinstance(frame, bytes) or frame.isascii() else len(frame.encode())


def to_host(decoded: object) -> Request:
    """Turn the decoded map of a client's frame into its message.

    Raises:
        BadMessage: it is no map, has no `type` or no fitting `id`, or a field does not fit.
        InspectorError: ``inspector.unknown_type``.
    """
    if type(decoded) is not dict:
        raise BadMessage(f"a message is a map, not {_kind(decoded)}")
    rid = decoded.get("id")
    if type(rid) is not int or not 0 <= rid <= MAX_UINT:
        raise BadMessage("a request wants an `id`, a whole number of at most 64 bits, not negative")
    kind = decoded.get("type")
    if type(kind) is not str:
        raise BadMessage("a message wants a `type`, a text", rid=rid)
    cls: Any = TO_HOST.get(kind)
    if cls is None:
        raise InspectorError(
            "inspector.unknown_type", f"no request is called {kind[:64]!r}", {"type": kind[:64], "id": rid}
        )
    try:
        message: Request = msgspec.convert(decoded, cls)
    except msgspec.ValidationError as exc:
        raise _misfit(cls, exc, rid) from None
    return message


def to_client(decoded: object) -> Message | None:
    """Turn the decoded map of a host's frame into its message; None where the type is a newer host's.

    Raises:
        BadMessage: it is no map, has no `type`, or a field does not fit.
    """
    if type(decoded) is not dict:
        raise BadMessage(f"a message is a map, not {_kind(decoded)}")
    kind = decoded.get("type")
    if type(kind) is not str:
        raise BadMessage("a message wants a `type`, a text")
    cls = TO_CLIENT.get(kind)
    if cls is None:
        return None
    if cls in _WITH_BYTES and type(decoded.get("lines", b"")) is not bytes:
        raise BadMessage(f"{cls.__name__}: `lines` wants bytes", malformed=False, field="lines")
    try:
        message: Message = msgspec.convert(decoded, cls)
    except msgspec.ValidationError as exc:
        raise _misfit(cls, exc, None) from None
    return message


def _misfit(cls: type[Message], exc: msgspec.ValidationError, rid: int | None) -> BadMessage:
    text = str(exc)
    return BadMessage(f"{cls.__name__}: {text[:200]}", rid=rid, malformed=False, field=_field(text))


def _field(text: str) -> str | None:
    match = _PATH.search(text)
    path = match[1] if match else ""
    missing = _MISSING.match(text)
    return ".".join(filter(None, (path, missing and missing[1]))) or None


def _kind(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
