"""Stops: an actor that ends in good order, whoever asks for it and whatever it is at."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from inspector.actors.actions import action
from inspector.actors.actor import Actor
from inspector.actors.cell import Cell
from inspector.registry import Registry
from protocol.errors import InspectorError
from tests.inspector.beings import Being, Quiet, being, failing, living, sleeps
from tests.inspector.reading import events, raises, settle, spans

pytestmark = pytest.mark.trio


async def test_stopping_an_actor() -> None:
    cls = being()
    async with living(cls) as (registry, cell):
        await registry.stop("being")
        assert cls.story == ["start", "run", "run over", "stop"]
        with raises("actor.not_found"):
            registry.get("being")
        assert (cell.status, len(registry)) == ("stopped", 0)
        # The same address is a new actor.
        handle = registry.get_or_create(cls)
        assert (await handle.call("lines"))[0] == "start"
        assert registry.get("being").id != cell.id
        with raises("actor.stopped"):
            await cell.call("lines", (), {}, None)
        with raises("actor.stopped"):
            cell.spawn(trio.sleep_forever, (), None)
        with raises("actor.not_found"):
            await registry.stop("being/none")
        await registry.stop(handle)
        assert len(registry) == 0


async def test_a_stop_waits_for_the_turn_and_refuses_what_waits(autojump_clock: trio.testing.MockClock) -> None:
    cls = being()
    outcomes: list[str] = []

    async def call(registry: Registry, name: str) -> None:
        try:
            await registry.get_or_create("being").within(5).call(name)
        except InspectorError as exc:
            outcomes.append(f"{name} {exc.name}")

    async with living(cls) as (registry, cell), trio.open_nursery() as nursery:
        for name in ("hold", "lines"):
            nursery.start_soon(call, registry, name)
            await settle()
        nursery.start_soon(registry.stop, "being")
        await settle()
        assert (cell.status, outcomes) == ("stopping", ["lines actor.stopped"])
        with raises("actor.stopped"):
            await registry.call("being", "lines")
        await trio.sleep(6)
        assert outcomes == ["lines actor.stopped", "hold actor.action_timed_out"]
        assert cls.story[-3:] == ["hold over", "run over", "stop"]
        assert len(registry) == 0


async def test_two_stops_of_one_actor_end_together(autojump_clock: trio.testing.MockClock) -> None:
    cls = being(stop=sleeps(3))
    ends: list[float] = []

    async def stop(registry: Registry) -> None:
        await registry.stop("being")
        ends.append(trio.current_time())

    async with living(cls) as (registry, _):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop, registry)
            await settle()
            nursery.start_soon(stop, registry)
        assert ends == [pytest.approx(3, abs=0.1)] * 2
        assert cls.story.count("stop") == 1


async def test_stops_of_several_actors_wait_each_for_its_own_turn(autojump_clock: trio.testing.MockClock) -> None:
    class Slow(Actor[None]):
        @action
        async def wait(self, seconds: float) -> None:
            await trio.sleep(seconds)

    ends: dict[str, float] = {}

    async def stop(registry: Registry, key: str) -> None:
        await registry.stop(f"slow/{key}")
        ends[key] = trio.current_time()

    registry = Registry([Slow])
    async with registry.running(), trio.open_nursery() as nursery:
        for key in "123":
            nursery.start_soon(registry.get_or_create(Slow, key).call, Slow.wait, float(key))
        await settle()
        for key in "312":
            nursery.start_soon(stop, registry, key)
            await settle()
        await trio.sleep(5)
        assert ends == {key: pytest.approx(float(key), abs=0.1) for key in "123"}


async def test_a_stopper_that_is_cancelled_stops_nothing_halfway(autojump_clock: trio.testing.MockClock) -> None:
    cls = being(stop=sleeps(3))
    async with living(cls) as (registry, cell):
        with trio.move_on_after(1):
            await registry.stop("being")
        assert cell.status == "stopping"
        await trio.sleep(3)
        assert (cell.status, len(registry)) == ("stopped", 0)


async def test_an_actor_may_stop_itself_from_a_task(autojump_clock: trio.testing.MockClock) -> None:
    cls = being()
    async with living(cls) as (registry, _):
        await registry.call("being", "begin", "end_me")
        await settle()
        assert cls.story == ["start", "run", "run over", "stop"]
        assert len(registry) == 0


async def test_stopping_leaves_the_stoppers_context_alone() -> None:
    class Stopper(Actor[None]):
        @action
        async def stop_and_call(self) -> str:
            await self.registry.stop("being")
            # It is still this actor's turn, so this is a circle, told at once.
            return str(await self.registry.call(self.address, "nothing_else"))

        @action
        def nothing_else(self) -> None: ...

    cls = being()
    registry = Registry([cls, Stopper])
    async with registry.running():
        registry.get_or_create(cls)
        await settle()
        with raises("actor.failed") as caught:
            await registry.get_or_create(Stopper).call(Stopper.stop_and_call)
        assert caught.value.metadata["type"] == "actor.call_cycle"


async def test_stopping_one_that_starts_or_has_crashed(autojump_clock: trio.testing.MockClock) -> None:
    cls = being(start=sleeps(10))
    async with living(cls) as (registry, cell):
        await registry.stop("being")
        assert (cls.story, cell.status) == (["start"], "stopped")
    cls = being(work=failing([]))
    async with living(cls) as (registry, cell):
        assert cell.status == "restarting"
        await registry.stop("being")
        assert "stop" not in cls.story
        assert (cell.status, cell.restarts) == ("stopped", 1)


async def test_a_start_that_cant_be_interrupted_does_not_bring_a_stopped_actor_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def start(self: Being) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(2)

    cls = being(start=start)
    async with living(cls) as (registry, cell), trio.open_nursery() as nursery:
        statuses: set[str] = set()
        rows: set[Cell] = set()

        def look() -> None:
            statuses.add(cell.status)
            rows.clear()

        registry.watchers[look] = "", rows
        nursery.start_soon(registry.stop, "being")
        await settle()
        await trio.sleep(1)
        with raises("actor.stopped"):
            await registry.call("being", "lines")
        await trio.sleep(2)
        assert (cell.status, len(registry)) == ("stopped", 0)
        assert statuses == {"stopping", "stopped"}


async def test_a_crash_while_somebody_waits_for_the_last_turn_is_no_restart(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def work(self: Being) -> None:
        await trio.sleep(2)
        raise OSError("it fell")

    cls = being(work=work)
    async with living(cls) as (registry, cell), trio.open_nursery() as nursery:

        async def hold() -> None:
            with raises("actor.stopped"):
                await registry.call("being", "hold")

        nursery.start_soon(hold)
        await trio.sleep(1)
        await registry.stop("being")
        assert trio.current_time() == pytest.approx(2, abs=0.1)
        assert (cell.status, cell.restarts, cell.generation) == ("stopped", 0, 1)
        assert cell.failure is not None
        (record,) = events(registry.log, "actor crashed")
        assert "again_in_ms" not in record.fields


async def test_a_last_task_that_fails_while_it_is_stopped_is_no_crash() -> None:
    registry = Registry([Quiet])
    async with registry.running():
        await registry.get_or_create(Quiet).call(Quiet.begin, "grumble")
        cell = registry.get("quiet")
        await settle()
        await registry.stop("quiet")
        assert (cell.restarts, cell.failure) == (0, None)
        (record,) = events(registry.log, "actor task failed while it was stopped")
        assert record.exception is not None
        assert record.exception["type"] == "ValueError"
        assert events(registry.log, "actor crashed") == []


@pytest.mark.parametrize("how", ["grumble", "two_grumble"])
async def test_a_task_that_fails_while_it_is_stopped_is_no_crash(how: str) -> None:
    cls = being()
    async with living(cls) as (registry, cell):
        await registry.call("being", "begin", how)
        await settle()
        await registry.stop("being")
        assert (cell.restarts, cell.failure) == (0, None)
        (record,) = events(registry.log, "actor task failed while it was stopped")
        assert record.exception is not None
        assert (record.level, record.exception["type"]) == ("ERROR", "ValueError")
        assert cls.story[-1] == "stop"
        assert events(registry.log, "actor crashed") == []


async def test_a_stop_hook_that_raises_is_told_and_nothing_else() -> None:
    cls = being(stop=failing([]))
    async with living(cls) as (registry, cell):
        await registry.stop("being")
        assert (cell.status, cell.restarts) == ("stopped", 0)
        (record,) = events(registry.log, "stop hook failed")
        assert record.exception is not None
        assert (record.level, record.exception["type"]) == ("ERROR", "OSError")
        assert [span.status for span in spans(registry.log, "stop")] == ["error"]
