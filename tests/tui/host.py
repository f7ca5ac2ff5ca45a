"""A host for tests of the terminal app: a real websocket server that speaks real messages and does what it is told.

It owns a few actors and a log, can be stopped, started again as the same or another run, and made to
misbehave.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from msgspec import UNSET
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as HttpRequest
from websockets.http11 import Response as HttpResponse

from protocol.dialects.cbor import CBOR
from protocol.errors import InspectorError
from protocol.handshake import Accept, Door, Refuse, check_handshake
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
    ActorStatus,
    ActorsUpdated,
    Cause,
    ConnectionInfo,
    ConnectionsRequest,
    ConnectionsResponse,
    ConnectionsUpdated,
    EndedTask,
    Error,
    HostInfo,
    Init,
    Limits,
    LogBatch,
    LogRange,
    LogsSubscribe,
    LogsSubscribeResponse,
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
    TaskInfo,
    TasksRequest,
    TasksResponse,
    TasksUpdated,
    TraceQueryRequest,
    TraceQueryResponse,
    Unsubscribe,
    UnsubscribeResponse,
)
from protocol.patch import PatchError, apply_patch
from protocol.server import ServerSession
from tui.discovery import Target

__all__ = ("TOKEN", "ScriptedHost", "actor", "inspector", "record", "running_host", "span_id", "span_record", "task")

TOKEN = "test-token"
TRACE = "0123456789abcdef0123456789abcdef"
SPAN = "0123456789abcdef"


def actor(address: str, status: ActorStatus = "idle", **changes: Any) -> ActorInfo:
    """Make an actor's row."""
    name, *key = address.split("/")
    row = ActorInfo(
        actor=address,
        id=f"id-{address}",
        name=name,
        key=key,
        status=status,
        generation=1,
        mailbox=0,
        running=0,
        actions=0,
        errors=0,
        restarts=0,
        started_at=1_700_000_000_000,
        active_at=1_700_000_000_000,
    )
    for field, value in changes.items():
        setattr(row, field, value)
    return row


def inspector(id: str, peer: str = "127.0.0.1:50000", **changes: Any) -> ConnectionInfo:
    """Make the row of somebody who inspects the host."""
    row = ConnectionInfo(
        id=id,
        peer=peer,
        protocol=CBOR.subprotocol,
        since=1_700_000_000_000,
        subscriptions=2,
        sent=12_345,
        dropped=0,
        you=False,
    )
    for field, value in changes.items():
        setattr(row, field, value)
    return row


def record(seq: int, message: str = "hello", level: str = "INFO", **fields: Any) -> bytes:
    """Make one record of the log."""
    return json.dumps(
        {
            "seq": seq,
            "timestamp": f"2026-11-23T20:27:{seq // 1000 % 60:02}.{seq % 1000:03}000Z",
            "level": level,
            "kind": "event",
            "target": "shop.cart",
            "fields": {"message": message, **fields},
            "span": {"name": "action", "actor": "cart/7", "action": "checkout"},
            "trace_id": TRACE,
            "span_id": SPAN,
        },
        separators=(",", ":"),
    ).encode()


def task(number: int, name: str, parent: int | None = None, **changes: Any) -> TaskInfo:
    """Make a task's row."""
    row = TaskInfo(
        task=number,
        parent=parent,
        nursery=0,
        name=name,
        state="waiting",
        children=0,
        started_at=1_700_000_000_000,
        actor=None,
        span=None,
        trace_id=None,
        span_name=None,
        cancelled=False,
        deadline=None,
        lints=[],
        stack=[
            StackFrame("/home/me/shop/cart.py", 10 + number, "Cart.run"),
            StackFrame("/usr/lib/python3.11/site-packages/trio/_timeouts.py", 116, "sleep"),
        ],
    )
    for field, value in changes.items():
        setattr(row, field, value)
    return row


def _without_stack(info: TaskInfo) -> TaskInfo:
    bare = copy.copy(info)
    bare.stack = UNSET
    return bare


def span_record(
    seq: int,
    name: str,
    *,
    ended: int | None = None,
    status: str = "ok",
    parent: str | None = None,
    trace: str = TRACE,
    at: str = "2026-11-23T20:27:00.000000Z",
    **fields: Any,
) -> bytes:
    """Make a record of a span: its start, or its end after so many nanoseconds. Its id comes of its name."""
    whole: dict[str, Any] = {
        "seq": seq,
        "timestamp": at,
        "level": "DEBUG",
        "kind": "span_start" if ended is None else "span_end",
        "target": "shop.cart",
    }
    if ended is not None:
        whole |= {"duration_ns": ended, "status": status}
    whole |= {"span": {"name": name, **fields}, "trace_id": trace, "span_id": span_id(name)}
    if parent is not None:
        whole["parent_id"] = span_id(parent)
    return json.dumps(whole, separators=(",", ":")).encode()


def span_id(name: str) -> str:
    """Give the id of the span of a name."""
    return name.encode().hex()[:16].ljust(16, "0")


INCREMENT = Rpc(
    name="increment",
    args={
        "type": "object",
        "properties": {"amount": {"type": "integer", "default": 1, "description": "how much"}},
        "required": [],
    },
    concurrent=False,
    timeout_ms=60_000,
    doc="Count up.\n\nReturns the new value.",
    returns={"type": "integer"},
)
FAIL = Rpc(name="fail", args={"type": "object", "properties": {}}, concurrent=False, timeout_ms=None, doc="Raise.")
SLEEP = Rpc(
    name="sleep",
    args={"type": "object", "properties": {"seconds": {"type": "number"}}, "required": ["seconds"]},
    concurrent=False,
    timeout_ms=None,
)


class Client:
    """One connection to the host."""

    def __init__(self, websocket: ServerConnection) -> None:
        self.websocket = websocket
        self.session = ServerSession(CBOR, max_frame=64 << 20)
        self.actors_subs: list[int] = []
        self.state_subs: dict[int, str] = {}
        self.log_subs: dict[int, LogsSubscribe] = {}
        self.connections_subs: list[int] = []
        self.tasks_subs: list[int] = []
        self.hanging: dict[int, ActionRequest] = {}

    async def send(self, frame: bytes | str) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self.websocket.send(frame)


class ScriptedHost:
    """A host that keeps to its script.

    Attributes:
        actors: its actors' rows.
        states: state by address; an actor without one has its state disabled.
        schemas: JSON Schema of a state, by address.
        connections: who inspects it.
        rpcs: actions by address.
        ring: records by sequence number, from `first_seq` on.
        tasks: its tasks.
        ended: those that are over.
        total: how many it says it has, where that is not their number.
        past: records before those, which only questions about the past bring.
        page: records of one page of the past.
        beyond: records behind those, which no filter lets through.
        filters_refused: filters that are answered with `inspector.bad_filter`.
        asked: every request that came.
        interfere: called with each request first; one that it answers itself gets no other answer.
        raw_greeting: sent instead of Init.
        clock: gives seconds since 1970, as its greeting tells them.
        target_token: what a client is told, where that is not the token.
    """

    def __init__(self) -> None:
        self.id = "run-1"
        self.name = "demo"
        self.version = "0.1.0"
        self.actors = [
            actor("counter/default", "running", actions=3),
            actor("orders/1042", mailbox=2),
            actor("ticker"),
        ]
        self.states: dict[str, Any] = {"counter/default": {"count": 3, "names": ["a", "b"]}}
        self.versions: dict[str, int] = {}
        self.rpcs: dict[str, list[Rpc]] = {"counter/default": [INCREMENT, FAIL, SLEEP]}
        self.schemas: dict[str, dict[str, Any]] = {}
        self.connections = [inspector("1", you=True)]
        self.tasks: list[TaskInfo] = []
        self.ended: list[EndedTask] = []
        self.total = 0
        self.past: list[bytes] = []
        self.page = 100
        self.first_seq = 1
        self.beyond = 0
        self.ring: list[bytes] = [record(seq, f"message {seq}") for seq in range(1, 6)]
        self.filters_refused: dict[str, int] = {"warning": 0}
        self.spans: bytes = record(1, "the ancestor")
        self.asked: list[Request] = []
        self.arrived = asyncio.Condition()
        self.interfere: Callable[[Client, Request], Awaitable[bool]] | None = None
        self.raw_greeting: bytes | None = None
        self.clock: Callable[[], float] = time.time
        self.token = TOKEN
        self.target_token: str | None = None
        self.clients: list[Client] = []
        self.tls: ssl.SSLContext | None = None
        self.port = 0
        self._server: Server | None = None

    # ---- running ----

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def target(self) -> Target:
        return Target(self.url, self.target_token or self.token, self.name)

    async def start(self) -> None:
        """Listen: on the same port as before, if there was one."""
        self._server = await serve(
            self._handle,
            "127.0.0.1",
            self.port,
            process_request=self._check,
            select_subprotocol=lambda connection, offered: CBOR.subprotocol,  # type: ignore[arg-type, return-value]  # a NewType of str
            compression=None,
            max_size=64 << 20,
            close_timeout=0.2,
            ssl=self.tls,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self, code: int = 1001) -> None:
        """Close every connection and stop listening."""
        if self._server is not None:
            self._server.close(code=code)
            await self._server.wait_closed()
            self._server = None

    def vanish(self) -> None:
        """Break every connection with no close frame."""
        for client in self.clients:
            client.websocket.transport.abort()

    def _check(self, connection: ServerConnection, request: HttpRequest) -> HttpResponse | None:
        door = Door(token=self.token, subprotocols=(CBOR.subprotocol,))
        verdict = check_handshake(request.path, request.headers.raw_items(), door)
        if isinstance(verdict, Accept):
            return None
        if isinstance(verdict, Refuse):
            return HttpResponse(verdict.status, "No", Headers(verdict.headers), verdict.body.encode())
        return HttpResponse(200, "OK", Headers(), b"")

    async def _handle(self, websocket: ServerConnection) -> None:
        client = Client(websocket)
        self.clients.append(client)
        try:
            await websocket.send(self.raw_greeting or client.session.announce(self._init()))
            async for frame in websocket:
                assert isinstance(frame, bytes)
                request = client.session.receive(frame)
                if isinstance(request, Error):
                    await client.send(CBOR.encode(request))
                    continue
                # Heard of after the answer, so that a test that waits for it finds the answer on its way.
                self.asked.append(request)
                if self.interfere is None or not await self.interfere(client, request):
                    await self.answer(client, request)
                async with self.arrived:
                    self.arrived.notify_all()
        except ConnectionClosed:
            pass
        finally:
            self.clients.remove(client)
            async with self.arrived:
                self.arrived.notify_all()

    def _init(self) -> Init:
        return Init(
            host=HostInfo(id=self.id, name=self.name, version=self.version, pid=4242, started_at=1_700_000_000_000),
            features=["actors", "state", "actions", "logs"],
            limits=Limits(max_frame=2 << 20, max_batch=256 << 10),
            log=LogRange(first_seq=self.first_seq, next_seq=self.next_seq + self.beyond),
            now=int(self.clock() * 1000),
        )

    @property
    def next_seq(self) -> int:
        return self.first_seq + len(self.ring)

    # ---- answering ----

    async def answer(self, client: Client, request: Request) -> None:
        """Answer as a good host does."""
        session, rid = client.session, request.id
        match request:
            case ActorsRequest():
                if request.subscribe is True:
                    session.open_subscription(rid)
                    client.actors_subs.append(rid)
                rows = sorted(self.actors, key=lambda row: row.actor)
                begin = next((i for i, row in enumerate(rows) if row.actor == request.cursor), 0)
                limit = request.limit if isinstance(request.limit, int) else len(rows)
                response = ActorsResponse(rid=rid, actors=rows[begin : begin + limit], total=len(rows))
                if begin + limit < len(rows):
                    response.cursor = rows[begin + limit].actor
                await client.send(session.answer(response))
            case StateRequest():
                if request.actor not in {row.actor for row in self.actors}:
                    await client.send(session.refuse(rid, InspectorError("actor.not_found", f"no {request.actor}")))
                    return
                state = StateResponse(rid=rid, actor=request.actor, enabled=request.actor in self.states)
                if state.enabled:
                    state.state = self.states[request.actor]
                    state.version = self.versions.get(request.actor, 1)
                    if request.actor in self.schemas:
                        state.schema = self.schemas[request.actor]
                if request.subscribe is True:
                    session.open_subscription(rid)
                    client.state_subs[rid] = request.actor
                await client.send(session.answer(state))
            case PatchStateRequest():
                await self._edit(client, request)
            case ConnectionsRequest():
                if request.subscribe is True:
                    session.open_subscription(rid)
                    client.connections_subs.append(rid)
                await client.send(session.answer(ConnectionsResponse(rid=rid, connections=self.connections)))
            case ActorRestart():
                if request.actor not in {row.actor for row in self.actors}:
                    await client.send(session.refuse(rid, InspectorError("actor.not_found", f"no {request.actor}")))
                    return
                await client.send(session.answer(ActorRestartResponse(rid=rid, generation=2)))
            case RpcsListRequest():
                rpcs = self.rpcs.get(request.actor, [])
                await client.send(session.answer(RpcsListResponse(rid=rid, actor=request.actor, rpcs=rpcs)))
            case ActionRequest():
                await self._act(client, request)
            case ActionCancel():
                hanging = client.hanging.pop(request.action, None)
                if hanging is not None:
                    error = InspectorError("actor.action_cancelled", "cancelled by its caller")
                    await client.send(session.refuse(hanging.id, error))
                await client.send(session.answer(ActionCancelResponse(rid=rid, cancelled=hanging is not None)))
            case LogsSubscribe():
                await self._log(client, request)
            case SpansRequest():
                await client.send(session.answer(SpansResponse(rid=rid, lines=self.spans)))
            case TasksRequest():
                if request.subscribe is True:
                    session.open_subscription(rid)
                    client.tasks_subs.append(rid)
                timing = request.timing is True
                tasks = [each if request.stacks is True else _without_stack(each) for each in self.tasks]
                answer = TasksResponse(
                    rid=rid, tasks=tasks, ended=self.ended, timing=timing, total=self.total or len(tasks)
                )
                await client.send(session.answer(answer))
            case TraceQueryRequest():
                await client.send(session.answer(self._past(request)))
            case Unsubscribe():
                session.close_subscription(request.sub)
                client.log_subs.pop(request.sub, None)
                client.state_subs.pop(request.sub, None)
                if request.sub in client.tasks_subs:
                    client.tasks_subs.remove(request.sub)
                if request.sub in client.connections_subs:
                    client.connections_subs.remove(request.sub)
                await client.send(session.answer(UnsubscribeResponse(rid=rid)))

    async def _edit(self, client: Client, request: PatchStateRequest) -> None:
        session, address = client.session, request.actor
        error: InspectorError | None = None
        version = self.versions.get(address, 1)
        state = request.state
        if address not in self.states:
            error = InspectorError("actor.state_disabled", f"{address} has no state")
        elif isinstance(request.version, int) and request.version != version:
            error = InspectorError("actor.state_conflict", f"the state is at version {version}", {"version": version})
        elif isinstance(request.patch, list):
            try:
                state = apply_patch(self.states[address], request.patch)
            except PatchError as exc:
                metadata = {"index": exc.index, "path": exc.path}
                error = InspectorError("actor.invalid_patch", f"{address}: {exc}", metadata)
        if error is None and state == {"count": "poison", "names": ["a", "b"]}:
            error = InspectorError("actor.invalid_patch", f"{address}: Expected `int`, got `str`")
        if error is not None:
            await client.send(session.refuse(request.id, error))
            return
        await client.send(session.answer(PatchStateResponse(rid=request.id, version=version + 1)))
        await self.set_state(address, state)

    async def _act(self, client: Client, request: ActionRequest) -> None:
        session, args = client.session, request.args
        amount: Any = None
        if isinstance(args, dict):
            amount = args.get("amount", 1)
        elif isinstance(args, list):
            amount = args[0] if args else 1
        if request.name == "sleep":
            client.hanging[request.id] = request
        elif request.name == "fail":
            error = InspectorError("actor.failed", "RuntimeError: boom", {"type": "RuntimeError", "trace_id": TRACE})
            await client.send(session.refuse(request.id, error))
        elif request.name != "increment":
            await client.send(session.refuse(request.id, InspectorError("actor.action_not_found", "no such action")))
        elif type(amount) is not int:
            error = InspectorError("actor.invalid_arguments", "amount: an int is wanted", {"argument": "amount"})
            await client.send(session.refuse(request.id, error))
        else:
            state = self.states["counter/default"]
            state = {**state, "count": state["count"] + amount}
            answer = ActionResponse(
                rid=request.id, output=state["count"], trace_id=TRACE, span_id=SPAN, duration_ns=1_500_000
            )
            await client.send(session.answer(answer))
            await self.set_state("counter/default", state, Cause(action="increment", trace_id=TRACE))

    async def _log(self, client: Client, request: LogsSubscribe) -> None:
        session, rid = client.session, request.id
        if request.filter in self.filters_refused:
            position = self.filters_refused[request.filter]
            error = InspectorError(
                "inspector.bad_filter",
                f"{request.filter!r} is no level; perhaps warn",
                {"position": position, "proposal": "warn"},
            )
            await client.send(session.refuse(rid, error))
            return
        session.open_subscription(rid)
        client.log_subs[rid] = request
        begin, missed = self.next_seq, 0
        if isinstance(request.after_seq, int):
            begin = max(request.after_seq + 1, self.first_seq)
            missed = begin - request.after_seq - 1
        elif isinstance(request.backlog, int):
            begin = max(self.first_seq, self.next_seq - request.backlog)
        await client.send(session.answer(LogsSubscribeResponse(rid=rid, next_seq=begin, missed=missed)))
        if begin < self.next_seq:
            lines = b"\n".join(self.ring[begin - self.first_seq :])
            batch = LogBatch(sub=rid, first_seq=begin, next_seq=self.next_seq, dropped=0, lines=lines)
            await client.send(session.push(batch))

    def _past(self, request: TraceQueryRequest) -> TraceQueryResponse:
        """Give a page of the ring, by the trace alone; the cursor is a place in what fits."""
        wanted = str(request.trace_id).encode()
        fitting = [line for line in self.past + self.ring if wanted in line]
        begin = int(request.cursor) if isinstance(request.cursor, str) else 0
        end = begin + self.page
        response = TraceQueryResponse(rid=request.id, host=self.id, lines=b"\n".join(fitting[begin:end]))
        if end < len(fitting):
            response.cursor = str(end)
        return response

    # ---- what happens ----

    async def log(self, *records: bytes, dropped: int = 0) -> None:
        """Write records to the log and push them."""
        first = self.next_seq
        self.ring.extend(records)
        for client in list(self.clients):
            for sub in list(client.log_subs):
                batch = LogBatch(
                    sub=sub,
                    first_seq=first,
                    next_seq=self.next_seq,
                    dropped=dropped,
                    lines=b"\n".join(records),
                )
                await client.send(client.session.push(batch))

    async def say(self, *messages: str, **fields: Any) -> None:
        """Write records with these messages."""
        await self.log(*(record(self.next_seq + n, message, **fields) for n, message in enumerate(messages)))

    async def connect(self, *connections: ConnectionInfo) -> None:
        """Have other inspectors, and push them."""
        self.connections = list(connections)
        for client in list(self.clients):
            for sub in client.connections_subs:
                await client.send(client.session.push(ConnectionsUpdated(sub=sub, connections=self.connections)))

    async def change_tasks(
        self, *changed: TaskInfo, removed: tuple[int, ...] = (), ended: tuple[EndedTask, ...] = ()
    ) -> None:
        """Change tasks and push them."""
        numbers = {info.task for info in changed} | set(removed)
        self.tasks = [info for info in self.tasks if info.task not in numbers] + list(changed)
        self.ended += ended
        for client in list(self.clients):
            for sub in client.tasks_subs:
                push = TasksUpdated(
                    sub=sub, changed=list(changed), removed=list(removed), ended=list(ended), timing=True
                )
                await client.send(client.session.push(push))

    async def set_state(self, address: str, state: Any, cause: Cause | None = None) -> None:
        """Change a state and push it."""
        self.states[address] = state
        version = self.versions[address] = self.versions.get(address, 1) + 1
        for client in list(self.clients):
            for sub, watched in list(client.state_subs.items()):
                if watched == address:
                    push = StateUpdated(sub=sub, actor=address, version=version, state=state)
                    if cause is not None:
                        push.cause = cause
                    await client.send(client.session.push(push))

    async def patch_state(self, address: str, *patch: PatchOp, cause: Cause | None = None) -> None:
        """Push word of a change as a patch; the state itself is set by the test."""
        version = self.versions[address] = self.versions.get(address, 1) + 1
        for client in list(self.clients):
            for sub, watched in list(client.state_subs.items()):
                if watched == address:
                    push = StateUpdated(sub=sub, actor=address, version=version, patch=list(patch))
                    if cause is not None:
                        push.cause = cause
                    await client.send(client.session.push(push))

    async def change(self, *rows: ActorInfo, removed: list[str] | None = None) -> None:
        """Change actors' rows and push them."""
        changed = {row.actor: row for row in rows}
        self.actors = [row for row in self.actors if row.actor not in changed and row.actor not in (removed or [])]
        self.actors.extend(rows)
        for client in list(self.clients):
            for sub in client.actors_subs:
                push = ActorsUpdated(sub=sub, changed=list(rows), removed=removed or [])
                await client.send(client.session.push(push))

    async def wait_asked(self, kind: type[Request], count: int = 1) -> list[Any]:
        """Wait until `count` requests of a kind have come in all, and give them."""
        async with self.arrived, asyncio.timeout(30):
            await self.arrived.wait_for(lambda: len(self.asked_for(kind)) >= count)
        return self.asked_for(kind)

    def asked_for(self, kind: type[Request]) -> list[Any]:
        """Give the requests of a kind that have come."""
        return [request for request in self.asked if isinstance(request, kind)]


@asynccontextmanager
async def running_host() -> AsyncIterator[ScriptedHost]:
    """Run a host for the length of a block."""
    host = ScriptedHost()
    await host.start()
    try:
        yield host
    finally:
        await host.stop()
