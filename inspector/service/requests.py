"""The table from a request's type to what answers it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from msgspec import UNSET

from inspector.actors.calls import Call
from inspector.actors.edits import EDIT
from inspector.actors.stops import RESTART
from inspector.actors.watch import watch_of
from inspector.service.filters import wanted_filter
from inspector.service.replay import Replay
from inspector.service.roll import ConnectionsSubscription
from inspector.service.subscriptions import (
    PAGE,
    PAGE_BYTES,
    ActorsSubscription,
    LogSubscription,
    StateSubscription,
    row_size,
)
from inspector.service.tasks import tasks_response
from inspector.service.traces import query_traces, spelt
from inspector.store import Playback, store_of
from inspector.tracing import remote_context
from protocol.errors import BadMessage, InspectorError
from protocol.messages import (
    ActionCancel,
    ActionCancelResponse,
    ActionRequest,
    ActionResponse,
    ActorInfo,
    ActorRestart,
    ActorRestartResponse,
    ActorsRequest,
    ActorsResponse,
    ConnectionsRequest,
    ConnectionsResponse,
    LogFilterRequest,
    LogsSubscribe,
    LogsSubscribeResponse,
    PatchStateRequest,
    PatchStateResponse,
    Request,
    Response,
    RpcsListRequest,
    RpcsListResponse,
    SpansRequest,
    SpansResponse,
    StateRequest,
    StateResponse,
    TasksRequest,
    TraceQueryRequest,
    Unsubscribe,
    UnsubscribeResponse,
)

if TYPE_CHECKING:
    from inspector.service.connection import Connection

__all__ = ("FEATURES", "HANDLERS", "call_response")

FEATURES: Final = (
    "actors",
    "supervision",
    "state",
    "edits",
    "connections",
    "actions",
    "logs",
    "spans",
    "traces",
    "filter",
    "tasks",
)
"""What this host answers, for Init."""

_OF_ADDRESSES: Final = "/%~._:@+!$'()*,;=&-"
_MAX_SPANS: Final = 1000
_MAX_TIMEOUT_MS: Final = 7 * 24 * 3600 * 1000


def _actors(connection: Connection, request: ActorsRequest) -> Response:
    registry = connection.registry
    # Addresses have no other characters; people may type them as they are.
    prefix = quote(request.prefix or "", safe=_OF_ADDRESSES, errors="replace")
    limit = min(max(1, request.limit), PAGE) if request.limit is not UNSET else PAGE
    cells, total, more = registry.page(prefix, request.cursor or "", limit)
    rows: list[ActorInfo] = []
    size = 0
    for cell in cells:
        row = cell.info()
        size += row_size(row)
        if rows and size > PAGE_BYTES:
            more = True
            break
        rows.append(row)
    response = ActorsResponse(rid=request.id, actors=rows, total=total)
    if more:
        response.cursor = rows[-1].actor
    if request.subscribe is True:
        connection.pusher.open(request.id, ActorsSubscription(request.id, registry, prefix, connection.pusher.wake))
    return response


def _restart(connection: Connection, request: ActorRestart) -> None:
    # Not among the connection's calls: it is no action, and can't be cancelled as one.
    cell = connection.registry.get(request.actor)
    connection.registry.restart_for(Call(cell, RESTART, (), {}, None, None, None, connection.call_done, request.id))


def _state(connection: Connection, request: StateRequest) -> Response:
    cell = connection.registry.get(request.actor)
    response = StateResponse(rid=request.id, actor=cell.address, enabled=cell.kind.state is not None)
    if cell.kind.state is None:
        return response
    watch = watch_of(cell)
    if request.subscribe is True:
        subscription = StateSubscription(request.id, cell, watch, connection.pusher.wake)
        try:
            snapshot = subscription.first()
        except InspectorError:
            subscription.close(cut=False)
            raise
        connection.pusher.open(request.id, subscription)
    else:
        snapshot = watch.look()
    response.state = snapshot.value
    response.version = snapshot.version
    if cell.kind.schema is not None:
        response.schema = cell.kind.schema
    return response


def _patch_state(connection: Connection, request: PatchStateRequest) -> None:
    cell = connection.registry.get(request.actor)
    call = Call(cell, EDIT, (request,), {}, EDIT.timeout, None, None, connection.call_done, request.id)
    connection.calls[request.id] = call
    cell.deliver(call)


def _connections(connection: Connection, request: ConnectionsRequest) -> Response:
    roll = connection.roll
    if request.subscribe is True:
        subscription = ConnectionsSubscription(request.id, roll, connection, connection.pusher.wake)
        connection.pusher.open(request.id, subscription)
        return ConnectionsResponse(rid=request.id, connections=subscription.first())
    return ConnectionsResponse(rid=request.id, connections=roll.infos(connection))


def _rpcs(connection: Connection, request: RpcsListRequest) -> Response:
    cell = connection.registry.get(request.actor)
    return RpcsListResponse(rid=request.id, actor=cell.address, rpcs=[spec.rpc for spec in cell.kind.actions.values()])


def _action(connection: Connection, request: ActionRequest) -> Response | None:
    cell = connection.registry.get(request.actor)
    spec = cell.find(request.name)
    args, kwargs = spec.bind([] if request.args is UNSET else request.args)
    seconds = spec.timeout
    if request.timeout_ms is not UNSET:
        seconds = min(request.timeout_ms, _MAX_TIMEOUT_MS) / 1000
    parent = None
    if request.traceparent is not UNSET:
        parent = remote_context(request.traceparent, None if request.tracestate is UNSET else request.tracestate)
    call = Call(cell, spec, args, kwargs, seconds, parent, None, connection.call_done, request.id)
    connection.calls[request.id] = call
    cell.deliver(call)
    return None


def call_response(call: Call) -> Response:
    """Make the answer to the request that a call came from, once that has its value.

    Raises:
        InspectorError: it was an edit, and refused.
    """
    if call.spec is EDIT:
        assert call.rid is not None
        if isinstance(call.value, InspectorError):
            raise call.value
        return PatchStateResponse(rid=call.rid, version=call.value)
    if call.spec is RESTART:
        assert call.rid is not None
        return ActorRestartResponse(rid=call.rid, generation=call.value)
    assert call.span is not None
    assert call.rid is not None
    return ActionResponse(
        rid=call.rid,
        output=call.value,
        trace_id=call.span.trace_id,
        span_id=call.span.span_id,
        duration_ns=time.perf_counter_ns() - call.sent_at,
    )


def _cancel(connection: Connection, request: ActionCancel) -> Response:
    call = connection.calls.get(request.action)
    cancelled = False
    if call is not None:
        error = InspectorError("actor.action_cancelled", f"{call.cell.address} {call.spec.name}: cancelled")
        cancelled = call.cancel(error)
    return ActionCancelResponse(rid=request.id, cancelled=cancelled)


def _logs(connection: Connection, request: LogsSubscribe) -> Response:
    wanted = wanted_filter(request.filter, "filter")
    log = connection.registry.log
    after_seq = None if request.after_seq is UNSET else request.after_seq
    earlier = after_seq is not None and request.host not in (UNSET, log.host_id)
    actor = None
    if request.actor is not UNSET:
        # One of an earlier run may not have come again.
        actor = spelt(request.actor) if earlier else connection.registry.get(request.actor).address
    store = store_of(log)
    playback = None
    if store is not None and after_seq is not None and (earlier or after_seq + 1 < log.first_seq):
        host = request.host if earlier and request.host is not UNSET else log.host_id
        playback = Playback(log, store, host, after_seq, wanted, actor)
    if earlier:
        # All that this run says came after what an earlier one said.
        after_seq = 0
    reader = log.subscribe(
        wanted,
        actor=actor,
        after_seq=after_seq,
        backlog=None if request.backlog is UNSET else request.backlog,
        wake=connection.pusher.wake,
    )
    if playback is not None:
        replay = Replay(request.id, reader, playback, log.host_id, connection.nursery, connection.pusher.wake)
        connection.pusher.open(request.id, replay)
        return LogsSubscribeResponse(rid=request.id, next_seq=playback.next_seq, missed=playback.missed)
    connection.pusher.open(request.id, LogSubscription(request.id, reader))
    return LogsSubscribeResponse(rid=request.id, next_seq=reader.next_seq, missed=reader.missed)


def _spans(connection: Connection, request: SpansRequest) -> Response:
    if len(request.spans) > _MAX_SPANS:
        raise BadMessage(f"SpansRequest takes {_MAX_SPANS} spans at most", malformed=False, field="spans")
    return SpansResponse(rid=request.id, lines=b"\n".join(connection.registry.log.span_records(request.spans)))


def _filter(connection: Connection, request: LogFilterRequest) -> Response:
    return connection.filters.answer(request)


def _unsubscribe(connection: Connection, request: Unsubscribe) -> Response:
    connection.pusher.close(request.sub)
    return UnsubscribeResponse(rid=request.id)


HANDLERS: Final[dict[type[Request], Callable[[Connection, Any], Response | None]]] = {
    ActorsRequest: _actors,
    ActorRestart: _restart,
    StateRequest: _state,
    PatchStateRequest: _patch_state,
    ConnectionsRequest: _connections,
    RpcsListRequest: _rpcs,
    ActionRequest: _action,
    ActionCancel: _cancel,
    LogsSubscribe: _logs,
    SpansRequest: _spans,
    TraceQueryRequest: query_traces,
    LogFilterRequest: _filter,
    TasksRequest: tasks_response,
    Unsubscribe: _unsubscribe,
}
"""What answers each request; None from a handler says that the answer comes later."""
