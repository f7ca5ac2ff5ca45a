"""Workers: the tasks that run asynchronous actions. They belong to no actor, and park when there is nothing to do.

A worker runs an action's coroutine step by step in a context of its own, so that what the action sets in its context
vars stays there. Only when the action first really waits does it cost more than a call: then the worker's one cancel
scope gets the action's deadline. A scope that has fired is spent, and its worker with it.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, Final

import trio

from inspector.actors.calls import Call, current_call
from inspector.tracing import current_span

__all__ = ("Worker", "Workers", "call_in", "enter")

_MOST_PARKED: Final = 16
"""A parked task costs about 2,000 bytes; more than these end instead."""
_TURNS: Final = 32
"""Actions that a worker runs before it lets other tasks have a turn."""


# Whoever inspects may be interrupted nowhere, but what runs here is the program's own.
@trio.lowlevel.disable_ki_protection
def enter(call: Call) -> Any:
    """Begin a call's action in the present context: its value, or the coroutine that will have it."""
    call.span = call.cell.open_action_span(call)
    current_span.set(call.span)
    current_call.set(call)
    return call.spec.function(call.cell.actor, *call.args, **call.kwargs)


def _enter_async(call: Call) -> tuple[Coroutine[Any, Any, Any], object]:
    """Begin an asynchronous action in the present context; return its coroutine and what that waits for.

    Raises:
        StopIteration: it did not wait, and has its value.
    """
    coroutine = enter(call)
    return coroutine, coroutine.send(None)


def call_in(frame: types.FrameType | None) -> Call | None:
    """Find the call whose action runs in a frame, or in those around it, and has not waited for anything yet."""
    while frame is not None:
        if frame.f_code is enter.__code__ or frame.f_code is Worker._perform.__code__:
            call = frame.f_locals.get("call")
            return call if isinstance(call, Call) else None
        frame = frame.f_back
    return None


class Workers:
    """All workers of a registry.

    Args:
        nursery: where they run.
        context: what each action's context is a copy of.
    """

    def __init__(self, nursery: trio.Nursery, context: Context) -> None:
        self._nursery = nursery
        self._context = context
        self._parked: list[Worker] = []
        self._deferred: list[Callable[[], object]] = []
        self._stepping = 0
        self._made = 0
        self.driven: dict[trio.lowlevel.Task, Coroutine[Any, Any, Any]] = {}
        """The actions that wait, by the tasks that drive them: from outside no more than the driver can be seen."""

    def run(self, call: Call) -> None:
        """Run a call on some worker, and after it, where it was a turn of its actor, those that wait behind it."""
        if self._parked:
            worker = self._parked.pop()
            worker.job = call
            call.worker = worker
            trio.lowlevel.reschedule(worker.task)
        else:
            worker = Worker(self, self._context)
            worker.job = call
            call.worker = worker
            # A worker outlives the action that had need of it, and must not keep that action's context.
            self._made += 1
            name = f"worker {self._made}"
            self._context.copy().run(lambda: self._nursery.start_soon(worker.work, name=name))

    def defer(self, function: Callable[[], object]) -> bool:
        """Call `function` when the worker that runs at this moment stops to wait; False if none does.

        What a run of actions has to send leaves in one write so.
        """
        if self._stepping:
            self._deferred.append(function)
            return True
        return False

    def flush(self) -> None:
        """Call what was deferred."""
        while self._deferred:
            deferred, self._deferred = self._deferred, []
            for function in deferred:
                function()

    def park(self, worker: Worker) -> bool:
        """Take a worker back; False if there are enough."""
        if len(self._parked) >= _MOST_PARKED:
            return False
        self._parked.append(worker)
        return True

    def unpark(self, worker: Worker) -> None:
        """Forget a parked worker."""
        self._parked.remove(worker)

    def begin_step(self) -> None:
        """A worker's step begins."""
        self._stepping += 1

    def end_step(self) -> None:
        """A worker is about to wait."""
        self._stepping -= 1
        if not self._stepping:
            self.flush()


class Worker:
    """One task that runs actions, one after the other."""

    __slots__ = ("_context", "_pool", "_scope", "_spent", "job", "task")

    task: trio.lowlevel.Task

    def __init__(self, pool: Workers, context: Context) -> None:
        self._pool = pool
        self._context = context
        self._scope = trio.CancelScope()
        # Whether the scope has fired, for to ask that costs it a look at the clock. Its deadline is one only while an
        # action waits.
        self._spent = False
        self.job: Call | None = None

    def cancel(self) -> None:
        """Cancel the action that runs at this moment."""
        self._spent = True
        self._scope.cancel()

    async def work(self) -> None:
        """Run actions until nobody has need of this worker."""
        self.task = trio.lowlevel.current_task()
        pool = self._pool
        try:
            with self._scope:
                while self.job is not None:
                    pool.begin_step()
                    try:
                        turns = 0
                        while self.job is not None and not self._spent:
                            if turns == _TURNS:
                                turns = 0
                                await self._yield()
                                continue
                            turns += 1
                            call, self.job = self.job, None
                            await self._perform(call)
                    finally:
                        pool.end_step()
                    if self._spent:
                        break
                    if pool.park(self):
                        await trio.lowlevel.wait_task_rescheduled(self._unpark)
        except BaseException:
            if self.job is not None:
                # The host is cut off: it answers what no worker has.
                self.job.worker = None
            raise
        if self.job is not None:
            pool.run(self.job)

    async def _yield(self) -> None:
        # Not to be cancelled here: the job that this worker has taken would be lost.
        self._pool.end_step()
        await trio.lowlevel.cancel_shielded_checkpoint()
        self._pool.begin_step()

    def _unpark(self, _: object) -> trio.lowlevel.Abort:
        self._pool.unpark(self)
        return trio.lowlevel.Abort.SUCCEEDED

    async def _perform(self, call: Call) -> None:
        cell = call.cell
        cancelled: BaseException | None = None
        try:
            if call.reason is not None:
                # Cancelled between being given to a worker and beginning.
                cell.interrupted(call, call.reason)
                return
            context = self._context.copy()
            if call.spec.is_async:
                # Most actions never wait: for these there is no generator more than their own.
                try:
                    coroutine, trap = context.run(_enter_async, call)
                except StopIteration as stop:
                    value = stop.value
                else:
                    value = await self._drive(call, context, coroutine, trap)
            else:
                value = context.run(enter, call)
        except Exception as exc:
            cell.failed(call, exc)
        except trio.Cancelled as exc:
            cancelled = exc
            self._interrupted(call)
        except BaseExceptionGroup as exc:
            cancelled = self._group(call, exc)
        except BaseException as exc:
            cell.failed(call, exc)
            raise
        else:
            cell.succeeded(call, value)
        finally:
            call.worker = None
            self.job = cell.next_call(call)
            if self.job is not None:
                self.job.worker = self
        if cancelled is not None:
            # Only the scope that it belongs to may end a cancellation: this worker's, or one outside.
            raise cancelled

    def _group(self, call: Call, group: BaseExceptionGroup[BaseException]) -> BaseException:
        """Note what an action with a nursery of its own raised; return the part of it that must go on."""
        cancelled, rest = group.split(trio.Cancelled)
        if cancelled is None or not (rest is None or isinstance(rest, Exception)):
            # Somebody wants the program to end.
            call.cell.failed(call, group)
            return group
        self._interrupted(call, rest)
        return cancelled

    def _interrupted(self, call: Call, rest: BaseException | None = None) -> None:
        mine = self._scope.cancel_called
        call.cell.interrupted(call, (call.reason or call.timed_out()) if mine else call.cell.stopped_error(), rest)

    @types.coroutine
    def _drive(
        self, call: Call, context: Context, coroutine: Coroutine[Any, Any, Any], trap: object
    ) -> Generator[Any, Any, Any]:
        """Run an action on from its first wait."""
        task, own = self.task, self.task.context
        call.start_clock()
        # An inspector that looks from outside, and trio when it goes on, both find the action's own context.
        task.context = context
        self._scope.deadline = call.deadline
        self._pool.driven[task] = coroutine
        call.cell.stalled(call)
        self._pool.end_step()
        try:
            while True:
                try:
                    sent = yield trap
                except BaseException as exc:
                    self._pool.begin_step()
                    trap = coroutine.throw(exc)
                else:
                    self._pool.begin_step()
                    trap = coroutine.send(sent)
                self._pool.end_step()
        except StopIteration as stop:
            return stop.value
        finally:
            task.context = own
            del self._pool.driven[task]
            self._scope.deadline = math.inf
            self._spent = self._scope.cancel_called
