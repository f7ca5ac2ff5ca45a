"""The roll of inspectors: who is attached, for those who ask and those who watch."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Final

import trio

from protocol.messages import ConnectionInfo, ConnectionsUpdated

if TYPE_CHECKING:
    from inspector.service.connection import Connection

__all__ = ("MAX_ROWS", "ConnectionsSubscription", "Roll")

MAX_ROWS: Final = 2000
"""Inspectors in one message at most, so that it fits into a frame; their rows have up to 350 bytes."""

_POLL: Final = 1.0
"""Seconds between two looks at what was sent and lost."""
_ROW: Final = 0.001
"""Seconds of rest for each row that was told: a long roll takes a small part of the host's time at any rate."""
_ROW_ELSEWHERE: Final = 0.00005
"""Seconds of rest for each row that another watcher is told."""


class Roll:
    """All connections of one service, in the order of their coming."""

    def __init__(self) -> None:
        self._connections: dict[Connection, None] = {}
        self.reads = 0
        """How often any of them has read something."""
        self.listeners: set[Callable[[], object]] = set()
        """Called when somebody came, went, or subscribed to something else."""

    def __len__(self) -> int:
        return len(self._connections)

    def all(self) -> tuple[Connection, ...]:
        """Return the connections."""
        return tuple(self._connections)

    def enter(self, connection: Connection) -> None:
        """Take a connection in."""
        self._connections[connection] = None
        self.changed()

    def leave(self, connection: Connection) -> None:
        """Strike a connection off."""
        self._connections.pop(connection, None)
        self.changed()

    def changed(self) -> None:
        """Tell those who watch."""
        for listener in tuple(self.listeners):
            listener()

    def infos(self, you: Connection) -> list[ConnectionInfo]:
        """Make the rows, as one of them sees it: the first that came, up to `MAX_ROWS` with its own."""
        return [connection.info(you) for connection in self.seen_by(you)]

    def seen_by(self, you: Connection) -> list[Connection]:
        """Return the connections that one of them is told of."""
        seen = list(islice(self._connections, MAX_ROWS))
        if len(self._connections) > MAX_ROWS and you not in seen:
            seen[-1] = you
        return seen


class ConnectionsSubscription:
    """The roll, whenever it is another than the last that was sent."""

    plenty = False
    paced = False
    dropped = 0

    def __init__(self, sub: int, roll: Roll, you: Connection, wake: Callable[[], object]) -> None:
        self._sub = sub
        self._roll = roll
        self._you = you
        self._wake = wake
        self._stirred = False
        self._looked_at = 0.0
        self._sent: list[tuple[object, ...]] = []
        roll.listeners.add(self._stir)

    @property
    def poll(self) -> float:
        """Seconds; what was sent and lost changes all the time, and is told once in so many."""
        return self._rest() if self._stirred else _POLL

    def first(self) -> list[ConnectionInfo]:
        """Make the rows for the response to the request itself."""
        self._looked_at = trio.current_time()
        self._sent = self._news()
        self._stirred = False
        return self._roll.infos(self._you)

    def collect(self) -> ConnectionsUpdated | None:
        """Return the roll where it has changed by more than what telling it costs."""
        now = trio.current_time()
        if now < self._looked_at + self.poll:
            return None
        self._looked_at = now
        self._stirred = False
        news = self._news()
        if news == self._sent:
            return None
        self._sent = news
        return ConnectionsUpdated(sub=self._sub, connections=self._roll.infos(self._you))

    def close(self, *, cut: bool) -> None:
        """End it."""
        self._roll.listeners.discard(self._stir)

    def _stir(self) -> None:
        self._stirred = True
        self._wake()

    def _rest(self) -> float:
        return len(self._roll) * (_ROW + _ROW_ELSEWHERE * len(self._roll.listeners))

    def _news(self) -> list[tuple[object, ...]]:
        return [connection.news() for connection in self._roll.seen_by(self._you)]
