"""One websocket to one host, over asyncio: requests that await their answer, and subscriptions.

`dial` opens it and gives it back; whoever wants a connection that comes back by itself uses `tui.link`.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from protocol.client import Answer, ClientSession, Pushed, Refusal
from protocol.dialects.cbor import CBOR
from protocol.errors import InspectorError, RemoteProtocolError
from protocol.messages import Init, Request, Response, Unsubscribe, UnsubscribeResponse
from tui.discovery import Target
from tui.logs.text import neutralise

__all__ = (
    "MAX_FRAME",
    "OPEN_TIMEOUT",
    "PING_EVERY",
    "PING_TIMEOUT",
    "REPLY_TIMEOUT",
    "SEND_TIMEOUT",
    "CannotAttach",
    "Connection",
    "LinkLost",
    "Subscriber",
    "dial",
    "tls_context",
)

MAX_FRAME: Final = 16 << 20
"""Bytes of a frame from the host at most; a host's own limit is 2 MiB unless it was told otherwise."""
OPEN_TIMEOUT: Final = 10.0
SEND_TIMEOUT: Final = 10.0
REPLY_TIMEOUT: Final = 30.0
"""Seconds for whatever is not an action: those have their own deadline, at the host."""
PING_EVERY: Final = 2.0
PING_TIMEOUT: Final = 20.0

_R = TypeVar("_R", bound=Response)


class CannotAttach(Exception):
    """No connection came about.

    Attributes:
        status: the HTTP status where the host answered with one, else None.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class LinkLost(Exception):
    """The connection ended, or is not there, before a request was answered; whether the host did it is
    unknown.
    """


class Subscriber(Protocol):
    """What a subscription speaks to; called from the reader, in order, so it must neither block nor raise."""

    def opened(self, response: Any) -> None:
        """Take the response to the subscribing request: pushes follow."""

    def pushed(self, push: Any) -> None:
        """Take what the subscription brings."""

    def ended(self, error: InspectorError) -> None:
        """Hear that the host refused the subscription, or ended it later."""


class _Connect(connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        # A redirect would send the token wherever the answering host likes.
        return exc


class Connection:
    """An open connection whose Init has come. Made by `dial`."""

    def __init__(
        self,
        websocket: ClientConnection,
        session: ClientSession,
        init: Init,
        target: Target,
        wall: Callable[[], float],
    ) -> None:
        self._websocket = websocket
        self._session = session
        self._answers: dict[int, asyncio.Future[Response]] = {}
        self._subscribers: dict[int, Subscriber] = {}
        self.init = init
        self.target = target
        self.clock_offset = init.now / 1000 - wall()
        """Seconds that the host's clock is ahead of ours, the way of Init's frame included."""
        self._wall = wall
        self.round_trip: float | None = None
        """Seconds of the last ping and pong."""
        self._pinged_at: float | None = None
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Why the connection ended, once it has."""

    @property
    def host_time(self) -> float:
        """Seconds since 1970 by the host's clock, as its greeting told it."""
        return self._wall() + self.clock_offset

    @property
    def latency(self) -> float | None:
        """Seconds that the host takes to answer: the last `round_trip`, or what the ping under way has waited by now if
        that is longer, for a host whose loop is blocked says nothing of it."""
        if self._pinged_at is None:
            return self.round_trip
        return max(asyncio.get_running_loop().time() - self._pinged_at, self.round_trip or 0.0)

    async def request(self, request: Request, kind: type[_R], *, within: float | None = REPLY_TIMEOUT) -> _R:
        """Send a request and await its answer.

        Args:
            request: its id is set here.
            kind: the response that belongs to it.
            within: seconds; after them the answer is no longer waited for, and the request is still under
                way.

        Raises:
            InspectorError: the host's answer is an error.
            LinkLost: the connection ended first, or the time was up.
        """
        request.id = self._session.next_id()
        answer = await self.begin(request)
        try:
            async with asyncio.timeout(within):
                response = await answer
        except TimeoutError:
            raise LinkLost(f"no answer within {within:g} s") from None
        finally:
            self._answers.pop(request.id, None)
        # The session has seen to it that the answer is of the request's own kind.
        assert isinstance(response, kind)
        return response

    async def begin(self, request: Request) -> asyncio.Future[Response]:
        """Send a request whose id is set already; its answer comes as a future.

        Raises:
            InspectorError: the request has no form on the wire, or is larger than the host takes.
            LinkLost: the connection has ended.
        """
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        # Nobody need await it: the connection may end while its asker is being cancelled.
        answer.add_done_callback(lambda done: None if done.cancelled() else done.exception())
        self._answers[request.id] = answer
        try:
            await self._send(request)
        except BaseException:
            self._answers.pop(request.id, None)
            raise
        return answer

    def next_id(self) -> int:
        """Take an id for `begin`."""
        return self._session.next_id()

    async def subscribe(self, request: Request, subscriber: Subscriber) -> int:
        """Open a subscription; its number is what `unsubscribe` wants.

        Raises:
            LinkLost: the connection has ended.
        """
        request.id = self._session.next_id()
        self._subscribers[request.id] = subscriber
        try:
            await self._send(request)
        except InspectorError as error:
            del self._subscribers[request.id]
            subscriber.ended(error)
        except BaseException:
            self._subscribers.pop(request.id, None)
            raise
        return request.id

    async def unsubscribe(self, sub: int) -> None:
        """End a subscription; nothing of it reaches its subscriber any more.

        One that has ended is no error.
        """
        if self._subscribers.pop(sub, None) is not None:
            with suppress(InspectorError, LinkLost):
                await self.request(Unsubscribe(id=0, sub=sub), UnsubscribeResponse)

    async def _send(self, request: Request) -> None:
        if self.closed.done():
            raise LinkLost(self.closed.result())
        frame = self._session.send(request)
        if len(frame) > self.init.limits.max_frame:
            raise InspectorError(
                "inspector.bad_message",
                f"{len(frame):,} bytes don't fit into a frame of at most {self.init.limits.max_frame:,}",
            )
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                await self._websocket.send(frame)
        except TimeoutError:
            # The frame may be half written: nothing more can be said on this connection.
            self._websocket.transport.abort()
            raise LinkLost(f"the host took nothing for {SEND_TIMEOUT:g} s") from None
        except ConnectionClosed as exc:
            raise LinkLost(_closing(exc)) from None

    async def _read(self) -> None:
        try:
            while True:
                self._dispatch(await self._websocket.recv())
        except ConnectionClosed as exc:
            self._close(_closing(exc))
        except RemoteProtocolError as exc:
            self._close(neutralise(str(exc)))
            await self._websocket.close(1002)
        finally:
            # Whatever ended the reader, nobody may go on waiting for it.
            self._close("the connection was closed")

    def _dispatch(self, frame: bytes | str) -> None:
        event = self._session.receive(frame)
        if isinstance(event, Pushed):
            if (subscriber := self._subscribers.get(event.push.sub)) is not None:
                subscriber.pushed(event.push)
        elif isinstance(event, Answer):
            if (subscriber := self._subscribers.get(event.request.id)) is not None:
                subscriber.opened(event.response)
            elif (answer := self._answers.pop(event.request.id, None)) is not None and not answer.done():
                answer.set_result(event.response)
        elif isinstance(event, Refusal) and event.request is not None:
            if (subscriber := self._subscribers.pop(event.request.id, None)) is not None:
                subscriber.ended(event.error)
            elif (answer := self._answers.pop(event.request.id, None)) is not None and not answer.done():
                answer.set_exception(event.error)

    def _close(self, reason: str) -> None:
        if not self.closed.done():
            self.closed.set_result(reason)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(LinkLost(reason))
        self._answers.clear()
        self._subscribers.clear()

    async def _ping(self) -> None:
        try:
            while True:
                self._pinged_at = asyncio.get_running_loop().time()
                pong = await self._websocket.ping()
                async with asyncio.timeout(PING_TIMEOUT):
                    self.round_trip = await pong
                self._pinged_at = None
                await asyncio.sleep(PING_EVERY)
        except TimeoutError:
            self._close(f"the host has been silent for {PING_TIMEOUT:g} s")
            self._websocket.transport.abort()
        except ConnectionClosed:
            # The reader says so.
            pass


@asynccontextmanager
async def dial(target: Target, *, wall: Callable[[], float] = time.time) -> AsyncIterator[Connection]:
    """Open a connection and close it again at the end of the block.

    Args:
        target: what to attach to.
        wall: gives seconds since 1970, by our clock.

    Raises:
        CannotAttach: nobody listens, the host refused us, or it is no inspector.
    """
    headers = {"Authorization": f"Bearer {target.token}"} if target.token is not None else {}
    loopback = urlsplit(target.url).hostname in ("127.0.0.1", "::1", "localhost")
    try:
        websocket = await _Connect(
            target.connect_url,
            subprotocols=[Subprotocol(CBOR.subprotocol)],
            additional_headers=headers,
            compression=None,
            proxy=None if loopback else True,
            open_timeout=OPEN_TIMEOUT,
            ping_interval=None,
            close_timeout=1,
            max_size=MAX_FRAME,
            ssl=tls_context(target),
        )
    except InvalidStatus as exc:
        raise _refused(exc, target) from None
    except (OSError, InvalidHandshake, WebSocketException, ValueError) as exc:
        raise CannotAttach(f"{target.place}: {_network_error(exc)}") from None
    try:
        connection = await _greet(websocket, target, wall)
        reader = asyncio.create_task(connection._read())
        pinger = asyncio.create_task(connection._ping())
        try:
            yield connection
        finally:
            reader.cancel()
            pinger.cancel()
            results = await asyncio.gather(reader, pinger, return_exceptions=True)
        for result in results:
            # A subscriber that raised is a bug of ours and must not pass for a lost connection.
            if isinstance(result, Exception):
                raise result
    finally:
        await websocket.close()


def tls_context(target: Target) -> ssl.SSLContext | None:
    """Make what trusts the target's certificate; None where it is reached without TLS."""
    if not target.connect_url.startswith("wss:"):
        return None
    return ssl.create_default_context(cafile=target.ca)


async def _greet(websocket: ClientConnection, target: Target, wall: Callable[[], float]) -> Connection:
    session = ClientSession(CBOR)
    try:
        async with asyncio.timeout(OPEN_TIMEOUT):
            session.receive(await websocket.recv())
    except ConnectionClosed as exc:
        raise CannotAttach(f"{target.place}: {_closing(exc)}") from None
    except (TimeoutError, RemoteProtocolError) as exc:
        raise CannotAttach(
            f"{target.place} is no inspector that we know: {neutralise(str(exc)) or 'it does not greet'}"
        ) from None
    assert session.init is not None
    return Connection(websocket, session, session.init, target, wall)


def _refused(exc: InvalidStatus, target: Target) -> CannotAttach:
    status = exc.response.status_code
    if status == 401:
        said = "the token is wrong" if target.token is not None else "it wants a token"
        remedy = "INSPECTOR_TOKEN or --token-file gives one"
        return CannotAttach(f"{target.place} refused us: {said} ({remedy})", status)
    body = neutralise(bytes(exc.response.body or b"")[:300].decode("utf-8", "replace").strip())
    said = body or neutralise(exc.response.reason_phrase)
    return CannotAttach(f"{target.place} refused us with {status}: {said}", status)


def _network_error(exc: BaseException) -> str:
    if isinstance(exc, TimeoutError):
        return f"no answer within {OPEN_TIMEOUT:g} s"
    if isinstance(exc, ConnectionRefusedError):
        return "nobody listens there"
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {exc.verify_message} (--ca FILE names who to trust)"
    if isinstance(exc, ssl.SSLError):
        return f"TLS failed: {exc.reason or exc}"
    if isinstance(exc, ConnectionResetError):
        return "it broke off the handshake (with TLS it is https, without http)"
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror
    return str(exc) or type(exc).__name__


def _closing(exc: ConnectionClosed) -> str:
    received = exc.rcvd
    if received is None:
        return "the connection broke"
    words = {1000: "the host closed the connection", 1001: "the host is going away"}
    return words.get(received.code, f"the host closed with {received.code}") + (
        f": {neutralise(received.reason)}" if received.reason else ""
    )
