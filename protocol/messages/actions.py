"""An actor's actions."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from protocol.messages.base import Request, RequestId, Response, Uint

__all__ = (
    "ActionCancel",
    "ActionCancelResponse",
    "ActionRequest",
    "ActionResponse",
    "Rpc",
    "RpcsListRequest",
    "RpcsListResponse",
)


class RpcsListRequest(Request, kw_only=True):
    """List an actor's actions."""

    actor: str


class Rpc(Struct):
    """An action: `args` and `returns` are JSON Schemas, `args` of an object with a property a parameter."""

    name: str
    args: dict[str, Any]
    concurrent: bool
    timeout_ms: Uint | None
    doc: str | UnsetType = UNSET
    returns: dict[str, Any] | UnsetType = UNSET


class RpcsListResponse(Response, kw_only=True):
    """An actor's actions."""

    actor: str
    rpcs: list[Rpc]


class ActionRequest(Request, kw_only=True):
    """Run an action with `args` by position or by name, within `timeout_ms`, under a W3C `traceparent`."""

    actor: str
    name: str
    args: list[Any] | dict[str, Any] | UnsetType = UNSET
    timeout_ms: Uint | UnsetType = UNSET
    traceparent: str | UnsetType = UNSET
    tracestate: str | UnsetType = UNSET


class ActionResponse(Response, kw_only=True):
    """What the action returned, where it stands in the log, and how long it took, waiting included."""

    output: Any
    trace_id: str
    span_id: str
    duration_ns: Uint


class ActionCancel(Request, kw_only=True):
    """Cancel the action that the request `action` of this connection asked for."""

    action: RequestId


class ActionCancelResponse(Response, kw_only=True):
    """Whether there was something to cancel."""

    cancelled: bool
