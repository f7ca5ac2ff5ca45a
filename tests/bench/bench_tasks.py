"""What it costs to know the tasks: the roster at each start and end, timing at each step, the watchdog, a look at all.

Every figure is a ratio of two times out of the same run, taken in turns; of each the best round counts.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Final

import trio

from inspector.registry import Registry
from inspector.tasks import Monitor
from inspector.tasks.roster import Roster
from inspector.tasks.timing import Timing
from tests.bench.figures import Figure

__all__ = ("run",)

_ROUNDS: Final = 25
_STEPS: Final = 4000
_SPAWNS: Final = 1000
_TASKS: Final = 2000

Setting = Callable[[], AbstractContextManager[object]]


class _Nobody:
    """Hears of steps and does nothing."""

    def step_was_long(self, task: trio.lowlevel.Task, serial: int, nanoseconds: int) -> None:
        pass

    def task_is_over(self, task: trio.lowlevel.Task) -> None:
        pass


class _Kept(nullcontext[None]):
    """A roster alone, or with timing on it."""

    def __init__(self, *, timed: bool) -> None:
        self._registry = Registry()
        self._timed = timed

    def __enter__(self) -> None:
        log = self._registry.log
        self._roster = Roster(log.secrets)
        self._timing = Timing(log, self._roster, 10**12, _Nobody()) if self._timed else None

    def __exit__(self, *exc: object) -> None:
        if self._timing is not None:
            self._timing.close()
        self._roster.close()


def run(rounds: int = _ROUNDS) -> list[Figure]:
    """Measure, and return the figures."""
    return trio.run(_run, rounds)


def _watched() -> Monitor:
    return Monitor(Registry())


async def _run(rounds: int) -> list[Figure]:
    bare: Setting = nullcontext
    kept: Setting = partial(_Kept, timed=False)
    timed: Setting = partial(_Kept, timed=True)
    watched: Setting = _watched
    steps = await _measure(_checkpoints, [bare, kept, timed, watched], rounds)
    spawns = await _measure(_spawn, [bare, kept, timed], rounds)
    told = [
        Figure("a checkpoint", round(steps[bare] / _STEPS * 1e6, 2), "µs"),
        _most("checkpoint loop with task timing, to one without, at most", steps[timed] / steps[bare], 1.8),
        _most("checkpoint loop with the roster and the watchdog alone, at most", steps[watched] / steps[bare], 1.1),
        Figure("a task that starts and ends", round(spawns[bare] / _SPAWNS * 1e6, 2), "µs"),
        _most("the same with the roster, at most", spawns[kept] / spawns[bare], 1.5),
        Figure("the same with task timing", round(spawns[timed] / spawns[bare], 2), "x"),
    ]
    return told + await _look(rounds)


def _most(name: str, value: float, bound: float) -> Figure:
    return Figure(name, round(value, 2), "x", bound, value <= bound)


async def _measure(body: Callable[[], Awaitable[None]], settings: list[Setting], rounds: int) -> dict[Setting, float]:
    best = dict.fromkeys(settings, float("inf"))
    gc.collect()
    for _ in range(rounds):
        for setting in settings:
            with setting():
                # The step in which hooks are put on is not one that they see whole.
                await trio.lowlevel.checkpoint()
                began = time.perf_counter()
                await body()
                best[setting] = min(best[setting], time.perf_counter() - began)
    return best


async def _checkpoints() -> None:
    for _ in range(_STEPS):
        await trio.lowlevel.checkpoint()


async def _spawn() -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(_SPAWNS):
            nursery.start_soon(trio.lowlevel.checkpoint)


async def _deep(depth: int) -> None:
    if depth:
        await _deep(depth - 1)
    else:
        await trio.sleep_forever()


async def _look(rounds: int) -> list[Figure]:
    """Measure one look at many tasks, each seven functions deep."""
    found: list[Figure] = []
    with Monitor(Registry(), watchdog=None) as monitor:
        async with trio.open_nursery() as nursery:
            for _ in range(_TASKS):
                nursery.start_soon(_deep, 5)
            for _ in range(10):
                await trio.lowlevel.checkpoint()
            for stacks, name in ((False, "without"), (True, "with")):
                best = float("inf")
                for _ in range(rounds):
                    began = time.perf_counter()
                    rows = monitor.look(stacks=stacks).rows
                    best = min(best, time.perf_counter() - began)
                found.append(Figure(f"a look at {len(rows)} tasks {name} stacks", round(best * 1000, 1), "ms"))
            nursery.cancel_scope.cancel()
    return found
