"""Task timing: every step of every task is charged to the task, and to the spans that it worked in.

Two hooks around each step do it, and only as long as somebody wants to know. A span's time is that in which it was the
current one itself, not one inside it. A step that enters or leaves spans is shared out among them by when they began
and ended.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from itertools import islice
from typing import Final, Protocol

import trio
from msgspec import UNSET

from inspector.tasks.roster import Roster
from inspector.tracing import Log, Span, current_span
from protocol.messages import TaskInfo

__all__ = ("MAX_SPANS", "Audience", "Times", "Timing")

MAX_SPANS: Final = 50_000
"""Open spans whose time is kept; of more, those that were first charged longest ago are forgotten."""


class Times:
    """What a task has used, in nanoseconds.

    Attributes:
        since: when counting began, on the log's monotonic clock.
    """

    __slots__ = ("busy", "longest", "since", "steps")

    def __init__(self, since: int) -> None:
        self.since = since
        self.busy = 0
        self.steps = 0
        self.longest = 0


class Audience(Protocol):
    """Who is told of what timing comes across. Neither method may raise."""

    def step_was_long(self, task: trio.lowlevel.Task, serial: int, nanoseconds: int) -> None:
        """Hear of a long step that has just ended; its task may be over."""

    def task_is_over(self, task: trio.lowlevel.Task) -> None:
        """Hear of a task that has ended."""


class Timing(trio.abc.Instrument):
    """Times the steps of the present run from the moment on when it is made to `close`.

    Args:
        log: gets the times of its spans.
        roster: knows which tasks live.
        long: nanoseconds from which on a step is told of.
        audience: is told.

    Attributes:
        task: the one whose step it is at this moment. Any thread may look.
        began: when its step began, on the log's monotonic clock; 0 outside any.
        serial: of the present step or the last one.
    """

    def __init__(self, log: Log, roster: Roster, long: int, audience: Audience) -> None:
        self._log = log
        self._roster = roster
        self._clock = log.monotonic
        self._thread = threading.get_ident()
        self._since = self._clock()
        self._first_new = roster.next_number
        self._times: dict[trio.lowlevel.Task, Times] = {}
        self._spans: dict[bytes, int] = {}
        # Stretches of the present step that belong to spans which have ended in it: beginning and length.
        self._stretches: list[tuple[int, int]] = []
        self._entered: Span | None = None
        self.task: trio.lowlevel.Task | None = None
        self.began = 0
        self.serial = 0
        self._long = long
        self._audience = audience
        # Two hosts may share a log, each with a run of its own: who came last tells.
        log.busy = self.span_ended
        trio.lowlevel.add_instrument(self)

    def close(self) -> None:
        """Stop timing."""
        if self._log.busy == self.span_ended:
            self._log.busy = None
        with suppress(KeyError):
            trio.lowlevel.remove_instrument(self)
        self.began = 0

    def times(self, task: trio.lowlevel.Task) -> Times:
        """Return what a task has used; its step of this moment does not count yet."""
        times = self._times.get(task)
        if times is None:
            known = self._roster.number(task)[0] < self._first_new
            times = self._times[task] = Times(self._since if known else self.began or self._clock())
        return times

    def fill(self, row: TaskInfo, task: trio.lowlevel.Task) -> None:
        """Put a task's times into its row."""
        times = self.times(task)
        row.busy_ns = times.busy
        row.idle_ns = max(0, self._clock() - times.since - times.busy)
        row.steps = times.steps
        row.longest_ns = times.longest if times.steps else UNSET

    def sweep(self) -> None:
        """Forget spans that were lost without an end; now and then is often enough."""
        excess = len(self._spans) - MAX_SPANS
        for key in list(islice(self._spans, max(0, excess))):
            del self._spans[key]

    # ---- hooks of trio's ----

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Note when a step begins, and in which span."""
        self._entered = task.context.get(current_span)
        self.task = task
        self.serial += 1
        self.began = self._clock()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Charge a step."""
        began = self.began
        if not began:
            return
        now = self._clock()
        ran = now - began
        self.began = 0
        times = self._times.get(task)
        if times is None:
            # One that has exited is not to be counted for ever.
            if self._roster.lives(task):
                times = self.times(task)
                times.since = min(times.since, began)
                times.busy += ran
                times.steps = 1
                times.longest = ran
        else:
            times.busy += ran
            times.steps += 1
            if ran > times.longest:
                times.longest = ran
        span = task.context.get(current_span)
        if span is not self._entered or self._stretches:
            self._share(span, began, now)
        elif span is not None and not span.ended:
            spans = self._spans
            key = span.key
            spans[key] = spans.get(key, 0) + ran
        if ran >= self._long:
            self._audience.step_was_long(task, self.serial, ran)

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        """Forget a task."""
        self._times.pop(task, None)
        self._audience.task_is_over(task)

    # ---- spans ----

    def span_ended(self, key: bytes, began: int) -> int | None:
        """Return how long a span's tasks ran, None for one that began before anybody timed them; and forget it."""
        ran = self._spans.pop(key, None)
        if began < self._since:
            return None
        if not self.began or threading.get_ident() != self._thread:
            return ran or 0
        if ran is None and began < self.began:
            # It was never the current one of a task: an actor's, say, that somebody ends.
            return 0
        now = self._clock()
        # One that a task of this step works in, or has worked in: since the step began that is what it did.
        return (ran or 0) + self._take(max(began, self.began), now)

    def _take(self, start: int, end: int) -> int:
        """Take a stretch of the present step; return its length without what was taken inside it before."""
        stretches = self._stretches
        inside = 0
        while stretches and stretches[-1][0] >= start:
            inside += stretches.pop()[1]
        if stretches:
            # Spans that overlap: what the other one has is not counted twice.
            start = max(start, sum(stretches[-1]))
        length = max(0, end - start)
        stretches.append((start, length))
        return max(0, length - inside)

    def _share(self, span: Span | None, began: int, now: int) -> None:
        """Share a step out that has entered or left spans, or in which some have ended."""
        last = span
        while span is not None and span is not self._entered and span.began >= began and not span.ended:
            self._charge(span, self._take(max(span.began, began), now))
            span = span.parent
        rest = self._entered if span is not last else last
        if rest is not None and not rest.ended:
            self._charge(rest, max(0, now - began - sum(length for _, length in self._stretches)))
        self._stretches.clear()
        self._entered = None

    def _charge(self, span: Span, nanoseconds: int) -> None:
        self._spans[span.key] = self._spans.get(span.key, 0) + nanoseconds
