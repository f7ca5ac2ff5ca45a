"""The tasks of the host's program: the tree, what each does at this moment, and how those that are over ended."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from protocol.messages.base import Push, Request, Response, SpanId, TraceId, Uint

__all__ = (
    "EndedTask",
    "LintName",
    "StackFrame",
    "TaskError",
    "TaskInfo",
    "TaskLint",
    "TaskOutcome",
    "TaskState",
    "TasksRequest",
    "TasksResponse",
    "TasksUpdated",
)

TaskState: TypeAlias = Literal["running", "runnable", "waiting"]
TaskOutcome: TypeAlias = Literal["ok", "error", "cancelled"]
LintName: TypeAlias = Literal[
    "long_step", "no_checkpoint", "cancelled_goes_on", "wakes_for_nothing", "mailbox_grows", "nursery_grows"
]


class TasksRequest(Request, kw_only=True):
    """List the tasks; with `stacks` and where each waits, with `subscribe` hear of changes too.

    With `timing` and `subscribe` every step is timed for as long as the subscription is open.
    """

    subscribe: bool | UnsetType = UNSET
    stacks: bool | UnsetType = UNSET
    timing: bool | UnsetType = UNSET


class StackFrame(Struct, frozen=True):
    """A line of a stack."""

    file: str
    line: Uint
    function: str


class TaskLint(Struct):
    """What looks wrong with a task, since when, and where where that is known."""

    name: LintName
    message: str
    since: Uint
    at: StackFrame | UnsetType = UNSET


class TaskInfo(Struct):
    """A task's row: it is in the `nursery`-th of its parent's nurseries and has `children` in its own.

    `deadline` is that of the innermost scope around it that has one. The times are totals since timing was switched
    on, in nanoseconds; without timing there are none.
    """

    task: Uint
    parent: Uint | None
    nursery: Uint
    name: str
    state: TaskState
    children: Uint
    started_at: Uint | None
    actor: str | None
    span: SpanId | None
    trace_id: TraceId | None
    span_name: str | None
    cancelled: bool
    deadline: Uint | None
    lints: list[TaskLint]
    stack: list[StackFrame] | UnsetType = UNSET
    busy_ns: Uint | UnsetType = UNSET
    idle_ns: Uint | UnsetType = UNSET
    steps: Uint | UnsetType = UNSET
    longest_ns: Uint | UnsetType = UNSET


class TaskError(Struct):
    """What a task raised."""

    type: str
    message: str


class EndedTask(Struct):
    """A task that is over; for one that was cancelled, by whom and why, where trio tells."""

    task: Uint
    parent: Uint | None
    name: str
    actor: str | None
    started_at: Uint | None
    ended_at: Uint
    outcome: TaskOutcome
    exception: TaskError | UnsetType = UNSET
    cancelled_by: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class TasksResponse(Response, kw_only=True):
    """The tree, outermost tasks first; `total` counts those too that there was no room for."""

    tasks: list[TaskInfo]
    ended: list[EndedTask]
    timing: bool
    total: Uint


class TasksUpdated(Push, kw_only=True):
    """Rows that changed, tasks that are not among those told any more, and tasks that have ended since."""

    changed: list[TaskInfo]
    removed: list[Uint]
    ended: list[EndedTask]
    timing: bool
