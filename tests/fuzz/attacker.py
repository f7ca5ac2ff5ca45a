"""One hostile peer: it writes each byte itself, and holds the host to its word in all that comes back."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextvars import ContextVar
from random import Random
from typing import Any

import cbor2
import orjson
import trio
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Response as HttpResponse
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from inspector import Host
from protocol.dialects import CBOR, JSON, Dialect
from protocol.errors import TABLE
from protocol.messages import Error, Request, Response
from tests.fuzz.judge import REPROOFS
from tests.fuzz.mutation import frame, pieces
from tests.inspector.service.certificates import client_context
from tests.inspector.service.peer import address_of
from tests.inspector.service.support import TOKEN

__all__ = ("CLOSE_CODES", "STATUSES", "WAVE", "Attacker", "Evicted", "Wave", "connect", "dial", "name_of")

CLOSE_CODES = frozenset({1000, 1001, 1002, 1007, 1008, 1009})
"""Documented ones, and the peer's own of a proper goodbye."""
STATUSES = frozenset({101, 200, 400, 401, 403, 404, 405, 414, 426, 431, 501, 503, 505})
_LOOKED_THROUGH = 50
_BYTES = 64 * 1024
_RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"


class Wave:
    """Who takes part in one.

    Attributes:
        attackers: each with the host that it attacks.
        names: of all sockets, as hosts call them; a port may be had again by the next that asks.
    """

    def __init__(self) -> None:
        self.attackers: list[tuple[Host, Attacker]] = []
        self.names: Counter[str] = Counter()


WAVE: ContextVar[Wave] = ContextVar("WAVE")


class Evicted(Exception):
    """The host had too many strangers, and this was the oldest."""


class Attacker:
    """A peer of one host.

    Args:
        sock: connected.
        stream: the same, or TLS on it.
        rng: all its chance.
    """

    def __init__(self, sock: trio.SocketStream, stream: trio.abc.Stream, rng: Random) -> None:
        self.rng = rng
        self.dialect: Dialect = rng.choice((CBOR, JSON))
        self.answers: Counter[int | None] = Counter()
        self.last: Response | Error | None = None
        """The last answer that came."""
        self.close_code: int | None = None
        self.reset = False
        """Whether the connection broke: of a peer that goes on talking after its end the host hears only so much."""
        self.any_code = False
        """Whether it has sent what may be read as a close with any code."""
        self.polite = True
        """Whether it answers pings."""
        self.head = b""
        self.reproofs = 0
        """Messages of its own that it has been told were wrong."""
        self.heard_all = False
        """Whether it has heard what became of each message that it sent."""
        self.too_slow = False
        """Whether the connection broke under it, for which silence alone is a reason."""
        self.name = name_of(sock)
        """As the host calls it."""
        self.heard: list[bytes | str] = []
        """The first frames of the host's."""
        self._heard_bytes = 0
        self._sock = sock
        self._stream = stream
        name = Subprotocol(self.dialect.subprotocol)
        self._protocol = ClientProtocol(
            parse_uri("ws://localhost/inspector/connect"), subprotocols=[name], max_size=None
        )
        self._protocol.key = base64.b64encode(rng.randbytes(16)).decode()

    def request(self) -> bytes:
        """Write the request for a websocket."""
        request = self._protocol.connect()
        request.headers["Authorization"] = f"Bearer {TOKEN}"
        return request.serialize()

    async def say(self, data: bytes) -> None:
        """Write bytes, cut in pieces; a host that has gone does not matter."""
        for piece in pieces(self.rng, data):
            try:
                await self._stream.send_all(piece)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return

    async def open(self) -> None:
        """Shake hands.

        Raises:
            Evicted: the host has cut the connection, as it may when too many shake hands.
        """
        await self.say(self.request())
        while self._protocol.state is not State.OPEN:
            if not await self.hear():
                raise Evicted

    async def hear(self) -> bool:
        """Read once, and check all that came; tell whether there may be more."""
        try:
            data = await self._stream.receive_some(65536)
        except trio.BrokenResourceError:
            data = b""
            self.reset = True
        if not data:
            return False
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, HttpResponse):
                assert event.status_code == 101, event
            else:
                assert isinstance(event, Frame)
                self._check(event)
        assert self._protocol.handshake_exc is None
        assert self._protocol.parser_exc is None, self._protocol.parser_exc
        if self.polite:
            # One write: another task of this peer may be in the middle of its own.
            out = b"".join(self._protocol.data_to_send())
            if out:
                with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
                    await self._stream.send_all(out)
        return True

    def _check(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self.close_code = Close.parse(frame.data).code
            assert self.any_code or self.close_code in CLOSE_CODES, self.close_code
        elif frame.opcode in (Opcode.BINARY, Opcode.TEXT):
            assert (frame.opcode is Opcode.BINARY) == self.dialect.binary
            data = bytes(frame.data)
            said = data if self.dialect.binary else data.decode()
            if len(self.heard) < _LOOKED_THROUGH and self._heard_bytes < _BYTES:
                self._heard_bytes += len(said)
                self.heard.append(said)
            message = self.dialect.decode_to_client(said)
            assert message is not None
            if isinstance(message, Error):
                assert f"{message.group}.{message.code}" in TABLE, message
                assert message.code != "internal_error", message
                self.reproofs += message.group == "inspector" and message.code in REPROOFS
            if isinstance(message, (Response, Error)):
                self.answers[message.rid] += 1
                self.last = message

    async def hear_until(self, condition: Any) -> None:
        """Read until something holds, or nothing comes any more."""
        while not condition() and await self.hear():
            pass

    async def hear_out(self) -> None:
        """Read to the end."""
        while await self.hear():
            pass

    def frame(self, message: Request | dict[str, Any] | bytes, *, text: bool | None = None) -> bytes:
        """Write a message's frame; of plain maps what has no form is left to the encoder's mercy."""
        if isinstance(message, Request):
            encoded = self.dialect.encode(message)
            data = encoded if isinstance(encoded, bytes) else encoded.encode()
        else:
            data = message if isinstance(message, bytes) else self.spell(message)
        binary = self.dialect.binary if text is None else not text
        return frame(self.rng, Opcode.BINARY if binary else Opcode.TEXT, data)

    def spell(self, message: dict[str, Any]) -> bytes:
        """Write a map as the dialect does, without its checks."""
        if self.dialect is CBOR:
            return cbor2.dumps(message)
        try:
            return orjson.dumps(message, default=repr, option=orjson.OPT_NON_STR_KEYS)
        except orjson.JSONEncodeError:
            # An integer of more than 64 bits: the standard library writes what the host must read or refuse.
            return json.dumps(message, default=repr).encode()

    async def leave(self) -> None:
        """Go, in one of the ways in which peers go."""
        match self.rng.randrange(4):
            case 0:
                await self.say(frame(self.rng, Opcode.CLOSE, b"\x03\xe8"))
                # In the middle of a frame that was its payload, and no goodbye.
                with trio.move_on_after(0.5):
                    await self.hear_out()
            case 1:
                with contextlib.suppress(OSError, trio.BrokenResourceError, trio.ClosedResourceError):
                    await self._sock.send_eof()
                await self.hear_out()
            case 2:
                with contextlib.suppress(OSError):
                    self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            case _:
                pass

    async def read_head(self) -> int | None:
        """Read what answers a handshake that may be no websocket's; return its status."""
        try:
            while b"\r\n\r\n" not in self.head and (data := await self._stream.receive_some(65536)):
                self.head += data
        except trio.BrokenResourceError:
            pass
        if not self.head:
            return None
        assert self.head.startswith(b"HTTP/1.1 "), self.head
        return int(self.head[9:12])


def name_of(sock: trio.SocketStream) -> str:
    """Return what a host calls this side of a socket."""
    host, port, *_ = sock.socket.getsockname()
    return f"{host}:{port}"


async def dial(host: Host) -> trio.SocketStream:
    """Connect a socket."""
    sock = await trio.open_tcp_stream(*address_of(host))
    WAVE.get().names[name_of(sock)] += 1
    return sock


@contextlib.asynccontextmanager
async def connect(host: Host, rng: Random) -> AsyncIterator[Attacker]:
    """Connect a peer, with TLS where the host has it.

    Raises:
        Evicted: see `Attacker.open`.
    """
    sock = await dial(host)
    stream: trio.abc.Stream = sock
    try:
        if host.url.startswith("https"):
            stream = tls = trio.SSLStream(sock, client_context(), server_hostname="localhost")
            try:
                await tls.do_handshake()
            except trio.BrokenResourceError:
                raise Evicted from None
        attacker = Attacker(sock, stream, rng)
        WAVE.get().attackers.append((host, attacker))
        yield attacker
    finally:
        await trio.aclose_forcefully(sock)
