"""Every error of this project, as one table.

    Exception
    ├── InspectorError            a typed error that crosses the wire: group, code, message, metadata
    │   └── BadMessage            a frame or a field that breaks the contract; tells whether it was malformed
    ├── LocalProtocolError        our own side used a session wrongly; a bug here
    ├── RemoteProtocolError       the peer broke the contract; the connection is of no use any more
    └── AddressError              a text that is no address (a ValueError too)

``TABLE`` holds what can be said over the wire. docs/errors.md and docs/errors/*.json are written from it and
a test keeps them equal.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = (
    "TABLE",
    "AddressError",
    "BadMessage",
    "Blame",
    "ErrorInfo",
    "InspectorError",
    "LocalProtocolError",
    "RemoteProtocolError",
)

Blame = Literal["caller", "actor", "host", "nobody"]


class ErrorInfo(msgspec.Struct, frozen=True):
    """One row of the error table."""

    group: str
    code: str
    meaning: str
    blame: Blame
    remedy: str
    metadata: dict[str, str] = {}
    """Metadata keys that the error may carry, each with what it holds."""

    @property
    def name(self) -> str:
        """The error as people write it, ``group.code``."""
        return f"{self.group}.{self.code}"


_ROWS = (
    ErrorInfo(
        "inspector",
        "bad_message",
        "The frame does not decode strictly, or a field of the message has a wrong type or is missing.",
        "caller",
        "Send one map a frame that fits the protocol's description. The connection goes on; 32 malformed"
        " frames in a row end it with 1008.",
        {"field": "path of the field that does not fit, where one is known"},
    ),
    ErrorInfo(
        "inspector",
        "unknown_type",
        "The message's type is none that this host answers.",
        "caller",
        "Look at `features` in Init: an older host lacks what a newer one has.",
        {"type": "the type that was asked for"},
    ),
    ErrorInfo(
        "inspector",
        "id_in_use",
        "The request's id names a request still waiting or a subscription still open on this connection.",
        "caller",
        "Count ids up; reuse one only after its answer, or after Unsubscribe was answered.",
    ),
    ErrorInfo(
        "inspector",
        "too_many_subscriptions",
        "As many subscriptions are open on this connection as one may have. Nothing was opened.",
        "caller",
        "Unsubscribe from what nobody looks at, or subscribe to more at once: a prefix, a wider filter.",
        {"limit": "subscriptions that a connection may have"},
    ),
    ErrorInfo(
        "inspector",
        "unknown_subscription",
        "Unsubscribe named a `sub` that is not open on this connection.",
        "caller",
        "Use the id of the request that opened the subscription, once.",
    ),
    ErrorInfo(
        "inspector",
        "bad_filter",
        "The filter does not parse. Nothing of it was applied.",
        "caller",
        "Mend the filter at `metadata.position`.",
        {
            "position": "the character at fault, counted from 0",
            "proposal": "what was perhaps meant, where one is known",
            "field": "the request's field that holds it",
        },
    ),
    ErrorInfo(
        "inspector",
        "bad_cursor",
        "The cursor is none that this host has made, or it belongs to a run of the host of which nothing is kept.",
        "caller",
        "Ask again without a cursor, from the first page on.",
    ),
    ErrorInfo(
        "inspector",
        "internal_error",
        "The host failed while it answered. The log has the exception; the wire does not.",
        "host",
        "Read the host's log at the time of the request.",
    ),
    ErrorInfo(
        "actor",
        "not_found",
        "No actor has this address. Looking never creates one.",
        "caller",
        "List the actors, or let the program create it with `registry.get_or_create`.",
        {"actor": "the address"},
    ),
    ErrorInfo(
        "actor",
        "action_not_found",
        "The actor has no action of this name.",
        "caller",
        "List its actions with RpcsListRequest.",
        {"actor": "the address", "action": "the name", "actions": "the names that it has"},
    ),
    ErrorInfo(
        "actor",
        "invalid_arguments",
        "An argument has a wrong type, is missing, or is one too many. The action did not run.",
        "caller",
        "Fit the arguments to the action's schema.",
        {"argument": "the argument's name, or its position from 0 where it has none"},
    ),
    ErrorInfo(
        "actor",
        "action_timed_out",
        "The deadline passed before the action ended, waiting in the mailbox included. What ran was cancelled.",
        "actor",
        "Ask for more time (`timeout_ms`), or look with the inspector at what it waits for.",
        {"timeout_ms": "the time it had"},
    ),
    ErrorInfo(
        "actor",
        "action_cancelled",
        "Somebody cancelled the action. What ran of it has had its effect.",
        "nobody",
        "Nothing: this was asked for.",
    ),
    ErrorInfo(
        "actor",
        "call_cycle",
        "The call would wait for an actor that, through a chain of calls, waits for this one.",
        "actor",
        "Break the circle: spawn a task for the call, or declare the action `@action(concurrent=True)`.",
        {"chain": "the addresses of the chain, first caller first"},
    ),
    ErrorInfo(
        "actor",
        "overloaded",
        "The actor's mailbox is full. The action did not run.",
        "actor",
        "Try again later, more slowly.",
        {"mailbox": "messages waiting"},
    ),
    ErrorInfo(
        "actor",
        "stopped",
        "The actor ended before it could answer. The action may have run in part.",
        "nobody",
        "Look at the actor's status; try again if the action may run twice. One that is `failed` or `stopped` stays so"
        " until it gets an ActorRestart.",
        {"actor": "the address"},
    ),
    ErrorInfo(
        "actor",
        "failed",
        "The action raised. The exception's type and message are here, its traceback is in the log alone.",
        "actor",
        "Follow `trace_id` into the log.",
        {"type": "the exception's type", "trace_id": "the action's trace", "span_id": "the action's span"},
    ),
    ErrorInfo(
        "actor",
        "unserializable",
        "What the action returned, or the actor's state, has no form on the wire. The action has run.",
        "actor",
        "Return plain values, dataclasses or msgspec Structs.",
        {"type": "the type at fault, where one is known; of what is cyclic or too deep none is"},
    ),
    ErrorInfo(
        "actor",
        "result_too_large",
        "What the action returned, or the actor's state, is larger than one frame may be. The action has run.",
        "actor",
        "Return less, or by pages.",
        {"size": "bytes it would take", "limit": "bytes that one frame may have"},
    ),
    ErrorInfo(
        "actor",
        "state_disabled",
        "The actor has no state that could be edited.",
        "caller",
        "Look at `enabled` in StateResponse first.",
        {"actor": "the address"},
    ),
    ErrorInfo(
        "actor",
        "state_conflict",
        "The state has moved on since the version that the edit was made for. Nothing was changed.",
        "nobody",
        "Read the state again, make the edit anew, or leave `version` out.",
        {"version": "the version that the state has now"},
    ),
    ErrorInfo(
        "actor",
        "invalid_patch",
        "An operation of the patch does not fit the state, or what comes of it does not fit the state's type."
        " Nothing was changed.",
        "caller",
        "Fit the patch to the state and its schema.",
        {"index": "the operation at fault, counted from 0", "path": "where in the state, where one is known"},
    ),
    ErrorInfo(
        "registry",
        "shut_down",
        "The host is draining or has stopped and takes no new work.",
        "nobody",
        "Go to another host, or come back when it has started again.",
    ),
)

TABLE: dict[str, ErrorInfo] = {row.name: row for row in _ROWS}
"""Every error that can cross the wire, by ``group.code``."""


class InspectorError(Exception):
    """A typed error, the same in the host, on the wire and in a client.

    Args:
        name: ``group.code``. A client may meet one that ``TABLE`` does not have, from a newer host.
        message: one sentence for people.
        metadata: plain values, as the table's row describes them.
    """

    def __init__(self, name: str, message: str, metadata: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.group, _, self.code = name.partition(".")
        self.message = message
        self.metadata = metadata or {}

    @property
    def name(self) -> str:
        """The error as people write it, ``group.code``."""
        return f"{self.group}.{self.code}"

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


class BadMessage(InspectorError):
    """A frame that breaks the contract.

    Args:
        message: what does not fit, for people.
        rid: the request's id where the frame has one that fits.
        malformed: the frame does not decode, is of the other kind, or has no usable `type` or `id`; such
            frames are counted, 32 in a row end the connection. Otherwise a field of a well-formed message is
            wrong.
        field: path of that field.
    """

    def __init__(
        self, message: str, *, rid: int | None = None, malformed: bool = True, field: str | None = None
    ) -> None:
        super().__init__("inspector.bad_message", message, {} if field is None else {"field": field})
        self.rid = rid
        self.malformed = malformed


class LocalProtocolError(Exception):
    """Our own side used a session wrongly."""


class RemoteProtocolError(Exception):
    """The peer broke the contract in a way that no error message can mend."""


class AddressError(ValueError):
    """A text that is no address."""
