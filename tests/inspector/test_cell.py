"""Turns: one at a time, in the mailbox's order, and what happens to calls that can't have theirs."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from inspector.actors.actions import action
from inspector.actors.actor import Actor
from inspector.actors.calls import current_call
from inspector.registry import Registry
from inspector.tracing import current_span
from protocol.errors import InspectorError
from tests.inspector.desk import Callers, Desk, mood, with_desk
from tests.inspector.reading import events, raises, settle

pytestmark = pytest.mark.trio


async def test_one_turn_at_a_time_in_the_order_of_the_mailbox() -> None:
    async def body(registry: Registry, desk: Desk, callers: Callers) -> None:
        for act, name in (("work", "a"), ("note", "b"), ("work", "c"), ("quick", "d")):
            callers.start(act, name)
            await settle()
        cell = registry.get("desk")
        assert (cell.status, cell.info().mailbox, cell.info().running) == ("running", 3, 1)
        assert desk.state.done == ["a begins"]
        desk.open("a")
        await settle()
        assert desk.state.done == ["a begins", "a ends", "b", "c begins"]
        desk.open("c")
        await settle()
        assert desk.state.done == ["a begins", "a ends", "b", "c begins", "c ends", "d"]
        assert callers.outcomes == {"a": "a", "b": "b", "c": "c", "d": "d"}
        assert desk.most == 1
        row = cell.info()
        assert (row.status, row.mailbox, row.running, row.actions, row.errors) == ("idle", 0, 0, 4, 0)
        assert row.active_at is not None
        assert row.started_at is not None

    await with_desk(body)


async def test_concurrent_actions_take_no_turn() -> None:
    async def body(registry: Registry, desk: Desk, callers: Callers) -> None:
        callers.start("work", "a")
        await settle()
        callers.start("beside", "x")
        callers.start("beside", "y")
        await settle()
        assert registry.get("desk").info().running == 3
        assert await registry.call("desk", "peek") == [
            "a begins",
            *sorted(["x beside", "y beside"], key=desk.state.done.index),
        ]
        callers.start("note", "b")
        await settle()
        assert "b" not in desk.state.done
        desk.open("x")
        await settle()
        assert callers.outcomes == {"x": "x"}
        desk.open("a")
        desk.open("y")

    await with_desk(body)


async def test_a_sync_action_runs_at_once_in_no_task_of_its_own() -> None:
    async def body(registry: Registry, desk: Desk, callers: Callers) -> None:
        tasks = trio.lowlevel.current_statistics().tasks_living
        call = callers.send("note", "now")
        assert call.finished
        assert callers.outcomes == {"now": "now"}
        assert trio.lowlevel.current_statistics().tasks_living == tasks

    await with_desk(body)


async def test_a_full_mailbox_refuses() -> None:
    async def body(registry: Registry, desk: Desk, callers: Callers) -> None:
        for name in "abcd":
            callers.start("work", name)
            await settle()
        with raises("actor.overloaded") as caught:
            await registry.call("desk", "work", "e")
        assert caught.value.metadata == {"mailbox": 3}
        assert registry.get("desk").errors == 1
        # What takes no turn is not kept out by it.
        assert await registry.call("desk", "peek") == ["a begins"]
        for name in "abcd":
            desk.open(name)
        await settle()
        assert sorted(callers.outcomes) == ["a", "b", "c", "d"]

    await with_desk(body)


async def test_waiting_in_the_mailbox_counts(autojump_clock: trio.testing.MockClock) -> None:
    async def body(registry: Registry, desk: Desk, callers: Callers) -> None:
        callers.start("work", "a")
        await settle()
        began = trio.current_time()
        with raises("actor.action_timed_out") as caught:
            await registry.call("desk", "brief", "b")
        assert trio.current_time() - began == pytest.approx(2, abs=0.1)
        assert caught.value.metadata == {"timeout_ms": 2000}
        assert desk.state.done == ["a begins"]
        assert registry.get("desk").info().mailbox == 0
        # One that gets its turn later has only what is left.
        callers.start("brief", "c")
        await trio.sleep(1.5)
        desk.open("a")
        await settle()
        assert desk.state.done[-1] == "c begins"
        await trio.sleep(0.4)
        assert "c" not in callers.outcomes
        await trio.sleep(0.2)
        assert callers.outcomes["c"] == "actor.action_timed_out"
        assert registry.get("desk").errors == 2

    await with_desk(body)


async def test_a_running_action_ends_at_its_deadline(autojump_clock: trio.testing.MockClock) -> None:
    async def body(registry: Registry, desk: Desk, callers: Callers) -> None:
        handle = registry.get_or_create(Desk)
        for seconds, method in ((2.0, "brief"), (60.0, "work")):
            began = trio.current_time()
            with raises("actor.action_timed_out"):
                await handle.call(method, "a")
            assert trio.current_time() - began == pytest.approx(seconds, abs=0.1)
        with raises("actor.action_timed_out") as caught:
            await handle.within(0.5).call(Desk.work, "a")
        assert caught.value.metadata == {"timeout_ms": 500}
        assert desk.inside == 0
        assert await handle.call(Desk.note, "b") == "b"
        (record, *_) = events(registry.log, "action timed out")
        assert (record.level, record.span["action"]) == ("WARN", "brief")

    await with_desk(body)


async def test_a_deadline_counts_while_the_one_before_has_not_begun_to_wait(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def body(registry: Registry, desk: Desk, callers: Callers) -> None:
        # Both are delivered before a worker has begun with the first.
        first, second = callers.send("work", "a"), callers.send("brief", "b")
        assert not first.finished
        await trio.sleep(3)
        assert callers.outcomes == {"b": "actor.action_timed_out"}
        assert second.finished
        desk.open("a")

    await with_desk(body)


async def test_cancelling_a_call() -> None:
    async def body(registry: Registry, desk: Desk, callers: Callers) -> None:
        reason = InspectorError("actor.action_cancelled", "enough")
        running, waiting, last = (callers.send("work", name) for name in "abc")
        await settle()
        assert waiting.cancel(reason)
        assert not waiting.cancel(reason)
        assert callers.outcomes == {"b": "actor.action_cancelled"}
        assert running.cancel(reason)
        assert not running.cancel(reason)
        await settle()
        assert callers.outcomes == {"b": "actor.action_cancelled", "a": "actor.action_cancelled"}
        assert desk.state.done == ["a begins", "c begins"]
        # The third ran on from the mailbox: it can be cancelled like the first.
        assert last.cancel(reason)
        await settle()
        assert callers.outcomes["c"] == "actor.action_cancelled"
        assert desk.inside == 0
        assert not last.cancel(reason)
        assert registry.get("desk").info().errors == 3
        assert [record.span["action"] for record in events(registry.log, "action cancelled")] == ["work", "work"]

    await with_desk(body)


async def test_cancelling_what_follows_in_the_same_worker() -> None:
    async def body(registry: Registry, desk: Desk, callers: Callers) -> None:
        first, second = callers.send("work", "a"), callers.send("work", "b")
        await settle()
        desk.open("a")
        await settle()
        assert first.finished
        assert desk.state.done == ["a begins", "a ends", "b begins"]
        assert second.cancel(InspectorError("actor.action_cancelled", "enough"))
        assert not second.finished
        await settle()
        assert callers.outcomes == {"a": "a", "b": "actor.action_cancelled"}
        assert desk.inside == 0
        assert await registry.call("desk", "quick", "c") == "c"

    await with_desk(body)


async def test_cancelling_a_call_that_a_worker_is_about_to_begin() -> None:
    async def body(registry: Registry, desk: Desk, callers: Callers) -> None:
        for _ in range(2):
            # The first time a new worker has it, the second time a parked one.
            call = callers.send("work", "a")
            assert call.cancel(InspectorError("actor.action_cancelled", "enough"))
            await settle()
            assert callers.outcomes.pop("a") == "actor.action_cancelled"
            assert desk.state.done == []
            assert await registry.call("desk", "bare_async") == "calm"

    await with_desk(body)


async def test_a_caller_that_vanishes_stops_nothing() -> None:
    async def body(registry: Registry, desk: Desk, callers: Callers) -> None:
        scope = callers.start("work", "a")
        await settle()
        waiting = callers.start("work", "b")
        await settle()
        scope.cancel()
        waiting.cancel()
        await settle()
        assert (desk.inside, registry.get("desk").info().mailbox) == (1, 1)
        desk.open("a")
        desk.open("b")
        await settle()
        assert desk.state.done == ["a begins", "a ends", "b begins", "b ends"]
        assert callers.outcomes == {}

    await with_desk(body)


async def test_a_caller_that_is_cancelled_already_calls_nothing() -> None:
    async def body(registry: Registry, desk: Desk, callers: Callers) -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            await registry.call("desk", "note", "a")
        assert scope.cancelled_caught
        assert desk.state.done == []

    await with_desk(body)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ("value", "ValueError: no"),
        ("stop", "StopIteration: no"),
        ("odd", "Unspeakable: (str() of the exception raised)"),
    ],
)
@pytest.mark.parametrize("queued", [False, True])
async def test_what_an_action_raises_is_its_reply(error: str, text: str, queued: bool) -> None:
    async def body(registry: Registry, desk: Desk, callers: Callers) -> None:
        if queued:
            callers.start("work", "a")
            await settle()
            desk.gates["a"].set()
        with raises("actor.failed") as caught:
            await registry.call("desk", "refuse", error)
        assert caught.value.message == text
        assert isinstance(caught.value.__cause__, Exception)
        (record,) = events(registry.log, "action failed")
        assert caught.value.metadata == {
            "type": text.partition(":")[0],
            "trace_id": record.trace_id,
            "span_id": record.span_id,
        }
        assert record.exception is not None
        assert record.exception["type"].endswith(text.partition(":")[0])
        assert record.level == "WARN"
        assert registry.get("desk").info().errors == 1

    await with_desk(body)


@pytest.mark.parametrize("after", [False, True])
async def test_awaiting_what_is_not_trios_is_the_actions_failure(after: bool) -> None:
    async def body(registry: Registry, desk: Desk, callers: Callers) -> None:
        for _ in range(2):
            with raises("actor.failed") as caught:
                await registry.call("desk", "foreign", after)
            assert caught.value.metadata["type"] == "TypeError"
            assert "trio" in caught.value.message
        assert await registry.call("desk", "bare_async") == "calm"

    await with_desk(body)


async def test_an_actor_sees_itself_at_work() -> None:
    async def body(registry: Registry, desk: Desk, callers: Callers) -> None:
        assert await registry.call("desk", "row") == ("running", 1)
        assert registry.get("desk").info().running == 0

    await with_desk(body)


async def test_an_outcome_is_told_once() -> None:
    async def body(registry: Registry, desk: Desk, callers: Callers) -> None:
        call = callers.send("note", "a")
        call.resolve("another")
        call.reject(InspectorError("actor.stopped", "late"))
        assert (call.value, call.error) == ("a", None)

    await with_desk(body)


async def test_context_variables_do_not_leak() -> None:
    async def body(registry: Registry, desk: Desk, callers: Callers) -> None:
        mood.set("mine")
        for _ in range(2):
            assert await registry.call("desk", "bare") == ("calm", True, True)
            assert await registry.call("desk", "bare_async") == "calm"
        assert (mood.get(), current_call.get(), current_span.get()) == ("mine", None, None)

    await with_desk(body)


async def test_what_the_program_set_before_it_ran_is_there() -> None:
    mood.set("set before")
    registry = Registry([Desk])
    async with registry.running():
        registry.get_or_create(Desk)
        assert (await registry.call("desk", "bare"))[0] == "set before"
        assert await registry.call("desk", "bare_async") == "set before"


async def test_finding_an_action() -> None:
    async def body(registry: Registry, desk: Desk, callers: Callers) -> None:
        with raises("actor.action_not_found") as caught:
            await registry.call("desk", "nothing")
        assert caught.value.metadata["actions"][:2] == ["work", "quick"]
        with raises("actor.invalid_arguments"):
            await registry.call("desk", "note", 1)
        with raises("actor.invalid_arguments"):
            await registry.call("desk", "note", nothing=1)
        assert await registry.call("desk", "note", name="n") == "n"

    await with_desk(body)


class Silent(Actor[None]):
    """It can do nothing."""


async def test_an_actor_without_actions_says_so() -> None:
    registry = Registry([Silent])
    async with registry.running():
        with raises("actor.action_not_found") as caught:
            await registry.get_or_create(Silent).call("anything")
        assert caught.value.message.endswith("it has none")
        assert registry.get("silent").actor is not None


async def test_queued_is_told_with_its_depth() -> None:
    async def body(registry: Registry, desk: Desk, callers: Callers) -> None:
        for name in "abc":
            callers.send("work", name)
        depths = [record.fields["depth"] for record in events(registry.log, "queued")]
        assert depths == [1, 2]
        for name in "abc":
            desk.open(name)

    await with_desk(body)


async def test_an_interrupt_from_within_a_sync_action_ends_the_program() -> None:
    class Button(Actor[None]):
        @action
        def press(self) -> None:
            raise KeyboardInterrupt

    registry = Registry([Button])

    async def press() -> None:
        async with registry.running():
            await registry.get_or_create(Button).call(Button.press)

    with pytest.raises(KeyboardInterrupt):
        await press()
    (record,) = events(registry.log, "action failed")
    assert record.exception is not None
    assert registry.get("button").current is None
    assert registry.state == "stopped"


async def test_a_call_of_a_registry_that_does_not_run() -> None:
    registry = Registry([Desk])
    handle = registry.get_or_create(Desk)
    with pytest.raises(RuntimeError, match="does not run yet"):
        await handle.call(Desk.note, "a")
    async with registry.running():
        assert await handle.call(Desk.note, "a") == "a"
    with raises("registry.shut_down"):
        await handle.call(Desk.note, "a")
