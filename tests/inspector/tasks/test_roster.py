"""Every task has a number and a start; those that are over are remembered with how they ended."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from inspector.tasks.roster import MAX_ENDED, Roster
from inspector.tracing import Log, current_span
from inspector.tracing.secrets import Secrets
from protocol.messages import EndedTask, TaskError
from tests.inspector.reading import settle


@pytest.fixture
def secrets() -> Secrets:
    return Secrets()


async def fail(text: str) -> None:
    await trio.lowlevel.checkpoint()
    raise ValueError(text)


async def wait() -> None:
    await trio.sleep_forever()


async def ended_by(roster: Roster, start: Any) -> list[EndedTask]:
    """Run something in a nursery of its own, and return what has ended with it."""
    before = roster.ended
    try:
        async with trio.open_nursery() as nursery:
            await start(nursery)
    except BaseExceptionGroup:
        pass
    return roster.last(roster.ended - before)


@pytest.mark.trio
async def test_numbers_are_given_once(secrets: Secrets) -> None:
    roster = Roster(secrets)
    me, root = trio.lowlevel.current_task(), trio.lowlevel.current_root_task()
    assert root is not None
    assert roster.number(root) == (0, None)
    assert roster.number(me)[1] is None
    seen = {roster.number(task)[0] for task in roster.tasks()}
    assert len(seen) == len(roster.tasks()) == trio.lowlevel.current_statistics().tasks_living
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        (first,) = nursery.child_tasks
        number, started_at = roster.number(first)
        assert number not in seen
        assert started_at is not None
        assert roster.lives(first)
        nursery.cancel_scope.cancel()
    assert not roster.lives(first)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.lowlevel.checkpoint)
        (second,) = nursery.child_tasks
        assert roster.number(second)[0] > number
    roster.close()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        (unseen,) = nursery.child_tasks
        # Nobody saw it start.
        assert roster.number(unseen) == (roster.next_number - 1, None)
        nursery.cancel_scope.cancel()
    assert roster.ended == 2
    roster.close()


@pytest.mark.trio
async def test_one_that_returns(secrets: Secrets) -> None:
    roster = Roster(secrets)

    async def start(nursery: trio.Nursery) -> None:
        nursery.start_soon(trio.lowlevel.checkpoint, name="brief")

    (ended,) = await ended_by(roster, start)
    assert ended.name == "brief"
    assert ended.outcome == "ok"
    assert ended.parent == roster.number(trio.lowlevel.current_task())[0]
    assert ended.started_at is not None
    assert ended.started_at <= ended.ended_at
    assert not ended.exception
    assert not ended.cancelled_by
    roster.close()


@pytest.mark.trio
async def test_one_that_raises_and_those_that_it_takes_along(secrets: Secrets) -> None:
    secrets.add_value("hunter2")
    roster = Roster(secrets)

    async def start(nursery: trio.Nursery) -> None:
        nursery.start_soon(fail, "no hunter2 today", name="failing hunter2")
        nursery.start_soon(wait, name="waiting")

    first, second = await ended_by(roster, start)
    assert (first.name, first.outcome) == ("failing [redacted]", "error")
    assert first.exception
    assert (first.exception.type, first.exception.message) == ("ValueError", "no [redacted] today")
    assert (second.name, second.outcome) == ("waiting", "cancelled")
    assert not second.exception
    assert second.cancelled_by == "failing [redacted]"
    assert "ValueError" in str(second.reason)
    assert "hunter2" not in str(second.reason)
    roster.close()


@pytest.mark.trio
async def test_why_one_was_cancelled(secrets: Secrets) -> None:
    roster = Roster(secrets)

    async def explicitly(nursery: trio.Nursery) -> None:
        nursery.start_soon(wait, name="waiting")
        await settle()
        nursery.cancel_scope.cancel("not needed")

    async def at_a_deadline(nursery: trio.Nursery) -> None:
        nursery.start_soon(wait, name="waiting")
        await settle()
        nursery.cancel_scope.deadline = -1

    (ended,) = await ended_by(roster, explicitly)
    assert ended.cancelled_by == roster.name(trio.lowlevel.current_task())
    assert ended.reason == "not needed"
    (ended,) = await ended_by(roster, at_a_deadline)
    assert ended.cancelled_by == "deadline"
    assert not ended.reason

    async def at_length(nursery: trio.Nursery) -> None:
        nursery.start_soon(wait, name="waiting")
        await settle()
        nursery.cancel_scope.cancel("because " * 10_000)

    (ended,) = await ended_by(roster, at_length)
    assert str(ended.reason).startswith("because because")
    assert len(str(ended.reason)) < 600

    async def two(nursery: trio.Nursery) -> None:
        async def inside() -> None:
            async with trio.open_nursery() as own:
                own.start_soon(wait)
                own.start_soon(wait)

        nursery.start_soon(inside, name="with two inside")
        await settle()
        nursery.cancel_scope.cancel()

    *_, ended = await ended_by(roster, two)
    # What comes out of it is a group of nothing but Cancelled.
    assert (ended.name, ended.outcome) == ("with two inside", "cancelled")
    assert ended.cancelled_by == roster.name(trio.lowlevel.current_task())
    roster.close()


@pytest.mark.trio
async def test_an_actor_is_known_by_the_span(secrets: Secrets) -> None:
    roster = Roster(secrets)
    log = Log()

    async def start(nursery: trio.Nursery) -> None:
        token = current_span.set(log.start_span("action", {"actor": "cart/7"}, target="t"))
        nursery.start_soon(trio.lowlevel.checkpoint)
        current_span.reset(token)
        nursery.start_soon(trio.lowlevel.checkpoint)

    assert {each.actor for each in await ended_by(roster, start)} == {"cart/7", None}
    roster.close()


@pytest.mark.trio
async def test_only_the_last_are_remembered(secrets: Secrets) -> None:
    roster = Roster(secrets)
    async with trio.open_nursery() as nursery:
        for number in range(MAX_ENDED + 10):
            nursery.start_soon(trio.lowlevel.checkpoint, name=f"{number:04}")
    assert roster.ended == MAX_ENDED + 10
    assert len(roster.last(roster.ended)) == MAX_ENDED
    assert roster.last(3) == roster.last(MAX_ENDED)[-3:]
    assert roster.last(0) == []
    roster.close()


@pytest.mark.trio
async def test_a_text_that_can_not_be_had(secrets: Secrets) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    async def refuse() -> None:
        raise Mute

    roster = Roster(secrets)

    async def start(nursery: trio.Nursery) -> None:
        nursery.start_soon(trio.lowlevel.checkpoint, name="\udcff" * 500)

    (ended,) = await ended_by(roster, start)
    assert ended.name.encode()
    assert len(ended.name) < 2000
    described = roster._explain(Mute())
    assert isinstance(described, TaskError)
    assert described.type.endswith("Mute")
    assert "RuntimeError" in described.message
    roster.close()


@pytest.mark.trio
async def test_a_trio_that_does_not_tell(secrets: Secrets) -> None:
    roster = Roster(secrets)
    older = trio.Cancelled._create()
    # As it is where trio has no such attribute.
    older.source = None  # type: ignore[assignment]  # the trio of this environment has it
    described = roster._describe((0, None, "n", None, None, 1, roster._explain(older)))
    assert described.outcome == "cancelled"
    assert not described.cancelled_by

    async def sleeper() -> None:
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(sleeper)
        (task,) = nursery.child_tasks
        # Called from a frame that is not trio's: how it ended is not to be seen, so nothing is noted.
        roster.task_exited(task)
        assert not roster.lives(task)
        roster.task_exited(task)
        nursery.cancel_scope.cancel()
    assert roster.ended == 0
    assert roster.last(9) == []
    roster.close()


def test_two_runs_one_after_the_other(secrets: Secrets) -> None:
    async def main() -> tuple[int, int]:
        roster = Roster(secrets)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.lowlevel.checkpoint)
        roster.close()
        return roster.ended, len(roster.tasks())

    assert trio.run(main) == trio.run(main)
