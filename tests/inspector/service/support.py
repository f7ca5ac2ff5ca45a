"""Actors, a host and two kinds of clients for tests of the service: real sockets on both ends."""

from __future__ import annotations

import gc
import json
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec
import trio
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Response as HttpResponse
from websockets.trio.client import ClientConnection, connect
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from inspector import Actor, Host, Registry, action, open_host
from inspector.service.connection import Connection
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
)

__all__ = (
    "TOKEN",
    "Box",
    "BoxState",
    "Client",
    "Raw",
    "Worker",
    "attached",
    "connection_tasks",
    "connections_of",
    "hosted",
    "http",
    "lines_of",
    "raw",
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
    """An inspector on websockets' own client."""

    def __init__(self, websocket: ClientConnection, init: Init) -> None:
        self.websocket = websocket
        self.init = init
        self.pushes: deque[Push] = deque()
        self.others: deque[Message] = deque()

    async def receive(self) -> Message:
        """Wait for the next message, whatever it is."""
        message = CBOR.decode_to_client(await self.websocket.recv(decode=False))
        assert message is not None
        return message

    async def send(self, request: Request) -> None:
        """Send a request without waiting for its answer."""
        await self.websocket.send(CBOR.encode(request))

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
        init = CBOR.decode_to_client(await websocket.recv(decode=False))
        assert isinstance(init, Init)
        yield Client(websocket, init)


class Raw:
    """A peer that writes each byte itself; websockets' sans-I/O client reads for it."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.protocol = ClientProtocol(
            parse_uri("ws://localhost/inspector/connect"), subprotocols=[SUBPROTOCOL], max_size=None
        )
        self.frames: deque[Frame] = deque()
        self.ended = False

    def upgrade(self, token: str | None = TOKEN, **headers: str) -> bytes:
        """Write the request for a websocket."""
        request = self.protocol.connect()
        if token is not None:
            request.headers["Authorization"] = f"Bearer {token}"
        for name, value in headers.items():
            request.headers[name.replace("_", "-")] = value
        return request.serialize()

    async def send(self, data: bytes) -> None:
        """Write bytes."""
        await self.stream.send_all(data)

    async def open(self, behind: bytes = b"") -> None:
        """Shake hands and read Init; `behind` goes out with the request in one segment."""
        await self.send(self.upgrade() + behind)
        control = []
        while (frame := await self.frame()).opcode is not Opcode.BINARY:
            control.append(frame)
        assert isinstance(CBOR.decode_to_client(bytes(frame.data)), Init)
        self.frames.extendleft(reversed(control))

    async def _fill(self) -> None:
        data = await self.stream.receive_some(65536)
        if data:
            self.protocol.receive_data(data)
        else:
            self.ended = True
            self.protocol.receive_eof()
        for event in self.protocol.events_received():
            if isinstance(event, HttpResponse):
                assert event.status_code == 101, event
            else:
                assert isinstance(event, Frame)
                self.frames.append(event)
        assert self.protocol.handshake_exc is None
        self.protocol.data_to_send()

    async def frame(self) -> Frame:
        """Wait for the next frame."""
        while not self.frames:
            assert not self.ended, "the connection has ended"
            await self._fill()
        return self.frames.popleft()

    async def message(self) -> Message | None:
        """Wait for the next frame, which must hold a message."""
        frame = await self.frame()
        assert frame.opcode is Opcode.BINARY, frame
        return CBOR.decode_to_client(bytes(frame.data))

    async def close_code(self) -> int:
        """Wait for a close frame, whatever comes before it."""
        while True:
            frame = await self.frame()
            if frame.opcode is Opcode.CLOSE:
                return Close.parse(frame.data).code

    async def end(self) -> None:
        """Wait until the host has ended the stream, then end it too."""
        while not self.ended:
            try:
                await self._fill()
            except trio.BrokenResourceError:
                self.ended = True
        await trio.aclose_forcefully(self.stream)

    @staticmethod
    def pack(opcode: Opcode, data: bytes, *, fin: bool = True, mask: bool = True) -> bytes:
        """Write a frame."""
        return Frame(opcode, data, fin).serialize(mask=mask)

    def request(self, request: Request) -> bytes:
        """Write a request's frame."""
        return self.pack(Opcode.BINARY, CBOR.encode(request))


def address_of(host: Host) -> tuple[str, int]:
    """Return where a host listens."""
    name, _, port = host.url.removeprefix("http://").rpartition(":")
    return name, int(port)


@asynccontextmanager
async def raw(host: Host, *, receive_buffer: int | None = None) -> AsyncIterator[Raw]:
    """Connect a bare socket."""
    sock = trio.socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    await sock.connect(address_of(host))
    stream = trio.SocketStream(sock)
    try:
        yield Raw(stream)
    finally:
        await trio.aclose_forcefully(stream)


async def http(host: Host, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes as they are and read the answer to its end: status, header fields in lower case, body."""
    async with raw(host) as peer:
        await peer.send(request)
        data = b""
        while chunk := await peer.stream.receive_some(65536):
            data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    status, *fields = head.decode().split("\r\n")
    names = {}
    for field in fields:
        name, _, value = field.partition(": ")
        names[name.lower()] = value
    return int(status.split(" ")[1]), names, body


def lines_of(batch: LogBatch) -> list[dict[str, Any]]:
    """Read a batch's records."""
    return [json.loads(line) for line in batch.lines.split(b"\n")] if batch.lines else []


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
