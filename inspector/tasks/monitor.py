"""What is known of the tasks of a host's run: joins those who keep the roster, time the steps, and watch the loop."""

from __future__ import annotations

import math
import time
from collections import Counter
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import trio

from inspector.tasks.linter import Linter
from inspector.tasks.lints import TARGET, Findings, Lints
from inspector.tasks.roster import Roster
from inspector.tasks.timing import Timing
from inspector.tasks.tree import Look, Tree
from inspector.tasks.watchdog import THRESHOLD, Watchdog

if TYPE_CHECKING:
    from inspector.registry import Registry

__all__ = ("INTERVAL", "Monitor")

INTERVAL: Final = 0.1
"""Seconds between two looks for those who watch, at least."""
_REST: Final = 20
"""How many times as long as a look takes must pass until the next one."""


class Monitor:
    """Watches the tasks of the present run inside its block.

    Args:
        registry: whose workers drive actions, and whose log is told what is wrong.
        timing: time every step all the while, and not only while somebody asks for it.
        lints: from where on something looks wrong; looked for while steps are timed.
        watchdog: seconds after which the loop counts as blocked; None for never.

    Attributes:
        roster: all tasks, and the last ones that ended.
        watchers: how often each of those who watch the tree does.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        timing: bool = False,
        lints: Lints | None = None,
        watchdog: float | None = THRESHOLD,
    ) -> None:
        self._registry = registry
        self._lints = lints or Lints()
        self._always_timed = timing
        self._watches = watchdog is not None
        self.roster = Roster(registry.log.secrets)
        self.watchers: Counter[object] = Counter()
        self._findings = Findings(registry.log, self.roster)
        self._watchdog = Watchdog(registry, self.roster, self._findings, self._lints, watchdog)
        self._tree = Tree(registry.log, self.roster, self._findings.of, registry.driven)
        self._recent: dict[bool, tuple[float, Look]] = {}
        self._holds = 0
        self._timing: Timing | None = None
        self._linter: Linter | None = None
        self._timed = trio.Event()
        self._linting = trio.CancelScope()

    def __enter__(self) -> Self:
        if self._watches:
            self._watchdog.start()
        if self._always_timed:
            self.hold_timing()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop_timing()
        self._watchdog.stop()
        self.roster.close()

    # ---- looking ----

    def look(self, *, stacks: bool) -> Look:
        """Return the tree of tasks as it is now."""
        timing = self._timing
        return self._tree.look(stacks=stacks, fill=None if timing is None else timing.fill)

    def recent(self, *, stacks: bool) -> Look:
        """Return the tree as it was a moment ago at most, the same for all who ask meanwhile.

        Looks of this kind take a twentieth of the host's time at most, however many tasks there are, and watch them.
        """
        now = trio.current_time()
        until, look = self._recent.get(stacks, (-math.inf, None))
        if look is None or now >= until:
            began = time.perf_counter()
            look = self.look(stacks=stacks)
            self._recent[stacks] = now + max(INTERVAL, _REST * (time.perf_counter() - began)), look
        return look

    # ---- timing ----

    @property
    def timing(self) -> bool:
        """Whether each step of each task is timed at this moment."""
        return self._timing is not None

    def hold_timing(self) -> None:
        """Time every step until `release_timing` was called as often."""
        self._holds += 1
        if self._timing is None:
            self._watchdog.start()
            self._timing = Timing(self._registry.log, self.roster, round(self._lints.long_step * 1e9), self)
            self._linter = Linter(self._registry, self.roster, self._timing, self._lints, self._findings)
            self._watchdog.time_steps(self._timing)
            self._timed.set()

    def release_timing(self) -> None:
        """Stop timing, unless others still want it."""
        self._holds -= 1
        if not self._holds:
            self._stop_timing()

    def _stop_timing(self) -> None:
        if self._timing is None or self._linter is None:
            return
        self._watchdog.time_steps(None)
        self._timing.close()
        self._linter.close()
        self._timing = self._linter = None
        self._findings.clear()
        self._timed = trio.Event()
        self._linting.cancel()

    @trio.lowlevel.enable_ki_protection
    async def work(self) -> None:
        """Look for what can't be seen in a single step, whenever steps are timed. Ends only by being cancelled."""
        while True:
            await self._timed.wait()
            with trio.CancelScope() as self._linting:
                if self._linter is not None:
                    await self._linter.work()

    # ---- told by the timing ----

    def step_was_long(self, task: trio.lowlevel.Task, serial: int, nanoseconds: int) -> None:
        """Note a step that was too long, and at which line it was if anybody has looked."""
        sample = self._watchdog.sample
        if sample is not None and sample.serial != serial:
            sample = None
        try:
            if self._linter is not None:
                self._linter.too_long(task, nanoseconds, sample)
        except Exception as exc:
            # Whatever an instrument raises costs it its place, and times would silently stand still.
            self._registry.log.logger(TARGET).exception("lint failed", exc)

    def task_is_over(self, task: trio.lowlevel.Task) -> None:
        """Let go of what was found about a task."""
        self._findings.forget(task)
