"""Who sends what: the value of a message's `type` key, and its class."""

from __future__ import annotations

from protocol.messages.actions import (
    ActionCancel,
    ActionCancelResponse,
    ActionRequest,
    ActionResponse,
    RpcsListRequest,
    RpcsListResponse,
)
from protocol.messages.actors import (
    ActorRestart,
    ActorRestartResponse,
    ActorsRequest,
    ActorsResponse,
    ActorsUpdated,
)
from protocol.messages.base import Error, Message, Unsubscribe, UnsubscribeResponse
from protocol.messages.connections import ConnectionsRequest, ConnectionsResponse, ConnectionsUpdated
from protocol.messages.host import Init
from protocol.messages.logs import (
    LogBatch,
    LogFilterRequest,
    LogFilterResponse,
    LogsSubscribe,
    LogsSubscribeResponse,
    SpansRequest,
    SpansResponse,
)
from protocol.messages.state import PatchStateRequest, PatchStateResponse, StateRequest, StateResponse, StateUpdated
from protocol.messages.tasks import TasksRequest, TasksResponse, TasksUpdated
from protocol.messages.traces import TraceQueryRequest, TraceQueryResponse

__all__ = ("TO_CLIENT", "TO_HOST")


def _by_type(*classes: type[Message]) -> dict[str, type[Message]]:
    return {cls.__name__: cls for cls in classes}


TO_HOST: dict[str, type[Message]] = _by_type(
    ActorsRequest,
    ActorRestart,
    StateRequest,
    PatchStateRequest,
    ConnectionsRequest,
    RpcsListRequest,
    ActionRequest,
    ActionCancel,
    LogsSubscribe,
    SpansRequest,
    TraceQueryRequest,
    LogFilterRequest,
    TasksRequest,
    Unsubscribe,
)

TO_CLIENT: dict[str, type[Message]] = _by_type(
    Init,
    ActorsResponse,
    ActorsUpdated,
    ActorRestartResponse,
    StateResponse,
    StateUpdated,
    PatchStateResponse,
    ConnectionsResponse,
    ConnectionsUpdated,
    RpcsListResponse,
    ActionResponse,
    ActionCancelResponse,
    LogsSubscribeResponse,
    LogBatch,
    SpansResponse,
    TraceQueryResponse,
    LogFilterResponse,
    TasksResponse,
    TasksUpdated,
    UnsubscribeResponse,
    Error,
)
