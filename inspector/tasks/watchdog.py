"""The watchdog: a thread that says what a loop is doing when it does not come round, while it does not.

It costs the loop next to nothing. Four times in the threshold it looks where the loop's thread is. One that waits for
something to happen is left alone, and never woken; one at work is asked to call back. While steps are timed it looks
more often, and remembers at which line a long step was.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

import trio

from inspector.actors.workers import call_in
from inspector.tasks.lints import TARGET, Findings, Lints
from inspector.tasks.pulse import Pulse, Verdict
from inspector.tasks.roster import Roster, span_of
from inspector.tasks.stacks import Line, blamed, place, thread_lines
from inspector.tracing import INFO, WARN, Span

if TYPE_CHECKING:
    from inspector.registry import Registry
    from inspector.tasks.timing import Timing

__all__ = ("THRESHOLD", "Sample", "Watchdog", "check_threshold")

THRESHOLD: Final = 1.0
"""Seconds after which a loop counts as blocked, unless set."""

_FRAMES: Final = 24
_TRIO: Final = f"{Path(trio.__file__).parent}/"
_DEBUGGERS: Final = frozenset({"bdb", "pdb", "ipdb", "pudb", "pydevd", "_pydevd_bundle", "debugpy"})


def check_threshold(seconds: float | None) -> None:
    """Check what a watchdog is to be told.

    Raises:
        ValueError: it is not positive, or no number.
    """
    if seconds is not None and not 0 < seconds < threading.TIMEOUT_MAX:
        raise ValueError("watchdog is a positive number of seconds, or None")


@dataclass(frozen=True, slots=True)
class Sample:
    """Where a step was when it had taken half of what is too long.

    Attributes:
        serial: of the step.
        line: the line to blame.
        span: the one that it worked in.
    """

    serial: int
    line: Line | None
    span: Span | None


class Watchdog:
    """Watches the loop of the thread in which it is made.

    Args:
        registry: whose log is told, and whose actions are known by their frames.
        roster: knows the tasks.
        findings: is told of a step that goes on and on, while steps are timed.
        lints: from where on.
        threshold: seconds after which the loop counts as blocked; None for never.

    Attributes:
        timing: what times the steps, while something does.
        sample: the last one that was taken.
    """

    def __init__(
        self, registry: Registry, roster: Roster, findings: Findings, lints: Lints, threshold: float | None
    ) -> None:
        self._registry = registry
        self._logger = registry.log.logger(TARGET)
        self._roster = roster
        self._findings = findings
        self._lints = lints
        self._pulse = None if threshold is None else Pulse(threshold)
        self._token = trio.lowlevel.current_trio_token()
        self._loop = threading.get_ident()
        self._worked = _processor_clock(self._loop)
        self._over = False
        self._stir = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="inspector watchdog", daemon=True)
        self._blocked: tuple[trio.lowlevel.Task | None, Span | None] = (None, None)
        self._told_step = 0
        self._stuck: trio.lowlevel.Task | None = None
        self._last_serial = 0
        self.timing: Timing | None = None
        self.sample: Sample | None = None

    def start(self) -> None:
        """Begin to watch, once."""
        if self._thread.ident is None:
            self._thread.start()

    def stop(self) -> None:
        """Watch no more; wait until the thread has ended. It may be about to write a record, but waits for nothing."""
        self._over = True
        self._stir.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._pulse is not None:
            verdict = self._pulse.end(time.monotonic(), self._worked())
            if verdict is not None:
                self._act(verdict, None)

    def time_steps(self, timing: Timing | None) -> None:
        """Look at steps too, or no more."""
        self.timing = timing
        self.sample = None
        self._stir.set()

    def _watch(self) -> None:
        try:
            while not self._over:
                self._stir.wait(self._interval())
                self._stir.clear()
                if not self._over:
                    self.look()
        except trio.RunFinishedError:
            # The run is over, and what is left to watch is nothing.
            return
        except Exception as exc:
            # The root of a thread: what is wrong here must not be printed into somebody's terminal.
            self._logger.exception("watchdog failed", exc)

    def _interval(self) -> float | None:
        intervals = [] if self._pulse is None else [self._pulse.interval]
        if self.timing is not None:
            intervals.append(min(self._lints.long_step, self._lints.no_checkpoint, 2.0) / 2)
        return min(intervals, default=None)

    def look(self) -> None:
        """Look once.

        Raises:
            trio.RunFinishedError: there is no loop any more.
        """
        frame = sys._current_frames().get(self._loop)
        if self._pulse is not None:
            verdict = self._pulse.look(time.monotonic(), self._worked(), idle=frame is not None and _waits(frame))
            if verdict is not None:
                self._act(verdict, frame)
        timing = self.timing
        if timing is not None:
            self._look_at_step(timing, frame)

    def _act(self, verdict: Verdict, frame: FrameType | None) -> None:
        assert self._pulse is not None
        if verdict.what == "ask":
            self._token.run_sync_soon(self._answer)
        elif verdict.what == "goes_on":
            task, span = self._blocked
            self._blocked = None, None
            self._logger.event(
                INFO,
                span,
                "the loop goes on",
                **({} if task is None else {"task": self._roster.name(task)}),
                blocked_ms=round(verdict.seconds * 1000),
                worked_ms=round(verdict.worked * 1000),
            )
        elif frame is not None and not _is_debugged(frame):
            self._pulse.tell()
            self._tell(verdict, frame)

    def _answer(self) -> None:
        assert self._pulse is not None
        self._pulse.answer(time.monotonic())
        if self._pulse.told:
            # That it goes on is told at once.
            self._stir.set()

    def _tell(self, verdict: Verdict, frame: FrameType) -> None:
        task = self._running()
        span = self._span(task, frame)
        self._blocked = task, span
        lines = _own_lines(task, frame)
        at = blamed(lines)
        fields: dict[str, object] = {"blocked_ms": round(verdict.seconds * 1000)}
        fields["worked_ms"] = round(verdict.worked * 1000)
        if task is not None:
            fields["task"] = self._roster.name(task)
            fields["task_id"] = self._roster.number(task)[0]
        if at is not None:
            fields["at"] = place(at)
        fields["stack"] = [place(line) for line in lines[-_FRAMES:]]
        message = "a task blocks the loop" if task is not None else "the loop is blocked, and by no task"
        if self.timing is not None:
            self._told_step = self.timing.serial
        self._logger.event(WARN, span, message, **fields)

    def _running(self) -> trio.lowlevel.Task | None:
        for task in self._roster.tasks():
            if getattr(task.coro, "cr_running", False):
                return task
        return None

    def _span(self, task: trio.lowlevel.Task | None, frame: FrameType) -> Span | None:
        if task is None:
            return None
        if self._registry.driven(task) is None:
            # An action that has not waited yet runs in a context of its own, inside a task that knows nothing of it.
            call = call_in(frame)
            if call is not None and call.span is not None:
                return call.span
        return span_of(task)

    def _look_at_step(self, timing: Timing, frame: FrameType | None) -> None:
        serial, began, task = timing.serial, timing.began, timing.task
        same = serial == self._last_serial and began != 0
        self._last_serial = serial
        if self._stuck is not None and not same:
            self._findings.end(self._stuck, "no_checkpoint")
            self._stuck = None
        if not same or task is None or frame is None:
            return
        line = blamed(_own_lines(task, frame))
        span = self._span(task, frame)
        if serial != timing.serial:
            # It has ended while this looked, and the frame may be anything's by now.
            return
        self.sample = Sample(serial, line, span)
        seconds = (self._registry.log.monotonic() - began) / 1e9
        if seconds >= self._lints.no_checkpoint and not _is_debugged(frame):
            self._stuck = task
            what = f"has been in one step for {seconds:.1f} s"
            told = self._told_step == serial
            self._findings.begin(task, "no_checkpoint", what, at=line, span=span, told=told)


def _processor_clock(thread: int) -> Callable[[], float]:
    """Return a clock of the processor time that a thread uses; of the whole process where the system has no such."""
    if hasattr(time, "pthread_getcpuclockid"):
        clock = time.pthread_getcpuclockid(thread)

        def used() -> float:
            with suppress(OSError):
                return time.clock_gettime(clock)
            return 0.0

        return used
    return time.process_time


def _waits(frame: FrameType) -> bool:
    """Tell whether trio waits in this frame for something to happen: for that no hook is needed."""
    code = frame.f_code
    return code.co_name == "get_events" and code.co_filename.startswith(_TRIO)


def _is_debugged(frame: FrameType | None) -> bool:
    """Tell whether a debugger has stopped here, as far as that can be seen: it runs in frames above the program's."""
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] in _DEBUGGERS:
            return True
        frame = frame.f_back
    return False


def _own_lines(task: trio.lowlevel.Task | None, frame: FrameType) -> list[Line]:
    """Return the lines of a thread's stack from where a task begins in it; all of it where it does not."""
    lines = thread_lines(frame)
    code = getattr(None if task is None else task.coro, "cr_code", None)
    for index, (each, _) in enumerate(lines):
        if each is code:
            return lines[index:]
    return lines
