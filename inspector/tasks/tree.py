"""The tree of tasks, as rows: one look at a whole run, from the root down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import trio

from inspector.tasks.roster import Roster, span_of
from inspector.tasks.scopes import Clock, Scopes, is_runnable
from inspector.tasks.stacks import Driven, await_lines, stack_of
from inspector.tracing import Log
from protocol.messages import TaskInfo, TaskLint, TaskState

__all__ = ("MAX_TASKS", "Fill", "Look", "Tree")

MAX_TASKS: Final = 2000
"""Tasks of one look at most: with their stacks that takes the host some 30 ms."""

Fill = Callable[[TaskInfo, trio.lowlevel.Task], None]
"""Adds to a row what somebody else knows of its task."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look has found: rows, outermost first, and how many tasks there are."""

    rows: list[TaskInfo]
    total: int


class Tree:
    """Looks at the tasks of a run.

    Args:
        log: the host's.
        roster: has the tasks' numbers and names.
        lints: finds what looks wrong with a task.
        driven: finds the coroutine that a task drives by hand.
    """

    def __init__(
        self, log: Log, roster: Roster, lints: Callable[[trio.lowlevel.Task], list[TaskLint]], driven: Driven
    ) -> None:
        self._log = log
        self._roster = roster
        self._lints = lints
        self._driven = driven
        self._clock = Clock()

    def look(self, *, stacks: bool, fill: Fill | None = None) -> Look:
        """Return rows of all tasks, of `MAX_TASKS` at most. Only inside the run."""
        self._clock.set()
        scopes = Scopes(self._clock)
        number = self._roster.number
        rows: list[TaskInfo] = []
        root = trio.lowlevel.current_root_task()
        level: list[tuple[trio.lowlevel.Task, int | None, int]] = [] if root is None else [(root, None, 0)]
        while level and len(rows) < MAX_TASKS:
            below: list[tuple[trio.lowlevel.Task, int | None, int]] = []
            for task, parent, nursery in level[: MAX_TASKS - len(rows)]:
                own = number(task)[0]
                children = 0
                for index, inside in enumerate(task.child_nurseries):
                    tasks = inside.child_tasks
                    children += len(tasks)
                    # In the order of their coming: where there is no room for all it is the same ones each time.
                    below += [(child, own, index) for child in sorted(tasks, key=number)]
                row = self._row(task, parent, nursery, children, scopes)
                if stacks:
                    row.stack = stack_of(await_lines(task, self._driven))
                if fill is not None:
                    fill(row, task)
                rows.append(row)
            level = below
        return Look(rows, trio.lowlevel.current_statistics().tasks_living)

    def _row(
        self, task: trio.lowlevel.Task, parent: int | None, nursery: int, children: int, scopes: Scopes
    ) -> TaskInfo:
        number, started_at = self._roster.number(task)
        span = span_of(task)
        if span is not None and span.log is not self._log:
            span = None
        cancelled, deadline = scopes.around(task)
        state: TaskState = "waiting"
        if task is trio.lowlevel.current_task():
            state = "running"
        elif is_runnable(task):
            state = "runnable"
        return TaskInfo(
            task=number,
            parent=parent,
            nursery=nursery,
            name=self._roster.name(task),
            state=state,
            children=children,
            started_at=started_at,
            actor=self._roster.actor(span),
            span=None if span is None else span.span_id,
            trace_id=None if span is None else span.trace_id,
            span_name=None if span is None else self._roster.span_name(span),
            cancelled=cancelled,
            deadline=deadline,
            lints=self._lints(task),
        )
