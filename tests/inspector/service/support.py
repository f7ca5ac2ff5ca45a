"""Actors, a host and two kinds of clients for tests of the service: real sockets on both ends."""

from __future__ import annotations

import gc
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec
import trio
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close
from websockets.trio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from inspector import Actor, Host, Registry, action, open_host
from inspector.service.connection import Connection
from protocol.dialects import DIALECTS, Dialect
from protocol.dialects.cbor import CBOR
from protocol.messages import (
    ActionRequest,
    ActionResponse,
    Error,
    Init,
    LogBatch,
    Message,
    Push,
    Request,
    Response,
    TraceQueryResponse,
)
from tests.contract import Conversation

__all__ = (
    "SUBPROTOCOL",
    "TOKEN",
    "Box",
    "BoxState",
    "Client",
    "Worker",
    "attached",
    "connection_tasks",
    "connections_of",
    "count_of",
    "errors_of",
    "hosted",
    "lines_of",
    "name_of",
    "service_tasks",
    "until",
)

TOKEN = "test-token.~-_1"
R = TypeVar("R", bound=Message)
SUBPROTOCOL = Subprotocol(CBOR.subprotocol)


class BoxState(msgspec.Struct):
    """What a box holds."""

    count: int = 0
    text: str = ""
    odd: Any = None


class Box(Actor[BoxState]):
    """Holds a number and a text."""

    @action
    def add(self, amount: int = 1) -> int:
        """Add to the count."""
        self.state.count += amount
        return self.state.count

    @action
    async def add_async(self, amount: int = 1) -> int:
        """Add to the count, without waiting."""
        self.state.count += amount
        return self.state.count

    @action
    def write(self, size: int) -> int:
        """Fill the text."""
        self.state.text = "x" * size
        return size

    @action
    def make_odd(self) -> None:
        """Put into the state what has no form on the wire."""
        self.state.odd = object()

    @action
    def big(self, size: int) -> bytes:
        """Return so many bytes."""
        return bytes(size)

    @action
    def unserialisable(self) -> Any:
        """Return what has no form on the wire."""
        return object()

    @action
    def fail(self) -> None:
        """Raise."""
        raise RuntimeError("as asked")

    @action
    def say(self, text: str, times: int = 1) -> None:
        """Log."""
        for number in range(times):
            self.log.info(text, number=number)


class Worker(Actor[None]):
    """Waits until it is told to go on."""

    gate: trio.Event
    began: trio.Event
    done: list[str]

    def __init__(self) -> None:
        self.gate, self.began, self.done = trio.Event(), trio.Event(), []

    @action
    async def work(self, name: str = "") -> str:
        """Wait for the gate."""
        self.began.set()
        await self.gate.wait()
        self.done.append(name)
        return name

    @action(concurrent=True)
    async def beside(self) -> str:
        """Wait for the gate, beside others."""
        await self.gate.wait()
        return "beside"

    @action(concurrent=True)
    def open(self) -> None:
        """Open the gate."""
        self.gate.set()


@asynccontextmanager
async def hosted(*actors: type[Actor[Any]], **options: Any) -> AsyncIterator[Host]:
    """Serve a box, a worker and other actors, in a time that no machine exceeds."""
    registry = options.pop("registry", None)
    if registry is None:
        registry = Registry([Box, Worker, *actors], name="test")
    registry.get_or_create(Box, "a")
    registry.get_or_create(Worker, "w")
    settings = {"token": TOKEN, "runtime_file": False, "drain_timeout": 0.2, **options}
    with trio.fail_after(30):
        async with open_host(registry, **settings) as host:
            yield host
    # Whatever a test did to its connections, a host that has stopped leaves no task behind.
    assert service_tasks() == []


class Client:
    """An inspector on websockets' own client. What it sends and gets must fit docs/protocol.cddl."""

    init: Init

    def __init__(self, websocket: ClientConnection, dialect: Dialect) -> None:
        self.websocket = websocket
        self.dialect = dialect
        self.talk = Conversation(dialect.subprotocol)
        self.pushes: deque[Push] = deque()
        self.others: deque[Message] = deque()

    async def receive(self) -> Message:
        """Wait for the next message, whatever it is."""
        frame = await self.websocket.recv()
        self.talk.got(frame)
        message = self.dialect.decode_to_client(frame)
        assert message is not None
        return message

    async def send(self, request: Request) -> None:
        """Send a request without waiting for its answer."""
        frame = self.dialect.encode(request)
        self.talk.sent(frame)
        await self.websocket.send(frame)

    async def answer(self, rid: int | None, kind: type[R]) -> R:
        """Wait for the answer to a request; what comes before it is kept."""
        for message in self.others:
            if isinstance(message, (Response, Error)) and message.rid == rid:
                self.others.remove(message)
                assert isinstance(message, kind), message
                return message
        while True:
            message = await self.receive()
            if isinstance(message, Push):
                self.pushes.append(message)
            elif isinstance(message, (Response, Error)) and message.rid == rid:
                assert isinstance(message, kind), message
                return message
            else:
                self.others.append(message)

    async def ask(self, request: Request, kind: type[R]) -> R:
        """Send a request and wait for its answer."""
        await self.send(request)
        return await self.answer(request.id, kind)

    async def refused(self, request: Request) -> Error:
        """Send a request and wait for the error that answers it."""
        return await self.ask(request, Error)

    async def pushed(self, kind: type[R]) -> R:
        """Wait for the next push, which must be of this kind."""
        while not self.pushes:
            message = await self.receive()
            if isinstance(message, Push):
                self.pushes.append(message)
            else:
                self.others.append(message)
        push = self.pushes.popleft()
        assert isinstance(push, kind), push
        return push

    async def call(self, rid: int, name: str, *args: Any, actor: str = "box/a") -> Any:
        """Run an action and return its output."""
        return (await self.ask(ActionRequest(id=rid, actor=actor, name=name, args=list(args)), ActionResponse)).output

    async def closed(self) -> Close | None:
        """Read until the connection ends; return the close frame that came."""
        while True:
            try:
                self.others.append(await self.receive())
            except ConnectionClosed as exc:
                return exc.rcvd


@asynccontextmanager
async def attached(host: Host, **options: Any) -> AsyncIterator[Client]:
    """Connect websockets' own client, and read Init."""
    url = host.url.replace("http", "ws") + "/inspector/connect"
    settings: dict[str, Any] = {
        "subprotocols": [SUBPROTOCOL],
        "additional_headers": {"Authorization": f"Bearer {TOKEN}"},
        "proxy": None,
        "compression": None,
        "max_size": None,
        "ping_interval": None,
        **options,
    }
    async with connect(url, **settings) as websocket:
        assert websocket.subprotocol is not None
        client = Client(websocket, DIALECTS[websocket.subprotocol])
        init = await client.receive()
        assert isinstance(init, Init)
        client.init = init
        yield client


def lines_of(batch: LogBatch | TraceQueryResponse) -> list[dict[str, Any]]:
    """Read a batch's records."""
    return [json.loads(line) for line in batch.lines.split(b"\n")] if batch.lines else []


def name_of(error: Error) -> str:
    """Return an error's group and code."""
    return f"{error.group}.{error.code}"


def count_of(host: Host) -> int:
    """Return what the box counts."""
    actor = host.registry.get("box/a").actor
    assert isinstance(actor, Box)
    return actor.state.count


def errors_of(host: Host) -> list[bytes]:
    """Return the records of errors."""
    recorder = host.registry.log.recorder
    return [e[0] for _, run in recorder.entries(0, recorder.next_seq) for e in run if b'"level":"ERROR"' in e[0]]


def service_tasks() -> list[str]:
    """List the tasks of this run that belong to connections."""
    found = []
    queue = deque([trio.lowlevel.current_root_task()])
    while queue:
        task = queue.popleft()
        assert task is not None
        if "_run_handler" in task.name or task.name.startswith("inspector.service."):
            found.append(task.name)
        for nursery in task.child_nurseries:
            queue.extend(nursery.child_tasks)
    return found


def connection_tasks() -> int:
    """Return how many sockets are being served."""
    return len([name for name in service_tasks() if "_run_handler" in name])


def connections_of(host: Host) -> list[Connection]:
    """Return a host's open connections, in the order in which they came."""
    found = [item for item in gc.get_objects() if type(item) is Connection and item.registry is host.registry]
    return sorted((item for item in found if not item._wire.closed), key=lambda item: int(item.id[1:]))


async def until(condition: Callable[[], object]) -> None:
    """Let the others work until something holds: what a socket brings comes when the system likes."""
    with trio.fail_after(30):
        while not condition():
            await trio.lowlevel.checkpoint()
