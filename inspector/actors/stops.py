"""Stops and restarts: how lives end in good order, one that somebody ends and all of them when the host drains."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Final

import trio

from inspector.actors.actions import ActionSpec, action
from inspector.actors.calls import Call, current_call
from inspector.actors.life import Life, hook_call
from inspector.actors.notes import note
from inspector.tracing import DEBUG, ERROR, INFO

if TYPE_CHECKING:
    from inspector.actors.cell import Cell
    from protocol.errors import InspectorError

__all__ = ("RESTART", "RESTART_GRACE", "Stop", "Stops", "retire")

RESTART_GRACE: Final = 5.0
"""Seconds that the last turn and the stop hook of a life have when the actor is restarted, like a child's shutdown in
Erlang: a restart is what one does to an actor that is stuck. Then the hook is cancelled, and the next life begins."""

_TARGET: Final = "inspector.actors.life"


@action(timeout=None)
def _restart(actor: object) -> None:
    """Stand for a restart where somebody waits for one."""


RESTART: Final = ActionSpec(object, "(restart)", _restart)
"""What a call is for that waits for a restart; its value is the generation of the new life."""


class Stop:
    """The end of one life in good order: its last turn, then its tasks, then its stop hook; and what follows.

    It has a task of its own: somebody who waits for it and is cancelled stops nothing.

    Args:
        cell: the actor. If it ends, it takes nothing in from now on; if it lives again, what comes waits for that.
        deadline: the trio time at which it is cut short.
        last_turn: let what runs end first.
        remove: take the actor out of the registry in the end.
        again: begin another life in the end.
    """

    def __init__(
        self, cell: Cell, deadline: float = math.inf, *, last_turn: bool, remove: bool = False, again: bool = False
    ) -> None:
        # One that starts, or is between a crash and the next start, has nothing to end.
        self._healthy = cell.phase == "idle"
        self._cell = cell
        self._last_turn = last_turn
        self._patience = trio.current_time() + RESTART_GRACE if again else math.inf
        self._callers: list[Call] = []
        self._remove = remove
        self._again = again
        self.scope = trio.CancelScope(deadline=deadline)
        self.over = trio.Event()
        if again:
            cell.phase = "restarting"
            if cell.span is not None:
                note(cell.registry.life_log, INFO, cell.span, "actor is restarted")
            cell.interrupt(cell.stopped_error())
            for waiting in cell.mailbox or ():
                cell.registry.deadlines.add(waiting)
            cell.touch()
        else:
            cell.phase = "stopping"
            cell.clear(cell.stopped_error())

    def tell(self, call: Call) -> None:
        """Resolve a call with the generation of the life that follows, or reject it where none does."""
        self._callers.append(call)

    def end_for_good(self, reason: InspectorError, *, remove: bool) -> None:
        """Let no other life follow, whatever was meant before: whoever wants the end goes before who wants a start."""
        self._remove |= remove
        if self._again:
            self._again = False
            self._patience = math.inf
            self._cell.phase = "stopping"
            self._cell.clear(self._cell.stopped_error())
            for call in self._callers:
                call.reject(reason)

    async def work(self, turn_over: Callable[[], Awaitable[None]], finish: Callable[[bool], None]) -> None:
        """End the life, and begin the next where one is wanted.

        Args:
            turn_over: waits until some turn of an actor that ends a life is over.
            finish: called when all is over, however it came out; with whether to remove the actor.
        """
        cell = self._cell
        ended = False
        try:
            with self.scope:
                if self._again:
                    # Once more: an action that asked for this itself waits only now, and can be interrupted.
                    cell.interrupt(cell.stopped_error())
                if self._last_turn:
                    with trio.move_on_at(self._patience):
                        while cell.current is not None or cell.running:
                            await turn_over()
                if cell.life is not None:
                    await cell.life.end()
                # It may have crashed meanwhile.
                self._healthy &= cell.span is not None and not cell.span.ended
                # Beside a turn that does not end a hook has no business.
                if self._healthy and cell.kind.has_on_stop and trio.current_time() < self._patience:
                    with trio.move_on_at(self._patience) as hook:
                        await _run_stop_hook(cell)
                    if hook.cancelled_caught:
                        note(cell.registry.life_log, ERROR, cell.span, "stop hook took too long")
                ended = True
        finally:
            again = self._again and ended
            retire(cell)
            finish(self._remove)
            if again:
                self._begin_again()
            else:
                for call in self._callers:
                    call.reject(cell.stopped_error())
            self.over.set()

    def _begin_again(self) -> None:
        cell = self._cell
        cell.phase = "starting"
        # Somebody has looked at it: how often it crashed before counts no more.
        cell.crashes = None
        cell.restarts += 1 if cell.generation else 0
        if self._healthy:
            cell.failure = None
        cell.life = Life(cell)
        cell.registry.start_life(cell.life)
        for call in self._callers:
            call.resolve(cell.generation + 1)
        cell.touch()


class Stops:
    """The ends of one registry's lives that are under way.

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
        """A turn of an actor that takes none at this moment is over."""
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
            stop = self._stops[cell]
            reason = cell.stopped_error() if last_turn else cell.registry.shut_down_error()
            stop.end_for_good(reason, remove=last_turn)
            return stop
        return self._add(cell, Stop(cell, deadline, last_turn=last_turn, remove=last_turn))

    def restart(self, call: Call) -> None:
        """Restart the actor that a call is for: resolve the call with the new generation, or reject it."""
        cell = call.cell
        stop = self._stops.get(cell)
        if stop is None:
            stop = self._add(cell, Stop(cell, last_turn=True, again=True))
        elif cell.phase == "stopping":
            call.reject(cell.stopped_error())
            return
        stop.tell(call)

    def _add(self, cell: Cell, stop: Stop) -> Stop:
        def finish(remove: bool) -> None:
            del self._stops[cell]
            if remove:
                self._remove(cell)

        async def turn_over() -> None:
            await self._turn_over.wait()

        async def work() -> None:
            await stop.work(turn_over, finish)

        self._stops[cell] = stop
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
