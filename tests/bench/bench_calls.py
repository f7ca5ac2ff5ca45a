"""Calls inside one process, and what an actor that does nothing costs.

The yardstick is a bare trio memory channel and an event: the least that asking another task and waiting for its answer
can cost. pykka, an actor library on threads, stands beside it.
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

from inspector import Registry
from tests.bench.figures import Figure, show
from tests.bench.servers import BenchCounter

__all__ = ("run",)

ROUNDS = 15
CALLS = 1000
IDLE_ACTORS = 100_000


class _Peer(pykka.ThreadingActor):
    def on_receive(self, message: Any) -> Any:
        return message


async def _timed(function: Callable[[], Awaitable[object]]) -> float:
    start = time.perf_counter()
    for _ in range(CALLS):
        await function()
    return (time.perf_counter() - start) / CALLS


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

    peer = _Peer.start()

    async def ask() -> None:
        peer.ask(1)

    ways: dict[str, Callable[[], Awaitable[object]]] = {
        "bare": bare,
        "call, sync action": lambda: registry.call("counter/default", "increment", 1),
        "typed handle, sync action": lambda: handle.call(BenchCounter.increment, 1),
        "call, async action": lambda: registry.call("counter/default", "add", 1),
        "pykka ask": ask,
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    async with registry.running(), trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        for number in range(ROUNDS + 1):
            for name, way in ways.items():
                seconds = await _timed(way)
                if number:
                    times[name].append(seconds)
        nursery.cancel_scope.cancel()
    peer.stop()
    figures = [Figure("memory channel plus event", statistics.median(times["bare"]) * 1e6, "µs")]
    for name in list(ways)[1:]:
        ratio = statistics.median(ours / bare for bare, ours in zip(times["bare"], times[name], strict=True))
        bound = 1.2 if name == "call, sync action" else None
        figures.append(
            Figure(
                f"{name}: time to channel plus event, at most",
                ratio,
                "x",
                bound,
                None if bound is None else ratio <= bound,
            )
        )
    ahead = statistics.median(
        theirs / ours for theirs, ours in zip(times["pykka ask"], times["call, sync action"], strict=True)
    )
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
    return [*trio.run(_measure), *_idle_memory()]


if __name__ == "__main__":
    show(run())
