"""A call: one action asked of one actor, from the moment it is sent until somebody has its outcome."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import trio

from protocol.errors import InspectorError

if TYPE_CHECKING:
    from inspector.actors.actions import ActionSpec
    from inspector.actors.cell import Cell
    from inspector.actors.workers import Worker
    from inspector.tracing import Span, SpanContext

__all__ = ("Call", "Watched", "current_call")

Watched = list[Any]
"""What the heap of deadlines has of a call: deadline, number, and the call, or None once it is over."""

current_call: Final[ContextVar[Call | None]] = ContextVar("inspector_call", default=None)
"""The call whose action or hook runs in this context; None outside of them, also in tasks that an actor spawned."""


class Call:
    """One call.

    Args:
        cell: the actor it is for.
        spec: the action.
        args: checked arguments by position.
        kwargs: checked arguments by name.
        timeout: seconds it has; None for ever.
        parent: the span it was sent from, where that lies inside an action or came from outside.
        caller: the call whose action sent it.
        done: is told once, as soon as there is an outcome.
        rid: the id of the request it answers, for the log.
    """

    __slots__ = (
        "_waiter",
        "args",
        "caller",
        "cell",
        "deadline",
        "done",
        "error",
        "finished",
        "kwargs",
        "parent",
        "pending",
        "reason",
        "rid",
        "sent_at",
        "span",
        "spec",
        "timeout",
        "value",
        "watched",
        "worker",
    )

    def __init__(
        self,
        cell: Cell,
        spec: ActionSpec,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        timeout: float | None,
        parent: Span | SpanContext | None,
        caller: Call | None,
        done: Callable[[Call], object] | None,
        rid: int | None = None,
    ) -> None:
        self.cell = cell
        self.spec = spec
        self.args = args
        self.kwargs = kwargs
        self.timeout = timeout
        self.parent = parent
        self.caller = caller
        self.done = done
        self.rid = rid
        self.sent_at = time.perf_counter_ns()
        self.deadline = 0.0
        self.finished = False
        self.pending = False
        """Whether the registry waits for this call before it stops."""
        self.watched: Watched | None = None
        self._waiter: trio.lowlevel.Task | None = None
        self.value: Any = None
        self.error: InspectorError | None = None
        self.span: Span | None = None
        """Its action's; None before it began, and always for a hook."""
        self.worker: Worker | None = None
        self.reason: InspectorError | None = None
        """Why the action was cancelled, where somebody cancelled it."""

    def spans(self) -> bool:
        """Tell whether what it calls belongs to its trace: an action's calls do, a hook's begin traces of their own."""
        return self.span is not None

    def start_clock(self) -> None:
        """Fix the deadline; only a call that has to wait for anything needs one."""
        if self.deadline == 0.0:
            elapsed = (time.perf_counter_ns() - self.sent_at) / 1e9
            now = trio.current_time()
            self.deadline = float("inf") if self.timeout is None else now + max(0.0, self.timeout - elapsed)

    def resolve(self, value: Any) -> None:
        """Finish with a value."""
        if not self.finished:
            self.value = value
            self._finish()

    def reject(self, error: InspectorError) -> None:
        """Finish with an error."""
        if not self.finished:
            self.error = error
            self._finish()

    def _finish(self) -> None:
        self.finished = True
        if self.watched is not None:
            # The heap has it until the deadline; the call, and its value, it need not keep.
            self.watched[2] = None
        if self.pending:
            self.cell.registry.ended()
        if self._waiter is not None:
            trio.lowlevel.reschedule(self._waiter)
        elif self.done is not None:
            self.done(self)

    async def wait(self) -> None:
        """Wait until a call that is under way is over. Whoever is cancelled meanwhile stops nothing."""
        self._waiter = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._give_up)

    def _give_up(self, _: object) -> trio.lowlevel.Abort:
        self._waiter = None
        return trio.lowlevel.Abort.SUCCEEDED

    def forget(self) -> None:
        """Nobody waits for the outcome any more; the action goes on."""
        self.done = None

    def cancel(self, reason: InspectorError) -> bool:
        """Cancel the action, waiting or running; False if it is over already, or can't be interrupted any more."""
        if self.finished or self.reason is not None:
            return False
        if self.worker is not None:
            self.reason = reason
            self.worker.cancel()
        else:
            self.cell.withdraw(self, reason)
        return True

    def timed_out(self) -> InspectorError:
        """Make the error of a call whose deadline has passed."""
        timeout_ms = round((self.timeout or 0) * 1000)
        return InspectorError(
            "actor.action_timed_out",
            f"{self.cell.address} {self.spec.name}: no end within {timeout_ms} ms",
            {"timeout_ms": timeout_ms},
        )

    def chain(self) -> list[str]:
        """List the addresses of this call's actor and of the actors that wait for it, the first caller first."""
        chain: list[str] = []
        call: Call | None = self
        while call is not None:
            chain.append(call.cell.address)
            call = call.caller
        return chain[::-1]

    def circle(self, address: str) -> InspectorError:
        """Make the error of what it calls, where that actor waits for it."""
        chain = [*self.chain(), address]
        return InspectorError("actor.call_cycle", " → ".join(chain) + " is a circle", {"chain": chain})

    def waits_for(self, cell: Cell) -> bool:
        """Tell whether `cell` can't take another turn before this call, or one that waits for it, has ended."""
        call: Call | None = self
        while call is not None:
            if call.cell is cell and not call.spec.concurrent and not call.finished:
                return True
            call = call.caller
        return False
