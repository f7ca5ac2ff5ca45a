"""Calls inside one process, and what an actor that does nothing costs.

The yardstick is a bare trio memory channel and an event, as one asks another task and waits for its answer. Beside it
stands what no call of an asynchronous action can go below: to wake a task that is parked, and be woken by it. pykka is
an actor library on threads.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

import pykka
import trio
import trio.testing

from inspector import Registry
from tests.bench.figures import Figure, show
from tests.bench.servers import BenchCounter

__all__ = ("run",)

ROUNDS = 15
CALLS = 1000
IDLE_ACTORS = 100_000
CALLED_ACTORS = 10_000


class _Peer(pykka.ThreadingActor):
    def on_receive(self, message: Any) -> Any:
        return message


async def _timed(function: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Return the seconds of a call: of processor time, which other programs don't disturb, and by the clock."""
    start, began = time.process_time(), time.perf_counter()
    for _ in range(CALLS):
        await function()
    return (time.process_time() - start) / CALLS, (time.perf_counter() - began) / CALLS


class _Parked:
    """A task that does nothing but wake whoever has woken it."""

    def __init__(self) -> None:
        self._task: trio.lowlevel.Task | None = None
        self._waiting: trio.lowlevel.Task | None = None

    async def serve(self) -> None:
        self._task = trio.lowlevel.current_task()
        while True:
            await trio.lowlevel.wait_task_rescheduled(_give_up)
            assert self._waiting is not None
            trio.lowlevel.reschedule(self._waiting)

    async def ask(self) -> None:
        self._waiting = trio.lowlevel.current_task()
        assert self._task is not None
        trio.lowlevel.reschedule(self._task)
        await trio.lowlevel.wait_task_rescheduled(_give_up)


def _give_up(_: object) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.SUCCEEDED


async def _measure() -> list[Figure]:
    registry = Registry([BenchCounter], name="bench")
    handle = registry.get_or_create(BenchCounter, "default")
    send, receive = trio.open_memory_channel[tuple[int, trio.Event]](1)

    async def serve() -> None:
        async for _, answered in receive:
            answered.set()

    async def bare() -> None:
        answered = trio.Event()
        await send.send((1, answered))
        await answered.wait()

    parked = _Parked()
    peer = _Peer.start()

    async def ask() -> None:
        peer.ask(1)

    ways: dict[str, Callable[[], Awaitable[object]]] = {
        "bare": bare,
        "call, sync action": lambda: registry.call("counter/default", "increment", 1),
        "typed handle, sync action": lambda: handle.call(BenchCounter.increment, 1),
        "call, async action": lambda: registry.call("counter/default", "add", 1),
        "typed handle, async action": lambda: handle.call(BenchCounter.add, 1),
        "a parked task woken, and back": parked.ask,
        "pykka ask": ask,
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    async with registry.running(), trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        nursery.start_soon(parked.serve)
        await trio.testing.wait_all_tasks_blocked()
        for number in range(ROUNDS + 1):
            for name, way in ways.items():
                seconds = await _timed(way)
                if number:
                    times[name].append(seconds)
        nursery.cancel_scope.cancel()
    peer.stop()

    def ratio(name: str, to: str, clock: int) -> float:
        return statistics.median(mine[clock] / other[clock] for mine, other in zip(times[name], times[to], strict=True))

    figures = [Figure("memory channel plus event", statistics.median(cpu for cpu, _ in times["bare"]) * 1e6, "µs")]
    for name in list(ways)[1:-1]:
        value = ratio(name, "bare", 0)
        bound = 1.2 if name == "call, sync action" else None
        ok = None if bound is None else value <= bound
        figures.append(Figure(f"{name}: time to channel plus event, at most", value, "x", bound, ok))
    # By the clock: with threads most of it is waiting for the other one.
    ahead = ratio("pykka ask", "call, sync action", 1)
    figures.append(Figure("call, sync action: speed to pykka's ask, at least", ahead, "x", 1, ahead >= 1))
    return figures


def _make(registry: Registry, number: int) -> float:
    """Make so many actors; return the seconds."""
    start = time.perf_counter()
    for each in range(number):
        registry.get_or_create(BenchCounter, str(each))
    return time.perf_counter() - start


def _idle_registry() -> Registry:
    registry = Registry([BenchCounter], name="bench")
    for number in range(100):
        registry.get_or_create(BenchCounter, f"warm-{number}")
    gc.collect()
    return registry


async def _called_memory() -> list[Figure]:
    # The ring is bounded by itself, so it is kept out of the sum.
    registry = Registry([BenchCounter], name="bench", record="off")
    async with registry.running():
        for number in range(100):
            await registry.get_or_create(BenchCounter, f"warm-{number}").call(BenchCounter.increment, 1)
        handles = [registry.get_or_create(BenchCounter, str(number)) for number in range(CALLED_ACTORS)]
        gc.collect()
        tracemalloc.start()
        for handle in handles:
            await handle.call(BenchCounter.increment, 1)
        gc.collect()
        more = tracemalloc.get_traced_memory()[0] / CALLED_ACTORS
        tracemalloc.stop()
    return [Figure("what its first call adds, its open span above all", more, "bytes")]


def _idle_memory() -> list[Figure]:
    registry = _idle_registry()
    seconds = _make(registry, IDLE_ACTORS)
    registry = _idle_registry()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    _make(registry, IDLE_ACTORS)
    gc.collect()
    whole = (tracemalloc.get_traced_memory()[0] - before) / IDLE_ACTORS
    tracemalloc.stop()
    # Its row: the address, which is its key too, the id, and a slot of the directory's dict; the state with its header.
    slot = sys.getsizeof(dict.fromkeys(range(IDLE_ACTORS))) / IDLE_ACTORS
    cells, _, _ = registry.page("counter/1", "", IDLE_ACTORS)
    row = statistics.mean(sys.getsizeof(cell.address) + sys.getsizeof(cell.id) for cell in cells) + slot
    state = statistics.mean(sys.getsizeof(cell.actor.state) for cell in cells if cell.actor is not None)
    rest = whole - row - state
    return [
        Figure("an idle actor beyond its state and its row, at most", rest, "bytes", 450, rest <= 450),
        Figure("the same with its state, its address and id, and its slot in the registry", whole, "bytes"),
        Figure("actors made a second", IDLE_ACTORS / seconds, "1/s"),
        Figure("actors a megabyte, all that is theirs counted", 1e6 / whole, "1/MB"),
    ]


def run() -> list[Figure]:
    """Measure, and return the figures."""
    return [*trio.run(_measure), *_idle_memory(), *trio.run(_called_memory)]


if __name__ == "__main__":
    show(run())
