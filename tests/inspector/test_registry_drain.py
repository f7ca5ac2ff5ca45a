"""Draining a registry: what runs may end, what is new is refused, and all of it in time."""

from __future__ import annotations

import math
from typing import ClassVar

import pytest
import trio
import trio.testing

from inspector.actors.actions import action
from inspector.actors.actor import Actor
from inspector.registry import Registry
from tests.inspector.reading import events, raises, settle, spans
from tests.inspector.shelves import Outcomes, Shelf, Worker, drain, worker

pytestmark = pytest.mark.trio


async def test_what_runs_may_end(autojump_clock: trio.testing.MockClock) -> None:
    cls = worker()

    async def body(registry: Registry, outcomes: Outcomes) -> None:
        registry.get_or_create(Shelf)
        registry.get_or_create(cls)
        await outcomes.start("a", "shelf", "hold", 3)
        await outcomes.start("waiting", "shelf", "put", "x")
        await outcomes.start("w", "worker", "hold", 2)

    registry, outcomes, took = await drain(body, cls)
    assert outcomes == {"a": "held", "waiting": 1, "w": "held"}
    assert took == pytest.approx(3, abs=0.1)
    assert cls.ends == ["run worker", "stop worker"]
    assert {cell.status for cell in registry.page("", "", 9)[0]} == {"stopped"}
    assert events(registry.log, "drain timed out") == []
    assert len(events(registry.log, "actor stopped")) == 2


async def test_new_work_is_refused_and_what_admitted_work_calls_is_not(autojump_clock: trio.testing.MockClock) -> None:
    async def body(registry: Registry, outcomes: Outcomes) -> None:
        for key in ("a", "b", "c"):
            registry.get_or_create(Shelf, key)
        await outcomes.start("call", "shelf/a", "hold_then_put", 2, "shelf/b")
        await outcomes.start("make", "shelf/c", "hold_then_make", 2, "new")
        outcomes._nursery.start_soon(late, registry, outcomes)

    async def late(registry: Registry, outcomes: Outcomes) -> None:
        await trio.sleep(1)
        assert registry.state == "draining"
        await outcomes.start("late", "shelf/b", "put", "from outside")
        await outcomes.start("later", "shelf/b", "hold", 1)
        with raises("registry.shut_down"):
            registry.get_or_create(Shelf, "from outside")
        # A handle on what is there can still be had.
        assert registry.get_or_create(Shelf, "b").address == "shelf/b"

    registry, outcomes, took = await drain(body)
    assert outcomes == {"call": 1, "make": "shelf/new", "late": "registry.shut_down", "later": "registry.shut_down"}
    assert took == pytest.approx(2, abs=0.1)
    assert registry.get("shelf/new").status == "stopped"


@pytest.mark.parametrize("grouped", [False, True])
async def test_a_tasks_calls_are_refused_without_a_crash(grouped: bool, autojump_clock: trio.testing.MockClock) -> None:
    async def body(registry: Registry, outcomes: Outcomes) -> None:
        registry.get_or_create(Shelf, "a")
        registry.get_or_create(Shelf, "b")
        await registry.call("shelf/a", "spawn_calls", "shelf/b", 1, grouped)
        await outcomes.start("a", "shelf/b", "hold", 2)

    registry, outcomes, _ = await drain(body)
    assert outcomes == {"a": "held"}
    assert registry.get("shelf/a").failure is None
    (span,) = spans(registry.log, "task")
    assert span.status == "error"


async def test_what_hangs_is_cancelled_after_three_quarters(autojump_clock: trio.testing.MockClock) -> None:
    cls = worker()

    async def body(registry: Registry, outcomes: Outcomes) -> None:
        registry.get_or_create(Shelf)
        registry.get_or_create(cls)
        await outcomes.start("a", "shelf", "hold", 1000)
        await outcomes.start("waiting", "shelf", "put", "x")
        await outcomes.start("w", "worker", "hold", 1000)

    registry, outcomes, took = await drain(body, cls)
    assert outcomes == dict.fromkeys(("a", "waiting", "w"), "actor.stopped")
    assert took == pytest.approx(6, abs=0.1)
    # Its stop hook runs all the same.
    assert cls.ends == ["run worker", "stop worker"]
    assert events(registry.log, "drain timed out") == []


async def test_an_action_that_cant_be_cancelled_does_not_keep_hooks_from_running(
    autojump_clock: trio.testing.MockClock,
) -> None:
    cls = worker()
    ended: list[float] = []

    class Noting(cls):  # type: ignore[valid-type,misc]  # a class made above
        name: ClassVar[str] = "worker"

        async def on_stop(self) -> None:
            await super().on_stop()
            ended.append(trio.current_time())

    async def body(registry: Registry, outcomes: Outcomes) -> None:
        registry.get_or_create(Shelf)
        registry.get_or_create(Noting)
        await outcomes.start("a", "shelf", "hang")

    _, outcomes, _ = await drain(body, Noting)
    assert outcomes == {"a": "actor.stopped"}
    assert ended == [pytest.approx(7, abs=0.1)]


async def test_a_hook_that_hangs_is_cancelled_at_the_end(autojump_clock: trio.testing.MockClock) -> None:
    cls = worker(hook=1000)

    async def body(registry: Registry, outcomes: Outcomes) -> None:
        registry.get_or_create(cls, "a")
        registry.get_or_create(cls, "b")
        registry.get_or_create(Shelf)
        await registry.call("shelf", "put", "x")
        await settle()

    registry, _, took = await drain(body, cls)
    assert took == pytest.approx(8, abs=0.1)
    assert sorted(cls.ends) == ["run worker/a", "run worker/b"]
    (record,) = events(registry.log, "drain timed out")
    assert (record.level, record.fields["timeout_ms"]) == ("WARN", 8000)
    assert {span.status for span in spans(registry.log, "stop")} == {"cancelled"}
    assert {cell.status for cell in registry.page("", "", 9)[0]} == {"stopped"}


async def test_a_hook_may_call_an_actor_that_has_none(autojump_clock: trio.testing.MockClock) -> None:
    cls = worker(hook=1, tell="shelf")

    async def body(registry: Registry, outcomes: Outcomes) -> None:
        registry.get_or_create(Shelf)
        registry.get_or_create(cls, "a")
        registry.get_or_create(cls, "b")
        await settle()

    registry, _, _ = await drain(body, cls)
    assert sorted(cls.ends) == ["run worker/a", "run worker/b", "stop worker/a", "stop worker/b"]
    shelf = registry.get("shelf").actor
    assert shelf is not None
    assert sorted(shelf.state.items) == ["worker/a", "worker/b"]
    assert events(registry.log, "stop hook failed") == []


async def test_an_actor_that_is_made_while_draining_lives_and_ends(autojump_clock: trio.testing.MockClock) -> None:
    cls = worker(hook=1)

    class Maker(Actor[None]):
        @action
        async def make(self, seconds: float) -> str:
            await trio.sleep(seconds)
            return str(await self.get(cls, "late").call(Worker.hold, 1))

        async def on_stop(self) -> None:
            await self.get(cls, "later").call(Worker.hold, 1)

    async def body(registry: Registry, outcomes: Outcomes) -> None:
        registry.get_or_create(Maker)
        await outcomes.start("make", "maker", "make", 1)

    registry, outcomes, took = await drain(body, cls, Maker)
    assert outcomes == {"make": "held"}
    assert sorted(cls.ends) == ["run worker/late", "run worker/later", "stop worker/late", "stop worker/later"]
    # The action with what it called, the hook with what it called, and the hook of what that made.
    assert took == pytest.approx(2 + 1 + 1, abs=0.1)
    assert {cell.status for cell in registry.page("", "", 9)[0]} == {"stopped"}


async def test_a_stop_under_way_is_part_of_the_drain(autojump_clock: trio.testing.MockClock) -> None:
    cls = worker(hook=2)

    async def body(registry: Registry, outcomes: Outcomes) -> None:
        registry.get_or_create(cls)
        await settle()
        outcomes._nursery.start_soon(registry.stop, "worker")
        await settle()

    _, _, took = await drain(body, cls)
    assert took == pytest.approx(2, abs=0.1)
    assert cls.ends == ["run worker", "stop worker"]
    _, _, took = await drain(body, cls, seconds=1)
    assert took == pytest.approx(1, abs=0.1)
    assert cls.ends.count("stop worker") == 1


async def test_a_stop_that_comes_while_draining(autojump_clock: trio.testing.MockClock) -> None:
    cls = worker(hook=2)

    async def body(registry: Registry, outcomes: Outcomes) -> None:
        registry.get_or_create(cls)
        await settle()
        outcomes._nursery.start_soon(late, registry)

    async def late(registry: Registry) -> None:
        await trio.sleep(1)
        await registry.stop("worker")
        assert trio.current_time() == pytest.approx(2, abs=0.1)

    registry, _, _ = await drain(body, cls)
    assert cls.ends == ["run worker", "stop worker"]
    assert len(registry) == 0


async def test_a_drain_of_no_time_and_one_of_all_time(autojump_clock: trio.testing.MockClock) -> None:
    cls = worker()

    async def body(registry: Registry, outcomes: Outcomes) -> None:
        registry.get_or_create(cls)
        registry.get_or_create(Shelf)
        await outcomes.start("a", "shelf", "hold", 50)

    _, outcomes, took = await drain(body, cls, seconds=0)
    assert (outcomes, took) == ({"a": "actor.stopped"}, 0)
    _, outcomes, took = await drain(body, cls, seconds=math.inf)
    assert outcomes == {"a": "held"}
    assert took == pytest.approx(50, abs=0.1)


async def test_a_registry_that_is_cut_off_answers_everybody() -> None:
    cls = worker()
    registry = Registry([Shelf, cls])
    async with trio.open_nursery() as nursery:
        outcomes = Outcomes(nursery, registry)
        with trio.CancelScope() as scope:
            async with registry.running():
                registry.get_or_create(Shelf)
                registry.get_or_create(cls)
                await outcomes.start("a", "shelf", "hold", 1000)
                await outcomes.start("waiting", "shelf", "put", "x")
                scope.cancel()
                await trio.lowlevel.checkpoint()
    assert outcomes.of == {"a": "actor.stopped", "waiting": "actor.stopped"}
    assert registry.state == "stopped"
    assert cls.ends == ["run worker"]
    assert {cell.status for cell in registry.page("", "", 9)[0]} == {"stopped"}
    assert {span.status for span in spans(registry.log, "actor")} == {"cancelled"}
