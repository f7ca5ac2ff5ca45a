"""The roster of a run's tasks: a number for each, when it started, and how the last ones ended.

An instrument with two hooks keeps it: trio calls a hook only where there is one, so a step costs nothing.
"""

from __future__ import annotations

import re
import sys
import time
from collections import deque
from contextlib import suppress
from itertools import islice
from typing import Any, Final

import trio
from msgspec import UNSET

from inspector.tracing import Span, current_span
from inspector.tracing.exceptions import status_of
from inspector.tracing.secrets import Secrets
from inspector.tracing.values import Limits, Plain
from protocol.messages import EndedTask, TaskError

__all__ = ("MAX_ENDED", "Roster", "span_of")

MAX_ENDED: Final = 256
"""Ended tasks that are remembered."""
_NAME: Final = 200
_ADDRESS: Final = 2000
_LIMITS: Final = Limits(text=500, entries=4)
_LONG: Final = 10_000
"""Characters of a reason from which on it is not kept as it is."""
_TASK: Final = re.compile(r"<Task (['\"])(.*)\1 at 0x[0-9a-f]+>", re.DOTALL)


def span_of(task: trio.lowlevel.Task) -> Span | None:
    """Return the span that a task works in, seen from outside."""
    return task.context.get(current_span)


def _living() -> list[trio.lowlevel.Task]:
    root = trio.lowlevel.current_root_task()
    found = [] if root is None else [root]
    for task in found:
        found += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
    return found


_Cancelled = tuple[str | None, str | None, str | None]
"""By what a task was cancelled, by which task, and why: as trio tells it."""
_Entry = tuple[int, int | None, str, str | None, int | None, int, TaskError | _Cancelled | None]
"""A task that has ended: its number, its parent's, name, actor, start, end, and what it raised."""


class Roster(trio.abc.Instrument):
    """All tasks of the present run, from the moment on when it is made to `close`.

    Args:
        secrets: what no text may show.

    Attributes:
        ended: how many tasks have ended since it was made.
        next_number: what the next task gets.
    """

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._tasks: dict[trio.lowlevel.Task, tuple[int, int | None]] = {}
        self.next_number = 0
        self._last: deque[_Entry] = deque(maxlen=MAX_ENDED)
        self.ended = 0
        for task in _living():
            self.number(task)
        trio.lowlevel.add_instrument(self)

    def close(self) -> None:
        """Stop keeping it."""
        with suppress(KeyError):
            trio.lowlevel.remove_instrument(self)

    def number(self, task: trio.lowlevel.Task) -> tuple[int, int | None]:
        """Return a task's number, never given again, and when it started, None where nobody looked."""
        known = self._tasks.get(task)
        if known is None:
            known = self._tasks[task] = self.next_number, None
            self.next_number += 1
        return known

    def name(self, task: trio.lowlevel.Task) -> str:
        """Return a task's name, bounded, as it may be shown."""
        return Plain(self._secrets, _LIMITS).text(task.name, _NAME)

    def span_name(self, span: Span) -> str:
        """Return a span's name, bounded, as it may be shown; it may be anything that the program has called it."""
        plain = Plain(self._secrets, _LIMITS)
        return plain.text(str(plain.value(span.name)), _NAME)

    def actor(self, span: Span | None) -> str | None:
        """Return the address of the actor that a span is of, bounded: a program's own spans may have anything there."""
        return None if span is None or span.actor is None else span.actor[:_ADDRESS]

    def lives(self, task: trio.lowlevel.Task) -> bool:
        """Tell whether a task has not ended."""
        return task in self._tasks

    def tasks(self) -> list[trio.lowlevel.Task]:
        """Return the tasks that live. Any thread may ask."""
        return list(self._tasks)

    def last(self, count: int) -> list[EndedTask]:
        """Return the last so many tasks that ended, as far as they are remembered, oldest first."""
        return [self._describe(each) for each in islice(self._last, max(0, len(self._last) - count), None)]

    # ---- hooks of trio's ----

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        """Take a task in."""
        self._tasks[task] = self.next_number, time.time_ns() // 1_000_000
        self.next_number += 1

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        """Strike a task off, and note how it ended where that can be seen."""
        number, started_at = self._tasks.pop(task, (None, None))
        if number is None:
            return
        # The hook is told which task, but not how it ended: that stands in the frame that tells, two calls from here.
        # With a trio that has others there is nothing to note.
        frame = sys._getframe(2)
        outcome = frame.f_locals.get("outcome") if frame.f_code.co_name == "task_exited" else None
        if outcome is None:
            return
        error = getattr(outcome, "error", None)
        parent = task.parent_nursery
        span = span_of(task)
        # Hundreds of thousands may end in a second, and few are ever asked about: what can wait is done when they are.
        self._last.append(
            (
                number,
                None if parent is None else self.number(parent.parent_task)[0],
                task.name,
                self.actor(span),
                started_at,
                time.time_ns() // 1_000_000,
                None if error is None else self._explain(error),
            )
        )
        self.ended += 1

    def _explain(self, error: BaseException) -> TaskError | _Cancelled:
        """Return what is to be kept of what a task raised: nothing that holds its frames, or is of any length."""
        if status_of(error) == "error":
            plain = Plain(self._secrets, _LIMITS)
            described = plain.value(error)
            message = described["message"] if isinstance(described, dict) else described
            return TaskError(plain.text(type(error).__qualname__, _NAME), message)
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        # An older trio does not say.
        source: Any = getattr(error, "source", None)
        task: Any = getattr(error, "source_task", None)
        reason: Any = getattr(error, "reason", None)
        if reason is not None and len(reason) > _LONG:
            reason = Plain(self._secrets, _LIMITS).text(reason)
        return source, task, reason

    def _describe(self, entry: _Entry) -> EndedTask:
        number, parent, name, actor, started_at, ended_at, explained = entry
        plain = Plain(self._secrets, _LIMITS)
        ended = EndedTask(number, parent, plain.text(name, _NAME), actor, started_at, ended_at, "ok")
        if isinstance(explained, TaskError):
            ended.outcome, ended.exception = "error", explained
        elif explained is not None:
            ended.outcome = "cancelled"
            source, task, reason = explained
            if source is not None:
                named = None if task is None or source not in ("explicit", "nursery") else _TASK.fullmatch(task)
                ended.cancelled_by = plain.text(source if named is None else named[2], _NAME)
                ended.reason = UNSET if reason is None else plain.text(reason)
        return ended
