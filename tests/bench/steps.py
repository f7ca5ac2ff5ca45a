"""How many steps trio runs for a request: a count, not a time, so it is the same on every machine."""

from __future__ import annotations

from collections.abc import Callable

import trio

from inspector import open_host
from tests.bench.clients import RawClient
from tests.bench.servers import TOKEN, bench_registry

__all__ = ("count_steps",)


class _Steps(trio.abc.Instrument):
    """Counts the steps of all tasks."""

    def __init__(self) -> None:
        self.taken = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.taken += 1


def count_steps(frames: Callable[[int], list[bytes]], requests: int, in_flight: int = 1) -> float:
    """Count the host's task steps a request.

    Args:
        frames: makes so many requests, as a client's websocket frames.
        requests: how many to send; the host's fixed costs are spread over them.
        in_flight: how many leave in one write.
    """

    def talk(port: int, steps: _Steps) -> int:
        client = RawClient(port)
        client.receive(1)
        client.round_trips(frames(in_flight), in_flight)
        before = steps.taken
        client.round_trips(frames(requests), in_flight)
        taken = steps.taken - before
        client.close()
        return taken

    async def main() -> float:
        steps = _Steps()
        async with open_host(bench_registry(), token=TOKEN, runtime_file=False) as host:
            trio.lowlevel.add_instrument(steps)
            # The client blocks in a thread: every task that steps meanwhile is the host's.
            taken = await trio.to_thread.run_sync(talk, int(host.url.rpartition(":")[2]), steps)
            trio.lowlevel.remove_instrument(steps)
            return taken / requests

    return trio.run(main)
