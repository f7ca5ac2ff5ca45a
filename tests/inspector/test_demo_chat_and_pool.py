"""The demo's chat and its worker pool: steady, believable, and everything that can go wrong there does."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from inspector.demo import KEPT_MESSAGES, WORKERS, Fuse, Pool, Room, Worker, demo_registry
from inspector.registry import Registry
from tests.inspector.reading import events, raises, settle

pytestmark = pytest.mark.trio


def state(registry: Registry, address: str) -> Any:
    actor = registry.get(address).actor
    assert actor is not None
    return actor.state


def status(registry: Registry, address: str) -> str:
    return registry.get(address).status


async def test_a_room(autojump_clock: trio.testing.MockClock) -> None:
    async with demo_registry(rate=0.001).running() as registry:
        room = registry.get_or_create(Room, "lobby")
        assert await room.call(Room.join, "ada") == ["ada"]
        with raises("actor.failed") as caught:
            await room.call(Room.join, "ada")
        assert caught.value.metadata["type"] == "Taken"
        with raises("actor.failed") as caught:
            await room.call(Room.say, "bo", "hello")
        assert caught.value.metadata["type"] == "NotHere"
        assert await room.call(Room.transcript) == "(nothing yet)\n"
        for number in range(1, KEPT_MESSAGES + 6):
            assert await room.call(Room.say, "ada", f"line {number}") == number
        kept = state(registry, "room/lobby").history
        assert [said.number for said in kept] == list(range(6, KEPT_MESSAGES + 6))
        last = await room.call(Room.last, 2)
        assert [said.text for said in last] == [f"line {KEPT_MESSAGES + 4}", f"line {KEPT_MESSAGES + 5}"]
        assert await room.call(Room.last, 0) == []
        page = await room.call(Room.transcript, 2)
        assert page.count(f"{KEPT_MESSAGES + 5} ada: line {KEPT_MESSAGES + 5}\n") == 2
        assert await room.call(Room.whole) is registry.get("room/lobby").actor
        with raises("actor.failed") as caught:
            await room.call(Room.greet, "garden")
        assert "room/lobby → room/garden → room/lobby is a circle" in caught.value.message
        # From outside there is nobody who waits.
        garden = registry.get_or_create(Room, "garden")
        assert await garden.call(Room.welcome, "lobby") == "welcome, ada"
        await room.call(Room.leave, "ada")
        assert await room.call(Room.present) == []
        with raises("actor.failed"):
            await room.call(Room.leave, "ada")


async def chat(seed: int, seconds: float, rate: float = 2.0) -> Registry:
    registry = demo_registry(rate=rate, seed=seed)
    async with registry.running():
        await trio.sleep(seconds)
    return registry


def talk(registry: Registry) -> list[tuple[int, str, str]]:
    rooms = [state(registry, f"room/{key}") for key in ("lobby", "garden")]
    return [(said.number, said.by, said.text) for room in rooms for said in room.history]


async def test_guests_come_talk_and_go(autojump_clock: trio.testing.MockClock) -> None:
    first, again, other = await chat(1, 300), await chat(1, 300), await chat(2, 300)
    assert talk(first) == talk(again) != talk(other)
    guests = state(first, "guests")
    assert guests.came + guests.went + guests.said + guests.refused == pytest.approx(600, rel=0.1)
    assert guests.came - guests.went == len(guests.inside)
    assert guests.said > guests.came > guests.went > 0
    assert 0 < guests.refused < guests.said / 10
    inside = {(nick, room) for room in ("lobby", "garden") for nick in state(first, f"room/{room}").members}
    assert inside == set(guests.inside.items())
    assert first.get("guests").restarts == 0


async def test_a_worker_through_every_status(autojump_clock: trio.testing.MockClock) -> None:
    async with demo_registry(rate=0.001).running() as registry, trio.open_nursery() as nursery:
        worker, address = registry.get_or_create(Worker, "1"), "worker/1"
        await settle()
        assert status(registry, address) == "starting"
        await trio.sleep(1.1)
        assert status(registry, address) == "idle"
        with raises("actor.action_timed_out"):
            await worker.call(Worker.work, 1, 30)
        assert state(registry, address).job is None
        for number in range(5):
            nursery.start_soon(worker.call, Worker.work, number, 1)
        await settle()
        assert (status(registry, address), state(registry, address).job is None) == ("running", False)
        with raises("actor.overloaded") as caught:
            await worker.call(Worker.work, 6)
        assert caught.value.metadata == {"mailbox": 4}
        await trio.sleep(5.5)
        assert state(registry, address).done == 5
        nursery.start_soon(registry.stop, "worker/2")
        await settle()
        assert status(registry, "worker/2") == "stopping"
        for number in range(4):
            await worker.call(Worker.break_down)
            await settle()
            seen = status(registry, address)
            await trio.sleep(10)
            assert seen == ("failed" if number == 3 else "restarting")
        assert status(registry, address) == "failed"
        with raises("actor.stopped"):
            await worker.call(Worker.work, 7)
        fuse = registry.get_or_create(Fuse)
        await fuse.call(Fuse.blow)
        await settle()
        assert status(registry, "fuse") == "stopped"
        with raises("actor.stopped"):
            await fuse.call(Fuse.blow)


@pytest.mark.parametrize(("rate", "seconds"), [(1.0, 600), (20.0, 120), (1000.0, 120)])
async def test_the_pool_is_sometimes_overloaded(
    rate: float, seconds: int, autojump_clock: trio.testing.MockClock
) -> None:
    pool_class = type("Pool", (Pool,), {"rate": rate, "seed": 3})
    registry = Registry([pool_class, Worker], record="info")
    registry.get_or_create(pool_class)
    async with registry.running():
        await trio.sleep(seconds)
        pool = state(registry, "pool")
        # Four fifths of the time at the rate, one fifth at six times that.
        assert pool.jobs == pytest.approx(2 * seconds * min(rate, 20), rel=0.15)
        # A job that runs while its worker breaks down ends with it.
        assert set(pool.failed) - {"actor.stopped"} == {"actor.overloaded", "actor.action_timed_out"}
        # Most of the work is done, and what is not is refused in a rush.
        assert pool.done > pool.jobs / 3
        assert pool.failed["actor.overloaded"] > pool.failed["actor.action_timed_out"] > 0
        assert pool.waiting <= WORKERS * 5
        rows = [registry.get(f"worker/{number + 1}").info() for number in range(WORKERS)]
        assert seconds // 150 <= sum(row.restarts for row in rows) <= seconds // 60 + 1
        assert all(row.status in ("idle", "running", "starting", "restarting") for row in rows)
        assert registry.get("pool").restarts == 0
    assert len(events(registry.log, "rush")) == seconds // 30
