"""The inspector's service: who is let in over which socket, and how all of them are sent home."""

from __future__ import annotations

import logging
import resource
import socket
import ssl
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import orjson
import trio
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from inspector.service.admission import Strangers, capacity
from inspector.service.connection import MAX_FRAME, Connection
from inspector.service.requests import FEATURES
from inspector.service.roll import Roll
from inspector.service.sockets import Sockets
from inspector.service.subscriptions import MAX_BATCH
from inspector.service.tls import HandshakeError, TlsWire
from inspector.service.wire import SocketWire
from protocol.dialects import DIALECTS
from protocol.handshake import Accept, Door, Refuse, check_handshake
from protocol.messages import HostInfo, Init, Limits, LogRange

if TYPE_CHECKING:
    from inspector.registry import Registry
    from inspector.tasks import Monitor
    from inspector.tracing import Span

__all__ = ("CLOSE_GRACE", "HANDSHAKE_TIMEOUT", "MAX_CONNECTIONS", "Service")

HANDSHAKE_TIMEOUT: Final = 10.0
"""Seconds that a peer has from connecting to a whole request, with TLS or without."""
CLOSE_GRACE: Final = 2.0
"""Seconds that peers have to answer a close; then their sockets are closed."""
MAX_CONNECTIONS: Final = 1024
"""Websockets open at once; one more gets 503."""
_END_OF_HEAD: Final = b"\r\n\r\n"
_TLS_RECORD: Final = b"\x16"
_CROWDED: Final = "it was the oldest of too many that had not asked yet"

# What websockets has to say of a peer's mistakes is said in our own log, once.
_QUIET: Final = logging.getLogger("inspector.websockets")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False
_QUIET.setLevel(logging.CRITICAL + 1)


class _Websocket(ServerProtocol):
    """The library's websocket, with a subprotocol that the door has chosen."""

    chosen: Subprotocol | None = None
    behind = b""
    """Bytes that came with the request: frames, for the connection to read."""

    def select_subprotocol(self, subprotocols: Sequence[Subprotocol]) -> Subprotocol | None:
        return self.chosen


class Service:
    """All inspectors of one registry.

    Args:
        registry: what they inspect.
        door: whom it lets in.
        host: what it says of itself.
        tasks: those of the program.
        max_connections: websockets open at once, where the process has file descriptors for so many.
        tls: a server's context; without one, all is plain.
    """

    def __init__(
        self,
        registry: Registry,
        door: Door,
        host: HostInfo,
        tasks: Monitor,
        *,
        max_connections: int = MAX_CONNECTIONS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._registry = registry
        self._door = door
        self._host = host
        self._tasks = tasks
        self._tls = tls
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._max_connections, max_strangers = capacity(max_connections, descriptors)
        self._strangers = Strangers(max_strangers)
        self._log = registry.log.logger("inspector.service")
        self._made = 0
        self._roll = Roll()
        self._left = trio.Event()
        self._closing = False
        self.sockets = Sockets()

    # Here, and in each task that a connection starts: Ctrl+C is for the program's main task to hear. An exception in
    # the middle of ours would end a program's run by way of the inspector.
    @trio.lowlevel.enable_ki_protection
    async def handle(self, stream: trio.SocketStream) -> None:
        """Serve one accepted socket until it is closed. What goes wrong with it stays with it."""
        address, peer = _peer(stream.socket.getpeername) if stream.socket.fileno() >= 0 else ("?", "?")
        # Sending on the socket itself costs no scheduling step; on the stream it costs one a message.
        sock = socket.socket(fileno=stream.socket.detach())
        self.sockets.accept(sock)
        try:
            async with trio.open_nursery() as nursery:
                try:
                    await self._handle(sock, address, peer, nursery)
                finally:
                    nursery.cancel_scope.cancel()
        except Exception as exc:
            # The root of a connection's task: a bug here must not end the host.
            self._log.exception("connection failed", exc, peer=peer)
        finally:
            sock.close()

    async def close(self) -> None:
        """Send all inspectors home with 1001, and wait until they have gone, for `CLOSE_GRACE` at most."""
        self._closing = True
        for connection in self._roll.all():
            connection.close(1001, "the host is shutting down")
        with trio.move_on_after(CLOSE_GRACE):
            while self._roll:
                self._left = trio.Event()
                await self._left.wait()

    async def _handle(self, sock: socket.socket, address: str, peer: str, nursery: trio.Nursery) -> None:
        connection: Connection | None = None

        def drained() -> None:
            if connection is not None:
                connection.drained()

        wire = SocketWire(sock, nursery, drained) if self._tls is None else TlsWire(sock, nursery, drained, self._tls)
        protocol = _Websocket(max_size=MAX_FRAME, logger=_QUIET)
        self._strangers.enter(wire, address)
        try:
            if not await self._admit(wire, protocol, peer):
                return
        finally:
            self._strangers.leave(wire, address)
        assert protocol.chosen is not None
        self._made += 1
        with self._span(f"c{self._made}", peer, protocol.chosen):
            dialect = DIALECTS[protocol.chosen]
            connection = Connection(
                f"c{self._made}", self._registry, protocol, wire, dialect, nursery, self._roll, peer, self._tasks
            )
            self._roll.enter(connection)
            try:
                await connection.serve(self._init(), protocol.behind)
                await _linger(wire)
            finally:
                self._roll.leave(connection)
                connection.end()
                self._left.set()

    async def _admit(self, wire: SocketWire, protocol: _Websocket, peer: str) -> bool:
        """Tell whether the peer has a websocket; if not, it has heard why, and the wire is closed."""
        with trio.move_on_after(HANDSHAKE_TIMEOUT) as patience:
            try:
                if isinstance(wire, TlsWire):
                    await wire.shake_hands()
                if await self._shake_hands(wire, protocol, peer):
                    return True
            except HandshakeError as exc:
                self._log.debug("handshake refused", peer=peer, reason=_CROWDED if wire.evicted else str(exc))
        if patience.cancelled_caught:
            self._log.debug("handshake refused", peer=peer, reason=f"no request within {HANDSHAKE_TIMEOUT:g} s")
        else:
            await _linger(wire)
        wire.close()
        return False

    async def _shake_hands(self, wire: SocketWire, protocol: _Websocket, peer: str) -> bool:
        """Read the request and answer it; tell whether a websocket is open."""
        tail = rest = b""
        while not protocol.events and protocol.handshake_exc is None:
            data = await wire.receive()
            if wire.evicted:
                raise HandshakeError(_CROWDED)
            if not data:
                return False
            if not tail and data.startswith(_TLS_RECORD):
                # It would wait for an answer in TLS, and never send what this side waits for.
                self._log.debug("handshake refused", peer=peer, reason="TLS from the peer")
                answer = protocol.reject(400, "This port does not speak TLS: use http:// or ws://.\n")
                wire.send([answer.serialize(), b""])
                return False
            # The library takes what stands behind the request for frames, and would answer them before the request.
            end = (tail + data).find(_END_OF_HEAD)
            if end >= 0:
                end += len(_END_OF_HEAD) - len(tail)
                data, rest = data[:end], data[end:]
            tail = (tail + data)[1 - len(_END_OF_HEAD) :]
            protocol.receive_data(data)
        if protocol.handshake_exc is not None:
            self._log.debug("handshake refused", peer=peer, reason=str(protocol.handshake_exc))
            chunks = protocol.data_to_send()
            if chunks == [b""]:
                chunks = [protocol.reject(400, "This is no HTTP/1.1 request without a body.\n").serialize(), b""]
            wire.send(chunks)
            return False
        request = protocol.events.pop(0)
        assert isinstance(request, Request)
        self._send_response(wire, protocol, peer, self._respond(request, protocol))
        if protocol.state is not State.OPEN:
            return False
        protocol.behind = rest
        return True

    def _send_response(self, wire: SocketWire, protocol: _Websocket, peer: str, response: Response) -> None:
        if response.status_code >= 400:
            self._log.debug("handshake refused", peer=peer, status=response.status_code)
        protocol.send_response(response)
        wire.send(protocol.data_to_send())

    def _respond(self, request: Request, protocol: _Websocket) -> Response:
        if self._closing:
            return protocol.reject(503, "The host is shutting down.\n")
        verdict = check_handshake(request.path, request.headers.raw_items(), self._door)
        if isinstance(verdict, Accept) and len(self._roll) >= self._max_connections:
            return protocol.reject(503, f"{self._max_connections} connections are open already.\n")
        if isinstance(verdict, Accept):
            protocol.chosen = Subprotocol(verdict.subprotocol)
            return protocol.accept(request)
        if isinstance(verdict, Refuse):
            response = protocol.reject(verdict.status, verdict.body)
            for name, value in verdict.headers.items():
                response.headers[name] = value
            return response
        if request.method != "GET":
            response = protocol.reject(405, "Only GET is answered here.\n")
            response.headers["Allow"] = "GET"
            return response
        body: dict[str, Any] = {"status": "ok" if self._registry.state == "serving" else self._registry.state}
        if verdict.what == "metadata":
            body |= {"host": self._host, "features": FEATURES, "subprotocols": self._door.subprotocols}
        response = protocol.reject(200, orjson.dumps(body, default=_plain).decode() + "\n")
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "application/json"
        return response

    def _span(self, connection: str, peer: str, protocol: str) -> Span:
        log = self._registry.log
        fields = {"connection": connection, "peer": peer, "protocol": protocol}
        return log.start_span("inspector", fields, target="inspector.service", parent=log.host_span)

    def _init(self) -> Init:
        log = self._registry.log
        return Init(
            host=self._host,
            features=list(FEATURES),
            limits=Limits(max_frame=MAX_FRAME, max_batch=MAX_BATCH),
            log=LogRange(first_seq=log.first_seq, next_seq=log.next_seq),
            now=time.time_ns() // 1_000_000,
        )


async def _linger(wire: SocketWire) -> None:
    # Closing a socket with unread bytes resets the connection, and the peer may lose what was said last.
    with trio.move_on_after(CLOSE_GRACE):
        while await wire.receive():
            pass


def _plain(value: object) -> object:
    assert isinstance(value, HostInfo)
    return {field: getattr(value, field) for field in value.__struct_fields__}


def _peer(getpeername: Any) -> tuple[str, str]:
    """Return the peer's address, and the address with its port as people write it."""
    try:
        name = getpeername()
    except OSError:
        return "?", "?"
    return name[0], f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"
