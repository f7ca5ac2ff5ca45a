"""A life: the task that an actor has while it starts, runs, or has tasks of its own; and what follows a crash.

An exception out of `on_start`, `run` or a spawned task is a crash: it is logged, what the actor was doing is answered
with ``actor.stopped``, and after a while it starts again with a new state. What waits in the mailbox waits on.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import trio

from inspector.actors.calls import current_call
from inspector.actors.notes import note, text_of
from inspector.tracing import DEBUG, ERROR, INFO
from protocol.errors import InspectorError
from protocol.messages import Failure

if TYPE_CHECKING:
    from inspector.actors.cell import Cell

__all__ = ("BACKOFF_FIRST", "BACKOFF_MOST", "HEALTHY_AFTER", "Life", "in_stop_hook", "retire", "stop_actor")

BACKOFF_FIRST: Final = 0.5
"""Seconds between a first crash and the start after it; twice as long after each further one."""
BACKOFF_MOST: Final = 30.0
"""Seconds that it is at most."""
HEALTHY_AFTER: Final = 60.0
"""Seconds of life after which a crash counts as a first one."""

in_stop_hook: Final[ContextVar[bool]] = ContextVar("inspector_in_stop_hook", default=False)
"""Whether this context belongs to a stop hook, whose calls are admitted while the host drains."""

TARGET: Final = "inspector.actors.life"
_Task = tuple[Callable[..., Awaitable[object]], tuple[Any, ...], str, str]


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
        self._crashes = 0

    def spawn(self, task: Callable[..., Awaitable[object]], args: tuple[Any, ...], name: str) -> None:
        """Start a task of the actor, as soon as the nursery is open."""
        self._start(task, args, "task", name)

    async def end(self) -> None:
        """Cancel all tasks and wait until they have ended."""
        self._scope.cancel()
        await self._over.wait()

    async def work(self) -> None:
        """Live, and live again after each crash, until nothing is left to do."""
        current_call.set(None)
        cell = self._cell
        try:
            with self._scope:
                while True:
                    since = trio.current_time()
                    crash = await self._live_once()
                    if crash is None:
                        return
                    if trio.current_time() - since >= HEALTHY_AFTER:
                        self._crashes = 0
                    delay = min(BACKOFF_MOST, BACKOFF_FIRST * 2**self._crashes)
                    self._crashes += 1
                    self._crashed(crash, delay)
                    await trio.sleep(delay)
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
            if cancelled is None or isinstance(rest, Exception):
                # A task that fails while the actor is stopped is no crash, but it must not go unseen.
                if cancelled is None:
                    raise
                self._note("actor task failed while it was stopped", rest)
                raise cancelled from None
            if rest is None:
                raise cancelled from None
            raise
        return None

    async def _live(self) -> None:
        cell = self._cell
        if not self._started:
            await self._begin()
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            if cell.kind.has_run and not self._started:
                assert cell.actor is not None
                self._start(cell.actor.run, (), "run", "run")
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
        if cell.generation:
            cell.make_actor()
        span = cell.open_span()
        actor = cell.actor
        assert actor is not None
        if cell.kind.has_on_start:
            log = cell.registry.log
            with log.start_span("start", {"task": "on_start"}, target=TARGET, level=DEBUG, parent=span):
                await actor.on_start()
        cell.phase = "idle"
        cell.touch()
        cell.resume()

    def _start(self, task: Callable[..., Awaitable[object]], args: tuple[Any, ...], span: str, name: str) -> None:
        self._tasks += 1
        if self._nursery is None:
            self._waiting.append((task, args, span, name))
        else:
            self._nursery.start_soon(self._run_task, task, args, span, name, name=f"{self._cell.address} {name}")

    async def _run_task(
        self, task: Callable[..., Awaitable[object]], args: tuple[Any, ...], span: str, name: str
    ) -> None:
        cell = self._cell
        # A task is nobody's turn, whoever spawned it.
        current_call.set(None)
        try:
            with cell.registry.log.start_span(span, {"task": name}, target=TARGET, level=DEBUG, parent=cell.span):
                await task(*args)
        except InspectorError as exc:
            if not (exc.name == "registry.shut_down" and cell.registry.draining):
                raise
        self._tasks -= 1
        if not self._tasks:
            self._nothing_left()

    def _nothing_left(self) -> None:
        # From here on the nursery takes nobody in; a task that is spawned now begins a new one.
        self._nursery = None
        if self._cell.life is self:
            self._cell.life = None
            self._cell.touch()

    def _crashed(self, exc: BaseException, delay: float) -> None:
        cell = self._cell
        exc = _innermost(exc)
        self._nursery = None
        self._waiting.clear()
        self._tasks = 0
        cell.phase = "restarting"
        cell.life = self
        cell.restarts += 1
        cell.errors += 1
        cell.failure = Failure(type=type(exc).__name__, message=text_of(exc), at=time.time_ns() // 1_000_000)
        self._note("actor crashed", exc, again_in_ms=round(delay * 1000))
        cell.interrupt(cell.stopped_error())
        if cell.span is not None:
            cell.span.end("error")
        for waiting in cell.mailbox or ():
            cell.registry.deadlines.add(waiting)
        cell.touch()

    def _note(self, message: str, exc: BaseException | None, **fields: Any) -> None:
        cell = self._cell
        note(cell.registry.life_log, ERROR, cell.span, message, exc, **fields)


async def stop_actor(cell: Cell, *, healthy: bool) -> None:
    """End an actor in good order: its tasks first, then its stop hook. What the hook raises is logged.

    Its calls have to be over, or to have been told.

    Args:
        cell: the actor.
        healthy: it was neither starting nor between a crash and the next start, when there is nothing to end.
    """
    cell.phase = "stopping"
    cell.touch()
    if cell.life is not None:
        await cell.life.end()
    if healthy and cell.kind.has_on_stop and cell.span is not None:
        await _run_stop_hook(cell)
    retire(cell)


def retire(cell: Cell) -> None:
    """Note that an actor has ended."""
    if cell.span is not None and not cell.span.ended:
        note(cell.registry.life_log, INFO, cell.span, "actor stopped")
        cell.span.end("ok")
    cell.phase = "stopped"
    cell.touch()


async def _run_stop_hook(cell: Cell) -> None:
    assert cell.actor is not None
    current_call.set(None)
    in_stop_hook.set(True)
    try:
        with cell.registry.log.start_span("stop", {"task": "on_stop"}, target=TARGET, level=DEBUG, parent=cell.span):
            await cell.actor.on_stop()
    except Exception as exc:
        # A stop hook is the program's code; whatever it does, the others have to be stopped too.
        note(cell.registry.life_log, ERROR, cell.span, "stop hook failed", exc)


def _innermost(exc: BaseException) -> BaseException:
    while isinstance(exc, BaseExceptionGroup) and len(exc.exceptions) == 1:
        exc = exc.exceptions[0]
    return exc


def _text(exc: BaseException) -> str:
    try:
        return str(exc)[:1000]
    except Exception:
        # What an exception says of itself is the program's code, and may fail like any other.
        return "(its text can't be had: str() raised)"
