"""Cancel scopes around a task: whether one of them was cancelled, and the deadline of the innermost that has one.

What trio makes public are the scopes of nurseries: that of the nursery a task is in, and of those around it. The scope
of a bare `CancelScope`, `fail_after` or `move_on_after` can be seen only through attributes that trio keeps to itself.
This module is the one place that looks at them, and goes by the public ones where a trio has others.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any, Final

import trio

__all__ = ("Clock", "Scopes", "enclosing_scopes", "is_runnable")

_END_OF_TIME: Final = 2**63 - 1
_DRIFT: Final = 0.05
"""Seconds by which trio's clock and the system's may come apart before deadlines are told anew."""


def enclosing_scopes(task: trio.lowlevel.Task) -> Iterator[trio.CancelScope]:
    """Give the scopes around the point where a task is, innermost first."""
    status: Any = getattr(task, "_cancel_status", None)
    if status is None:
        yield from _scopes_of_nurseries(task)
        return
    while status is not None:
        scope = getattr(status, "_scope", None)
        if scope is None:
            return
        yield scope
        status = getattr(status, "_parent", None)


def _scopes_of_nurseries(task: trio.lowlevel.Task) -> Iterator[trio.CancelScope]:
    # The task's own nurseries count too: while it has any, it is inside them.
    for nursery in reversed(task.child_nurseries):
        yield nursery.cancel_scope
    inside = task.parent_nursery
    while inside is not None:
        parent = inside.parent_task
        nurseries = parent.child_nurseries
        # One that is about to close is no more among them.
        end = nurseries.index(inside) if inside in nurseries else 0
        for nursery in (inside, *reversed(nurseries[:end])):
            yield nursery.cancel_scope
        inside = parent.parent_nursery


def is_runnable(task: trio.lowlevel.Task) -> bool:
    """Tell whether a task that does not run at this moment is about to, as far as trio lets that be seen."""
    return getattr(task, "_next_send_fn", None) is not None


class Clock:
    """Trio's times as Unix milliseconds, the same for the same time as long as neither clock is set."""

    def __init__(self) -> None:
        self._offset = math.inf

    def set(self) -> None:
        """Compare the clocks. Only inside the run whose clock it is."""
        offset = time.time() - trio.current_time()
        if not abs(offset - self._offset) < _DRIFT:
            self._offset = offset

    def milliseconds(self, at: float) -> int | None:
        """Return a time of trio's; None for never."""
        if not math.isfinite(at):
            return None
        return min(max(round((at + self._offset) * 1000), 0), _END_OF_TIME)


class Scopes:
    """What holds for tasks during one look at all of them: those of one nursery share nearly all their scopes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[trio.CancelScope, tuple[bool, int | None]] = {}

    def around(self, task: trio.lowlevel.Task) -> tuple[bool, int | None]:
        """Return whether a scope around a task was cancelled, shielded or not, and the innermost deadline."""
        path: list[trio.CancelScope] = []
        found: tuple[bool, int | None] = (False, None)
        for scope in enclosing_scopes(task):
            if scope in self._known:
                found = self._known[scope]
                break
            path.append(scope)
        for scope in reversed(path):
            cancelled, deadline = found
            own = self._clock.milliseconds(scope.deadline)
            found = cancelled or scope.cancel_called, deadline if own is None else own
            self._known[scope] = found
        return found
