"""Looks at all tasks from time to time, while steps are timed, for what can't be seen in a single step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trio

from inspector.tasks.lints import Findings, Lints
from inspector.tasks.roster import Roster
from inspector.tasks.scopes import Clock, Scopes
from inspector.tasks.stacks import Line, await_lines, blamed, is_ours
from inspector.tasks.timing import Timing
from inspector.tasks.watchdog import Sample

if TYPE_CHECKING:
    from inspector.actors.cell import Cell
    from inspector.registry import Registry

__all__ = ("INTERVAL", "LOOKS", "Linter")

INTERVAL: Final = 1.0
"""Seconds between two looks, at least."""
LOOKS: Final = 5
"""Looks in a row after which what goes one way only is told."""
_LINGER: Final = 10.0
"""Seconds for which a step that was too long is shown."""
_REST: Final = 20
_SLICE: Final = 200
_TINY: Final = 100_000
"""Nanoseconds in which nothing much is done."""
_POLLS: Final = frozenset({"sleep", "sleep_until", "sleep_forever", "checkpoint", "cancel_shielded_checkpoint"})
_TRIO: Final = f"{Path(trio.__file__).parent}/"


@dataclass(slots=True)
class _Growth:
    """A number that may only go one way: what it was at first and last, and how often it was found greater."""

    first: int
    last: int
    looks: int = 0

    def add(self, size: int, *, may_rest: bool) -> bool:
        """Take the next number; tell whether it still goes up, or has gone up and now rests where it may."""
        if size > self.last:
            self.looks += 1
        elif size < self.last or not may_rest:
            self.first, self.looks = size, 0
        self.last = size
        return self.looks > 0


@dataclass(slots=True)
class _Pace:
    """How a task's steps stood at the last look."""

    steps: int
    busy: int
    lines: list[Line] | None = None
    looks: int = 0


class Linter:
    """What looks wrong over time.

    Args:
        registry: whose actors' mailboxes are looked at too.
        roster: all tasks.
        timing: their times.
        lints: from where on something looks wrong.
        findings: where it is noted.
    """

    def __init__(self, registry: Registry, roster: Roster, timing: Timing, lints: Lints, findings: Findings) -> None:
        self._registry = registry
        self._roster = roster
        self._timing = timing
        self._lints = lints
        self._findings = findings
        self._clock = Clock()
        self._looked_at = trio.current_time()
        self._cancelled: dict[trio.lowlevel.Task, float] = {}
        self._paces: dict[trio.lowlevel.Task, _Pace] = {}
        self._nurseries: dict[trio.Nursery, _Growth] = {}
        self._mailboxes: dict[Cell, _Growth] = {}
        self._shown: dict[Cell, trio.lowlevel.Task | None] = {}
        self._touched: set[Cell] = set()
        self._long: dict[trio.lowlevel.Task, float] = {}
        # A function of its own: watchers are known by what they are called with.
        self._wake: Callable[[], object] = lambda: None
        registry.watchers[self._wake] = "", self._touched

    def close(self) -> None:
        """Stop looking at mailboxes."""
        self._registry.watchers.pop(self._wake, None)

    def too_long(self, task: trio.lowlevel.Task, nanoseconds: int, sample: Sample | None) -> None:
        """Note a step that was too long, with what somebody has seen of it."""
        self._long[task] = trio.current_time() + _LINGER
        self._findings.begin(
            task,
            "long_step",
            f"held the loop for {nanoseconds / 1e6:.0f} ms",
            at=None if sample is None else sample.line,
            span=None if sample is None else sample.span,
            step_ms=round(nanoseconds / 1e6, 1),
        )

    async def work(self) -> None:
        """Look again and again."""
        while True:
            await trio.sleep(INTERVAL)
            spent = await self.look()
            await trio.sleep(_REST * spent)

    async def look(self) -> float:
        """Look at everything once; return the seconds that it took."""
        self._clock.set()
        now = trio.current_time()
        since, self._looked_at = now - self._looked_at, now
        scopes = Scopes(self._clock)
        nurseries: dict[trio.Nursery, _Growth] = {}
        tasks = self._roster.tasks()
        spent = 0.0
        for start in range(0, len(tasks), _SLICE):
            began = time.perf_counter()
            for task in tasks[start : start + _SLICE]:
                # One that has ended meanwhile is over for all that follows.
                if self._roster.lives(task):
                    self._look_at_cancellation(task, scopes, now)
                    self._look_at_pace(task, since)
                    self._look_at_nurseries(task, nurseries)
            spent += time.perf_counter() - began
            await trio.lowlevel.checkpoint()
        self._nurseries = nurseries
        self._look_at_mailboxes()
        for task, until in list(self._long.items()):
            if now >= until:
                del self._long[task]
                self._findings.end(task, "long_step")
        self._timing.sweep()
        for known in (self._cancelled, self._paces, self._long):
            self._forget_the_dead(known)
        return spent

    def _forget_the_dead(self, known: dict[trio.lowlevel.Task, Any]) -> None:
        for task in [task for task in known if not self._roster.lives(task)]:
            del known[task]

    def _look_at_cancellation(self, task: trio.lowlevel.Task, scopes: Scopes, now: float) -> None:
        if not scopes.around(task)[0]:
            if self._cancelled.pop(task, None) is not None:
                self._findings.end(task, "cancelled_goes_on")
            return
        since = self._cancelled.setdefault(task, now)
        if now - since >= self._lints.cancelled_goes_on:
            at = blamed(await_lines(task, self._registry.driven))
            self._findings.begin(task, "cancelled_goes_on", f"was cancelled {now - since:.0f} s ago and goes on", at=at)

    def _look_at_pace(self, task: trio.lowlevel.Task, since: float) -> None:
        times = self._timing.times(task)
        pace = self._paces.get(task)
        if pace is None:
            self._paces[task] = _Pace(times.steps, times.busy)
            return
        steps, busy = times.steps - pace.steps, times.busy - pace.busy
        pace.steps, pace.busy = times.steps, times.busy
        rate = steps / since if since > 0 else math.inf
        lines: list[Line] | None = None
        if steps and rate >= self._lints.wakes_for_nothing and busy < steps * _TINY:
            lines = await_lines(task, self._registry.driven)
        # The host's own tasks know why they wake.
        if lines is None or not _polls(lines) or is_ours(lines) or (pace.lines is not None and pace.lines != lines):
            pace.looks = 0
            self._findings.end(task, "wakes_for_nothing")
        else:
            pace.looks += 1
            if pace.looks >= LOOKS:
                what = f"wakes {rate:.0f} times a second for {busy / steps / 1000:.0f} µs each"
                self._findings.begin(task, "wakes_for_nothing", what, at=blamed(lines))
        pace.lines = lines

    def _look_at_nurseries(self, task: trio.lowlevel.Task, nurseries: dict[trio.Nursery, _Growth]) -> None:
        worst: _Growth | None = None
        for nursery in task.child_nurseries:
            size = len(nursery.child_tasks)
            growth = nurseries[nursery] = self._nurseries.get(nursery) or _Growth(size, size)
            if (
                growth.add(size, may_rest=False)
                and growth.looks >= LOOKS
                and growth.last - growth.first >= self._lints.nursery_grows
            ):
                worst = growth if worst is None or growth.last > worst.last else worst
        if worst is None:
            self._findings.end(task, "nursery_grows")
        else:
            what = f"a nursery of {worst.last} tasks has grown by {worst.last - worst.first} and does not shrink"
            at = blamed(await_lines(task, self._registry.driven))
            self._findings.begin(task, "nursery_grows", what, at=at)

    def _look_at_mailboxes(self) -> None:
        touched = self._touched | self._mailboxes.keys()
        self._touched.clear()
        for cell in touched:
            size = len(cell.mailbox) if cell.mailbox else 0
            growth = self._mailboxes.setdefault(cell, _Growth(size, size))
            grows = growth.add(size, may_rest=True)
            if grows and growth.looks >= LOOKS and growth.last - growth.first >= self._lints.mailbox_grows:
                self._show_mailbox(cell, growth)
            elif not grows:
                shown = self._shown.pop(cell, None)
                if shown is not None:
                    self._findings.end(shown, "mailbox_grows")
                if not size:
                    del self._mailboxes[cell]

    def _show_mailbox(self, cell: Cell, growth: _Growth) -> None:
        # Who works on the actor may be another task at each look; the log hears of the actor once.
        told = cell in self._shown
        before = self._shown.get(cell)
        worker = None if cell.current is None else cell.current.worker
        task = None if worker is None else worker.task
        if before is not None and before is not task:
            self._findings.end(before, "mailbox_grows")
        self._shown[cell] = task
        self._findings.begin(
            task,
            "mailbox_grows",
            f"{growth.last} messages wait for {cell.address}, {growth.last - growth.first} more than a while ago",
            span=cell.span if cell.current is None else cell.current.span or cell.span,
            told=told,
            actor=cell.address,
            mailbox=growth.last,
        )


def _polls(lines: list[Line]) -> bool:
    """Tell whether a task waits for nothing but its next turn, or for time to pass."""
    for code, _ in reversed(lines):
        if not code.co_filename.startswith(_TRIO):
            return False
        if code.co_name in _POLLS:
            return True
    return False
