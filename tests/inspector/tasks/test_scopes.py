"""Whether a scope around a task was cancelled, and the deadline of the innermost that has one."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio
import trio.testing

from inspector.tasks import scopes as module
from inspector.tasks.scopes import Clock, Scopes, enclosing_scopes, is_runnable
from tests.inspector.reading import settle


def around(task: trio.lowlevel.Task) -> tuple[bool, int | None]:
    clock = Clock()
    clock.set()
    return Scopes(clock).around(task)


def seconds_left(deadline: int | None, clock: Clock) -> float:
    now = clock.milliseconds(trio.current_time())
    assert deadline is not None
    assert now is not None
    return (deadline - now) / 1000


@pytest.mark.trio
async def test_the_innermost_deadline(autojump_clock: trio.testing.MockClock) -> None:
    clock = Clock()
    clock.set()
    task = trio.lowlevel.current_task()
    assert Scopes(clock).around(task) == (False, None)
    with trio.move_on_after(60):
        await trio.lowlevel.checkpoint()
        assert seconds_left(Scopes(clock).around(task)[1], clock) == 60
        with trio.CancelScope():
            assert seconds_left(Scopes(clock).around(task)[1], clock) == 60
            with trio.move_on_after(90):
                await trio.lowlevel.checkpoint()
                assert seconds_left(Scopes(clock).around(task)[1], clock) == 90
            assert seconds_left(Scopes(clock).around(task)[1], clock) == 60


@pytest.mark.trio
async def test_cancelled_behind_a_shield_too() -> None:
    task = trio.lowlevel.current_task()
    with trio.CancelScope() as outer, trio.CancelScope(shield=True):
        await trio.lowlevel.checkpoint()
        assert around(task) == (False, None)
        outer.cancel()
        assert around(task) == (True, None)
    assert around(task) == (False, None)


@pytest.mark.trio
async def test_scopes_that_tasks_share() -> None:
    clock = Clock()
    clock.set()
    async with trio.open_nursery() as nursery:
        with trio.move_on_after(5):
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(trio.sleep_forever)
            await settle()
        nursery.cancel_scope.deadline = trio.current_time() + 30
        scopes = Scopes(clock)
        first, second = (scopes.around(task) for task in nursery.child_tasks)
        assert first == second
        assert round(seconds_left(first[1], clock)) == 30
        nursery.cancel_scope.cancel()
        assert Scopes(clock).around(trio.lowlevel.current_task())[0]


@pytest.mark.trio
async def test_without_what_trio_keeps_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async def parent(task_status: trio.TaskStatus[trio.Nursery]) -> None:
        async with trio.open_nursery() as outer, trio.open_nursery() as inner:
            outer.start_soon(trio.sleep_forever, name="in outer")
            inner.start_soon(trio.sleep_forever, name="in inner")
            task_status.started(inner)
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        inner = await nursery.start(parent)
        await settle()
        (waiting,) = inner.child_tasks
        outer = inner.parent_task.child_nurseries[0]
        public = list(module._scopes_of_nurseries(waiting))
        assert public[:3] == [inner.cancel_scope, outer.cancel_scope, nursery.cancel_scope]
        private = list(enclosing_scopes(waiting))
        # A task is seen at least inside the nurseries that it is in, in the same order.
        assert [scope for scope in private if scope in public] == public
        assert list(module._scopes_of_nurseries(inner.parent_task))[:2] == [inner.cancel_scope, outer.cancel_scope]
        (aside,) = outer.child_tasks - inner.child_tasks
        assert next(module._scopes_of_nurseries(aside)) is outer.cancel_scope

        class Foreign:
            """A task of a trio that has other attributes."""

            parent_nursery = inner
            child_nurseries: tuple[Any, ...] = ()

        foreign: Any = Foreign()
        assert list(enclosing_scopes(foreign)) == public
        assert not is_runnable(foreign)
        foreign._cancel_status = object()
        assert list(enclosing_scopes(foreign)) == []
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_a_nursery_that_is_about_to_close() -> None:
    class Parent:
        child_nurseries: tuple[Any, ...] = ()
        parent_nursery = None

    class Closing:
        parent_task = Parent()
        cancel_scope = trio.CancelScope()

    class Task:
        parent_nursery = Closing()
        child_nurseries: tuple[Any, ...] = ()

    task: Any = Task()
    assert list(enclosing_scopes(task)) == [Closing.cancel_scope]
    await trio.lowlevel.checkpoint()


@pytest.mark.trio
async def test_a_task_that_is_about_to_run() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        (task,) = nursery.child_tasks
        assert is_runnable(task)
        await settle()
        assert not is_runnable(task)
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_times(autojump_clock: trio.testing.MockClock) -> None:
    clock = Clock()
    clock.set()
    now = trio.current_time()
    first = clock.milliseconds(now)
    assert clock.milliseconds(math.inf) is None
    assert clock.milliseconds(-math.inf) is None
    assert clock.milliseconds(1e300) == 2**63 - 1
    assert clock.milliseconds(-1e300) == 0
    clock.set()
    assert clock.milliseconds(now) == first
    await trio.sleep(3600)
    # The virtual hour took no time: a clock was set, and deadlines are told anew.
    clock.set()
    again = clock.milliseconds(now)
    assert first is not None
    assert again is not None
    assert first - again > 3_500_000
