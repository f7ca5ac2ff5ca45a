"""Each step is charged to its task, and to the spans that it worked in, on a clock that is set by hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio
from msgspec import UNSET

from inspector.tasks import timing as module
from inspector.tasks.roster import Roster
from inspector.tasks.timing import Timing
from inspector.tracing import Log, Span, current_span
from protocol.messages import TaskInfo
from tests.inspector.desk import Callers, Desk, with_desk
from tests.inspector.reading import settle, spans

LONG = 1000


class Work:
    """A clock that goes on only when somebody works."""

    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        return self.now

    def __iadd__(self, nanoseconds: int) -> Work:
        self.now += nanoseconds
        return self


class Audience:
    """Hears of long steps."""

    def __init__(self) -> None:
        self.long: list[tuple[str, int]] = []
        self.over: list[str] = []

    def step_was_long(self, task: trio.lowlevel.Task, serial: int, nanoseconds: int) -> None:
        self.long.append((task.name, nanoseconds))

    def task_is_over(self, task: trio.lowlevel.Task) -> None:
        self.over.append(task.name)


class Bench:
    """A log whose clock is `work`, and timing on it."""

    def __init__(self, log: Log | None = None) -> None:
        self.work = Work()
        self.log = log or Log(monotonic=self.work)
        self.roster = Roster(self.log.secrets)
        self.audience = Audience()
        self.timing = Timing(self.log, self.roster, LONG, self.audience)

    def close(self) -> None:
        self.timing.close()
        self.roster.close()

    def span(self, name: str, parent: Span | None = None, **fields: Any) -> Span:
        return self.log.start_span(name, fields, target="t", parent=parent or current_span.get())

    def busy(self, name: str) -> int | None:
        (end,) = spans(self.log, name)
        return end.busy_ns


@contextmanager
def bench() -> Iterator[Bench]:
    made = Bench()
    try:
        yield made
    finally:
        made.close()


def row() -> TaskInfo:
    return TaskInfo(0, None, 0, "n", "waiting", 0, None, None, None, None, None, False, None, [])


@pytest.mark.trio
async def test_a_task_is_charged_for_its_steps() -> None:
    with bench() as b:

        async def steps() -> None:
            for nanoseconds in (100, 300, 200):
                b.work += nanoseconds
                await trio.lowlevel.checkpoint()
            await trio.sleep_forever()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(steps)
            (task,) = nursery.child_tasks
            await settle()
            times = b.timing.times(task)
            assert (times.busy, times.longest) == (600, 300)
            assert times.steps == 4
            # It waits while others work.
            b.work += 5000
            filled = row()
            b.timing.fill(filled, task)
            assert (filled.busy_ns, filled.idle_ns, filled.steps, filled.longest_ns) == (600, 5000, 4, 300)
            nursery.cancel_scope.cancel()
        assert task not in b.timing._times


@pytest.mark.trio
async def test_a_task_that_was_there_before_and_has_not_stepped() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        (task,) = nursery.child_tasks
        await settle()
        with bench() as b:
            b.work += 700
            filled = row()
            b.timing.fill(filled, task)
            assert (filled.busy_ns, filled.idle_ns, filled.steps, filled.longest_ns) == (0, 700, 0, UNSET)
            # The step in which timing begins is not one that it has seen begin.
            me = trio.lowlevel.current_task()
            assert b.timing.times(me).steps == 0
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
            assert b.timing.times(me).steps == 1
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_one_that_ends_in_its_first_step_is_not_kept() -> None:
    with bench() as b:

        async def at_once() -> None:
            b.work += 2000

        async with trio.open_nursery() as nursery:
            nursery.start_soon(at_once, name="brief")
        assert b.audience.over == ["brief"]
        assert b.audience.long == [("brief", 2000)]
        assert "brief" not in {task.name for task in b.timing._times}


@pytest.mark.trio
async def test_spans_of_a_task_over_many_steps() -> None:
    with bench() as b:
        await trio.lowlevel.checkpoint()
        b.work += 1
        with b.span("outer"):
            b.work += 10
            await trio.lowlevel.checkpoint()
            b.work += 20
            with b.span("inner"):
                b.work += 100
                await trio.lowlevel.checkpoint()
                b.work += 200
                await trio.lowlevel.checkpoint()
                b.work += 400
            b.work += 40
            await trio.lowlevel.checkpoint()
            b.work += 80
        assert b.busy("inner") == 700
        # Its own time, and not that of the span inside.
        assert b.busy("outer") == 150


@pytest.mark.trio
async def test_spans_inside_a_single_step() -> None:
    with bench() as b:
        await trio.lowlevel.checkpoint()
        b.work += 5
        with b.span("outer"):
            b.work += 10
            with b.span("first"):
                b.work += 100
            b.work += 20
            with b.span("second"):
                b.work += 200
                with b.span("innermost"):
                    b.work += 1000
            b.work += 40
            await trio.lowlevel.checkpoint()
            b.work += 80
        found = {name: b.busy(name) for name in ("outer", "first", "second", "innermost")}
        assert found == {"outer": 150, "first": 100, "second": 200, "innermost": 1000}


@pytest.mark.trio
async def test_two_spans_entered_in_one_step_that_go_on() -> None:
    with bench() as b:
        await trio.lowlevel.checkpoint()
        with b.span("root"):
            await trio.lowlevel.checkpoint()
            b.work += 7
            with b.span("outer"):
                b.work += 10
                with b.span("inner"):
                    b.work += 100
                    await trio.lowlevel.checkpoint()
        assert {name: b.busy(name) for name in ("root", "outer", "inner")} == {"root": 7, "outer": 10, "inner": 100}


@pytest.mark.trio
async def test_spans_that_overlap_share_nothing() -> None:
    with bench() as b:
        await trio.lowlevel.checkpoint()
        first = b.span("first")
        b.work += 10
        second = b.span("second")
        b.work += 100
        first.end()
        b.work += 1000
        second.end()
        assert (b.busy("first"), b.busy("second")) == (110, 1000)
        await trio.lowlevel.checkpoint()


@pytest.mark.trio
async def test_what_others_end_was_not_at_work() -> None:
    log = Log(monotonic=lambda: 0)
    before = log.start_span("before", {}, target="t")
    b = Bench(log)
    b.work.now = 0
    actor = b.span("actor")
    b.timing._since = -1
    b.timing._clock = b.work
    await trio.lowlevel.checkpoint()
    b.work += 100
    # It began before this step, and was nobody's current one.
    actor.end()
    assert b.busy("actor") == 0
    b.timing._since = 1
    before.end()
    assert b.busy("before") is None
    b.close()
    assert log.busy is None


@pytest.mark.trio
async def test_a_thread_s_time_is_no_task_s() -> None:
    with bench() as b:
        await trio.lowlevel.checkpoint()
        spans_made = [b.span("ended in a thread")]

        def end() -> None:
            b.work += 50
            spans_made[0].end()

        thread = threading.Thread(target=end)
        thread.start()
        thread.join()
        assert b.busy("ended in a thread") == 0
        await trio.lowlevel.checkpoint()


@pytest.mark.trio
async def test_spans_never_ended_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SPANS", 10)
    with bench() as b:
        for number in range(30):
            with trio.CancelScope():
                token = current_span.set(b.span("lost", number=number))
                b.work += 1
                await trio.lowlevel.checkpoint()
                current_span.reset(token)
        assert len(b.timing._spans) == 30
        b.timing.sweep()
        assert len(b.timing._spans) == 10
        b.timing.sweep()
        assert len(b.timing._spans) == 10


@pytest.mark.trio
async def test_a_span_that_is_over_gets_no_more() -> None:
    with bench() as b:
        await trio.lowlevel.checkpoint()
        span = b.span("over")
        token = current_span.set(span)
        await trio.lowlevel.checkpoint()
        span.end()
        b.work += 10
        await trio.lowlevel.checkpoint()
        b.work += 10
        await trio.lowlevel.checkpoint()
        current_span.reset(token)
        assert b.timing._spans == {}


@pytest.mark.trio
async def test_actions_of_a_worker_are_charged_to_their_spans() -> None:
    async def body(registry: Any, desk: Desk, callers: Callers) -> None:
        roster = Roster(registry.log.secrets)
        timing = Timing(registry.log, roster, 10**12, Audience())
        await trio.lowlevel.checkpoint()
        callers.start("work", "waits")
        callers.start("note", "sync")
        await settle()
        desk.open("waits")
        await settle()
        ends = {end.span["action"]: end for end in spans(registry.log, "action")}
        for name in ("work", "note"):
            busy, duration = ends[name].busy_ns, ends[name].duration_ns
            assert busy is not None
            assert duration is not None
            assert 0 < busy <= duration
        timing.close()
        roster.close()

    await with_desk(body)


@pytest.mark.trio
async def test_two_on_one_log() -> None:
    first = Bench()
    second = Bench(first.log)
    assert first.log.busy == second.timing.span_ended
    first.close()
    assert first.log.busy == second.timing.span_ended
    second.close()
    assert first.log.busy is None
    await trio.lowlevel.checkpoint()


@pytest.mark.trio
async def test_it_can_be_closed_in_the_middle_of_a_step_and_twice() -> None:
    made = Bench()
    await trio.lowlevel.checkpoint()
    made.close()
    made.timing.close()
    await trio.lowlevel.checkpoint()
    # A hook that trio calls for the step in which it was taken off.
    made.timing.after_task_step(trio.lowlevel.current_task())
    assert made.log.busy is None
