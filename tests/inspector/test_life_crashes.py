"""Crashes: what they do to the actor, and to nobody else."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import pytest
import trio
import trio.testing

from inspector.actors.actor import Actor
from inspector.registry import Registry
from protocol.errors import InspectorError
from protocol.messages import Failure
from tests.inspector.beings import Being, Quiet, being, failing, living
from tests.inspector.reading import events, raises, settle, spans

pytestmark = pytest.mark.trio


@pytest.mark.parametrize("stage", ["start", "work"])
async def test_a_crash_and_what_follows(stage: str, autojump_clock: trio.testing.MockClock) -> None:
    times: list[float] = []
    async with living(being(**{stage: failing(times)})) as (registry, cell):
        assert (cell.status, cell.restarts, cell.info().errors) == ("restarting", 1, 1)
        assert isinstance(cell.failure, Failure)
        assert (cell.failure.type, cell.failure.message) == ("OSError", "it fell")
        (record,) = events(registry.log, "actor crashed")
        assert record.exception is not None
        assert (record.level, record.exception["type"], record.fields["again_in_ms"]) == ("ERROR", "OSError", 500)
        assert record.span["name"] == "actor"
        (ended,) = spans(registry.log, "actor")
        assert ended.status == "error"
        await trio.sleep(70)
        gaps = [round(b - a, 1) for a, b in itertools.pairwise(times)]
        assert gaps == [0.5, 1, 2, 4, 8, 16, 30]
        assert (cell.restarts, cell.generation) == (8, 8)
    assert cell.status == "stopped"


async def test_the_first_life_after_a_crash_begins_with_a_new_state(autojump_clock: trio.testing.MockClock) -> None:
    falls = iter([True, False])

    async def work(self: Being) -> None:
        await trio.sleep(1)
        if next(falls):
            raise OSError("it fell")
        await trio.sleep_forever()

    cls = being(work=work)
    async with living(cls) as (registry, cell):
        await trio.sleep(1.2)
        assert cell.status == "restarting"
        with pytest.raises(InspectorError, match=r"actor\.stopped"):
            cell.spawn(trio.sleep_forever, (), None)
        # What comes now waits for the next life.
        assert "run over" not in await registry.call("being", "lines")
        assert trio.current_time() == pytest.approx(1.5, abs=0.1)
        await settle()
        assert cls.story == ["start", "run", "run over", "start", "run"]
        assert (cell.status, cell.generation) == ("running", 2)
    # After a crash there is no stop hook; after the life that followed there is.
    assert cls.story.count("stop") == 1


async def test_back_off_begins_anew_after_a_healthy_life(autojump_clock: trio.testing.MockClock) -> None:
    lengths = iter([0, 0, 61, 0])
    times: list[float] = []

    async def work(self: Being) -> None:
        times.append(trio.current_time())
        await trio.sleep(next(lengths, 1000))
        raise OSError("it fell")

    async with living(being(work=work)):
        await trio.sleep(70)
        assert [round(time, 1) for time in times] == [0, 0.5, 1.5, 63.0, 64.0]


async def test_back_off_counts_crashes_of_an_actor_without_a_run(autojump_clock: trio.testing.MockClock) -> None:
    registry = Registry([Quiet])
    async with registry.running():
        quiet = registry.get_or_create(Quiet)
        for _ in range(4):
            await quiet.call(Quiet.begin, "fall")
            await settle()
        waits = [record.fields["again_in_ms"] for record in events(registry.log, "actor crashed")]
        assert waits == [500, 1000, 2000, 4000]
        assert registry.get("quiet").restarts == 4
        await trio.sleep(100)
        await quiet.call(Quiet.begin, "fall")
        await settle()
        assert events(registry.log, "actor crashed")[-1].fields["again_in_ms"] == 500


async def test_a_crash_answers_what_was_under_way_and_keeps_what_waits(autojump_clock: trio.testing.MockClock) -> None:
    gate = trio.Event()
    done = iter([True])

    async def work(self: Being) -> None:
        await gate.wait()
        if next(done, False):
            raise OSError("it fell")
        await trio.sleep_forever()

    cls = being(work=work)
    outcomes: dict[str, Any] = {}

    async def call(registry: Registry, name: str) -> None:
        try:
            outcomes[name] = await registry.call("being", name)
        except InspectorError as exc:
            outcomes[name] = exc.name

    async with living(cls, drain=1) as (registry, cell), trio.open_nursery() as nursery:
        other = registry.get_or_create(Quiet)
        await other.call(Quiet.begin, "forever")
        for name in ("hold", "lines"):
            nursery.start_soon(call, registry, name)
            await settle()
        gate.set()
        await settle()
        assert outcomes == {"hold": "actor.stopped"}
        assert (cell.status, cell.info().mailbox, cell.info().running) == ("restarting", 1, 0)
        # Others notice nothing.
        assert registry.get("quiet").status == "running"
        assert await other.call(Quiet.lines) == []
        await trio.sleep(1)
        # The new life's state: nothing of the old one is in it.
        assert outcomes["lines"][0] == "start"
        assert "hold" not in outcomes["lines"]


async def test_a_deadline_counts_between_a_crash_and_the_next_start(autojump_clock: trio.testing.MockClock) -> None:
    async def work(self: Being) -> None:
        await trio.sleep(1)
        raise OSError("it fell")

    async def call(registry: Registry) -> None:
        with raises("actor.action_timed_out"):
            await registry.get_or_create("being").within(0.3).call("lines")
        assert trio.current_time() == pytest.approx(1.2, abs=0.05)

    async with living(being(work=work), drain=1) as (registry, _), trio.open_nursery() as nursery:
        with trio.move_on_after(0.9):
            await registry.call("being", "hold")
        nursery.start_soon(call, registry)


async def test_an_old_turn_that_lingers_keeps_the_next_one_waiting(autojump_clock: trio.testing.MockClock) -> None:
    falls = iter([True])

    async def work(self: Being) -> None:
        await trio.sleep(1)
        if next(falls, False):
            raise OSError("it fell")
        await trio.sleep_forever()

    cls = being(work=work)
    async with living(cls) as (registry, cell), trio.open_nursery() as nursery:

        async def linger() -> None:
            with contextlib.suppress(InspectorError):
                await registry.call("being", "linger")

        nursery.start_soon(linger)
        await trio.sleep(1.6)
        assert (cell.status, cell.generation) == ("running", 2)
        await registry.call("being", "lines")
        assert trio.current_time() == pytest.approx(2, abs=0.1)
        assert cls.story[-1] == "linger over"


async def test_a_state_that_cant_be_made_is_a_crash(autojump_clock: trio.testing.MockClock) -> None:
    class Fragile(Actor[None]):
        made = 0

        def __init__(self) -> None:
            type(self).made += 1
            if type(self).made == 2:
                raise ValueError("no state today")

        async def run(self) -> None:
            if type(self).made == 1:
                raise OSError("it fell")
            await trio.sleep_forever()

    registry = Registry([Fragile])
    async with registry.running():
        registry.get_or_create(Fragile)
        await trio.sleep(10)
        cell = registry.get("fragile")
        assert (cell.status, cell.restarts, Fragile.made) == ("running", 2, 3)
        assert cell.failure is not None
        assert cell.failure.type == "ValueError"


async def test_a_group_of_one_is_told_as_the_one_and_a_text_may_fail(autojump_clock: trio.testing.MockClock) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    async def work(self: Being) -> None:
        async with trio.open_nursery() as nursery:

            async def fall() -> None:
                raise Mute

            nursery.start_soon(fall)

    async with living(being(work=work)) as (_, cell):
        assert cell.failure is not None
        assert (cell.failure.type, cell.failure.message) == ("Mute", "(str() of the exception raised)")
