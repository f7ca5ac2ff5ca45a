"""One full and one sparse sample of every message, and what a wrong field of each kind looks like."""

from __future__ import annotations

import base64
import json
from typing import Any

import cbor2
import msgspec

from protocol.dialects.base import Dialect, Frame
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
    ActorsUpdated,
    Cause,
    ConnectionInfo,
    ConnectionsRequest,
    ConnectionsResponse,
    ConnectionsUpdated,
    EndedTask,
    Error,
    Failure,
    HostInfo,
    Init,
    Limits,
    LogBatch,
    LogFilterRequest,
    LogFilterResponse,
    LogRange,
    LogsSubscribe,
    LogsSubscribeResponse,
    Message,
    PatchOp,
    PatchStateRequest,
    PatchStateResponse,
    Request,
    Rpc,
    RpcsListRequest,
    RpcsListResponse,
    SpansRequest,
    SpansResponse,
    StackFrame,
    StateRequest,
    StateResponse,
    StateUpdated,
    TaskError,
    TaskInfo,
    TaskLint,
    TasksRequest,
    TasksResponse,
    TasksUpdated,
    TraceQueryRequest,
    TraceQueryResponse,
    Unsubscribe,
    UnsubscribeResponse,
)

__all__ = ("INIT", "TO_CLIENT_SAMPLES", "TO_HOST_SAMPLES", "has_form", "spelt", "wire", "wrong_values")

_TRACE = "0af7651916cd43dd8448eb211c80319c"
_SPAN = "b7ad6b7169203331"
_LINES = b'{"seq":41,"message":"card accepted"}\n{"seq":42,"message":"Gr\xc3\xbc\xc3\x9fe"}'

INIT = Init(
    host=HostInfo(id="h1", name="shop", version="0.1.0", pid=4711, started_at=1_790_000_000_000),
    features=["logs", "state", "actions"],
    limits=Limits(max_frame=1 << 20, max_batch=1 << 18),
    log=LogRange(first_seq=1, next_seq=43),
    now=1_790_000_001_000,
)

_ACTOR = ActorInfo(
    actor="cart/7",
    id="9f2c",
    name="cart",
    key=["7"],
    status="restarting",
    generation=3,
    mailbox=2,
    running=1,
    actions=100,
    errors=4,
    restarts=2,
    started_at=1_790_000_000_500,
    active_at=None,
    failure=Failure(type="ValueError", message="no card", at=1_790_000_000_900),
)
_IDLE = msgspec.structs.replace(_ACTOR, key=[], status="idle", started_at=None, failure=msgspec.UNSET)

_CONNECTION = ConnectionInfo(
    id="c1",
    peer="127.0.0.1:40000",
    protocol="inspector.cbor.v1",
    since=1_790_000_000_000,
    subscriptions=2,
    sent=70_000,
    dropped=12,
    you=True,
)

_TASK = TaskInfo(
    task=12,
    parent=3,
    nursery=1,
    name="worker cart/7",
    state="waiting",
    children=2,
    started_at=1_790_000_000_100,
    actor="cart/7",
    span=_SPAN,
    trace_id=_TRACE,
    span_name="action",
    cancelled=True,
    deadline=1_790_000_060_000,
    lints=[
        TaskLint(
            name="long_step",
            message="held the loop for 250 ms",
            since=1_790_000_000_800,
            at=StackFrame(file="shop/cart.py", line=42, function="Cart.checkout"),
        ),
        TaskLint(name="cancelled_goes_on", message="cancelled 6 s ago", since=1_790_000_000_900),
    ],
    stack=[StackFrame(file="shop/cart.py", line=40, function="Cart.checkout")],
    busy_ns=1_000_000,
    idle_ns=2_000_000,
    steps=7,
    longest_ns=250_000_000,
)
_ROOT_TASK = TaskInfo(
    task=0,
    parent=None,
    nursery=0,
    name="<init>",
    state="runnable",
    children=0,
    started_at=None,
    actor=None,
    span=None,
    trace_id=None,
    span_name=None,
    cancelled=False,
    deadline=None,
    lints=[],
)
_ENDED_TASKS = [
    EndedTask(
        task=9,
        parent=None,
        name="pay",
        actor=None,
        started_at=None,
        ended_at=1_790_000_000_700,
        outcome="error",
        exception=TaskError(type="ValueError", message="no card"),
    ),
    EndedTask(
        task=10,
        parent=9,
        name="poll",
        actor="cart/7",
        started_at=1_790_000_000_600,
        ended_at=1_790_000_000_700,
        outcome="cancelled",
        cancelled_by="pay",
        reason="its nursery has a task that failed",
    ),
]

TO_HOST_SAMPLES: list[Request] = [
    ActorsRequest(id=1, subscribe=True, prefix="cart/", limit=50, cursor="cart/7"),
    ActorsRequest(id=0),
    ActorRestart(id=9, actor="cart/7"),
    StateRequest(id=2, actor="cart/7", subscribe=False),
    StateRequest(id=2**64 - 1, actor="cart/7"),
    PatchStateRequest(id=10, actor="cart/7", state={"items": []}, version=9),
    PatchStateRequest(id=10, actor="cart/7", patch=[PatchOp(op="remove", path="/items/0")]),
    ConnectionsRequest(id=11, subscribe=True),
    ConnectionsRequest(id=11),
    RpcsListRequest(id=3, actor="cart/7"),
    ActionRequest(
        id=4,
        actor="cart/7",
        name="checkout",
        args=["card", 12, None, {"nested": [1.5, b"\x00", True]}],
        timeout_ms=2**63 - 1,
        traceparent=f"00-{_TRACE}-{_SPAN}-01",
        tracestate="vendor=1,other=two",
    ),
    ActionRequest(id=4, actor="cart/7", name="checkout", args={"card": "x", "amount": -(2**70)}),
    ActionRequest(id=4, actor="cart/7", name="checkout", args=[]),
    ActionRequest(id=4, actor="cart/7", name="checkout"),
    ActionCancel(id=5, action=4),
    LogsSubscribe(id=6, filter="info", actor="cart/7", after_seq=41),
    LogsSubscribe(id=6, filter="", backlog=0),
    LogsSubscribe(id=6, filter="shop=debug,warn"),
    SpansRequest(id=7, spans=[_SPAN, "0" * 16]),
    LogsSubscribe(id=6, filter="info", after_seq=41, host="h0"),
    SpansRequest(id=7, spans=[]),
    TraceQueryRequest(
        id=12,
        actor="cart/7",
        start_ms=1_790_000_000_000,
        end_ms=1_790_000_060_000,
        limit=100,
        filter="info",
        trace_id=_TRACE,
        cursor="next",
    ),
    TraceQueryRequest(id=12),
    LogFilterRequest(id=12, record="trace", log="info,[poll]=off", for_ms=60_000),
    LogFilterRequest(id=12, record=None, log=None),
    LogFilterRequest(id=12),
    TasksRequest(id=12, subscribe=True, stacks=True, timing=False),
    TasksRequest(id=12),
    Unsubscribe(id=8, sub=6),
]

TO_CLIENT_SAMPLES: list[Message] = [
    INIT,
    ActorsResponse(rid=1, actors=[_ACTOR, _IDLE], total=2, cursor="cart/7"),
    ActorsResponse(rid=1, actors=[], total=0),
    ActorsUpdated(sub=1, changed=[_ACTOR], removed=["cart/8"]),
    ActorRestartResponse(rid=9, generation=4),
    StateResponse(rid=2, actor="cart/7", enabled=True, state={"items": []}, version=9, schema={"type": "object"}),
    StateResponse(rid=2, actor="cart/7", enabled=True, state=None, version=0),
    StateResponse(rid=2, actor="cart/7", enabled=False),
    StateUpdated(
        sub=2,
        actor="cart/7",
        version=10,
        state={"items": ["tea"]},
        cause=Cause(action="add", trace_id=_TRACE, span_id=_SPAN),
    ),
    StateUpdated(sub=2, actor="cart/7", version=11, state=None, cause=Cause()),
    StateUpdated(
        sub=2,
        actor="cart/7",
        version=12,
        patch=[
            PatchOp(op="add", path="/items/0", value="tea"),
            PatchOp(op="move", path="/items/1", from_="/items/0"),
            PatchOp(op="test", path="/items", value=None),
        ],
    ),
    PatchStateResponse(rid=10, version=10),
    ConnectionsResponse(rid=11, connections=[_CONNECTION]),
    ConnectionsUpdated(sub=11, connections=[]),
    RpcsListResponse(
        rid=3,
        actor="cart/7",
        rpcs=[
            Rpc(
                name="checkout",
                args={"type": "object", "properties": {"amount": {"type": "integer"}}},
                concurrent=False,
                timeout_ms=60_000,
                doc="Pay.",
                returns={"type": "boolean"},
            ),
            Rpc(name="peek", args={}, concurrent=True, timeout_ms=None),
        ],
    ),
    ActionResponse(rid=4, output={"paid": True, "5": b"\x00"}, trace_id=_TRACE, span_id=_SPAN, duration_ns=1200),
    ActionResponse(rid=4, output=None, trace_id=_TRACE, span_id=_SPAN, duration_ns=0),
    ActionCancelResponse(rid=5, cancelled=False),
    LogsSubscribeResponse(rid=6, next_seq=43, missed=12),
    LogBatch(sub=6, first_seq=41, next_seq=43, dropped=0, lines=_LINES),
    LogBatch(sub=6, first_seq=43, next_seq=60, dropped=17, lines=b""),
    LogBatch(sub=6, first_seq=17, next_seq=43, dropped=0, lines=_LINES, host="h0"),
    SpansResponse(rid=7, lines=_LINES),
    TraceQueryResponse(rid=12, host="h0", lines=_LINES, cursor="next"),
    TraceQueryResponse(rid=12, host="h1", lines=b""),
    LogFilterResponse(rid=12, record="trace", log="info", until=1_790_000_060_000),
    LogFilterResponse(rid=12, record="debug", log=None),
    TasksResponse(rid=12, tasks=[_ROOT_TASK, _TASK], ended=_ENDED_TASKS, timing=True, total=2),
    TasksResponse(rid=12, tasks=[], ended=[], timing=False, total=12_000),
    TasksUpdated(sub=12, changed=[_TASK], removed=[7], ended=_ENDED_TASKS, timing=True),
    UnsubscribeResponse(rid=8),
    Error(rid=4, group="actor", code="failed", message="no card", metadata={"type": "ValueError"}),
    Error(rid=None, group="inspector", code="bad_message", message="no map"),
]


def wire(message: Message) -> dict[str, Any]:
    """The map that a message is on the wire, made without this project's encoder."""
    plain: dict[str, Any] = msgspec.to_builtins(message, builtin_types=(bytes,))
    return plain


def spelt(dialect: Dialect, plain: object) -> Frame:
    """Spell a map in a dialect, made without this project's encoder.

    Raises:
        TypeError: the dialect has no form for something in it.
    """
    if dialect.binary:
        return cbor2.dumps(plain)
    if isinstance(plain, dict) and isinstance(lines := plain.get("lines"), bytes):
        plain = {**plain, "lines": [json.loads(line) for line in lines.splitlines()]}
    return json.dumps(_in_json(plain), ensure_ascii=False, separators=(",", ":"))


def has_form(dialect: Dialect, value: object) -> bool:
    """Tell if a dialect can spell a value at all."""
    try:
        spelt(dialect, value)
    except TypeError:
        return False
    return True


def _in_json(plain: object) -> object:
    if isinstance(plain, bytes):
        return {"$bytes": base64.b64encode(plain).decode()}
    if isinstance(plain, list):
        return [_in_json(item) for item in plain]
    if isinstance(plain, dict):
        if not all(isinstance(key, str) for key in plain):
            raise TypeError("a key that is no text")
        return {key: _in_json(item) for key, item in plain.items()}
    return plain


def wrong_values(name: str, value: object) -> list[object]:
    """Values that the field `name`, which now holds `value`, must not have."""
    if name in ("state", "value", "output"):
        return []
    alien = cbor2.CBORTag(1, 0)
    if isinstance(value, bool):
        return [1, "true", None, alien]
    if isinstance(value, int):
        wide = [] if name in ("sub", "action", "rid") else [2**63]
        return [-1, 1.0, True, "1", b"1", [], alien, *wide]
    if isinstance(value, str):
        return [1, b"text", ["text"], {}, alien]
    if isinstance(value, bytes):
        return ["YWJj", 1, None, [97]]
    if isinstance(value, list):
        return ["text", 1, {b"key": 1}, alien] if name == "args" else [{}, "text", 1, None, [alien], alien]
    if isinstance(value, dict):
        return ["text", 1, alien] if name == "args" else [[1], "text", 1, {b"key": 1}, alien]
    return [[], {}, -1]
