"""Stops: how actors end in good order, one that somebody stops and all of them when the host drains."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Final

import trio

from inspector.actors.calls import current_call
from inspector.actors.life import hook_call
from inspector.actors.notes import note
from inspector.tracing import DEBUG, ERROR, INFO

if TYPE_CHECKING:
    from inspector.actors.cell import Cell

__all__ = ("Stop", "Stops", "retire")

_TARGET: Final = "inspector.actors.life"


class Stop:
    """The end of one actor in good order: its last turn, then its tasks, then its stop hook.

    It has a task of its own: somebody who waits for it and is cancelled stops nothing.

    Args:
        cell: the actor; from now on it takes nothing in.
        deadline: the trio time at which it is cut short.
    """

    def __init__(self, cell: Cell, deadline: float = math.inf) -> None:
        # One that starts, or is between a crash and the next start, has nothing to end.
        self._healthy = cell.phase == "idle"
        self._cell = cell
        self.scope = trio.CancelScope(deadline=deadline)
        self.over = trio.Event()
        cell.phase = "stopping"
        cell.clear(cell.stopped_error())

    async def work(self, last_turn: Callable[[], Awaitable[None]] | None, finish: Callable[[], None]) -> None:
        """End the actor.

        Args:
            last_turn: waits until what runs has ended; None where that has been waited for.
            finish: called when all is over, however it came out.
        """
        cell = self._cell
        try:
            with self.scope:
                if last_turn is not None:
                    await last_turn()
                if cell.life is not None:
                    await cell.life.end()
                if self._healthy and cell.kind.has_on_stop and cell.span is not None:
                    await _run_stop_hook(cell)
        finally:
            retire(cell)
            finish()
            self.over.set()


class Stops:
    """The ends of one registry's actors that are under way.

    Args:
        start: starts a task in the registry's nursery.
        remove: takes an actor that has ended out of the registry.
    """

    def __init__(self, start: Callable[[Callable[[], Awaitable[None]]], None], remove: Callable[[Cell], None]) -> None:
        self._start = start
        self._remove = remove
        self._stops: dict[Cell, Stop] = {}
        self._turn_over = trio.Event()

    def __contains__(self, cell: Cell) -> bool:
        return cell in self._stops

    def turn_over(self) -> None:
        """A turn of an actor that is stopping is over."""
        self._turn_over.set()
        self._turn_over = trio.Event()

    def begin(self, cell: Cell, *, last_turn: bool, deadline: float = math.inf) -> Stop:
        """Stop an actor, unless that is under way.

        Args:
            cell: the actor.
            last_turn: let what runs end first, and remove the actor in the end.
            deadline: the trio time at which it is cut short.
        """
        if cell in self._stops:
            return self._stops[cell]

        async def wait_last_turn() -> None:
            while cell.current is not None or cell.running:
                await self._turn_over.wait()

        def finish() -> None:
            del self._stops[cell]
            if last_turn:
                self._remove(cell)

        async def work() -> None:
            await stop.work(wait_last_turn if last_turn else None, finish)

        stop = self._stops[cell] = Stop(cell, deadline)
        self._start(work)
        return stop

    def hurry(self, deadline: float) -> None:
        """Cut what is under way short at a trio time."""
        for stop in self._stops.values():
            stop.scope.deadline = deadline

    async def all(self, cells: Iterable[Cell], deadline: float) -> bool:
        """Stop actors side by side; tell whether all of them ended before a trio time."""
        stops = [self.begin(cell, last_turn=False, deadline=deadline) for cell in cells]
        with trio.move_on_at(deadline) as scope:
            for stop in stops:
                await stop.over.wait()
        return not scope.cancelled_caught and not any(stop.scope.cancelled_caught for stop in stops)


def retire(cell: Cell) -> None:
    """Note that an actor has ended."""
    if cell.span is not None and not cell.span.ended:
        note(cell.registry.life_log, INFO, cell.span, "actor stopped")
        cell.span.end("ok")
    cell.phase = "stopped"
    cell.touch()


async def _run_stop_hook(cell: Cell) -> None:
    assert cell.actor is not None
    current_call.set(hook_call(cell))
    try:
        with cell.registry.log.start_span("stop", {"task": "on_stop"}, target=_TARGET, level=DEBUG, parent=cell.span):
            await cell.actor.on_stop()
    except Exception as exc:
        # A stop hook is the program's code; whatever it does, the others have to be stopped too.
        note(cell.registry.life_log, ERROR, cell.span, "stop hook failed", exc)
