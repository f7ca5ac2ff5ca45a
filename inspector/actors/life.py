"""A life: the task that an actor has while it starts, runs, or has tasks of its own; and what follows a crash.

An exception out of `on_start`, `run` or a spawned task is a crash: it is logged, what the actor was doing is answered
with ``actor.stopped``, and its class's supervision says what follows. Where that is a new life it begins after a while,
with a new state, and what waits in the mailbox waits on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Final, Literal, assert_never

import trio

from inspector.actors.actions import ActionSpec, action
from inspector.actors.calls import Call, current_call
from inspector.actors.notes import note, text_of
from inspector.actors.supervision import Crashes, EscalationError
from inspector.tracing import DEBUG, ERROR, INFO
from protocol.errors import InspectorError
from protocol.messages import Failure

if TYPE_CHECKING:
    from inspector.actors.cell import Cell

__all__ = ("Life", "hook_call")

_TARGET: Final = "inspector.actors.life"
_Task = tuple[Callable[..., Awaitable[object]], tuple[Any, ...], str, str, Context]


@action(timeout=None)
def _hook(actor: object) -> None:
    """Stand for a start or stop hook where it calls others."""


_HOOK: Final = ActionSpec(object, "hook", _hook)


def hook_call(cell: Cell) -> Call:
    """Make the call that stands for a hook of an actor, for what the hook calls."""
    # While a hook runs its actor takes no turn: what it calls is told of circles, and admitted, like an action's calls.
    return Call(cell, _HOOK, (), {}, None, None, None, None)


class Life:
    """The task of one actor.

    Args:
        cell: the actor.
        started: it takes turns already, and only its tasks need a nursery.
    """

    def __init__(self, cell: Cell, *, started: bool = False) -> None:
        self._cell = cell
        self._started = started
        self._scope = trio.CancelScope()
        self._nursery: trio.Nursery | None = None
        self._waiting: list[_Task] = []
        self._tasks = 0
        self._over = trio.Event()

    def spawn(self, task: Callable[..., Awaitable[object]], args: tuple[Any, ...], name: str) -> None:
        """Start a task of the actor, as soon as the nursery is open."""
        self._start(task, args, "task", name, copy_context())

    @property
    def wanted(self) -> bool:
        """Whether its actor still is to live."""
        return self._cell.phase != "stopped"

    async def end(self) -> None:
        """Cancel all tasks and wait until they have ended."""
        self._scope.cancel()
        await self._over.wait()

    async def work(self) -> None:
        """Live, and live again after each crash, until nothing is left to do."""
        cell = self._cell
        try:
            with self._scope:
                while True:
                    crash = await self._live_once()
                    if crash is None:
                        return
                    if trio.current_effective_deadline() == -math.inf:
                        # A task that fails while the actor is stopped is no crash, but it must not go unseen.
                        self._note("actor task failed while it was stopped", _innermost(crash))
                        return
                    again_at = self._crashed(crash)
                    if again_at is None:
                        return
                    await trio.sleep_until(again_at)
                    self._started = False
        finally:
            if cell.life is self:
                cell.life = None
            self._over.set()
            cell.touch()

    async def _live_once(self) -> BaseException | None:
        """Live until all tasks have ended; return what a crash raised."""
        try:
            await self._live()
        except Exception as exc:
            return exc
        except BaseExceptionGroup as group:
            cancelled, rest = group.split(trio.Cancelled)
            if cancelled is None or not (rest is None or isinstance(rest, Exception)):
                # Somebody wants the program to end.
                raise
            if rest is not None:
                self._note("actor task failed while it was stopped", _innermost(rest))
            raise cancelled from None
        return None

    async def _live(self) -> None:
        cell = self._cell
        if not self._started:
            await self._begin()
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            if cell.kind.has_run and not self._started:
                assert cell.actor is not None
                self._start(cell.actor.run, (), "run", "run", copy_context())
            waiting, self._waiting = self._waiting, []
            for item in waiting:
                self._tasks -= 1
                self._start(*item)
            if not self._tasks:
                self._nothing_left()

    async def _begin(self) -> None:
        cell = self._cell
        cell.phase = "starting"
        cell.touch()
        first = not cell.generation
        span = cell.open_span()
        if not first:
            cell.make_actor()
            cell.changed()
        actor = cell.actor
        assert actor is not None
        if cell.kind.has_on_start:
            log = cell.registry.log
            call = hook_call(cell)
            current_call.set(call)
            try:
                with log.start_span("start", {"task": "on_start"}, target=_TARGET, level=DEBUG, parent=span):
                    await actor.on_start()
            finally:
                current_call.set(None)
                call.resolve(None)
        if cell.phase == "starting":
            cell.phase = "idle"
            cell.changed()
            cell.resume()

    def _start(
        self, task: Callable[..., Awaitable[object]], args: tuple[Any, ...], span: str, name: str, context: Context
    ) -> None:
        self._tasks += 1
        if self._nursery is None:
            self._waiting.append((task, args, span, name, context))
        else:
            task_name = f"{self._cell.address} {name}"
            nursery = self._nursery
            context.run(lambda: nursery.start_soon(self._run_task, task, args, span, name, name=task_name))

    async def _run_task(
        self, task: Callable[..., Awaitable[object]], args: tuple[Any, ...], span: str, name: str
    ) -> None:
        cell = self._cell
        # A task is nobody's turn, whoever spawned it.
        current_call.set(None)
        try:
            with cell.registry.log.start_span(span, {"task": name}, target=_TARGET, level=DEBUG, parent=cell.span):
                await task(*args)
        except (InspectorError, ExceptionGroup) as exc:
            if not (cell.registry.draining and _was_refused(exc)):
                raise
        self._tasks -= 1
        if not self._tasks:
            self._nothing_left()

    def _nothing_left(self) -> None:
        # From here on the nursery takes nobody in; a task that is spawned now begins a new one.
        self._nursery = None
        if self._cell.life is self:
            self._cell.life = None
            self._cell.changed()

    def _crashed(self, exc: BaseException) -> float | None:
        """Note a crash and decide what follows; return the trio time of the next start, None where there is none."""
        cell = self._cell
        exc = _innermost(exc)
        self._nursery = None
        self._waiting.clear()
        self._tasks = 0
        cell.errors += 1
        cell.failure = Failure(type=type(exc).__name__, message=text_of(exc), at=time.time_ns() // 1_000_000)
        again_at: float | None = None
        if cell in cell.registry.stops:
            # Whoever ends this life waits for its last turn, and knows what comes after.
            self._note("actor crashed", exc)
        else:
            again_at = self._decide(exc)
        cell.interrupt(cell.stopped_error())
        if cell.span is not None:
            cell.span.end("error")
        for waiting in cell.mailbox or ():
            cell.registry.deadlines.add(waiting)
        cell.touch()
        return again_at

    def _decide(self, exc: BaseException) -> float | None:
        cell = self._cell
        supervision = cell.kind.supervision
        match supervision.decision:
            case "restart":
                if cell.crashes is None:
                    cell.crashes = Crashes(supervision)
                delay = cell.crashes.add(trio.current_time())
                if delay is not None:
                    cell.phase = "restarting"
                    cell.restarts += 1
                    self._note("actor crashed", exc, again_in_ms=round(delay * 1000))
                    return cell.crashes.again_at
                self._note("actor crashed", exc)
                self._note("actor given up", most=supervision.most, within_ms=round(supervision.within * 1000))
                self._give_up("failed")
            case "stop":
                self._note("actor crashed", exc)
                note(cell.registry.life_log, INFO, cell.span, "actor stopped")
                self._give_up("stopped")
            case "escalate":
                self._note("actor crashed", exc)
                self._note("actor ends the host", exit_code=supervision.exit_code)
                self._give_up("failed")
                escalation = EscalationError(
                    cell.address, supervision.exit_code, f"{type(exc).__name__}: {text_of(exc)}"
                )
                escalation.__cause__ = exc
                cell.registry.escalate(escalation)
            case never:
                assert_never(never)
        return None

    def _give_up(self, phase: Literal["stopped", "failed"]) -> None:
        self._cell.phase = phase
        self._cell.clear(self._cell.stopped_error())

    def _note(self, message: str, exc: BaseException | None = None, **fields: Any) -> None:
        cell = self._cell
        note(cell.registry.life_log, ERROR, cell.span, message, exc, **fields)


def _was_refused(exc: InspectorError | ExceptionGroup[Any]) -> bool:
    if isinstance(exc, ExceptionGroup):
        return exc.split(lambda part: isinstance(part, InspectorError) and part.name == "registry.shut_down")[1] is None
    return exc.name == "registry.shut_down"


def _innermost(exc: BaseException) -> BaseException:
    while isinstance(exc, BaseExceptionGroup) and len(exc.exceptions) == 1:
        exc = exc.exceptions[0]
    return exc
