"""What looks wrong with a task: told once, shown until it stops; and what is found by looking now and then."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import trio
import trio.testing

from inspector import Actor, ActorHandle, Registry, action
from inspector.tasks.linter import INTERVAL, LOOKS, Linter
from inspector.tasks.lints import EXPLANATIONS, Findings, Lints
from inspector.tasks.monitor import Monitor
from inspector.tasks.roster import Roster
from inspector.tasks.timing import Timing
from inspector.tasks.watchdog import Sample
from inspector.tracing import Log, current_span
from protocol.errors import InspectorError
from protocol.filters import parse_filter
from protocol.messages import TaskLint
from protocol.records import Record
from tests.inspector.reading import events, read, settle

NEVER = 10**15


def warnings_of(log: Log) -> list[Record]:
    return read(log, "inspector.tasks=warn")


class Nobody:
    """Hears of steps and does nothing."""

    def step_was_long(self, task: trio.lowlevel.Task, serial: int, nanoseconds: int) -> None:
        pass

    def task_is_over(self, task: trio.lowlevel.Task) -> None:
        pass


class Looking:
    """A linter whose looks the test makes."""

    def __init__(self, registry: Registry, **lints: float) -> None:
        self.log = registry.log
        self.roster = Roster(self.log.secrets)
        self.findings = Findings(self.log, self.roster)
        self.timing = Timing(self.log, self.roster, NEVER, Nobody())
        self.linter = Linter(registry, self.roster, self.timing, Lints(**lints), self.findings)

    async def look(self, times: int = 1, between: Callable[[], Any] = lambda: None) -> None:
        for _ in range(times):
            await trio.sleep(INTERVAL)
            between()
            await settle()
            await self.linter.look()

    def of(self, task: trio.lowlevel.Task) -> dict[str, TaskLint]:
        return {lint.name: lint for lint in self.findings.of(task)}


@contextmanager
def looking(registry: Registry | None = None, **lints: float) -> Iterator[Looking]:
    made = Looking(registry or Registry(), **lints)
    try:
        yield made
    finally:
        made.linter.close()
        made.timing.close()
        made.roster.close()


def child(nursery: trio.Nursery, name: str) -> trio.lowlevel.Task:
    (task,) = (task for task in nursery.child_tasks if task.name == name)
    return task


# ---- thresholds, findings ----


@pytest.mark.parametrize("wrong", [0, -1, math.nan])
@pytest.mark.parametrize("name", EXPLANATIONS)
def test_thresholds(name: str, wrong: float) -> None:
    with pytest.raises(ValueError, match=name):
        Lints(**{name: wrong})
    assert getattr(Lints(**{name: math.inf}), name) == math.inf


@pytest.mark.trio
async def test_a_finding_is_told_once_until_it_stops() -> None:
    log = Log()
    roster = Roster(log.secrets)
    findings = Findings(log, roster)
    me = trio.lowlevel.current_task()
    span = log.start_span("work", {}, target="t")
    token = current_span.set(span)
    line = (test_a_finding_is_told_once_until_it_stops.__code__, 7)
    findings.begin(me, "long_step", "held the loop for 200 ms", at=line, step_ms=200)
    findings.begin(me, "long_step", "held the loop for 300 ms")
    findings.begin(me, "no_checkpoint", "has been in one step for 9 s", told=True)
    (record,) = warnings_of(log)
    assert record.message == "held the loop for 200 ms"
    assert record.span["name"] == "work"
    assert record.fields["lint"] == "long_step"
    assert record.fields["step_ms"] == 200
    assert record.fields["task"] == me.name
    assert record.fields["task_id"] == roster.number(me)[0]
    assert record.fields["at"].startswith(f"{__file__}:7 ")
    assert record.fields["why"] == EXPLANATIONS["long_step"]
    first, second = findings.of(me)
    # What is shown is what was found last; since when, and where, stays.
    assert first.message == f"held the loop for 300 ms: {EXPLANATIONS['long_step']}"
    assert first.at
    assert first.at.line == 7
    assert second.name == "no_checkpoint"
    findings.end(me, "long_step")
    findings.end(me, "long_step")
    assert [lint.name for lint in findings.of(me)] == ["no_checkpoint"]
    findings.begin(me, "long_step", "held the loop for 400 ms")
    assert len(warnings_of(log)) == 2
    findings.forget(me)
    assert findings.of(me) == []
    findings.begin(me, "long_step", "held the loop for 500 ms")
    findings.clear()
    assert findings.of(me) == []
    current_span.reset(token)
    roster.close()
    await trio.lowlevel.checkpoint()


@pytest.mark.trio
async def test_a_finding_about_what_is_over_or_nobody_wants() -> None:
    log = Log(record="off")
    roster = Roster(log.secrets)
    findings = Findings(log, roster)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.lowlevel.checkpoint, name="over")
        task = child(nursery, "over")
    findings.begin(task, "long_step", "held the loop for 200 ms")
    findings.begin(None, "mailbox_grows", "30 messages wait")
    assert warnings_of(log) == []
    log.set_record_filter(parse_filter("debug"))
    findings.begin(task, "long_step", "held the loop for 200 ms")
    (record,) = warnings_of(log)
    assert record.fields["task"] == "over"
    assert "task_id" not in record.fields
    assert findings.of(task) == []
    roster.close()


# ---- what is found by looking ----


@pytest.mark.trio
async def test_a_step_that_was_too_long_is_shown_for_a_while(autojump_clock: trio.testing.MockClock) -> None:
    with looking() as eye:
        me = trio.lowlevel.current_task()
        line = (test_thresholds.__code__, 9)
        span = eye.log.start_span("counting", {}, target="t")
        eye.linter.too_long(me, 250_000_000, Sample(1, line, span))
        eye.linter.too_long(me, 300_000_000, None)
        (record,) = warnings_of(eye.log)
        assert record.message == "held the loop for 250 ms"
        assert record.span["name"] == "counting"
        await eye.look(5)
        assert "long_step" in eye.of(me)
        await eye.look(10)
        assert eye.of(me) == {}


@pytest.mark.trio
async def test_one_that_was_cancelled_and_goes_on(autojump_clock: trio.testing.MockClock) -> None:
    async def stubborn() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(20)

    async def gentle() -> None:
        await trio.sleep_forever()

    with looking(cancelled_goes_on=5) as eye:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stubborn, name="stubborn")
            nursery.start_soon(gentle, name="gentle")
            await settle()
            task = child(nursery, "stubborn")
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await eye.look(4)
                assert eye.of(task) == {}
                await eye.look(4)
                found = eye.of(task)["cancelled_goes_on"]
                assert "was cancelled" in found.message
                assert found.at
                assert found.at.function.endswith("stubborn")
                # This test is inside the nursery, and was cancelled with it.
                names = [record.fields["task"] for record in warnings_of(eye.log)]
                assert sorted(names) == sorted(["stubborn", trio.lowlevel.current_task().name])
        await eye.look()
        assert eye.of(trio.lowlevel.current_task()) == {}
        assert task not in eye.linter._cancelled


@pytest.mark.trio
async def test_one_that_polls(autojump_clock: trio.testing.MockClock) -> None:
    async def polls() -> None:
        for _ in range(100_000):
            await trio.sleep(0.005)

    async def spins() -> None:
        for _ in range(200):
            await trio.lowlevel.checkpoint()
        await trio.sleep_forever()

    async def handles(receive: trio.MemoryReceiveChannel[int]) -> None:
        async for _ in receive:
            pass

    async def feeds(send: trio.MemorySendChannel[int]) -> None:
        while True:
            await trio.sleep(0.002)
            await send.send(1)
            await send.send(1)

    send, receive = trio.open_memory_channel[int](0)
    # A clock that stands still: no step takes long, however busy the machine is.
    with looking(Registry(log=Log(monotonic=lambda: 1)), wakes_for_nothing=100) as eye:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(polls, name="polls")
            nursery.start_soon(spins, name="spins")
            nursery.start_soon(handles, receive, name="handles")
            nursery.start_soon(feeds, send, name="feeds")
            names = ("polls", "spins", "handles")
            tasks = {name: child(nursery, name) for name in names}
            for _ in range(LOOKS + 1):
                await trio.sleep(INTERVAL)
                await eye.linter.look()
            assert {name: list(eye.of(tasks[name])) for name in names} == {
                "polls": ["wakes_for_nothing"],
                "spins": [],
                "handles": [],
            }
            found = eye.of(tasks["polls"])["wakes_for_nothing"]
            assert found.message.startswith("wakes ")
            assert found.at
            assert found.at.function.endswith("polls")
            (record,) = [r for r in warnings_of(eye.log) if r.fields["task"] == "polls"]
            assert record.fields["lint"] == "wakes_for_nothing"
            nursery.cancel_scope.cancel()
        await eye.look()
        assert not (eye.linter._paces.keys() & set(tasks.values()))


@pytest.mark.trio
async def test_one_that_works_in_its_steps_does_not_poll(autojump_clock: trio.testing.MockClock) -> None:
    now = 0

    def work() -> int:
        return now

    async def ticks() -> None:
        nonlocal now
        while True:
            now += 1_000_000
            await trio.sleep(0.005)

    with looking(Registry(log=Log(monotonic=work)), wakes_for_nothing=100) as eye:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ticks, name="ticks")
            for _ in range(LOOKS + 2):
                await trio.sleep(INTERVAL)
                await eye.linter.look()
            assert eye.of(child(nursery, "ticks")) == {}
            nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_a_nursery_with_ever_more_tasks(autojump_clock: trio.testing.MockClock) -> None:
    with looking(nursery_grows=40) as eye:
        me = trio.lowlevel.current_task()
        async with trio.open_nursery() as nursery:

            def more() -> None:
                for _ in range(10):
                    nursery.start_soon(trio.sleep_forever)

            await eye.look(LOOKS, more)
            assert eye.of(me) == {}
            await eye.look(1, more)
            found = eye.of(me)["nursery_grows"]
            assert "does not shrink" in found.message
            assert [record.fields["lint"] for record in warnings_of(eye.log)] == ["nursery_grows"]
            await eye.look(2, more)
            assert len(warnings_of(eye.log)) == 1
            # One that has reached its size is no leak.
            await eye.look(1)
            assert eye.of(me) == {}
            nursery.cancel_scope.cancel()


async def call(handle: ActorHandle[Slow], name: str) -> None:
    """Call an actor that may end before it answers."""
    with suppress(InspectorError):
        await handle.call(name)


class Slow(Actor[None]):
    """Never comes round to what waits."""

    mailbox_size = 10_000

    @action
    async def hang(self) -> None:
        await trio.sleep_forever()

    @action
    def note(self) -> None:
        pass


@pytest.mark.trio
async def test_a_mailbox_that_only_grows(autojump_clock: trio.testing.MockClock) -> None:
    registry = Registry([Slow])
    async with registry.running(drain_timeout=0.1), trio.open_nursery() as nursery:
        handle = registry.get_or_create(Slow).within(10_000)

        with looking(registry, mailbox_grows=20) as eye:
            nursery.start_soon(call, handle, "hang")
            await settle()
            cell = registry.get("slow")
            assert cell.current is not None
            assert cell.current.worker is not None
            worker = cell.current.worker.task

            def more() -> None:
                for _ in range(5):
                    nursery.start_soon(call, handle, "note")

            await eye.look(LOOKS, more)
            assert eye.of(worker) == {}
            await eye.look(1, more)
            found = eye.of(worker)["mailbox_grows"]
            assert found.message.startswith("30 messages wait for slow, ")
            (record,) = warnings_of(registry.log)
            assert record.span["name"] == "action"
            assert record.fields["actor"] == "slow"
            assert record.fields["mailbox"] == 30
            # It rests, and still does not shrink.
            await eye.look(3)
            assert "mailbox_grows" in eye.of(worker)
            # Somebody else works on it by now, or nobody.
            cell.current.worker.task = trio.lowlevel.current_task()
            await eye.look(1)
            assert eye.of(worker) == {}
            assert "mailbox_grows" in eye.of(trio.lowlevel.current_task())
            cell.current.worker.task = worker
            assert len(warnings_of(registry.log)) == 1
            assert cell.mailbox is not None
            cell.mailbox.pop().resolve(None)
            await eye.look(1)
            assert eye.of(trio.lowlevel.current_task()) == {}
            cell.clear(cell.stopped_error())
            await eye.look(1)
            assert eye.linter._mailboxes == {}
            nursery.cancel_scope.cancel()
        assert registry.watchers == {}


@pytest.mark.trio
async def test_a_mailbox_that_nobody_works_on(autojump_clock: trio.testing.MockClock) -> None:
    registry = Registry([Slow])
    async with registry.running(drain_timeout=0.1), trio.open_nursery() as nursery:
        with looking(registry, mailbox_grows=5) as eye:
            handle = registry.get_or_create(Slow)
            await handle.call("note")
            cell = registry.get("slow")
            cell.phase = "starting"

            def more() -> None:
                for _ in range(3):
                    nursery.start_soon(call, handle, "note")

            await eye.look(LOOKS + 2, more)
            (record,) = warnings_of(registry.log)
            assert record.span["name"] == "actor"
            assert "task" not in record.fields
            cell.clear(cell.stopped_error())
            await eye.look(1)
            assert eye.linter._shown == {}
            cell.phase = "idle"
            nursery.cancel_scope.cancel()


# ---- all together ----


@pytest.mark.trio
async def test_the_monitor_looks_as_long_as_steps_are_timed(autojump_clock: trio.testing.MockClock) -> None:
    registry = Registry()
    with Monitor(registry, watchdog=None, lints=Lints(cancelled_goes_on=2)) as monitor:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(monitor.work)
            with trio.CancelScope() as scope, trio.CancelScope(shield=True):
                scope.cancel()
                await trio.sleep(10)
                assert warnings_of(registry.log) == []
                assert not monitor.timing
                monitor.hold_timing()
                monitor.hold_timing()
                await trio.sleep(10)
                assert len(warnings_of(registry.log)) == 1
                monitor.release_timing()
                assert monitor.timing
                monitor.release_timing()
                assert not monitor.timing
                await trio.sleep(10)
                monitor.hold_timing()
                await trio.sleep(10)
                assert len(warnings_of(registry.log)) == 2
            nursery.cancel_scope.cancel()
    assert registry.log.busy is None
    assert not monitor.timing


@pytest.mark.trio
async def test_a_bug_in_a_lint_is_told_and_costs_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry()

    def fail(*args: object, **more: object) -> None:
        raise ZeroDivisionError("as asked")

    monkeypatch.setattr(Linter, "too_long", fail)
    with Monitor(registry, watchdog=None, timing=True, lints=Lints(long_step=1e-9)):
        await settle()
        # The first step that was seen from its beginning is over.
        await settle()
        assert events(registry.log, "lint failed")[0].exception is not None
        before = len(events(registry.log, "lint failed"))
        await settle()
        # Trio has not taken the instrument off.
        assert len(events(registry.log, "lint failed")) > before
