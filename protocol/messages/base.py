"""What every message is made of, and what belongs to no feature alone."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

__all__ = (
    "Error",
    "Message",
    "Push",
    "Request",
    "RequestId",
    "Response",
    "SpanId",
    "TraceId",
    "Uint",
    "Unsubscribe",
    "UnsubscribeResponse",
)

# An id may be any unsigned integer of 64 bits; the dialects see to that.
RequestId: TypeAlias = Annotated[int, Meta(ge=0)]
# Signed 64 bits for every other number: no size, time or position can overflow what it is handed to.
Uint: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
SpanId: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}\Z")]
TraceId: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]


class Message(Struct, tag_field="type", tag=True, kw_only=True):
    """Anything that is one frame. Its class name is the value of its `type` key."""


class Request(Message, kw_only=True):
    """A message to the host that is answered once, by its response or an `Error` with its id."""

    id: RequestId


class Response(Message, kw_only=True):
    """The answer to the request `rid`."""

    rid: RequestId


class Push(Message, kw_only=True):
    """What a subscription brings; `sub` is the id of the request that opened it."""

    sub: RequestId


class Unsubscribe(Request, kw_only=True):
    """End the subscription `sub`."""

    sub: RequestId


class UnsubscribeResponse(Response, kw_only=True):
    """Nothing more of that subscription comes after this."""


class Error(Message, kw_only=True):
    """The answer to the request `rid`, or to a frame without id (null). protocol/errors.py has the table."""

    rid: RequestId | None
    group: str
    code: str
    message: str
    metadata: dict[str, Any] | UnsetType = UNSET
