"""The servers that benchmarks measure, each in a process of its own.

Each prints its port as its first line and lives until its stdin is closed.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
import trio
from websockets.exceptions import ConnectionClosed
from websockets.trio.server import ServerConnection
from websockets.trio.server import serve as serve_websocket

from inspector import Actor, Registry, action, serve

__all__ = ("TOKEN", "BenchCounter", "bench_registry", "main")

TOKEN = "bench-token"


class BenchState(msgspec.Struct):
    """A number."""

    count: int = 0


class BenchCounter(Actor[BenchState]):
    """What every action benchmark calls."""

    name = "counter"

    @action
    def increment(self, amount: int = 1) -> int:
        """Add, without waiting."""
        self.state.count += amount
        return self.state.count

    @action(concurrent=True)
    def level(self, amount: int = 1) -> int:
        """Read, also beside another action."""
        return self.state.count + amount

    @action
    async def add(self, amount: int = 1) -> int:
        """Add, in an async action that never waits."""
        self.state.count += amount
        return self.state.count

    @action
    async def pause(self, amount: int = 1) -> int:
        """Add, in an async action that waits for one checkpoint."""
        await trio.lowlevel.checkpoint()
        self.state.count += amount
        return self.state.count

    @action
    async def emit(self, records: int, per_second: int) -> int:
        """Write records at a rate, in bursts of a millisecond; 0 for as fast as they come, 500 between checkpoints."""
        if not per_second:
            for number in range(records):
                self.log.info("card accepted", amount=number, currency="EUR", order=1042, region="eu")
                if number % 500 == 0:
                    await trio.lowlevel.checkpoint()
            return records
        begin = trio.current_time()
        written = 0
        while written < records:
            due = min(records, int((trio.current_time() - begin) * per_second) + 1)
            for number in range(written, due):
                self.log.info("card accepted", amount=number, currency="EUR", order=1042, region="eu")
            written = due
            await trio.sleep(0.001)
        return written


def bench_registry() -> Registry:
    """Make a registry with one counter, as any program would."""
    registry = Registry([BenchCounter], name="bench")
    registry.get_or_create(BenchCounter, "default")
    return registry


async def _echo(websocket: ServerConnection) -> None:
    # Clients of a benchmark leave as it suits them.
    with suppress(ConnectionClosed):
        async for message in websocket:
            await websocket.send(message)


async def _until_stdin_closes() -> None:
    await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)


async def _serve_echo() -> None:
    async with trio.open_nursery() as nursery:
        start: Any = partial(serve_websocket, _echo, port=0, host="127.0.0.1", compression=None)
        server = await nursery.start(start)
        print(server.listeners[0].socket.getsockname()[1], flush=True)
        await _until_stdin_closes()
        nursery.cancel_scope.cancel()


async def _serve_host() -> None:
    async with trio.open_nursery() as nursery:
        host = await nursery.start(partial(serve, bench_registry(), token=TOKEN, runtime_file=False))
        print(host.url.rpartition(":")[2], flush=True)
        await _until_stdin_closes()
        await host.shutdown_and_wait()


def main(name: str) -> None:
    """Run one server."""
    trio.run({"echo": _serve_echo, "host": _serve_host}[name])
