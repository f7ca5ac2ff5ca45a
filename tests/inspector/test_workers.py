"""Workers: actions with nurseries and scopes of their own, and what a worker leaves behind."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest
import trio
import trio.testing

from inspector.actors.actions import action
from inspector.actors.actor import Actor
from inspector.actors.calls import Call, current_call
from inspector.actors.workers import Workers
from inspector.registry import Registry
from inspector.tracing import current_span
from protocol.errors import InspectorError
from tests.inspector.reading import events, raises, settle, spans

pytestmark = pytest.mark.trio

tint: ContextVar[str] = ContextVar("tint", default="none")


class Odd(Actor[None]):
    """Actions that are hard to end."""

    seen: list[str]

    def __init__(self) -> None:
        self.seen = []

    @action(timeout=1)
    async def family(self, children: int, raising: int = 0) -> None:
        """Wait in a nursery of several children, some of which raise when they are cancelled."""

        async def child(raises: bool) -> None:
            try:
                await trio.sleep_forever()
            finally:
                if raises:
                    raise ValueError("in cleanup")

        async with trio.open_nursery() as nursery:
            for number in range(children):
                nursery.start_soon(child, number < raising)
            await trio.sleep_forever()

    @action(timeout=1)
    async def deaf(self) -> str:
        """Go on though it is cancelled."""
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            self.seen.append("deaf")
        await trio.sleep_forever()
        return "never"

    @action(timeout=1)
    async def swallow(self) -> str:
        """Swallow the cancellation itself."""
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            self.seen.append("swallowed")
        return "done"

    @action(timeout=1)
    async def stubborn(self) -> None:
        """Take three seconds to clean up."""
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(3)

    @action(timeout=10)
    async def own_scope(self) -> str:
        """Use a scope that is none of the worker's business."""
        with trio.move_on_after(0.2) as scope:
            await trio.sleep_forever()
        return "moved on" if scope.cancelled_caught else "?"

    @action
    async def both_fail(self) -> None:
        """Raise a group of plain errors."""

        async def child() -> None:
            raise ValueError("one")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)
            await trio.sleep_forever()

    @action
    async def quit(self, nested: bool, after: bool) -> None:
        """Ask for the end of the program."""

        async def child() -> None:
            raise SystemExit(3)

        if after:
            await trio.lowlevel.checkpoint()
        if nested:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(child)
        raise SystemExit(3)

    @action(concurrent=True)
    async def hold(self, gate: Any) -> str:
        """Wait for a gate in a colour of its own."""
        tint.set("red")
        await gate.wait()
        return tint.get()

    @action
    async def paint_and_call(self) -> None:
        """Have a worker made from a coloured context."""
        tint.set("red")
        await self.registry.call(self.address, "pause")

    @action(concurrent=True)
    async def pause(self) -> None:
        await trio.lowlevel.checkpoint()

    @action
    async def brisk(self) -> None:
        """Return without waiting."""

    @action
    def sync(self) -> None:
        """Return at once."""


async def with_odd(body: Callable[[Registry, Odd], Any]) -> None:
    registry = Registry([Odd])
    async with registry.running():
        registry.get_or_create(Odd)
        actor = registry.get("odd").actor
        assert isinstance(actor, Odd)
        await body(registry, actor)


@pytest.mark.parametrize(("children", "raising"), [(0, 0), (1, 0), (2, 0), (2, 1), (3, 3)])
async def test_an_action_with_a_nursery_times_out(
    children: int, raising: int, autojump_clock: trio.testing.MockClock
) -> None:
    async def body(registry: Registry, actor: Odd) -> None:
        for _ in range(2):
            with raises("actor.action_timed_out"):
                await registry.call("odd", "family", children, raising)
        first, second = events(registry.log, "action timed out")
        assert (first.exception is not None) == (raising > 0)
        assert [record.status for record in spans(registry.log, "action")] == ["cancelled", "cancelled"]
        assert registry.get("odd").info().errors == 2
        assert second.level == "WARN"

    await with_odd(body)


async def test_an_action_whose_child_fails_fails(autojump_clock: trio.testing.MockClock) -> None:
    async def body(registry: Registry, actor: Odd) -> None:
        with raises("actor.failed") as caught:
            await registry.call("odd", "both_fail")
        assert caught.value.metadata["type"] == "ExceptionGroup"
        (span,) = spans(registry.log, "action")
        assert span.status == "error"

    await with_odd(body)


async def test_an_action_that_swallows_its_cancellation(autojump_clock: trio.testing.MockClock) -> None:
    async def body(registry: Registry, actor: Odd) -> None:
        handle = registry.get_or_create(Odd)
        assert await handle.call(Odd.swallow) == "done"
        assert actor.seen == ["swallowed"]
        # A scope that has fired is spent: the next action has another one, and is not cancelled by it.
        assert await handle.call(Odd.own_scope) == "moved on"
        with raises("actor.action_timed_out"):
            await handle.call(Odd.deaf)
        assert await handle.call(Odd.own_scope) == "moved on"

    await with_odd(body)


async def test_what_waits_behind_a_spent_scope_runs(autojump_clock: trio.testing.MockClock) -> None:
    async def body(registry: Registry, actor: Odd) -> None:
        results: list[str] = []

        async def call(method: str) -> None:
            results.append(await registry.call("odd", method))

        async with trio.open_nursery() as nursery:
            for method in ("swallow", "own_scope", "own_scope"):
                nursery.start_soon(call, method)
                await settle()
        assert results == ["done", "moved on", "moved on"]

    await with_odd(body)


async def test_a_turn_lasts_until_the_cleanup_is_over(autojump_clock: trio.testing.MockClock) -> None:
    async def body(registry: Registry, actor: Odd) -> None:
        began = trio.current_time()
        with raises("actor.action_timed_out"):
            await registry.call("odd", "stubborn")
        assert trio.current_time() - began == pytest.approx(4, abs=0.1)

    await with_odd(body)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("after", [False, True])
async def test_an_action_may_end_the_program(nested: bool, after: bool) -> None:
    registry = Registry([Odd])

    async def call() -> None:
        async with registry.running():
            await registry.get_or_create(Odd).call(Odd.quit, nested, after)

    with pytest.raises(BaseExceptionGroup) as caught:
        await call()
    left = caught.value.split(trio.Cancelled)[1]
    assert left is not None
    while isinstance(left, BaseExceptionGroup):
        (left,) = left.exceptions
    assert isinstance(left, SystemExit)
    assert registry.state == "stopped"


async def test_an_action_of_a_host_that_is_cut_off_is_cancelled() -> None:
    registry = Registry([Odd])
    outcomes: list[str] = []

    async def call() -> None:
        try:
            await registry.get_or_create(Odd).call("family", 2, 1)
        except InspectorError as exc:
            outcomes.append(exc.name)

    async with trio.open_nursery() as outside:
        with trio.CancelScope() as scope:
            async with registry.running():
                outside.start_soon(call)
                await settle()
                scope.cancel()
                await trio.lowlevel.checkpoint()
    assert outcomes == ["actor.stopped"]
    (span,) = spans(registry.log, "action")
    assert span.status == "cancelled"
    (record,) = events(registry.log, "action stopped")
    assert record.exception is not None


async def test_a_suspended_actions_context_can_be_seen_from_outside() -> None:
    async def body(registry: Registry, actor: Odd) -> None:
        gate = trio.Event()

        def coloured() -> list[trio.lowlevel.Task]:
            return [task for task in tasks() if task.context.get(tint) == "red"]

        async with trio.open_nursery() as nursery:
            nursery.start_soon(registry.call, "odd", "hold", gate)
            await settle()
            (task,) = coloured()
            span = task.context.get(current_span)
            assert span is not None
            assert span.fields["action"] == "hold"
            call = task.context.get(current_call)
            assert isinstance(call, Call)
            gate.set()
        await registry.call("odd", "paint_and_call")
        await settle()
        # A parked worker is in nobody's span, and keeps nothing of the actions that it was made in and for.
        assert coloured() == []
        assert all(task.context.get(current_span) is not span for task in tasks())

    await with_odd(body)


def tasks() -> list[trio.lowlevel.Task]:
    """List every task there is."""
    root = trio.lowlevel.current_root_task()
    assert root is not None
    found = [root]
    for task in found:
        for nursery in task.child_nurseries:
            found.extend(nursery.child_tasks)
    return found


async def test_at_most_so_many_workers_park() -> None:
    async def body(registry: Registry, actor: Odd) -> None:
        before = len(tasks())
        gate = trio.Event()
        async with trio.open_nursery() as nursery:
            for _ in range(40):
                nursery.start_soon(registry.call, "odd", "hold", gate)
            await settle()
            assert len(tasks()) == before + 40 + 40
            gate.set()
        await settle()
        assert len(tasks()) == before + 16
        # They are there to be used again.
        for _ in range(3):
            await registry.call("odd", "pause")
        assert len(tasks()) == before + 16

    await with_odd(body)


async def test_a_deadline_is_over_with_its_action(autojump_clock: trio.testing.MockClock) -> None:
    async def body(registry: Registry, actor: Odd) -> None:
        before = len(tasks())
        await registry.call("odd", "pause")
        await trio.sleep(100)
        # The worker that had it is still parked, and no later action ends by it.
        assert len(tasks()) == before + 1
        assert await registry.call("odd", "own_scope") == "moved on"

    await with_odd(body)


async def test_idle_actors_cost_no_task() -> None:
    registry = Registry([Odd])
    async with registry.running():
        before = len(tasks())
        handles = [registry.get_or_create(Odd, str(number)) for number in range(200)]
        for handle in handles:
            await handle.call(Odd.sync)
        assert len(tasks()) == before
        for handle in handles:
            await handle.call(Odd.pause)
        await settle()
        assert len(tasks()) == before + 1
        assert {registry.get(handle.address).status for handle in handles} == {"idle"}


async def test_a_long_run_of_actions_lets_others_have_a_turn() -> None:
    async def body(registry: Registry, actor: Odd) -> None:
        order: list[str] = []
        cell = registry.get("odd")
        spec = cell.find("brisk")

        def noted(name: str) -> Callable[[Call], None]:
            return lambda _: order.append(name)

        for number in range(100):
            cell.deliver(Call(cell, spec, (), {}, None, None, None, noted(str(number))))

        async def other() -> None:
            while len(order) < 100:
                order.append("other")
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
        assert [name for name in order if name != "other"] == [str(number) for number in range(100)]
        others = [place for place, name in enumerate(order) if name == "other"]
        assert len(others) >= 3
        assert max(b - a for a, b in itertools.pairwise(others)) <= 65

    await with_odd(body)


async def test_deferred_sending_leaves_when_the_worker_waits() -> None:
    async def body(registry: Registry, actor: Odd) -> None:
        sent: list[str] = []
        workers: Workers = registry.workers
        assert not workers.defer(lambda: sent.append("never"))
        cell = registry.get("odd")

        def sender(name: str) -> Callable[[Call], None]:
            def done(call: Call) -> None:
                assert workers.defer(lambda: sent.append(name))
                sent.append("deferred")

            return done

        for name in "ab":
            cell.deliver(Call(cell, cell.find("brisk"), (), {}, None, None, None, sender(name)))
        await settle()
        assert sent == ["deferred", "deferred", "a", "b"]

    await with_odd(body)
