"""One inspector's websocket: a protocol session between a wire and the handlers.

The reader hands each message straight to its handler; what the handlers answer leaves in one write behind what was
read. No task is made for a request, and nothing here waits for the peer to read: replies pile up in the wire, up to a
bound at which this connection's reader stops reading.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import trio
from websockets.protocol import State
from websockets.server import ServerProtocol

from inspector.actors.calls import Call
from inspector.actors.notes import note
from inspector.service.courtesy import ALONE, Courtesy
from inspector.service.filters import HeldFilters
from inspector.service.framing import BINARY, TEXT, FrameReader, Mark, frame_head
from inspector.service.pusher import Pusher
from inspector.service.requests import HANDLERS, call_response
from inspector.service.roll import Roll
from inspector.service.wire import SocketWire
from inspector.tracing import ERROR, TRACE, current_span
from protocol.dialects import Dialect, Frame
from protocol.errors import BadMessage, InspectorError
from protocol.messages import ConnectionInfo, Error, Init, Response
from protocol.server import ServerSession

if TYPE_CHECKING:
    from inspector.registry import Registry
    from inspector.tasks import Monitor

__all__ = ("HIGH_WATER", "MAX_FRAME", "MAX_IN_FLIGHT", "PINGS", "PING_INTERVAL", "Connection")

MAX_FRAME: Final = 2**20
"""Bytes of a frame either way: the default bound of websockets' own clients."""
MAX_IN_FLIGHT: Final = 1024
"""Requests of one connection that may wait for an answer; then its reader stops reading."""
HIGH_WATER: Final = 2 * 2**20
"""Bytes that may wait for the peer to read them; then nothing is pushed and its reader stops reading."""
PING_INTERVAL: Final = 10.0
"""Seconds of silence after which the peer is pinged, and after each ping until the next."""
PINGS: Final = 2
"""Pings without any sign of life after which, one more interval later, the connection is cut."""
_BYTES_A_TURN: Final = 256 * 1024


class Connection:
    """One inspector.

    Args:
        id: its name, in the log and for other inspectors.
        registry: what it inspects.
        protocol: the websocket, open.
        wire: where its bytes go.
        dialect: how its messages are spelt.
        nursery: where its tasks run.
        roll: all connections of the service.
        peer: who it is, for the roll.
        tasks: those of the program.
    """

    def __init__(
        self,
        id: str,
        registry: Registry,
        protocol: ServerProtocol,
        wire: SocketWire,
        dialect: Dialect,
        nursery: trio.Nursery,
        roll: Roll,
        peer: str,
        tasks: Monitor,
    ) -> None:
        self.id = id
        self.registry = registry
        self.tasks = tasks
        self.roll = roll
        self._peer = peer
        self._dialect = dialect
        self._since = time.time_ns() // 1_000_000
        self._sent = 0
        self.calls: dict[int, Call] = {}
        """Actions under way that this connection asked for, by the request's id."""
        self._protocol = protocol
        self._wire = wire
        self._session = ServerSession(dialect, max_frame=MAX_FRAME)
        self.nursery = nursery
        """Where its tasks run, until it has ended."""
        self._log = registry.log.logger("inspector.service.connection")
        self._trace = registry.log.site(TRACE, self._log.target)
        self._first = BINARY if dialect.binary else TEXT
        self._written: list[bytes] = []
        """What leaves next. Behind the protocol's farewell no message is written."""
        self._frames = FrameReader(protocol)
        self._courtesy = Courtesy(roll)
        self._over = False
        self._corked = False
        self._corked_bytes = 0
        self._flush_due = False
        self._room = trio.Event()
        self._turn = trio.Lock()
        self._written_out = trio.Event()
        self._heard = True
        self._listening = True
        self.pusher = Pusher(self._session, nursery, self._takes_more, self._transmit, self._bug, roll.changed)
        """What it pushes."""
        self.filters = HeldFilters(registry.log, nursery, current_span.get())
        """What it has the host record and show."""

    # ---- reading ----

    async def serve(self, init: Init, behind: bytes = b"") -> None:
        """Greet the peer and answer it until the connection ends, or nothing is left to say.

        Args:
            init: the greeting.
            behind: bytes that came with the request for the websocket.
        """
        self._log.debug("inspector attached")
        self.nursery.start_soon(self._keep_alive)
        self._transmit(self._session.announce(init))
        protocol, wire = self._protocol, self._wire
        data = behind
        while True:
            await self._read(data)
            if protocol.eof_sent or wire.closed:
                return
            data = await wire.receive()
            if not data:
                self._frames.end()
                self.flush()
                return
            self._heard = True

    async def _read(self, data: bytes) -> None:
        frames, courtesy, session = self._frames, self._courtesy, self._session
        take = frames.take
        frames.feed(data)
        count, pause, turn = 0, courtesy.begin(), ALONE
        self._corked = True
        # What lies behind a mistake, or behind our own farewell, is not looked at.
        while not self._over:
            try:
                message = take()
            except UnicodeDecodeError:
                self._fail(1007, "text that is no UTF-8")
                continue
            if message is Mark.END:
                break
            if count >= turn or self._corked_bytes > _BYTES_A_TURN or session.waiting >= MAX_IN_FLIGHT:
                await self._end_turn()
                pause, turn = count + courtesy.frames(), count + ALONE
                if self._over:
                    continue
            elif count >= pause:
                await trio.lowlevel.checkpoint()
                pause = count + courtesy.frames()
                if self._over:
                    continue
            count += 1
            if type(message) is bytes or type(message) is str:
                self._message(message)
            else:
                # What the library says to a control frame stands behind the answers to what came before that.
                self._written += self._protocol.data_to_send()
        else:
            frames.discard()
        self._corked = False
        self.flush()
        await self._wait_for_room()

    async def _end_turn(self) -> None:
        """Send what there is, let all others have a turn, and wait until the peer has room for more."""
        self._corked = False
        self.flush()
        await trio.lowlevel.checkpoint()
        await self._wait_for_room()
        self._corked = True

    def _full(self) -> bool:
        return self._session.waiting >= MAX_IN_FLIGHT or self._wire.waiting > HIGH_WATER

    async def _wait_for_room(self) -> None:
        # An answer that can't be sent any more makes no room.
        while self._full() and self._protocol.state is State.OPEN and not self._wire.closed:
            self._room = trio.Event()
            self._listening = False
            await self._room.wait()
            self._listening = True

    def _message(self, frame: Frame) -> None:
        request = self._session.receive(frame)
        if isinstance(request, Error):
            self._log.debug("bad request", group=request.group, code=request.code, reason=request.message)
            self._refuse_unasked(request)
            if self._session.close_code is not None:
                self._fail(self._session.close_code, "too many malformed frames")
            return
        if self._trace.open:
            self._log.trace("request decoded", type=type(request).__name__, rid=request.id)
        try:
            response = HANDLERS[type(request)](self, request)
        except InspectorError as exc:
            self._refuse(request.id, exc)
        except Exception as exc:
            # The handlers are ours: what they raise is a bug here, and must not take the connection down.
            self._refuse(request.id, self._bug("request failed", exc, request))
        else:
            if response is not None:
                self._answer(response)

    def _bug(self, message: str, exc: Exception, about: object) -> InspectorError:
        self._log.exception(message, exc, ERROR, type=type(about).__name__)
        return InspectorError("inspector.internal_error", "the host failed; its log says how")

    def _fail(self, code: int, reason: str) -> None:
        self._over = True
        self._protocol.fail(code, reason)

    # ---- answering ----

    def call_done(self, call: Call) -> None:
        """Send what came of an action."""
        assert call.rid is not None
        self.calls.pop(call.rid, None)
        try:
            if call.error is not None:
                self._refuse(call.rid, call.error)
            else:
                self._answer(call_response(call))
        except InspectorError as exc:
            self._refuse(call.rid, exc)
        except Exception as exc:
            # As in a handler; and it is a worker that tells, whom other actors need.
            self._refuse(call.rid, self._bug("answer failed", exc, call))
        if self._trace.open:
            note(self._log, TRACE, call.span, "reply sent")
        if not self._listening:
            self._room.set()

    def later(self, rid: int, work: Callable[[], Awaitable[Response]]) -> None:
        """Answer a request with what some work returns, or raises: for what has to wait, as for a disk.

        One at a time, in any order, and not while the peer has too much to take already.
        """
        self.nursery.start_soon(self._work, rid, work)

    @trio.lowlevel.enable_ki_protection
    async def _work(self, rid: int, work: Callable[[], Awaitable[Response]]) -> None:
        async with self._turn:
            while self._wire.waiting > HIGH_WATER and not self._wire.closed:
                self._written_out = trio.Event()
                await self._written_out.wait()
            try:
                self._answer(await work())
            except InspectorError as exc:
                self._refuse(rid, exc)
            except Exception as exc:
                # As in a handler.
                self._refuse(rid, self._bug("answer failed", exc, work))
        self._room.set()

    def _answer(self, response: Response) -> None:
        try:
            frame = self._session.answer(response)
        except InspectorError as exc:
            if response.rid in self.pusher:
                self.pusher.close(response.rid)
            self._refuse(response.rid, exc)
        else:
            self._transmit(frame)

    def _refuse(self, rid: int, error: InspectorError) -> None:
        if isinstance(error, BadMessage):
            self._log.debug("bad request", group=error.group, code=error.code, reason=error.message)
        self._transmit(self._session.refuse(rid, error))

    def _refuse_unasked(self, error: Error) -> None:
        name = f"{error.group}.{error.code}"
        self._transmit(self._session.error(error.rid, InspectorError(name, error.message, error.metadata or {})))

    def _transmit(self, frame: Frame) -> None:
        if self._protocol.state is not State.OPEN:
            return
        data = frame if isinstance(frame, bytes) else frame.encode()
        size = len(data)
        self._sent += size
        self._written += frame_head(self._first, size), data
        if self._corked:
            self._corked_bytes += size
        elif not self._flush_due:
            self._flush_due = self.registry.workers.defer(self.flush)
            if not self._flush_due:
                self.flush()

    def flush(self) -> None:
        """Hand to the wire what has been written."""
        self._flush_due = False
        self._corked_bytes = 0
        chunks, self._written = self._written, []
        chunks += self._protocol.data_to_send()
        if chunks:
            self._wire.send(chunks)

    def drained(self) -> None:
        """Go on: the wire has written all that it kept, or was closed."""
        self._room.set()
        self._written_out.set()
        self.pusher.go_on()

    def _takes_more(self) -> bool:
        return self._wire.waiting <= HIGH_WATER and self._protocol.state is State.OPEN

    def info(self, you: Connection) -> ConnectionInfo:
        """Make this connection's row, as `you` sees it."""
        return ConnectionInfo(
            id=self.id,
            peer=self._peer,
            protocol=self._dialect.subprotocol,
            since=self._since,
            subscriptions=self._session.subscriptions,
            sent=self._sent,
            dropped=self.pusher.dropped,
            you=self is you,
        )

    def news(self) -> tuple[object, ...]:
        """Return what a watcher of the roll wants to hear of: telling the roll is left out, or it would have no end."""
        return self.id, self._session.subscriptions, self.pusher.dropped, self._sent - self.pusher.told

    # ---- ending ----

    @trio.lowlevel.enable_ki_protection
    async def _keep_alive(self) -> None:
        # Intervals are counted, not seconds: after the loop was blocked, what has come meanwhile is read first.
        wire, pings = self._wire, 0
        while not wire.closed:
            self._heard = wire.progressed = False
            await trio.sleep(PING_INTERVAL)
            if self._heard or wire.progressed or wire.waiting or not self._listening:
                # While something waits to be sent the wire has its own patience.
                pings = 0
            elif pings < PINGS:
                pings += 1
                if self._protocol.state is State.OPEN:
                    self._protocol.send_ping(b"")
                    self.flush()
            else:
                self._log.debug("inspector cut", reason=f"{pings} pings went unanswered")
                wire.close()

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake, behind all that there is to tell."""
        if self._protocol.state is State.OPEN:
            self.pusher.push_all()
            self._protocol.send_close(code, reason)
            self.flush()
        self._over = True
        self._room.set()

    def end(self) -> None:
        """Let go of everything: subscriptions end, actions go on with nobody to tell."""
        self.pusher.end()
        self.filters.end()
        for call in self.calls.values():
            call.forget()
            if self._trace.open:
                note(self._log, TRACE, call.span, "client gone")
        waited = len(self.calls)
        self.calls.clear()
        self._wire.close()
        self._log.debug("inspector detached", stalled=self._wire.stalled, waited=waited)
