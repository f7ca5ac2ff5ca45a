"""A client's side of one connection, without I/O: typed requests in, frames out; frames in, events out.

session = ClientSession(CBOR)
event = session.receive(first_frame)            # HostHello
frame = session.send(ActorsRequest(id=session.next_id(), subscribe=True))
event = session.receive(next_frame)             # Answer, Refusal, Pushed or None
"""

from __future__ import annotations

from dataclasses import dataclass

from protocol.dialects.base import Dialect, Frame
from protocol.errors import BadMessage, InspectorError, LocalProtocolError, RemoteProtocolError
from protocol.messages import Error, Init, LogsSubscribe, Message, Push, Request, Response, Unsubscribe

__all__ = ("Answer", "ClientSession", "Event", "HostHello", "Pushed", "Refusal")


@dataclass(frozen=True, slots=True)
class HostHello:
    """The host's first message."""

    init: Init


@dataclass(frozen=True, slots=True)
class Answer:
    """A request's response."""

    request: Request
    response: Response


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error: a request's answer, the end of a subscription, or, without a request, of a frame that had no id."""

    request: Request | None
    error: InspectorError


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a subscription brought; `request` opened it."""

    request: Request
    push: Push


Event = HostHello | Answer | Refusal | Pushed


class ClientSession:
    """One host, as a client sees it."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._last_id = 0
        self._waiting: dict[int, Request] = {}
        self._open: dict[int, Request] = {}
        self.init: Init | None = None
        """The host's first message, once it has come."""

    @property
    def waiting(self) -> int:
        """Requests not answered yet."""
        return len(self._waiting)

    def next_id(self) -> int:
        """Take an id that this session has not used."""
        self._last_id += 1
        return self._last_id

    def send(self, request: Request) -> Frame:
        """Write a request.

        Raises:
            InspectorError: ``actor.unserializable``, an argument has no form on the wire.
            LocalProtocolError: its id is in use.
        """
        if request.id in self._waiting or request.id in self._open:
            raise LocalProtocolError(f"the id {request.id} is in use")
        frame = self._dialect.encode(request)
        self._last_id = max(self._last_id, request.id)
        self._waiting[request.id] = request
        return frame

    def receive(self, frame: Frame) -> Event | None:
        """Read a frame; None for what is of no use: an unknown type, an answer or a push that nobody waits for.

        Raises:
            RemoteProtocolError: the frame breaks the contract, or Init was not the first or came twice.
        """
        try:
            message = self._dialect.decode_to_client(frame)
        except BadMessage as exc:
            raise RemoteProtocolError(f"the host sent what is no message: {exc.message}") from exc
        if isinstance(message, Init):
            if self.init is not None:
                raise RemoteProtocolError("the host sent a second Init")
            self.init = message
            return HostHello(message)
        if self.init is None:
            raise RemoteProtocolError("the host's first message is not Init")
        return self._dispatch(message)

    def _dispatch(self, message: Message | None) -> Event | None:
        if isinstance(message, Push):
            opened = self._open.get(message.sub)
            return None if opened is None else Pushed(opened, message)
        if isinstance(message, Response):
            request = self._waiting.pop(message.rid, None)
            if request is None:
                return None
            if isinstance(request, Unsubscribe):
                self._open.pop(request.sub, None)
            elif isinstance(request, LogsSubscribe) or getattr(request, "subscribe", False) is True:
                self._open[request.id] = request
            return Answer(request, message)
        if isinstance(message, Error):
            error = InspectorError(f"{message.group}.{message.code}", message.message, message.metadata or {})
            if message.rid is None:
                return Refusal(None, error)
            # An error with an open subscription's id ends the subscription.
            request = self._waiting.pop(message.rid, None) or self._open.pop(message.rid, None)
            return None if request is None else Refusal(request, error)
        return None
