"""A loop that is blocked is told of while it is, by a thread: which task, where, in which span.

A test blocks its own loop with a `threading.Event` that whoever reads the log sets: nothing waits for time to pass but
the watchdog itself, for a threshold of some milliseconds.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio

from inspector import Actor, Registry, action
from inspector.tasks import Lints, Monitor, check_threshold
from inspector.tasks import watchdog as module
from inspector.tasks.lints import Findings
from inspector.tasks.roster import Roster
from inspector.tasks.timing import Timing
from inspector.tasks.watchdog import Watchdog
from inspector.tracing import Log
from protocol.filters import parse_filter
from protocol.records import Record
from tests.inspector.reading import events, read, settle

THRESHOLD = 0.02
BLOCKS = "a task blocks the loop"
GOES_ON = "the loop goes on"


class Released:
    """Blocks until the log has a record of a target, which another thread must write."""

    def __init__(self, log: Log, filter: str = "inspector.tasks=warn") -> None:
        self._said = threading.Event()
        self._reader = log.subscribe(parse_filter(filter), wake=self._said.set)

    def __call__(self) -> None:
        # So long only where the test fails.
        assert self._said.wait(60)
        self._reader.close(0.0)


@contextmanager
def watched(registry: Registry, **options: Any) -> Iterator[Monitor]:
    with Monitor(registry, **{"watchdog": THRESHOLD, **options}) as monitor:
        yield monitor


async def told(log: Log, message: str) -> Record:
    """Wait until the log has a record."""
    while not (found := events(log, message)):
        await trio.lowlevel.checkpoint()
    return found[0]


class Clerk(Actor[None]):
    """Blocks the loop in the middle of an action."""

    blocks: Any = staticmethod(lambda: None)

    @action
    def block(self) -> None:
        type(self).blocks()

    @action
    async def block_at_once(self) -> None:
        type(self).blocks()

    @action
    async def block_later(self) -> None:
        await trio.lowlevel.checkpoint()
        with self.log.span("inner"):
            type(self).blocks()


@pytest.mark.trio
async def test_a_task_that_blocks() -> None:
    registry = Registry()
    log = registry.log
    with watched(registry):
        block = Released(log)

        async def blocks() -> None:
            with log.start_span("counting", {"step": 1}, target="shop", parent=log.host_span):
                block()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(blocks, name="the blocker")
        record = await told(log, BLOCKS)
        assert record.level == "WARN"
        assert record.target == "inspector.tasks"
        assert record.span["name"] == "counting"
        assert record.fields["task"] == "the blocker"
        assert record.fields["blocked_ms"] >= THRESHOLD * 1000
        # The line of this file, not that of the standard library's lock inside it.
        assert __file__ in record.fields["at"]
        assert "Released.__call__" in record.fields["at"]
        assert any("blocks" in line for line in record.fields["stack"])
        assert record.fields["stack"][0].endswith("blocks")
        on = await told(log, GOES_ON)
        assert on.level == "INFO"
        assert on.span["name"] == "counting"
        assert on.fields["blocked_ms"] >= record.fields["blocked_ms"]
        assert on.fields["task"] == "the blocker"
        assert on.seq > record.seq
    assert len(events(log, BLOCKS)) == len(events(log, GOES_ON)) == 1


@pytest.mark.trio
@pytest.mark.parametrize(("name", "span"), [("block", "action"), ("block_at_once", "action"), ("block_later", "inner")])
async def test_an_action_that_blocks(name: str, span: str) -> None:
    clerk = type("Clerk", (Clerk,), {"__module__": __name__})
    registry = Registry([clerk])
    log = registry.log
    async with registry.running():
        with watched(registry):
            setattr(clerk, "blocks", staticmethod(Released(log)))  # noqa: B010  # its type is made here
            await registry.get_or_create(clerk).call(name)
            record = await told(log, BLOCKS)
            assert record.span["name"] == span
            if span == "action":
                assert record.span["action"] == name
            assert any(name in line for line in record.fields["stack"])
            await told(log, GOES_ON)


@pytest.mark.trio
async def test_several_blocks_are_told_each() -> None:
    registry = Registry()
    with watched(registry):
        for count in (1, 2):
            Released(registry.log)()
            while len(events(registry.log, GOES_ON)) < count:
                await trio.lowlevel.checkpoint()
    assert len(events(registry.log, BLOCKS)) == 2


def test_a_block_that_no_task_makes() -> None:
    registry = Registry()
    log = registry.log

    class Blocks(trio.abc.Instrument):
        """Blocks where no task is at work."""

        done = False

        def before_io_wait(self, timeout: float) -> None:
            if not self.done:
                self.done = True
                Released(log)()

    async def main() -> None:
        with watched(registry):
            trio.lowlevel.add_instrument(Blocks())
            await trio.lowlevel.checkpoint()
            await told(log, GOES_ON)

    trio.run(main)
    (record,) = events(log, "the loop is blocked, and by no task")
    assert record.span["name"] == "host"
    assert "task" not in record.fields
    assert any("before_io_wait" in line for line in record.fields["stack"])
    (on,) = events(log, GOES_ON)
    assert "task" not in on.fields


def test_a_run_in_a_thread() -> None:
    registry = Registry()

    async def main() -> None:
        with watched(registry):
            Released(registry.log)()
            await told(registry.log, GOES_ON)

    thread = threading.Thread(target=trio.run, args=(main,))
    thread.start()
    thread.join()
    assert len(events(registry.log, BLOCKS)) == 1


def test_guest_mode() -> None:
    registry = Registry()
    queue: list[Any] = []
    stir = threading.Condition()
    over: list[Any] = []

    def soon(function: Any) -> None:
        with stir:
            queue.append(function)
            stir.notify()

    async def main() -> None:
        with watched(registry):
            block = Released(registry.log)
            # The loop around trio's is what blocks, and with it trio's.
            soon(block)
            await told(registry.log, GOES_ON)

    trio.lowlevel.start_guest_run(main, run_sync_soon_threadsafe=soon, done_callback=over.append)
    while not over:
        with stir:
            while not queue:
                assert stir.wait(60)
            function = queue.pop(0)
        function()
    over[0].unwrap()
    assert len(events(registry.log, "the loop is blocked, and by no task")) == 1


@pytest.mark.trio
async def test_a_debugger_is_no_block(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry()
    looked = threading.Event()
    debugged = module._is_debugged

    def look(frame: Any) -> bool:
        found = debugged(frame)
        looked.set()
        return found

    monkeypatch.setattr(module, "_is_debugged", look)
    # As a breakpoint does: the debugger's frames lie above those of the program.
    space: dict[str, Any] = {"__name__": "pdb", "wait": looked.wait}
    exec("def interaction():\n    assert wait(60)\n", space)
    with watched(registry):
        space["interaction"]()
        await settle()
    assert read(registry.log, "inspector.tasks=debug") == []


@pytest.mark.trio
async def test_without_a_watchdog_there_is_no_thread() -> None:
    before = threading.active_count()
    with Monitor(Registry(), watchdog=None):
        assert threading.active_count() == before
    with Monitor(Registry()):
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    await trio.lowlevel.checkpoint()


@pytest.mark.trio
async def test_a_long_step_is_seen_at_its_line() -> None:
    registry = Registry()
    log = registry.log
    lints = Lints(long_step=THRESHOLD, no_checkpoint=THRESHOLD)
    with watched(registry, watchdog=None, timing=True, lints=lints) as monitor:
        await trio.lowlevel.checkpoint()
        block = Released(log)

        async def blocks() -> None:
            with log.start_span("counting", {}, target="shop", parent=log.host_span):
                block()
            await trio.sleep_forever()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(blocks, name="the blocker")
            await settle()
            (stuck, long) = read(log, "inspector.tasks=debug")
            assert (stuck.fields["lint"], long.fields["lint"]) == ("no_checkpoint", "long_step")
            for record in (stuck, long):
                assert record.level == "WARN"
                assert record.span["name"] == "counting"
                assert record.fields["task"] == "the blocker"
                assert "Released.__call__" in record.fields["at"]
            (row,) = (row for row in monitor.look(stacks=False).rows if row.name == "the blocker")
            found = {lint.name: lint for lint in row.lints}
            assert "long_step" in found
            assert found["long_step"].at
            assert found["long_step"].at.file == __file__
            assert (row.longest_ns or 0) >= THRESHOLD * 1e9
            while "no_checkpoint" in {lint.name for lint in row.lints}:
                await trio.lowlevel.checkpoint()
                (row,) = (row for row in monitor.look(stacks=False).rows if row.name == "the blocker")
            nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_what_the_watchdog_told_no_lint_tells_again() -> None:
    registry = Registry()
    log = registry.log
    lints = Lints(long_step=60, no_checkpoint=THRESHOLD * 10)
    found = threading.Event()

    class Watches(Findings):
        def begin(self, *args: Any, **more: Any) -> None:
            super().begin(*args, **more)
            found.set()

    roster = Roster(log.secrets)
    findings = Watches(log, roster)
    watchdog = Watchdog(registry, roster, findings, lints, THRESHOLD)

    class Nobody:
        def step_was_long(self, task: trio.lowlevel.Task, serial: int, nanoseconds: int) -> None: ...

        def task_is_over(self, task: trio.lowlevel.Task) -> None: ...

    timing = Timing(log, roster, 10**12, Nobody())
    watchdog.time_steps(timing)
    watchdog.start()
    await trio.lowlevel.checkpoint()
    assert found.wait(60)
    watchdog.stop()
    timing.close()
    roster.close()
    assert [lint.name for lint in findings.of(trio.lowlevel.current_task())] == ["no_checkpoint"]
    assert [record.message for record in read(log, "inspector.tasks=warn")] == [BLOCKS]


def test_a_run_that_is_over_ends_the_thread() -> None:
    registry = Registry()
    left: list[Watchdog] = []

    async def main() -> None:
        roster = Roster(registry.log.secrets)
        left.append(Watchdog(registry, roster, Findings(registry.log, roster), Lints(), THRESHOLD))
        await trio.lowlevel.checkpoint()

    trio.run(main)
    # Nobody has stopped it: it asks a loop that is no more.
    left[0].start()
    left[0]._thread.join(60)
    assert not left[0]._thread.is_alive()
    left[0].stop()
    assert read(registry.log, "inspector.tasks=debug") == []


@pytest.mark.trio
async def test_what_goes_wrong_in_the_thread_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry()

    def fail(frame: object) -> bool:
        raise ZeroDivisionError("as asked")

    monkeypatch.setattr(module, "_waits", fail)
    block = Released(registry.log, "inspector.tasks=error")
    with watched(registry):
        block()
    (record,) = events(registry.log, "watchdog failed")
    assert record.exception is not None
    await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_thresholds_that_are_none(seconds: float) -> None:
    with pytest.raises(ValueError, match="watchdog"):
        check_threshold(seconds)
    check_threshold(None)
    check_threshold(0.5)


def test_the_clock_of_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = module._processor_clock(threading.get_ident())
    before = clock()
    total = sum(range(200_000))
    assert clock() > before
    assert total
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(module._processor_clock(threading.get_ident())))
    thread.start()
    thread.join()
    assert found[0]() >= 0.0
    monkeypatch.delattr(time, "pthread_getcpuclockid")
    assert module._processor_clock(0) is time.process_time


def test_frames_that_wait() -> None:
    assert not module._waits(sys._getframe())
    assert not module._is_debugged(sys._getframe())
    assert not module._is_debugged(None)
