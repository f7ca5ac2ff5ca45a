"""Deadlines of calls that wait in a mailbox."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from inspector.actors.actions import action
from inspector.actors.actor import Actor
from inspector.actors.calls import Call
from inspector.actors.deadlines import Deadlines
from inspector.registry import Registry
from tests.inspector.reading import settle

pytestmark = pytest.mark.trio


class Busy(Actor[None]):
    """It is always at work."""

    mailbox_size = 10_000

    @action(timeout=None)
    async def work(self) -> None:
        await trio.sleep_forever()


def send(registry: Registry, seconds: float | None, ended: dict[float | None, str]) -> Call:
    cell = registry.get("busy")

    def done(call: Call) -> None:
        assert call.error is not None
        ended[seconds] = f"{call.error.code} at {trio.current_time() - began:.0f}"

    began = trio.current_time()
    call = Call(cell, cell.find("work"), (), {}, seconds, None, None, done)
    cell.deliver(call)
    return call


async def test_each_ends_at_its_own(autojump_clock: trio.testing.MockClock) -> None:
    registry = Registry([Busy])
    ended: dict[float | None, str] = {}
    async with registry.running(drain_timeout=1):
        registry.get_or_create(Busy)
        send(registry, None, {})
        await settle()
        # A later one that ends sooner must be noticed sooner; one without an end has none.
        for seconds in (30.0, 10.0, None, 20.0):
            send(registry, seconds, ended)
            await settle()
        await trio.sleep(25)
        assert ended == {10.0: "action_timed_out at 10", 20.0: "action_timed_out at 20"}
        assert registry.get("busy").info().mailbox == 2
        await trio.sleep(1000)
        assert ended[30.0] == "action_timed_out at 30"
        assert None not in ended
    assert ended[None] == "stopped at 1026"


async def test_what_is_over_is_not_kept(autojump_clock: trio.testing.MockClock) -> None:
    registry = Registry([Busy])
    async with registry.running(drain_timeout=1):
        registry.get_or_create(Busy)
        cell = registry.get("busy")
        deadlines = registry.deadlines

        def kept() -> int:
            return len(deadlines._heap)

        send(registry, None, {})
        await settle()
        for _ in range(5000):
            call = send(registry, 3600, {})
            call.cancel(cell.stopped_error())
        assert kept() <= 1025
        waiting = [send(registry, 3600, {}) for _ in range(5000)]
        assert kept() >= 5000
        deadlines.add(waiting[0])
        for call in waiting:
            call.cancel(cell.stopped_error())


async def test_a_finished_call_is_not_watched() -> None:
    registry = Registry([Busy])
    async with registry.running(drain_timeout=0):
        registry.get_or_create(Busy)
        cell = registry.get("busy")
        call = Call(cell, cell.find("work"), (), {}, 5, None, None, None)
        call.resolve(None)
        call.reject(cell.stopped_error())
        assert call.error is None
        deadlines = Deadlines()
        deadlines.add(call)
        assert deadlines._heap == []
