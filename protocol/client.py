"""A client's side of one connection, without I/O: typed requests in, frames out; frames in, events out.

session = ClientSession(CBOR)
event = session.receive(first_frame)            # HostHello
frame = session.send(ActorsRequest(id=session.next_id(), subscribe=True))
event = session.receive(next_frame)             # Answer, Refusal, Pushed or None
"""

from __future__ import annotations

from dataclasses import dataclass

from protocol.dialects.base import Dialect, Frame, frame_size
from protocol.errors import BadMessage, InspectorError, LocalProtocolError, RemoteProtocolError
from protocol.messages import (
    ActionCancel,
    ActionCancelResponse,
    ActionRequest,
    ActionResponse,
    ActorRestart,
    ActorRestartResponse,
    ActorsRequest,
    ActorsResponse,
    ActorsUpdated,
    ConnectionsRequest,
    ConnectionsResponse,
    ConnectionsUpdated,
    Error,
    Init,
    LogBatch,
    LogFilterRequest,
    LogFilterResponse,
    LogsSubscribe,
    LogsSubscribeResponse,
    Message,
    PatchStateRequest,
    PatchStateResponse,
    Push,
    Request,
    Response,
    RpcsListRequest,
    RpcsListResponse,
    SpansRequest,
    SpansResponse,
    StateRequest,
    StateResponse,
    StateUpdated,
    TasksRequest,
    TasksResponse,
    TasksUpdated,
    TraceQueryRequest,
    TraceQueryResponse,
    Unsubscribe,
    UnsubscribeResponse,
)

__all__ = ("PUSH_TO", "RESPONSE_TO", "Answer", "ClientSession", "Event", "HostHello", "Pushed", "Refusal")

RESPONSE_TO: dict[type[Request], type[Response]] = {
    ActorsRequest: ActorsResponse,
    ActorRestart: ActorRestartResponse,
    StateRequest: StateResponse,
    PatchStateRequest: PatchStateResponse,
    ConnectionsRequest: ConnectionsResponse,
    RpcsListRequest: RpcsListResponse,
    ActionRequest: ActionResponse,
    ActionCancel: ActionCancelResponse,
    LogsSubscribe: LogsSubscribeResponse,
    SpansRequest: SpansResponse,
    TraceQueryRequest: TraceQueryResponse,
    LogFilterRequest: LogFilterResponse,
    TasksRequest: TasksResponse,
    Unsubscribe: UnsubscribeResponse,
}
"""What a request is answered with, unless by an Error."""

PUSH_TO: dict[type[Request], type[Push]] = {
    ActorsRequest: ActorsUpdated,
    StateRequest: StateUpdated,
    ConnectionsRequest: ConnectionsUpdated,
    LogsSubscribe: LogBatch,
    TasksRequest: TasksUpdated,
}
"""What a request brings when it opens a subscription."""


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
    """An error: a request's answer, the end of a subscription, or, without a request, that of a bad frame."""

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
            BadMessage: the frame is larger than the host takes, which would end the connection.
            LocalProtocolError: its id is in use.
        """
        if request.id in self._waiting or request.id in self._open:
            raise LocalProtocolError(f"the id {request.id} is in use")
        frame = self._dialect.encode(request)
        if self.init is not None and (size := frame_size(frame)) > self.init.limits.max_frame:
            raise BadMessage(
                f"{size} bytes don't fit into a frame of at most {self.init.limits.max_frame}",
                rid=request.id,
                malformed=False,
            )
        self._last_id = max(self._last_id, request.id)
        self._waiting[request.id] = request
        return frame

    def receive(self, frame: Frame) -> Event | None:
        """Read a frame; None for what is of no use: an unknown type, what nobody waits for.

        Raises:
            RemoteProtocolError: the frame breaks the contract, Init was not the first or came twice, or a
                response or a push is not of the kind that the request brings.
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
            if opened is None:
                return None
            if type(message) is not PUSH_TO.get(type(opened)):
                raise _wrong_kind(opened, message)
            return Pushed(opened, message)
        if isinstance(message, Response):
            request = self._waiting.pop(message.rid, None)
            if request is None:
                return None
            if type(message) is not RESPONSE_TO.get(type(request)):
                raise _wrong_kind(request, message)
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


def _wrong_kind(request: Request, message: Message) -> RemoteProtocolError:
    return RemoteProtocolError(f"the host sent {type(message).__name__} for {type(request).__name__}")
