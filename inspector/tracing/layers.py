"""The host's own filters, and what holds over them for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal

from protocol.filters import Filter

if TYPE_CHECKING:
    from inspector.tracing.sinks.sink import Sink

__all__ = ("HostFilters", "Kind", "Layers")

Kind = Literal["record", "log"]
"""What the ring keeps; what the host's own sinks show."""


class Layers:
    """A filter of the host's own, and others that somebody has put over it: the last one holds.

    Attributes:
        own: the host's own, which holds when nothing lies over it.
    """

    __slots__ = ("_over", "own")

    def __init__(self, own: Filter) -> None:
        self.own = own
        self._over: dict[object, Filter] = {}

    @property
    def current(self) -> Filter:
        """The one that holds."""
        return next(reversed(self._over.values()), self.own)

    def put(self, owner: object, filter: Filter) -> None:
        """Let a filter hold, in place of the one that this owner may have put before."""
        self._over.pop(owner, None)
        self._over[owner] = filter

    def take(self, owner: object) -> None:
        """Take an owner's filter away, wherever it lies; without one nothing happens."""
        self._over.pop(owner, None)


class HostFilters:
    """What a host records and shows, unless a reader or a sink of its own mind wants more. Any thread may call it."""

    def __init__(self, record: Filter, log: Filter, set_record: Callable[[Filter], None]) -> None:
        """Take both filters, and what puts the first into effect."""
        self._layers: Final[dict[Kind, Layers]] = {"record": Layers(record), "log": Layers(log)}
        self._set_record = set_record
        self._followers: tuple[Sink, ...] = ()
        self._lock = threading.RLock()

    @property
    def record(self) -> Filter:
        """What the ring keeps."""
        return self._layers["record"].current

    @property
    def log(self) -> Filter | None:
        """What the sinks show that have no filter of their own; None while there is no such sink."""
        return self._layers["log"].current if self._followers else None

    def set_own(self, kind: Kind, filter: Filter) -> None:
        """Change what the host says itself. What lies over it goes on holding."""
        with self._lock:
            self._layers[kind].own = filter
            self._apply()

    def change(self, owner: object, changes: dict[Kind, Filter | None], told: Callable[[], None]) -> None:
        """Put filters over the host's own, or with None take away what this owner has put there.

        Args:
            told: called if that makes a difference, when all is decided and before it takes effect.
        """
        with self._lock:
            before = self.record, self.log
            for kind, filter in changes.items():
                if filter is None:
                    self._layers[kind].take(owner)
                else:
                    self._layers[kind].put(owner, filter)
            if (self.record, self.log) != before:
                told()
                self._apply()

    def follow(self, sink: Sink) -> None:
        """Let a sink write what `log` says, now and whenever it changes."""
        with self._lock:
            self._followers = (*self._followers, sink)
            sink.set_filter(self._layers["log"].current)

    def _apply(self) -> None:
        self._set_record(self.record)
        if self.log is not None:
            for sink in self._followers:
                sink.set_filter(self.log)
