"""The sockets of a host, which a forked child closes on its side.

A child that kept them would keep the port after its parent's end, and connections open that the parent has closed.
"""

from __future__ import annotations

import os
import socket
import weakref
from collections.abc import Iterable

import trio

from inspector.tracing.forks import on_fork

__all__ = ("Sockets",)


class Sockets:
    """What a host listens on and what it has accepted."""

    def __init__(self) -> None:
        self._listeners: list[trio.SocketListener] = []
        self._accepted: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        on_fork(self)

    def listen(self, listeners: Iterable[trio.SocketListener]) -> None:
        """Take listeners in."""
        self._listeners.extend(listeners)

    def accept(self, accepted: socket.socket) -> None:
        """Take an accepted socket in, until it is no more."""
        self._accepted.add(accepted)

    def abandon(self) -> None:
        """Close all of them in this process alone."""
        for listener in self._listeners:
            # Not `close`: that speaks to trio's loop, which shares its epoll with the parent's.
            descriptor = listener.socket.detach()
            if descriptor >= 0:
                os.close(descriptor)
        for accepted in self._accepted:
            accepted.close()
