"""The actors of a host as rows, with their rates, reduced from what the host sends."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import Final

from protocol.messages import ActorInfo, ActorStatus, Init
from tui.model.meter import Meter

__all__ = ("STATUS_SIGNS", "ActorRow", "World")

STATUS_SIGNS: Final[dict[ActorStatus, str]] = {
    "idle": "○",
    "starting": "◔",
    "running": "●",
    "restarting": "↻",
    "stopping": "◕",
    "stopped": "□",
    "failed": "✖",
}
"""A sign for each status, each of another shape, so that no colour is needed to tell them apart."""


_FEW: Final = 16
"""Addresses that are put in their places one by one; each moves the others, so of more the list is sorted anew."""


class ActorRow:
    """One actor: what the host said last, and its actions a second.

    Attributes:
        info: the host's own row.
        gone: the host has removed it; it is shown only while somebody looks at it.
    """

    __slots__ = ("_errors", "_meter", "gone", "info")

    def __init__(self, info: ActorInfo) -> None:
        self.info = info
        self.gone = False
        # Most of 100,000 actors never move: a meter is made for one that does.
        self._meter: Meter | None = None
        self._errors: Meter | None = None

    def update(self, info: ActorInfo, now: float) -> None:
        """Take a newer row, at the time `now` in seconds."""
        done = info.actions - self.info.actions
        failed = info.errors - self.info.errors
        # Totals that step back are another host's: nothing can be said of the time between.
        if done > 0:
            self._meter = self._meter or Meter()
            self._meter.add(done, now)
        if failed > 0:
            self._errors = self._errors or Meter()
            self._errors.add(failed, now)
        self.info = info

    def rate(self, now: float) -> float:
        """Give the actions a second at the time `now`."""
        return self._meter.rate(now) if self._meter else 0.0

    def error_rate(self, now: float) -> float:
        """Give the errors a second at the time `now`."""
        return self._errors.rate(now) if self._errors else 0.0


class World:
    """A host and its actors.

    Attributes:
        init: the host's greeting, once it has come.
        complete: the list of actors has come to its end; until then there are more.
    """

    def __init__(self) -> None:
        self.init: Init | None = None
        self.complete = False
        self._actors: dict[str, ActorRow] = {}
        self._order: list[str] = []
        self._come: set[str] = set()
        self._gone: set[str] = set()
        self._shown: tuple[str, list[str]] | None = None

    def __len__(self) -> int:
        return len(self._actors)

    def __contains__(self, address: str) -> bool:
        return address in self._actors

    def get(self, address: str) -> ActorRow | None:
        """Give an actor's row; None when there is no such actor."""
        return self._actors.get(address)

    def greet(self, init: Init) -> None:
        """Take a host's greeting. Rows stay until its list replaces them."""
        self.init = init

    def begin(self, actors: Iterable[ActorInfo], now: float, *, complete: bool = True) -> None:
        """Take the first page of a list that stands for itself: what is not in it, or in the pages after, is
        gone.
        """
        known = self._actors
        self._actors = {}
        for info in actors:
            row = known.get(info.actor)
            if row is None or row.info.id != info.id:
                row = ActorRow(info)
            row.update(info, now)
            self._actors[info.actor] = row
        for address, row in known.items():
            row.gone = address not in self._actors
        self._order, self._shown = sorted(self._actors), None
        self._come.clear()
        self._gone.clear()
        self.complete = complete

    def add(self, actors: Iterable[ActorInfo], now: float, *, complete: bool) -> None:
        """Take a further page."""
        self.change(actors, (), now)
        self.complete = complete

    def change(self, changed: Iterable[ActorInfo], removed: Iterable[str], now: float) -> None:
        """Take rows that changed or are new, and addresses that are no more."""
        for info in changed:
            row = self._actors.get(info.actor)
            if row is None:
                self._actors[info.actor] = ActorRow(info)
                self._moved(info.actor, self._gone, self._come)
            else:
                row.update(info, now)
        for address in removed:
            row = self._actors.pop(address, None)
            if row is not None:
                row.gone = True
                self._moved(address, self._come, self._gone)

    def addresses(self, prefix: str = "") -> list[str]:
        """Give the addresses that begin with `prefix`, sorted; the list is kept until something comes or
        goes, and must not be changed.
        """
        if self._come or self._gone:
            self._settle()
        if not prefix:
            return self._order
        if self._shown is None or self._shown[0] != prefix:
            # Those that begin alike lie together.
            first = bisect_left(self._order, prefix)
            last = bisect_left(self._order, True, first, key=lambda address: not address.startswith(prefix))
            self._shown = prefix, self._order[first:last]
        return self._shown[1]

    def place(self, address: str, prefix: str = "") -> int | None:
        """Give an address's place among those that begin with `prefix`; None if it is not there."""
        shown = self.addresses(prefix)
        at = bisect_left(shown, address)
        return at if at < len(shown) and shown[at] == address else None

    def _moved(self, address: str, undone: set[str], done: set[str]) -> None:
        self._shown = None
        if address in undone:
            undone.remove(address)
        else:
            done.add(address)

    def _settle(self) -> None:
        come, order = sorted(self._come), self._order
        if len(self._gone) > _FEW:
            self._order = order = [address for address in order if address not in self._gone]
        else:
            for address in self._gone:
                del order[bisect_left(order, address)]
        if come and (not order or come[0] > order[-1]):
            # Pages come in order: a host of a million actors has some thousand of them.
            order += come
        elif len(come) > _FEW:
            order += come
            order.sort()
        else:
            for address in come:
                insort(order, address)
        self._come.clear()
        self._gone.clear()
