"""The host's side of one connection, without I/O: frames to typed requests, typed answers to frames.

A session knows which ids are still waiting and which subscriptions are open, and nothing of sockets, actors
or logs, so that any carrier can feed it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from msgspec import UNSET

from protocol.dialects.base import Dialect, Frame, frame_size
from protocol.errors import BadMessage, InspectorError, LocalProtocolError
from protocol.messages import Error, LogsSubscribe, Message, Push, Request, Response

__all__ = ("MAX_MALFORMED", "MAX_SUBSCRIPTIONS", "ServerSession", "error_message")

MAX_MALFORMED: Final = 32
"""Malformed frames in a row that end a connection with 1008."""

MAX_SUBSCRIPTIONS: Final = 128
"""Subscriptions open at once on a connection: each costs work at every change, whether anybody reads or not."""


def error_message(rid: int | None, error: InspectorError) -> Error:
    """Make the message that carries a typed error."""
    message = Error(rid=rid, group=error.group, code=error.code, message=error.message)
    if error.metadata:
        message.metadata = error.metadata
    return message


class ServerSession:
    """One client, as the host sees it.

    Args:
        dialect: how messages are spelt.
        max_frame: bytes that a frame to the client may have.
    """

    __slots__ = ("_dialect", "_malformed", "_max_frame", "_open", "_waiting", "close_code")

    def __init__(self, dialect: Dialect, *, max_frame: int) -> None:
        self._dialect = dialect
        self._max_frame = max_frame
        self._waiting: set[int] = set()
        self._open: set[int] = set()
        self._malformed = 0
        self.close_code: int | None = None
        """The code to close the websocket with, once the client has earned it."""

    @property
    def waiting(self) -> int:
        """Requests not answered yet."""
        return len(self._waiting)

    @property
    def subscriptions(self) -> int:
        """Subscriptions open."""
        return len(self._open)

    def receive(self, frame: Frame) -> Request | Error:
        """Read a frame: the request that it is, or the error to send for it."""
        try:
            request = self._dialect.decode_to_host(frame)
        except BadMessage as exc:
            if exc.malformed:
                self._malformed += 1
                if self._malformed >= MAX_MALFORMED:
                    self.close_code = 1008
            else:
                self._malformed = 0
            return error_message(exc.rid, exc)
        except InspectorError as exc:
            self._malformed = 0
            return error_message(exc.metadata.pop("id"), exc)
        self._malformed = 0
        rid = request.id
        if rid in self._waiting or rid in self._open:
            return error_message(
                rid,
                InspectorError(
                    "inspector.id_in_use",
                    f"the id {rid} is that of a request still waiting or of an open subscription",
                ),
            )
        if len(self._open) >= MAX_SUBSCRIPTIONS and _subscribes(request):
            error = InspectorError(
                "inspector.too_many_subscriptions",
                f"{MAX_SUBSCRIPTIONS} subscriptions are open on this connection",
                {"limit": MAX_SUBSCRIPTIONS},
            )
            return error_message(rid, error)
        self._waiting.add(rid)
        return request

    def answer(self, response: Response) -> Frame:
        """Write the answer to a request that waits.

        Raises:
            InspectorError: ``actor.unserializable`` or ``actor.result_too_large``; the request still waits.
            LocalProtocolError: no request of that id waits.
        """
        frame = self._encode(response)
        self._answered(response.rid)
        return frame

    def refuse(self, rid: int, error: InspectorError) -> Frame:
        """Write an error as the answer to a request that waits. A subscription that it opened is none.

        Raises:
            LocalProtocolError: no request of that id waits.
        """
        self._answered(rid)
        self._open.discard(rid)
        return self.error(rid, error)

    def error(self, rid: int | None, error: InspectorError) -> Frame:
        """Write an error that answers no waiting request.

        What an exception says may be of any length and hold what has no form on the wire (a file name that is
        no UTF-8); so may metadata. The error is told nevertheless, with the text cut and mended, then without
        metadata.
        """
        message = error_message(rid, error)
        with suppress(InspectorError):
            return self._encode(message)
        message.message = error.message[:1000].encode("utf-8", "replace").decode()
        with suppress(InspectorError):
            return self._encode(message)
        message.metadata = UNSET
        return self._dialect.encode(message)

    def open_subscription(self, sub: int) -> None:
        """Note that the request `sub`, which still waits, opens a subscription."""
        self._open.add(sub)

    def close_subscription(self, sub: int) -> None:
        """Forget a subscription.

        Raises:
            InspectorError: ``inspector.unknown_subscription``.
        """
        if sub not in self._open:
            raise InspectorError("inspector.unknown_subscription", f"no subscription {sub} is open on this connection")
        self._open.remove(sub)

    def push(self, push: Push) -> Frame:
        """Write what a subscription brings.

        Raises:
            InspectorError: ``actor.unserializable`` or ``actor.result_too_large``.
            LocalProtocolError: the subscription is not open.
        """
        if push.sub not in self._open:
            raise LocalProtocolError(f"subscription {push.sub} is not open")
        return self._encode(push)

    def announce(self, message: Message) -> Frame:
        """Write a message that answers nothing: Init."""
        return self._encode(message)

    def _answered(self, rid: int) -> None:
        try:
            self._waiting.remove(rid)
        except KeyError:
            raise LocalProtocolError(f"no request {rid} waits for an answer") from None

    def _encode(self, message: Message) -> Frame:
        frame = self._dialect.encode(message)
        size = len(frame) if type(frame) is bytes else frame_size(frame)
        if size > self._max_frame:
            raise InspectorError(
                "actor.result_too_large",
                f"{size} bytes don't fit into a frame of at most {self._max_frame}",
                {"size": size, "limit": self._max_frame},
            )
        return frame


def _subscribes(request: Request) -> bool:
    return isinstance(request, LogsSubscribe) or getattr(request, "subscribe", None) is True
