"""The demo's worker pool: jobs come in steadily, and now and then faster than the workers can do them.

In such a rush mailboxes fill up and jobs are refused; a few jobs get stuck and time out; from time to time a worker
breaks down and begins again. It is where most statuses and errors of an actor can be seen; docs/demo.md says how.
"""

from __future__ import annotations

import random
from typing import ClassVar, Final

import msgspec
import trio

from inspector.actors.actions import action
from inspector.actors.actor import Actor
from inspector.actors.supervision import restart, stop
from protocol.errors import InspectorError

__all__ = ("WORKERS", "BreakDown", "Fuse", "Pool", "PoolState", "Worker", "WorkerState")

WORKERS: Final = 3
_PERIOD: Final = 30.0
_RUSH: Final = 6.0
"""Seconds of each period in which `_HASTE` times as many jobs come."""
_HASTE: Final = 6.0
_FASTEST: Final = 20.0
"""Jobs a second at most, outside a rush."""
_STUCK: Final = 10.0


class BreakDown(Exception):
    """A machine has had enough."""


class WorkerState(msgspec.Struct):
    """What a worker is at, and has done in this life."""

    job: int | None = None
    done: int = 0


class Worker(Actor[WorkerState]):
    """One worker: one job at a time, four may wait. Its fourth break-down within a minute is its last."""

    mailbox_size: ClassVar[int] = 4
    supervision = restart(most=3, within=60, first=1, longest=8)

    async def on_start(self) -> None:
        """Warm up, which takes a second."""
        self.log.debug("warming up")
        await trio.sleep(1)

    async def on_stop(self) -> None:
        """Cool down, which takes another."""
        self.log.debug("cooling down")
        await trio.sleep(1)

    @action(timeout=6)
    async def work(self, job: int, seconds: float = 0.5, breaks: bool = False) -> int:
        """Do a job that takes so long, within 6 seconds, waiting included; one that breaks the machine is the last."""
        self.state.job = job
        try:
            await trio.sleep(seconds)
        finally:
            self.state.job = None
        self.state.done += 1
        if breaks:
            self.break_down()
        return self.state.done

    @action(concurrent=True)
    def break_down(self) -> None:
        """Crash, a moment later."""
        self.spawn(self._break_down, name="break-down")

    async def _break_down(self) -> None:
        await trio.lowlevel.checkpoint()
        raise BreakDown(f"a belt of {self.address} broke")


class Fuse(Actor[None]):
    """The pool's fuse: it has no state, and once blown it stays so until somebody restarts it."""

    supervision = stop()

    @action
    def blow(self) -> None:
        """Crash, a moment later."""
        self.spawn(self._blow, name="blow")

    async def _blow(self) -> None:
        await trio.lowlevel.checkpoint()
        raise BreakDown("the fuse has blown")


class PoolState(msgspec.Struct):
    """What became of the jobs."""

    jobs: int = 0
    done: int = 0
    waiting: int = 0
    failed: dict[str, int] = {}
    """By the error's name."""
    rush: bool = False


class Pool(Actor[PoolState]):
    """Everybody who has work to be done: `rate` jobs a second, and in a rush six times as many."""

    rate: ClassVar[float] = 1.0
    seed: ClassVar[int] = 0

    async def run(self) -> None:
        """Hand out jobs to the workers in turn, for ever."""
        chance = random.Random(f"pool {self.seed}")
        pace = min(self.rate, _FASTEST)
        began = trio.current_time()
        # By the clock, and not by the job: at any rate it is the exception.
        stuck_at, breaks_at = began + chance.uniform(10, 30), began + chance.uniform(60, 120)
        while True:
            rush = (trio.current_time() - began) % _PERIOD > _PERIOD - _RUSH
            if rush and not self.state.rush:
                self.log.info("rush", jobs=self.state.jobs)
            self.state.rush = rush
            await trio.sleep(chance.uniform(0.5, 1.5) / pace / (_HASTE if rush else 1))
            # Two fifths of what the workers can do, a rush apart.
            seconds = min(chance.uniform(0.6, 1.8) / pace, 1.5)
            now = trio.current_time()
            if now >= stuck_at:
                seconds, stuck_at = _STUCK, now + chance.uniform(10, 30)
            breaks = now >= breaks_at
            if breaks:
                breaks_at = now + chance.uniform(60, 120)
            self.state.jobs += 1
            job = self.state.jobs
            self.spawn(self._job, job, seconds, breaks, name=f"job {job}")

    async def _job(self, job: int, seconds: float, breaks: bool) -> None:
        state = self.state
        state.waiting += 1
        try:
            await self.get(Worker, str(job % WORKERS + 1)).call(Worker.work, job, seconds, breaks)
            state.done += 1
        except InspectorError as exc:
            state.failed[exc.name] = state.failed.get(exc.name, 0) + 1
            self.log.debug("job failed", job=job, reason=exc.name)
        finally:
            state.waiting -= 1
