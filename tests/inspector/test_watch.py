"""State as it is: versions rise where it differs, and whoever watches is told when to look."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from inspector.actors.actions import action
from inspector.actors.actor import Actor
from inspector.actors.watch import Snapshot, StateWatch
from inspector.registry import Registry
from protocol.errors import InspectorError
from protocol.messages import Cause
from tests.inspector.reading import settle, spans

pytestmark = pytest.mark.trio


class Count(msgspec.Struct):
    """A count, and whatever."""

    count: int = 0
    extra: Any = None


class Counter(Actor[Count]):
    @action
    def add(self, amount: int) -> int:
        self.state.count += amount
        return self.state.count

    @action
    def look(self) -> int:
        return self.state.count

    @action
    def put(self, extra: Any) -> None:
        self.state.extra = extra

    @action
    def work(self) -> None:
        self.spawn(self._work)

    @action
    def fall(self) -> None:
        self.spawn(self._fall)

    async def _work(self) -> None:
        await trio.sleep(1)
        self.state.count += 100
        await trio.sleep(10)
        self.state.count += 1000

    async def _fall(self) -> None:
        raise OSError("it fell")


def watch(registry: Registry) -> tuple[StateWatch, list[Snapshot]]:
    """Watch the counter, looking whenever it is told to."""
    registry.get_or_create(Counter)
    cell = registry.get("counter")
    cell.watch = watch = StateWatch(cell)
    seen = [watch.look()]

    def look() -> None:
        snapshot = watch.look()
        if snapshot.version != seen[-1].version:
            seen.append(snapshot)

    watch.listeners.add(look)
    return watch, seen


def value(count: int, extra: Any = None) -> dict[str, Any]:
    return {"count": count, "extra": extra}


async def test_versions_rise_where_the_state_differs() -> None:
    registry = Registry([Counter])
    async with registry.running():
        _, seen = watch(registry)
        assert (seen[0].value, seen[0].version, seen[0].cause) == (value(0), 1, None)
        counter = registry.get_or_create(Counter)
        for amount in (2, 0, 3):
            await counter.call(Counter.add, amount)
        await counter.call(Counter.look)
        assert [(snapshot.value, snapshot.version) for snapshot in seen] == [
            (value(0), 1),
            (value(2), 2),
            (value(5), 3),
        ]
        made = [span for span in spans(registry.log, "action") if span.span["action"] == "add"]
        assert [snapshot.cause for snapshot in seen[1:]] == [
            Cause(action="add", trace_id=made[place].trace_id, span_id=made[place].span_id) for place in (0, 2)
        ]
        assert seen[-1].size > 10


async def test_nobody_watching_costs_no_encoding() -> None:
    class Touchy:
        looked = 0

        def __reduce__(self) -> str:
            raise AssertionError("encoded")

    registry = Registry([Counter])
    async with registry.running():
        counter = registry.get_or_create(Counter)
        cell = registry.get("counter")
        cell.watch = StateWatch(cell)
        # It would raise where anybody encodes it.
        await counter.call(Counter.put, Touchy())
        with pytest.raises(InspectorError, match=r"actor\.unserializable"):
            cell.watch.look()
        await counter.call(Counter.put, None)
        assert cell.watch.look().version == 1
        await counter.call(Counter.add, 1)
        # One who comes again finds another version, and nobody to blame that was not seen.
        assert (cell.watch.look().version, cell.watch.look().cause) == (2, None)


async def test_a_change_by_a_task_is_not_blamed_on_an_action(autojump_clock: trio.testing.MockClock) -> None:
    registry = Registry([Counter])
    async with registry.running():
        state, seen = watch(registry)
        counter = registry.get_or_create(Counter)
        await counter.call(Counter.work)
        await counter.call(Counter.look)
        await trio.sleep(2)
        # Nothing tells of what a task does before it ends: one who wants to know looks now and then.
        assert len(seen) == 1
        snapshot = state.look()
        assert (snapshot.value, snapshot.version, snapshot.cause) == (value(100), 2, None)
        await trio.sleep(20)
        assert (seen[-1].value, seen[-1].version, seen[-1].cause) == (value(1100), 3, None)


async def test_a_restart_is_seen(autojump_clock: trio.testing.MockClock) -> None:
    registry = Registry([Counter])
    async with registry.running():
        _, seen = watch(registry)
        counter = registry.get_or_create(Counter)
        await counter.call(Counter.add, 7)
        await counter.call(Counter.fall)
        await settle()
        await trio.sleep(1)
        assert [snapshot.value for snapshot in seen] == [value(0), value(7), value(0)]
        assert [snapshot.version for snapshot in seen] == [1, 2, 3]
        assert seen[-1].cause is None


async def test_a_listener_may_leave_while_it_is_told() -> None:
    registry = Registry([Counter])
    async with registry.running():
        state, _ = watch(registry)
        told: list[str] = []

        def once() -> None:
            told.append("once")
            state.listeners.discard(once)

        state.listeners.add(once)
        for _ in range(2):
            await registry.call("counter", "add", 1)
        assert told == ["once"]


async def test_an_actor_that_is_not_there_has_no_state() -> None:
    registry = Registry([Counter])
    registry.get_or_create(Counter)
    cell = registry.get("counter")
    cell.actor = None
    assert StateWatch(cell).look().value is None
