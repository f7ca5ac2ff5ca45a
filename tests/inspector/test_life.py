"""Lives: start, run, own tasks, stop; and what a crash does, to the actor and to nobody else."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, ClassVar

import msgspec
import pytest
import trio
import trio.testing

from inspector.actors.actions import action
from inspector.actors.actor import Actor
from inspector.actors.cell import Cell
from inspector.registry import Registry
from protocol.errors import InspectorError
from protocol.messages import Failure
from tests.inspector.reading import events, raises, settle, spans

pytestmark = pytest.mark.trio

colour: ContextVar[str] = ContextVar("colour", default="none")


class Diary(msgspec.Struct):
    """What happened in this life."""

    lines: list[str] = []


Stage = Callable[["Being"], Awaitable[object]]


def sleeps(seconds: float) -> Stage:
    """Make a stage that takes so long."""

    async def stage(self: Being) -> None:
        await trio.sleep(seconds)

    return stage


def waits(gate: trio.Event) -> Stage:
    """Make a stage that waits for the test."""

    async def stage(self: Being) -> None:
        await gate.wait()

    return stage


class Being(Actor[Diary]):
    """Does in each stage what the test says."""

    story: ClassVar[list[str]] = []
    start: ClassVar[Stage] = staticmethod(sleeps(0))
    work: ClassVar[Stage] = staticmethod(waits(trio.Event()))
    stop: ClassVar[Stage] = staticmethod(sleeps(0))

    def tell(self, line: str) -> None:
        self.story.append(line)
        self.state.lines.append(line)

    async def on_start(self) -> None:
        self.tell("start")
        await type(self).start(self)

    async def run(self) -> None:
        self.tell("run")
        try:
            await type(self).work(self)
        finally:
            self.tell("run over")

    async def on_stop(self) -> None:
        self.tell("stop")
        await type(self).stop(self)

    @action
    def lines(self) -> list[str]:
        return list(self.state.lines)

    @action
    async def hold(self) -> None:
        self.tell("hold")
        try:
            await trio.sleep_forever()
        finally:
            self.tell("hold over")

    @action
    async def linger(self) -> None:
        """Take a second to clean up."""
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
            self.tell("linger over")

    @action(concurrent=True)
    async def beside(self) -> str:
        await trio.lowlevel.checkpoint()
        return "beside"

    @action
    def begin(self, what: str) -> None:
        self.spawn(getattr(self, what), name=what)

    @action
    def begin_coloured(self, seen: Any) -> None:
        colour.set("blue")

        async def look() -> None:
            seen.append(colour.get())

        self.spawn(look)
        self.spawn(look)

    async def fall(self) -> None:
        raise OSError("it fell")

    async def forever(self) -> None:
        await trio.sleep_forever()

    async def grumble(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("in cleanup")

    async def two_grumble(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.grumble)
            nursery.start_soon(self.forever)

    async def end_me(self) -> None:
        await self.registry.stop(self.address)


class Quiet(Actor[Diary]):
    """No hooks at all."""

    @action
    def lines(self) -> list[str]:
        return list(self.state.lines)

    @action
    def begin(self, what: str) -> None:
        self.spawn(getattr(self, what))

    @action
    async def call(self, address: str, name: str) -> Any:
        return await self.registry.call(address, name)

    async def fall(self) -> None:
        raise OSError("it fell")

    async def forever(self) -> None:
        await trio.sleep_forever()

    async def grumble(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("in cleanup")

    async def briefly(self) -> None:
        await trio.lowlevel.checkpoint()


def being(**stages: Stage) -> type[Being]:
    namespace: dict[str, Any] = {name: staticmethod(stage) for name, stage in stages.items()}
    return type("Being", (Being,), {"story": [], "__module__": __name__, "name": "being", **namespace})


@asynccontextmanager
async def living(cls: type[Being], drain: float = 20) -> AsyncIterator[tuple[Registry, Cell]]:
    registry = Registry([cls, Quiet])
    async with registry.running(drain_timeout=drain):
        registry.get_or_create(cls)
        await settle()
        yield registry, registry.get("being")


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


def failing(times: list[float]) -> Stage:
    async def fail(self: Being) -> None:
        times.append(trio.current_time())
        raise OSError("it fell")

    return fail


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
        nursery.start_soon(registry.stop, "being")
        await settle()
        await trio.sleep(1)
        with raises("actor.stopped"):
            await registry.call("being", "lines")
        await trio.sleep(2)
        assert (cell.status, len(registry)) == ("stopped", 0)


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


async def test_a_task_may_end_the_program(autojump_clock: trio.testing.MockClock) -> None:
    async def work(self: Being) -> None:
        raise SystemExit(3)

    async def live() -> None:
        async with living(being(work=work)):
            await trio.sleep(1)

    with pytest.raises(BaseExceptionGroup) as caught:
        await live()
    assert caught.value.subgroup(SystemExit) is not None


async def test_a_stop_hook_that_raises_is_told_and_nothing_else() -> None:
    cls = being(stop=failing([]))
    async with living(cls) as (registry, cell):
        await registry.stop("being")
        assert (cell.status, cell.restarts) == ("stopped", 0)
        (record,) = events(registry.log, "stop hook failed")
        assert record.exception is not None
        assert (record.level, record.exception["type"]) == ("ERROR", "OSError")
        assert [span.status for span in spans(registry.log, "stop")] == ["error"]


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
