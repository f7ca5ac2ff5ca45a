"""A peer that writes each byte itself, for what no proper client would send."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import trio
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Response as HttpResponse
from websockets.uri import parse_uri

from inspector import Host
from protocol.dialects.cbor import CBOR
from protocol.messages import ActorsRequest, ActorsResponse, Init, Message, Request
from tests.contract import Conversation
from tests.inspector.service.support import SUBPROTOCOL, TOKEN

__all__ = ("Raw", "address_of", "http", "raw", "works")


class Raw:
    """A peer that writes each byte itself; websockets' sans-I/O client reads for it."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.protocol = ClientProtocol(
            parse_uri("ws://localhost/inspector/connect"), subprotocols=[SUBPROTOCOL], max_size=None
        )
        self.frames: deque[Frame] = deque()
        self.talk = Conversation(SUBPROTOCOL)
        """What the host says must fit docs/protocol.cddl. What this peer says need not."""
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
        frame = self.frames.popleft()
        if frame.opcode in (Opcode.BINARY, Opcode.TEXT):
            data = bytes(frame.data)
            self.talk.got(data if frame.opcode is Opcode.BINARY else data.decode())
        return frame

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
    parts = urlsplit(host.url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


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


async def works(peer: Raw) -> None:
    """Check that the connection goes on."""
    await peer.send(peer.request(ActorsRequest(id=4711)))
    answer = await peer.message()
    assert isinstance(answer, ActorsResponse), answer
    assert answer.rid == 4711
