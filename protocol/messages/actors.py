"""The list of actors."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from protocol.messages.base import Push, Request, Response, Uint

__all__ = (
    "ActorInfo",
    "ActorRestart",
    "ActorRestartResponse",
    "ActorStatus",
    "ActorsRequest",
    "ActorsResponse",
    "ActorsUpdated",
    "Failure",
)

ActorStatus: TypeAlias = Literal["idle", "starting", "running", "restarting", "stopping", "stopped", "failed"]


class ActorsRequest(Request, kw_only=True):
    """List the actors whose address starts with `prefix`, `limit` a page; with `subscribe` watch them."""

    subscribe: bool | UnsetType = UNSET
    prefix: str | UnsetType = UNSET
    limit: Uint | UnsetType = UNSET
    cursor: str | UnsetType = UNSET


class Failure(Struct):
    """What ended an actor's last life."""

    type: str
    message: str
    at: Uint


class ActorInfo(Struct):
    """An actor's row: `mailbox` messages wait, `running` actions are under way; the rest are totals."""

    actor: str
    id: str
    name: str
    key: list[str]
    status: ActorStatus
    generation: Uint
    mailbox: Uint
    running: Uint
    actions: Uint
    errors: Uint
    restarts: Uint
    started_at: Uint | None
    active_at: Uint | None
    failure: Failure | UnsetType = UNSET


class ActorsResponse(Response, kw_only=True):
    """A page of actors; with `cursor` there is more."""

    actors: list[ActorInfo]
    total: Uint
    cursor: str | UnsetType = UNSET


class ActorRestart(Request, kw_only=True):
    """End an actor's life in good order and begin the next at once, also where the actor was given up."""

    actor: str


class ActorRestartResponse(Response, kw_only=True):
    """The life before has ended, and this one begins."""

    generation: Uint


class ActorsUpdated(Push, kw_only=True):
    """Rows that changed, addresses that are no more."""

    changed: list[ActorInfo]
    removed: list[str]
