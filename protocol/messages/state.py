"""An actor's state."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from protocol.messages.base import Push, Request, Response, Uint

__all__ = (
    "Cause",
    "PatchOp",
    "PatchStateRequest",
    "PatchStateResponse",
    "StateRequest",
    "StateResponse",
    "StateUpdated",
)


class StateRequest(Request, kw_only=True):
    """Read an actor's state; with `subscribe`, hear of changes too."""

    actor: str
    subscribe: bool | UnsetType = UNSET


class StateResponse(Response, kw_only=True):
    """An actor's state, where it has one (`enabled`), with its version and JSON Schema."""

    actor: str
    enabled: bool
    state: Any = UNSET
    version: Uint | UnsetType = UNSET
    schema: dict[str, Any] | UnsetType = UNSET


class PatchOp(Struct, rename={"from_": "from"}):
    """One operation of a JSON Patch (RFC 6902)."""

    op: Literal["add", "remove", "replace", "move", "copy", "test"]
    path: str
    from_: str | UnsetType = UNSET
    value: Any = UNSET


class PatchStateRequest(Request, kw_only=True):
    """Change an actor's state: as a whole (`state`) or by a patch. With `version`, only if it has not moved on."""

    actor: str
    state: Any = UNSET
    patch: list[PatchOp] | UnsetType = UNSET
    version: Uint | UnsetType = UNSET

    def __post_init__(self) -> None:
        if (self.state is UNSET) == (self.patch is UNSET):
            raise ValueError("either `state` or `patch` is wanted")


class PatchStateResponse(Response, kw_only=True):
    """The state has changed, and has this version now."""

    version: Uint


class Cause(Struct):
    """What changed a state, where one action did."""

    action: str | UnsetType = UNSET
    trace_id: str | UnsetType = UNSET
    span_id: str | UnsetType = UNSET


class StateUpdated(Push, kw_only=True):
    """A new version of a state: whole (`state`), or as a patch on the last one that this subscription brought."""

    actor: str
    version: Uint
    state: Any = UNSET
    patch: list[PatchOp] | UnsetType = UNSET
    cause: Cause | UnsetType = UNSET

    def __post_init__(self) -> None:
        if (self.state is UNSET) == (self.patch is UNSET):
            raise ValueError("either `state` or `patch` is wanted")
