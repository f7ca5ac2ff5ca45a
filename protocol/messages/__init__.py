"""Every message of the inspector websocket, as types. docs/protocol.cddl says the same for people.

A field that may be absent on the wire is ``UNSET`` when it is; ``None`` is the wire's null. Times are Unix
milliseconds, addresses are ``name/key/key…`` (protocol/addresses.py), ids of actors are opaque.

A feature's messages are a module; ``TO_HOST`` and ``TO_CLIENT`` (table.py) map the value of a message's `type` key to
its class: the one place that says who sends what.
"""

from protocol.messages.actions import (
    ActionCancel,
    ActionCancelResponse,
    ActionRequest,
    ActionResponse,
    Rpc,
    RpcsListRequest,
    RpcsListResponse,
)
from protocol.messages.actors import (
    ActorInfo,
    ActorRestart,
    ActorRestartResponse,
    ActorsRequest,
    ActorsResponse,
    ActorStatus,
    ActorsUpdated,
    Failure,
)
from protocol.messages.base import (
    Error,
    Message,
    Push,
    Request,
    RequestId,
    Response,
    SpanId,
    TraceId,
    Uint,
    Unsubscribe,
    UnsubscribeResponse,
)
from protocol.messages.connections import (
    ConnectionInfo,
    ConnectionsRequest,
    ConnectionsResponse,
    ConnectionsUpdated,
)
from protocol.messages.host import HostInfo, Init, Limits, LogRange
from protocol.messages.logs import (
    LogBatch,
    LogFilterRequest,
    LogFilterResponse,
    LogsSubscribe,
    LogsSubscribeResponse,
    SpansRequest,
    SpansResponse,
)
from protocol.messages.state import (
    Cause,
    PatchOp,
    PatchStateRequest,
    PatchStateResponse,
    StateRequest,
    StateResponse,
    StateUpdated,
)
from protocol.messages.table import TO_CLIENT, TO_HOST
from protocol.messages.tasks import (
    EndedTask,
    LintName,
    StackFrame,
    TaskError,
    TaskInfo,
    TaskLint,
    TaskOutcome,
    TasksRequest,
    TasksResponse,
    TaskState,
    TasksUpdated,
)
from protocol.messages.traces import TraceQueryRequest, TraceQueryResponse

__all__ = (
    "TO_CLIENT",
    "TO_HOST",
    "ActionCancel",
    "ActionCancelResponse",
    "ActionRequest",
    "ActionResponse",
    "ActorInfo",
    "ActorRestart",
    "ActorRestartResponse",
    "ActorStatus",
    "ActorsRequest",
    "ActorsResponse",
    "ActorsUpdated",
    "Cause",
    "ConnectionInfo",
    "ConnectionsRequest",
    "ConnectionsResponse",
    "ConnectionsUpdated",
    "EndedTask",
    "Error",
    "Failure",
    "HostInfo",
    "Init",
    "Limits",
    "LintName",
    "LogBatch",
    "LogFilterRequest",
    "LogFilterResponse",
    "LogRange",
    "LogsSubscribe",
    "LogsSubscribeResponse",
    "Message",
    "PatchOp",
    "PatchStateRequest",
    "PatchStateResponse",
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
    "StackFrame",
    "StateRequest",
    "StateResponse",
    "StateUpdated",
    "TaskError",
    "TaskInfo",
    "TaskLint",
    "TaskOutcome",
    "TaskState",
    "TasksRequest",
    "TasksResponse",
    "TasksUpdated",
    "TraceId",
    "TraceQueryRequest",
    "TraceQueryResponse",
    "Uint",
    "Unsubscribe",
    "UnsubscribeResponse",
)
