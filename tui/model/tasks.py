"""The tasks of a host's program, as a tree, and those that have ended: plain values."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from protocol.messages import EndedTask, StackFrame, TaskError, TaskInfo, TasksResponse, TasksUpdated
from tui.logs.row import format_duration
from tui.logs.text import cut, neutralise

__all__ = (
    "ENDED",
    "OUTCOME_SIGNS",
    "STATE_SIGNS",
    "TaskRow",
    "Tasks",
    "is_library",
    "write_age",
    "write_busy",
    "write_end",
    "write_frame",
    "write_task",
)

ENDED: Final = 500
"""Ended tasks that are remembered."""

STATE_SIGNS: Final = {"running": "▶", "runnable": "»", "waiting": "·"}
"""What a task does, in one cell: it can be read without colour."""
OUTCOME_SIGNS: Final = {"ok": "✓", "error": "✗", "cancelled": "⊘"}

# What is not the program's own: the standard library, what is installed, and the host, wherever that lies. The demo is
# a program, also where it is installed.
_LIBRARY: Final = re.compile(r"(?:^|[/\\])(?:site-packages|dist-packages|lib[/\\]python\d[\d.]*)[/\\]")
_HOST: Final = re.compile(r"[/\\]inspector[/\\](?:actors|bridges|programs|service|store|tasks|tracing)[/\\]")
_DEMO: Final = re.compile(r"[/\\]inspector[/\\]demo[/\\]")
_MAX_NAME: Final = 200
_MAX_DEPTH: Final = 400


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One task's row.

    Attributes:
        info: the task.
        depth: how many tasks are around it.
        children: how many tasks that are known are in its nurseries.
        folded: whether these are out of sight.
    """

    info: TaskInfo
    depth: int
    children: int
    folded: bool


class Tasks:
    """What is known of a program's tasks.

    Attributes:
        timing: whether the host times their steps.
        total: how many there are at the host, known or not, as far as it has told.
        ended: those that are over, the last one at the end.
        version: rises with each change.
    """

    def __init__(self) -> None:
        self.timing = False
        self.total = 0
        self.ended: deque[EndedTask] = deque(maxlen=ENDED)
        self.version = 0
        self._tasks: dict[int, TaskInfo] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def get(self, task: int) -> TaskInfo | None:
        """Give a task by its number."""
        return self._tasks.get(task)

    def begin(self, response: TasksResponse) -> None:
        """Take all of them."""
        self._tasks = {info.task: info for info in response.tasks}
        self.ended.clear()
        self.ended.extend(response.ended)
        self.timing, self.total = response.timing, response.total
        self.version += 1

    def change(self, push: TasksUpdated) -> None:
        """Take what changed."""
        for task in push.removed:
            self.total -= self._tasks.pop(task, None) is not None
        for info in push.changed:
            self.total += info.task not in self._tasks
            self._tasks[info.task] = info
        self.ended.extend(push.ended)
        self.timing = push.timing
        self.version += 1

    def lay_out(self, folded: Collection[int] = (), actor: str | None = None) -> list[TaskRow]:
        """Give a row for each task in sight: parents before their children, these in the order of their beginning.

        Args:
            folded: tasks whose insides are out of sight.
            actor: only what works for this actor, and what it has started.
        """
        inside: dict[int, list[TaskInfo]] = {}
        roots: list[TaskInfo] = []
        for info in self._tasks.values():
            parent = self._tasks.get(info.parent) if info.parent is not None else None
            if actor is None:
                root = parent is None
            else:
                root = info.actor == actor and (parent is None or parent.actor != actor)
            if root:
                roots.append(info)
            elif parent is not None:
                inside.setdefault(parent.task, []).append(info)
        for infos in (*inside.values(), roots):
            infos.sort(key=_order, reverse=True)
        rows: list[TaskRow] = []
        waiting = [(info, 0) for info in roots]
        # A hostile host may say that tasks are inside one another: those have no root, and are not shown.
        while waiting:
            info, depth = waiting.pop()
            children = inside.get(info.task, [])
            hidden = info.task in folded and bool(children)
            rows.append(TaskRow(info, depth, len(children), hidden))
            if not hidden:
                waiting += [(child, min(depth + 1, _MAX_DEPTH)) for child in children]
        return rows


def _order(info: TaskInfo) -> tuple[int, int]:
    return info.nursery, info.task


def write_task(info: TaskInfo | EndedTask) -> str:
    """Write a task's name, without the places of functions inside functions."""
    return neutralise(cut(info.name.replace(".<locals>", ""), _MAX_NAME))


def write_age(info: TaskInfo | EndedTask, now_ms: int) -> str:
    """Write how long a task has run at `now_ms`, or ran; empty where nobody saw it begin."""
    if info.started_at is None:
        return ""
    until = info.ended_at if isinstance(info, EndedTask) else now_ms
    return format_duration(max(0, until - info.started_at) * 1_000_000)


def write_busy(info: TaskInfo) -> str:
    """Write the share of its time that a task ran; empty where nobody times it."""
    busy, idle = info.busy_ns, info.idle_ns
    if not isinstance(busy, int) or not isinstance(idle, int) or busy + idle <= 0:
        return ""
    share = 100 * busy / (busy + idle)
    return f"{share:.0f}%" if share >= 9.95 else f"{share:.1f}%"


def write_end(ended: EndedTask) -> str:
    """Write why a task ended: what it raised, or who cancelled it and why."""
    parts = []
    if isinstance(ended.exception, TaskError):
        parts.append(f"{ended.exception.type}: {ended.exception.message}")
    if isinstance(ended.cancelled_by, str):
        parts.append(f"by {ended.cancelled_by}")
    if isinstance(ended.reason, str):
        parts.append(ended.reason)
    return neutralise(cut("  ".join(parts), 300))


def is_library(frame: StackFrame) -> bool:
    """Tell whether a line of a stack is not the program's own."""
    file = frame.file
    return bool(_HOST.search(file) or (_LIBRARY.search(file) and not _DEMO.search(file)))


def write_frame(frame: StackFrame) -> str:
    """Write a line of a stack: the function, and the end of the file's path, where files differ."""
    parts = re.split(r"[/\\]", frame.file)
    file = "/".join(parts[-3:]) if len(parts) <= 3 else f"…/{'/'.join(parts[-2:])}"
    return f"{neutralise(cut(frame.function, 100))}  {neutralise(cut(file, 200))}:{frame.line}"
