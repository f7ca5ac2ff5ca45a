"""Plays a protocol script over a real websocket: the shell around `protocol.script.play`, on asyncio.

websockets' sans-I/O client does the websocket; its asyncio client would send no frame that is wrong, and no handshake
whose fields a script has chosen.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.frames import Frame as WebsocketFrame
from websockets.frames import Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from protocol.dialects.base import Frame
from protocol.script import (
    Do,
    Done,
    Ended,
    Happened,
    Heard,
    Leave,
    Listen,
    Open,
    Opened,
    Refused,
    Say,
    Script,
    Silent,
    play,
)
from tui.connection import MAX_FRAME, OPEN_TIMEOUT, CannotAttach, tls_context
from tui.discovery import Target

__all__ = ("CLOSE_TIMEOUT", "Observer", "play_script")

CLOSE_TIMEOUT: Final = 2.0
"""Seconds for the end of a connection that a script leaves open."""
_CHUNK: Final = 1 << 16

Observer: TypeAlias = Callable[[Do, Happened], object]
"""Told each thing that was done, and what came of it."""


async def play_script(script: Script, target: Target, subprotocol: str, observer: Observer | None = None) -> None:
    """Play a script against a host.

    Args:
        script: as it was read.
        target: the host, and the token for where the script names none.
        subprotocol: what is offered where the script names none.
        observer: hears of each step, before the script judges it.

    Raises:
        Mismatch: the host did something else.
        CannotAttach: nobody listens, or no TLS came about.
    """
    link = _Link(target)
    playing = play(script, subprotocol=subprotocol, token=target.token)
    told: Happened | None = None
    try:
        while True:
            try:
                do = playing.send(told)
            except StopIteration:
                return
            told = await link.perform(do)
            if observer is not None:
                observer(do, told)
    finally:
        await link.leave(CLOSE_TIMEOUT)


class _Link:
    """One connection at a time, as a player wants it."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._tls = tls_context(target)
        self._websocket: ClientProtocol | None = None
        self._heard: deque[Frame] = deque()
        self._fragments: list[bytes] = []
        self._text = False
        self._reason: str | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def perform(self, do: Do) -> Happened:
        """Do what the player wants, and tell what came of it."""
        match do:
            case Open():
                return await self._open(do)
            case Say(frame=frame):
                return await self._say(frame)
            case Listen(within=within):
                return await self._listen(within)
            case Leave(within=within):
                return Done() if await self.leave(within) else Silent()

    # ---- opening ----

    async def _open(self, do: Open) -> Opened | Refused:
        await self.leave(CLOSE_TIMEOUT)
        secure = self._target.url.startswith("https:")
        parts = urlsplit(self._target.url)
        assert parts.hostname is not None
        assert parts.port is not None
        offered = [Subprotocol(name) for name in do.subprotocols]
        websocket = ClientProtocol(
            parse_uri(f"{'wss' if secure else 'ws'}://{self._target.place}/"),
            subprotocols=offered or None,
            max_size=MAX_FRAME,
        )
        request = websocket.connect()
        request.path = do.path
        _put(request.headers, do.headers)
        try:
            async with asyncio.timeout(OPEN_TIMEOUT):
                self._streams = await asyncio.open_connection(parts.hostname, parts.port, ssl=self._tls)
        except TimeoutError:
            raise CannotAttach(f"{self._target.place}: no answer within {OPEN_TIMEOUT:g} s") from None
        except ssl.SSLError as exc:
            raise CannotAttach(f"{self._target.place}: TLS failed: {exc.reason or exc}") from None
        except OSError as exc:
            raise CannotAttach(f"{self._target.place}: {exc.strerror or exc}") from None
        self._websocket, self._reason = websocket, None
        self._heard.clear()
        self._fragments.clear()
        websocket.send_request(request)
        response: Response | None = None
        try:
            async with asyncio.timeout(do.within):
                while response is None and websocket.handshake_exc is None:
                    await self._exchange()
                    events = websocket.events_received()
                    if events:
                        assert isinstance(events[0], Response)
                        response = events[0]
                        self._take(events[1:])
        except TimeoutError:
            await self._cut()
            return Refused(None, "nothing")
        problem = websocket.handshake_exc
        if problem is None:
            return Opened(websocket.subprotocol)
        await self._cut()
        return _refused(response, problem)

    # ---- speaking ----

    async def _say(self, frame: Frame) -> Done | Ended:
        websocket = self._websocket
        assert websocket is not None
        if websocket.state is not State.OPEN:
            return self._ended()
        if isinstance(frame, str):
            websocket.send_text(frame.encode())
        else:
            websocket.send_binary(frame)
        # A host that has gone is noticed by whoever listens next: what it said last may still be there to read.
        with suppress(ConnectionError):
            await self._flush()
        return Done()

    async def _listen(self, within: float) -> Heard | Ended | Silent:
        websocket = self._websocket
        assert websocket is not None
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(within):
                while not self._heard:
                    if websocket.state is State.CLOSED:
                        return self._ended()
                    await self._exchange()
                    self._take(websocket.events_received())
        except TimeoutError:
            return Silent()
        return Heard(self._heard.popleft(), loop.time() - began)

    async def leave(self, within: float) -> bool:
        """Close the connection, if there is one; tell whether the host agreed in time. It is gone in any case."""
        websocket = self._websocket
        if websocket is None:
            return True
        try:
            async with asyncio.timeout(within):
                if websocket.state is State.OPEN:
                    websocket.send_close(1000)
                while websocket.state is not State.CLOSED:
                    await self._exchange()
                    websocket.events_received()
        except TimeoutError:
            return False
        finally:
            await self._cut()
        return True

    # ---- bytes ----

    async def _exchange(self) -> None:
        """Send what is to be sent, and read once."""
        websocket, streams = self._websocket, self._streams
        assert websocket is not None
        assert streams is not None
        try:
            await self._flush()
            data = await streams[0].read(_CHUNK)
        except ConnectionError as exc:
            self._reason = self._reason or exc.strerror
            data = b""
        if data:
            websocket.receive_data(data)
        else:
            websocket.receive_eof()
        with suppress(ConnectionError):
            await self._flush()

    async def _flush(self) -> None:
        websocket, streams = self._websocket, self._streams
        assert websocket is not None
        assert streams is not None
        for data in websocket.data_to_send():
            # An empty piece says that nothing more will be sent. The stream stays open to read the host's own end.
            if data:
                streams[1].write(data)
        await streams[1].drain()

    async def _cut(self) -> None:
        streams, self._streams, self._websocket = self._streams, None, None
        if streams is not None:
            streams[1].transport.abort()
            with suppress(ConnectionError):
                await streams[1].wait_closed()

    def _take(self, events: Sequence[object]) -> None:
        for event in events:
            assert isinstance(event, WebsocketFrame)
            if event.opcode in (Opcode.TEXT, Opcode.BINARY):
                self._text = event.opcode is Opcode.TEXT
                self._fragments.clear()
            elif event.opcode is not Opcode.CONT:
                continue
            self._fragments.append(bytes(event.data))
            if event.fin:
                self._message(b"".join(self._fragments))

    def _message(self, data: bytes) -> None:
        assert self._websocket is not None
        if not self._text:
            self._heard.append(data)
            return
        try:
            self._heard.append(data.decode())
        except UnicodeDecodeError:
            self._reason = "the host sent text that is no UTF-8"
            self._websocket.fail(1007, self._reason)

    def _ended(self) -> Ended:
        assert self._websocket is not None
        close = self._websocket.close_rcvd
        # Where our own side broke off, whatever code the host echoed is not its own.
        if close is None or self._reason is not None:
            problem = self._websocket.parser_exc
            return Ended(None, self._reason or ("" if problem is None else str(problem)))
        return Ended(close.code, close.reason)


def _put(headers: Headers, fields: tuple[tuple[str, str], ...]) -> None:
    for name in {name.lower() for name, _ in fields}:
        if name in headers:
            del headers[name]
    for name, value in fields:
        if value:
            headers[name] = value


def _refused(response: Response | None, problem: Exception) -> Refused:
    if response is None:
        return Refused(None, f"no HTTP: {problem}")
    if isinstance(problem, InvalidStatus):
        return Refused(response.status_code, bytes(response.body or b"").decode("utf-8", "replace"))
    assert isinstance(problem, InvalidHandshake)
    return Refused(response.status_code, str(problem))
