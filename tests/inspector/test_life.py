"""Lives: start, run, own tasks, and the hooks' own calls."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import trio
import trio.testing

from inspector.actors.actions import action
from inspector.actors.actor import Actor
from inspector.registry import Registry
from protocol.errors import InspectorError
from tests.inspector.beings import Being, Quiet, Stage, being, colour, living, sleeps, waits
from tests.inspector.reading import events, raises, settle, spans

pytestmark = pytest.mark.trio


async def test_the_stages_of_a_life() -> None:
    gate = trio.Event()
    cls = being(start=waits(gate))
    async with living(cls) as (registry, cell):
        assert (cell.status, cell.generation, cls.story) == ("starting", 1, ["start"])
        found: list[Any] = []

        async def ask() -> None:
            found.append(await registry.call("being", "lines"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await settle()
            # No action runs before the start is over.
            assert (found, cell.info().mailbox) == ([], 1)
            gate.set()
        assert found[0][:1] == ["start"]
        await settle()
        assert (cell.status, cls.story) == ("running", ["start", "run"])
    assert cls.story == ["start", "run", "run over", "stop"]
    assert cell.status == "stopped"
    assert [record.level for record in events(registry.log, "actor started")] == ["INFO"]
    assert [record.level for record in events(registry.log, "actor stopped")] == ["INFO"]
    assert [span.status for span in spans(registry.log, "actor")] == ["ok"]
    assert [span.status for span in spans(registry.log, "run")] == ["cancelled"]


async def test_a_deadline_counts_while_the_actor_starts(autojump_clock: trio.testing.MockClock) -> None:
    async with living(being(start=sleeps(100))) as (registry, _):
        with raises("actor.action_timed_out"):
            await registry.get_or_create("being").within(3).call("lines")
        assert trio.current_time() == pytest.approx(3, abs=0.1)


async def test_an_actor_is_idle_again_when_its_tasks_are_over() -> None:
    registry = Registry([Quiet])
    async with registry.running():
        quiet = registry.get_or_create(Quiet)
        cell = registry.get("quiet")
        for _ in range(2):
            await quiet.call(Quiet.begin, "briefly")
            assert cell.status == "running"
            await settle()
            assert (cell.status, cell.life) == ("idle", None)
        await quiet.call(Quiet.begin, "forever")
        assert cell.status == "running"
    assert registry.get("quiet").status == "stopped"


async def test_tasks_are_spawned_from_anywhere() -> None:
    class Early(Actor[None]):
        ended: ClassVar[list[str]] = []

        def __init__(self) -> None:
            self.spawn(self.task, "constructor")

        async def on_start(self) -> None:
            self.spawn(self.task, "start")

        async def run(self) -> None:
            self.spawn(self.task, "run")

        async def task(self, name: str) -> None:
            try:
                await trio.sleep_forever()
            finally:
                self.ended.append(name)

    registry = Registry([Early])
    registry.get_or_create(Early, "before it runs")
    async with registry.running():
        registry.get_or_create(Early, "while it runs")
        await settle()
        assert {cell.status for cell in registry.page("", "", 9)[0]} == {"running"}
    assert sorted(Early.ended) == ["constructor", "constructor", "run", "run", "start", "start"]
    names = sorted(record.span["task"] for record in spans(registry.log, "task"))
    assert names == ["task"] * 6
    parents = {record.parent_id for record in spans(registry.log, "task")}
    assert parents == {record.span_id for record in spans(registry.log, "actor")}


async def test_a_spawned_task_has_its_spawners_context() -> None:
    async with living(being(start=sleeps(0), work=sleeps(0))) as (
        registry,
        cell,
    ):
        assert cell.status == "idle"
        for _ in range(2):
            seen: list[str] = []
            await registry.call("being", "begin_coloured", seen)
            await settle()
            assert seen == ["blue", "blue"]


async def test_an_actors_life_is_not_its_makers() -> None:
    colour.set("program's")
    seen: list[str] = []

    async def look(self: Being) -> None:
        seen.append(colour.get())

    class Maker(Actor[None]):
        @action
        async def make(self) -> None:
            colour.set("maker's")
            self.get(cls)
            await trio.lowlevel.checkpoint()

    cls = being(start=look, stop=look)
    registry = Registry([cls, Maker])
    async with registry.running():
        colour.set("caller's")
        await registry.get_or_create(Maker).call(Maker.make)
    assert seen == ["program's", "program's"]


async def test_what_waits_for_a_start_goes_on_in_order(autojump_clock: trio.testing.MockClock) -> None:
    gate = trio.Event()
    cls = being(start=waits(gate))
    outcomes: list[Any] = []

    async def call(registry: Registry, name: str) -> None:
        outcomes.append((name, await registry.call("being", name)))

    async with living(cls) as (registry, cell):
        async with trio.open_nursery() as nursery:
            for name in ("beside", "lines", "beside"):
                nursery.start_soon(call, registry, name)
                await settle()
            assert (cell.info().mailbox, outcomes) == (3, [])
            gate.set()
        assert sorted(name for name, _ in outcomes) == ["beside", "beside", "lines"]
        assert cell.info().mailbox == 0


async def test_a_task_may_end_the_program(autojump_clock: trio.testing.MockClock) -> None:
    async def work(self: Being) -> None:
        raise SystemExit(3)

    async def live() -> None:
        async with living(being(work=work)):
            await trio.sleep(1)

    with pytest.raises(BaseExceptionGroup) as caught:
        await live()
    assert caught.value.subgroup(SystemExit) is not None


async def test_a_circle_through_a_start_hook_is_told_at_once(autojump_clock: trio.testing.MockClock) -> None:
    problems: list[str] = []

    def calling(address: str, *args: str) -> Stage:
        async def start(self: Being) -> None:
            self.get(Quiet)
            try:
                await self.registry.call(address, *args)
            except InspectorError as exc:
                problems.append(str(exc))

        return start

    async with living(being(start=calling("being", "lines"))):
        pass
    async with living(being(start=calling("being", "beside"))):
        pass
    async with living(being(start=calling("quiet", "call", "being", "lines"))):
        pass
    async with living(being(start=calling("quiet", "lines"))) as (registry, _):
        # What a hook calls is a trace of its own.
        assert {record.parent_id for record in spans(registry.log, "action")} == {None}
    assert trio.current_time() == 0
    assert problems == [
        "actor.call_cycle: being → being is a circle",
        "actor.call_cycle: being → being is a circle",
        "actor.failed: actor.call_cycle: being → quiet → being is a circle",
    ]


async def test_a_start_hook_may_hand_work_to_a_task_that_calls_back() -> None:
    found: list[Any] = []

    async def start(self: Being) -> None:
        async def later() -> None:
            found.append(await self.registry.call(self.address, "lines"))

        self.spawn(later)

    async with living(being(start=start)):
        assert found[0][0] == "start"


async def test_what_a_start_hook_left_behind_is_no_part_of_it() -> None:
    found: list[Any] = []

    async with trio.open_nursery() as outside:
        started = trio.Event()

        async def start(self: Being) -> None:
            async def later() -> None:
                await started.wait()
                found.append(await self.registry.call(self.address, "lines"))

            # It inherits the hook's context, and goes on when the hook has long returned.
            outside.start_soon(later)

        async with living(being(start=start)):
            started.set()
            await settle()
            assert found == [["start", "run"]]
