"""Lints: what looks wrong with a task, from when on, and where it is told."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields
from typing import Any, Final, get_args

import trio

from inspector.tasks.roster import Roster, span_of
from inspector.tasks.stacks import Line, place, stack_frame
from inspector.tracing import WARN, Log, Span
from protocol.messages import LintName, TaskLint

__all__ = ("EXPLANATIONS", "TARGET", "Findings", "Lints")

TARGET: Final = "inspector.tasks"
"""Of the records that tell them."""

EXPLANATIONS: Final[dict[LintName, str]] = {
    "long_step": "no other task could run meanwhile: call what takes long in a thread, or put checkpoints into it",
    "no_checkpoint": "no other task can run until it reaches one",
    "cancelled_goes_on": "it is shielded, catches Cancelled, or reaches no checkpoint",
    "wakes_for_nothing": "it polls: let it wait for an event, a condition or a channel",
    "mailbox_grows": "messages come faster than the actor handles them",
    "nursery_grows": "tasks are started faster than they end, or wait for something that does not come",
}


@dataclass(frozen=True, slots=True)
class Lints:
    """From where on something looks wrong; `math.inf` for never.

    Attributes:
        long_step: seconds for which a step held the loop.
        no_checkpoint: seconds since which a task has been in the step that it is in now.
        cancelled_goes_on: seconds since a scope around a task was cancelled.
        wakes_for_nothing: times a second that a task wakes from a sleep, or passes a checkpoint, to do next to nothing.
        mailbox_grows: messages by which a mailbox has grown that was never found shorter in several looks.
        nursery_grows: tasks by which a nursery has grown that had more at each of several looks.

    Raises:
        ValueError: one is not positive.
    """

    long_step: float = 0.1
    no_checkpoint: float = 1.0
    cancelled_goes_on: float = 5.0
    wakes_for_nothing: float = 100.0
    mailbox_grows: float = 20
    nursery_grows: float = 100

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise ValueError(f"{field.name} must be more than 0")


assert set(get_args(LintName)) == {field.name for field in fields(Lints)} == set(EXPLANATIONS)


class Findings:
    """What looks wrong at this moment, by task. Any thread may add to it.

    Args:
        log: is told of each once, when it begins.
        roster: has the tasks' names.
    """

    def __init__(self, log: Log, roster: Roster) -> None:
        self._logger = log.logger(TARGET)
        self._roster = roster
        self._found: dict[trio.lowlevel.Task, dict[LintName, TaskLint]] = {}

    def of(self, task: trio.lowlevel.Task) -> list[TaskLint]:
        """Return what looks wrong with a task."""
        found = self._found.get(task)
        return [] if found is None else list(found.values())

    def begin(
        self,
        task: trio.lowlevel.Task | None,
        name: LintName,
        what: str,
        *,
        at: Line | None = None,
        span: Span | None = None,
        told: bool = False,
        **more: Any,
    ) -> None:
        """Note that something looks wrong, or still does and how by now; the log hears it once.

        Args:
            task: whose it is; None for an actor that nobody works on, which the log alone hears of.
            what: what was found, in a few words.
            at: the line to blame.
            span: where the record belongs; the task's own unless given.
            told: the log knows already.
            more: fields for the record.
        """
        now = time.time_ns() // 1_000_000
        before: TaskLint | None = None
        # One that has ended with what is told here is nobody's to show any more.
        if task is not None and self._roster.lives(task):
            found = self._found.setdefault(task, {})
            before = found.get(name)
            lint = TaskLint(name, f"{what}: {EXPLANATIONS[name]}", now if before is None else before.since)
            if at is not None:
                lint.at = stack_frame(*at)
            elif before is not None:
                lint.at = before.at
            found[name] = lint
        if before is not None or told or not self._logger.enabled(WARN):
            return
        if task is not None:
            more = {"task": self._roster.name(task), **more}
            if self._roster.lives(task):
                more["task_id"] = self._roster.number(task)[0]
            span = span or span_of(task)
        if at is not None:
            more["at"] = place(at)
        self._logger.event(WARN, span, what, lint=name, why=EXPLANATIONS[name], **more)

    def end(self, task: trio.lowlevel.Task, name: LintName) -> None:
        """Note that something does not look wrong any more."""
        found = self._found.get(task)
        if found is not None and found.pop(name, None) is not None and not found:
            self._found.pop(task, None)

    def forget(self, task: trio.lowlevel.Task) -> None:
        """Let go of a task that is over."""
        self._found.pop(task, None)

    def clear(self) -> None:
        """Let go of all."""
        self._found.clear()
