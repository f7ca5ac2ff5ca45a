"""Every message of the inspector websocket, as types. docs/protocol.cddl says the same for people.

A field that may be absent on the wire is ``UNSET`` when it is; ``None`` is the wire's null. Times are Unix
milliseconds, addresses are ``name/key/key…`` (protocol/addresses.py), ids of actors are opaque.

``TO_HOST`` and ``TO_CLIENT`` map the value of a message's `type` key to its class: the one place that says
who sends what.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

__all__ = (
    "TO_CLIENT",
    "TO_HOST",
    "ActionCancel",
    "ActionCancelResponse",
    "ActionRequest",
    "ActionResponse",
    "ActorInfo",
    "ActorStatus",
    "ActorsRequest",
    "ActorsResponse",
    "ActorsUpdated",
    "Cause",
    "Error",
    "Failure",
    "HostInfo",
    "Init",
    "Limits",
    "LogBatch",
    "LogRange",
    "LogsSubscribe",
    "LogsSubscribeResponse",
    "Message",
    "PatchOp",
    "Push",
    "Request",
    "RequestId",
    "Response",
    "Rpc",
    "RpcsListRequest",
    "RpcsListResponse",
    "SpanId",
    "SpansRequest",
    "SpansResponse",
    "StateRequest",
    "StateResponse",
    "StateUpdated",
    "Uint",
    "Unsubscribe",
    "UnsubscribeResponse",
)

# An id may be any unsigned integer of 64 bits; the dialects see to that.
RequestId: TypeAlias = Annotated[int, Meta(ge=0)]
# Signed 64 bits for every other number: no size, time or position can overflow what it is handed to.
Uint: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
SpanId: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}\Z")]
ActorStatus: TypeAlias = Literal["idle", "starting", "running", "restarting", "stopping", "stopped", "failed"]


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


# ---- the host speaks first ----


class HostInfo(Struct):
    """Who the host is. `id` is new for each run: a sequence number is good for one id alone."""

    id: str
    name: str
    version: str
    pid: Uint
    started_at: Uint


class Limits(Struct):
    """The host's bounds, in bytes: a frame either way, the `lines` of one LogBatch."""

    max_frame: Uint
    max_batch: Uint


class LogRange(Struct):
    """What the ring holds: first_seq <= seq < next_seq."""

    first_seq: Uint
    next_seq: Uint


class Init(Message, kw_only=True):
    """The host's first message."""

    host: HostInfo
    features: list[str]
    limits: Limits
    log: LogRange
    now: Uint


# ---- actors ----


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


class ActorsUpdated(Push, kw_only=True):
    """Rows that changed, addresses that are no more."""

    changed: list[ActorInfo]
    removed: list[str]


# ---- state ----


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


class Cause(Struct):
    """What changed a state, where one action did."""

    action: str | UnsetType = UNSET
    trace_id: str | UnsetType = UNSET
    span_id: str | UnsetType = UNSET


class StateUpdated(Push, kw_only=True):
    """A new version of a state: whole (`state`) or as a patch on the version before it."""

    actor: str
    version: Uint
    state: Any = UNSET
    patch: list[PatchOp] | UnsetType = UNSET
    cause: Cause | UnsetType = UNSET

    def __post_init__(self) -> None:
        if (self.state is UNSET) == (self.patch is UNSET):
            raise ValueError("either `state` or `patch` is wanted")


# ---- actions ----


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


# ---- the span log ----


class LogsSubscribe(Request, kw_only=True):
    """Stream the records that pass `filter`, of one actor or of all.

    With `after_seq` go on behind that record, with `backlog` begin with the last so many that match, with
    neither begin with what comes from now on; never both.
    """

    filter: str
    actor: str | UnsetType = UNSET
    after_seq: Uint | UnsetType = UNSET
    backlog: Uint | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.after_seq is not UNSET and self.backlog is not UNSET:
            raise ValueError("`after_seq` and `backlog` exclude each other")


class LogsSubscribeResponse(Response, kw_only=True):
    """Where the stream begins, and how many of the records asked for are no longer kept."""

    next_seq: Uint
    missed: Uint


class LogBatch(Push, kw_only=True):
    """All that matched from `first_seq` up to `next_seq`, but for `dropped` ones: this reader was too slow.

    `lines` holds the host's own JSON lines, joined by newlines, with none at the end; batches join without
    holes.
    """

    first_seq: Uint
    next_seq: Uint
    dropped: Uint
    lines: bytes


class SpansRequest(Request, kw_only=True):
    """Ask for the start records of spans and of their ancestors."""

    spans: list[SpanId]


class SpansResponse(Response, kw_only=True):
    """Start records, root first, as far as they are kept; `lines` as in LogBatch."""

    lines: bytes


# ---- the rest ----


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


def _by_type(*classes: type[Message]) -> dict[str, type[Message]]:
    return {cls.__name__: cls for cls in classes}


TO_HOST: dict[str, type[Message]] = _by_type(
    ActorsRequest,
    StateRequest,
    RpcsListRequest,
    ActionRequest,
    ActionCancel,
    LogsSubscribe,
    SpansRequest,
    Unsubscribe,
)

TO_CLIENT: dict[str, type[Message]] = _by_type(
    Init,
    ActorsResponse,
    ActorsUpdated,
    StateResponse,
    StateUpdated,
    RpcsListResponse,
    ActionResponse,
    ActionCancelResponse,
    LogsSubscribeResponse,
    LogBatch,
    SpansResponse,
    UnsubscribeResponse,
    Error,
)
