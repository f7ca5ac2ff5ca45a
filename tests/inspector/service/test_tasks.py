"""The tree of tasks over real sockets: what is in it, what is pushed, within which bounds."""

from __future__ import annotations

import threading
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing
from msgspec import UNSET
from websockets.typing import Subprotocol

from inspector import Actor, action
from inspector.service import tasks as module
from inspector.service.connection import MAX_FRAME
from inspector.tasks.monitor import INTERVAL
from inspector.tasks.tree import MAX_TASKS
from protocol.dialects import DIALECTS
from protocol.filters import parse_filter
from protocol.messages import (
    ActionRequest,
    LogBatch,
    LogsSubscribe,
    LogsSubscribeResponse,
    Message,
    StateRequest,
    StateResponse,
    TaskInfo,
    TasksRequest,
    TasksResponse,
    TasksUpdated,
    Unsubscribe,
    UnsubscribeResponse,
)
from tests.inspector.service.support import Client, attached, connections_of, hosted, lines_of, until

__all__ = ()

pytestmark = pytest.mark.trio


async def tree_of(client: Client, rid: int, **options: Any) -> TasksResponse:
    """Ask for the tree."""
    return await client.ask(TasksRequest(id=rid, **options), TasksResponse)


async def row_of(client: Client, name: str) -> TaskInfo:
    """Wait until a push has the row of a task."""
    while True:
        for row in (await client.pushed(TasksUpdated)).changed:
            if row.name == name:
                return row


async def test_the_tree_is_one() -> None:
    async with hosted() as host, attached(host) as client:
        response = await tree_of(client, 1)
        rows = {row.task: row for row in response.tasks}
        assert len(rows) == len(response.tasks) == response.total
        (root,) = (row for row in response.tasks if row.parent is None)
        assert root is response.tasks[0]
        for row in response.tasks:
            assert row.parent is None or row.parent in rows
            assert row.children == sum(1 for each in response.tasks if each.parent == row.task)
            assert row.stack is UNSET
            assert row.steps is UNSET
        (running,) = (row for row in response.tasks if row.state == "running")
        # It is the connection itself that looks, and its span says so.
        assert running.span_name == "inspector"
        assert running.span
        assert running.trace_id
        assert not response.timing


async def test_a_stuck_actor_is_seen_and_its_action_with_it() -> None:
    async with hosted() as host, attached(host) as client:
        await client.send(ActionRequest(id=1, actor="worker/w", name="work", args=["x"], timeout_ms=60_000))
        await until(lambda: host.registry.get("worker/w").running)
        response = await tree_of(client, 2, stacks=True)
        (row,) = (row for row in response.tasks if row.span_name == "action")
        assert (row.actor, row.state, row.cancelled) == ("worker/w", "waiting", False)
        assert row.name.startswith("worker ")
        assert row.deadline is not None
        assert row.started_at is not None
        assert 0 < row.deadline - row.started_at <= 61_000
        assert row.stack
        functions = [frame.function for frame in row.stack]
        assert functions[0] == "Worker.work"
        assert "Worker.work" in functions[1:]
        assert functions.index("Event.wait") > functions.index("Worker._drive")
        await client.call(3, "open", actor="worker/w")


@pytest.mark.parametrize("subprotocol", DIALECTS)
async def test_what_changes_is_pushed_and_nothing_else(subprotocol: str) -> None:
    async with hosted() as host, attached(host, subprotocols=[Subprotocol(subprotocol)]) as client:
        first = await tree_of(client, 1, subscribe=True)
        known = {row.task for row in first.tasks}
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever, name="new")
            row = await row_of(client, "new")
            assert row.task not in known
            nursery.cancel_scope.cancel("not needed")
        while True:
            push = await client.pushed(TasksUpdated)
            if row.task in push.removed:
                break
        (ended,) = (each for each in push.ended if each.task == row.task)
        assert (ended.name, ended.outcome, ended.reason) == ("new", "cancelled", "not needed")
        # From now on only those change that talk with one another here.
        await client.ask(Unsubscribe(id=2, sub=1), UnsubscribeResponse)
        last = await tree_of(client, 3)
        assert ended in last.ended


async def test_pushes_come_ten_times_a_second_at_most(autojump_clock: trio.testing.MockClock) -> None:
    async with hosted() as host, attached(host) as client:
        await tree_of(client, 1, subscribe=True)
        times: list[float] = []

        async def spawn() -> None:
            while True:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(trio.sleep, 0.01)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(spawn)
            while len(times) < 20:
                await client.pushed(TasksUpdated)
                times.append(trio.current_time())
            nursery.cancel_scope.cancel()
        assert times[-1] - times[0] >= 19 * INTERVAL - 0.001


async def test_timing_is_on_while_somebody_wants_it() -> None:
    async with hosted() as host, attached(host) as one, attached(host) as other:
        assert not (await tree_of(one, 1, timing=True)).timing
        await tree_of(other, 1, subscribe=True)
        assert (await tree_of(one, 2, subscribe=True, timing=True)).timing
        while not (await other.pushed(TasksUpdated)).timing:
            pass
        found = await tree_of(other, 2)
        assert found.timing
        assert all(row.steps is not UNSET and row.busy_ns is not UNSET for row in found.tasks)
        assert any(row.longest_ns for row in found.tasks)
        # The same connection may want it twice.
        await tree_of(one, 3, subscribe=True, timing=True)
        await one.ask(Unsubscribe(id=4, sub=2), UnsubscribeResponse)
        assert (await tree_of(other, 3)).timing
        await one.websocket.aclose()
        await until(lambda: len(connections_of(host)) == 1)
        while (await other.pushed(TasksUpdated)).timing:
            pass
        assert host.registry.log.busy is None
        assert not (await tree_of(other, 4)).timing


async def test_waiting_is_no_news() -> None:
    async with hosted(task_timing=True) as host, attached(host) as client, trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever, name="idle")
        first = await tree_of(client, 1, subscribe=True)
        (idle,) = (row for row in first.tasks if row.name == "idle")
        names = {row.name for _ in range(5) for row in (await client.pushed(TasksUpdated)).changed}
        # Once more where its first step came between.
        assert not idle.steps or "idle" not in names
        later = {row.name: row for row in (await tree_of(client, 2)).tasks}["idle"]
        assert later.idle_ns is not UNSET
        assert idle.idle_ns is not UNSET
        assert later.idle_ns > idle.idle_ns
        nursery.cancel_scope.cancel()


async def large(client: Client) -> Message:
    """Wait for the next message, of nearly a mebibyte: what holds it against the contract would take seconds."""
    frame = await client.websocket.recv()
    assert len(frame) <= MAX_FRAME
    message = client.dialect.decode_to_client(frame)
    assert message is not None
    return message


async def test_more_tasks_than_there_is_room_for(autojump_clock: trio.testing.MockClock) -> None:
    async with hosted() as host, attached(host) as client, trio.open_nursery() as nursery:
        for number in range(10_000):
            nursery.start_soon(trio.sleep_forever, name=f"{number:05}")
        await trio.testing.wait_all_tasks_blocked()
        await client.send(TasksRequest(id=1))
        plain = await large(client)
        assert isinstance(plain, TasksResponse)
        assert plain.total > 10_000
        assert len(plain.tasks) == MAX_TASKS
        names = [row.name for row in plain.tasks if row.name.isdigit()]
        # The oldest ones, the same each time.
        assert names == [f"{number:05}" for number in range(len(names))]
        await client.send(TasksRequest(id=2, stacks=True, subscribe=True))
        stacks = await large(client)
        assert isinstance(stacks, TasksResponse)
        assert 100 < len(stacks.tasks) < MAX_TASKS
        # What had no room comes in pushes, each row in its turn.
        told = {row.task for row in stacks.tasks}
        while len(told) < MAX_TASKS:
            push = await large(client)
            assert isinstance(push, TasksUpdated)
            told |= {row.task for row in push.changed}
            told -= set(push.removed)
        nursery.cancel_scope.cancel()


async def test_who_watches_often_takes_no_more_of_the_hosts_time(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = count()
    # Each look at this clock is a second after the one before.
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: float(next(ticks))))
    async with hosted() as host, attached(host) as client:
        await client.ask(TasksRequest(id=1), TasksResponse)
        (connection,) = connections_of(host)
        monitor = connection.tasks
        one, other = object(), object()

        def watching(watcher: object) -> module.TasksSubscription:
            subscription = module.TasksSubscription(1, monitor, watcher, stacks=False, timing=False)
            subscription.first()
            return subscription

        alone = watching(one)
        many = [watching(other) for _ in range(128)]
        for each in (alone, *many):
            each.collect()
        assert alone.poll == 100
        assert {each.poll for each in many} == {12800}
        for each in (alone, *many):
            each.close(cut=False)
        assert not monitor.watchers


async def test_many_subscriptions_leave_turns_to_others() -> None:
    async with hosted() as host, attached(host) as client:
        for rid in range(1, 101):
            await client.ask(StateRequest(id=rid, actor="box/a", subscribe=True), StateResponse)
        (connection,) = connections_of(host)
        told: list[str] = []
        push_one = connection.pusher._push_one

        def pushing(sub: int, subscription: Any) -> int:
            told.append("push")
            return push_one(sub, subscription)

        connection.pusher._push_one = pushing  # type: ignore[method-assign]  # it only counts
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def other() -> None:
                while True:
                    told.append("other")
                    await trio.lowlevel.checkpoint()

            while told.count("push") <= 200:
                connection.pusher.wake()
                await trio.lowlevel.checkpoint()
            seen = " ".join(told)
            nursery.cancel_scope.cancel()
        # Trio takes those who are ready in any order: one may be the last of a round and the first of the next.
        assert "push push push" not in seen


async def test_ended_tasks_with_long_texts_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> None:
        raise ValueError("x" * 5000)

    monkeypatch.setattr(module, "_ENDED_BYTES", 20_000)
    async with hosted() as host, attached(host) as client:
        for _ in range(100):
            with pytest.raises(ExceptionGroup):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(fail)
        response = await tree_of(client, 1)
        assert 5 < len(response.ended) < 100
        assert len(client.dialect.encode(response)) < 40_000


async def test_a_look_that_fails_leaves_no_timing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise ZeroDivisionError("as asked")

    async with hosted() as host, attached(host) as client:
        monkeypatch.setattr(module, "_response", fail)
        error = await client.refused(TasksRequest(id=1, subscribe=True, timing=True))
        assert error.code == "internal_error"
        assert host.registry.log.busy is None


class Blocker(Actor[None]):
    """Blocks the loop until somebody outside lets it go."""

    until: threading.Event

    @action
    async def block(self) -> None:
        await trio.lowlevel.checkpoint()
        # So long only where the test fails.
        assert type(self).until.wait(60)


async def test_a_blocked_loop_is_told_to_subscribers_too() -> None:
    go_on = threading.Event()
    blocker = type("Blocker", (Blocker,), {"__module__": __name__, "until": go_on})
    async with hosted(blocker, watchdog=0.02) as host, attached(host) as client:
        host.registry.get_or_create(blocker)
        told: list[bytes] = []

        def hear() -> None:
            told.append(b"while it was blocked" if not go_on.is_set() else b"after")
            go_on.set()

        reader = host.registry.log.subscribe(parse_filter("inspector.tasks=warn"), wake=hear)
        await client.ask(LogsSubscribe(id=1, filter="inspector.tasks=info"), LogsSubscribeResponse)
        await client.call(2, "block", actor="blocker")
        assert told == [b"while it was blocked"]
        found: list[dict[str, Any]] = []
        while len(found) < 2:
            found += lines_of(await client.pushed(LogBatch))
        assert [record["level"] for record in found] == ["WARN", "INFO"]
        assert found[0]["span"]["action"] == "block"
        assert "Blocker.block" in found[0]["fields"]["at"]
        reader.close(0.0)
