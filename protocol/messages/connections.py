"""Who inspects this host."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from protocol.messages.base import Push, Request, Response, Uint

__all__ = ("ConnectionInfo", "ConnectionsRequest", "ConnectionsResponse", "ConnectionsUpdated")


class ConnectionInfo(Struct):
    """One inspector: `sent` bytes of messages, `dropped` log records that it was too slow for; `you` if it is you."""

    id: str
    peer: str
    protocol: str
    since: Uint
    subscriptions: Uint
    sent: Uint
    dropped: Uint
    you: bool


class ConnectionsRequest(Request, kw_only=True):
    """List the inspectors of this host; with `subscribe`, hear of changes too."""

    subscribe: bool | UnsetType = UNSET


class ConnectionsResponse(Response, kw_only=True):
    """All inspectors, in the order of their coming."""

    connections: list[ConnectionInfo]


class ConnectionsUpdated(Push, kw_only=True):
    """All inspectors, anew."""

    connections: list[ConnectionInfo]
