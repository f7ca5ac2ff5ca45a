"""Exceptions that nobody catches, in a log of ours."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

import outcome
import pytest
import trio

from inspector.bridges import Tap, Uncaught, bridge_uncaught
from inspector.bridges.runs import RUNS
from inspector.tracing import current_span
from tests.inspector.tracing.records import follow, make_log, read


def raised(function: Callable[..., Any], *args: Any, **options: Any) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011  # whatever it is, the test looks at it
        function(*args, **options)
    return caught.value


async def fail(text: str = "x") -> None:
    await trio.lowlevel.checkpoint()
    raise ValueError(text)


async def group() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fail)


def test_a_run_that_fails() -> None:
    log = make_log()
    reader = follow(log)
    alone = raised(trio.run, fail)
    with bridge_uncaught(log), log.logger("t").span("outer") as span:
        with_us = raised(trio.run, fail)
        raised(trio.run, group)
    # A traceback is what it would be without us, from the call on.
    assert traceback.format_exception(alone)[2:] == traceback.format_exception(with_us)[2:]
    first, second = (record for record in read(reader) if record.kind == "event")
    # In the span that the run was begun in.
    assert (first.level, first.message, first.span_id) == ("ERROR", "trio.run failed", span.span_id)
    assert first.exception is not None
    assert (first.exception["type"], [f["function"] for f in first.exception["frames"]][-1]) == ("ValueError", "fail")
    assert second.exception is not None
    assert [each["type"] for each in second.exception["exceptions"]] == ["ValueError"]


@pytest.mark.parametrize("end", [KeyboardInterrupt(), SystemExit(3), BaseExceptionGroup("g", [KeyboardInterrupt()])])
def test_an_end_on_purpose_is_no_error(end: BaseException) -> None:
    async def leave() -> None:
        raise end

    log = make_log()
    with bridge_uncaught(log):
        assert raised(trio.run, leave) is end
    assert log.next_seq == 1


def test_an_error_in_the_same_group_is_one() -> None:
    log = make_log()
    reader = follow(log)
    Uncaught(log).tell("x", BaseExceptionGroup("g", [KeyboardInterrupt(), BaseExceptionGroup("h", [ValueError()])]))
    assert len(read(reader)) == 1


def test_what_is_told_once_is_not_told_again_by_this_log() -> None:
    log, other = make_log(host_id="a"), make_log(host_id="b")
    reader, second = follow(log), follow(other)
    exception = ValueError("x")
    for _ in range(2):
        Uncaught(log).tell("x", exception)
        Uncaught(other).tell("x", exception)
    assert (len(read(reader)), len(read(second))) == (1, 1)


def test_a_failure_is_told_while_the_run_still_lasts() -> None:
    log = make_log()
    told: list[bool] = []
    reader = log.subscribe(log.record_filter, wake=lambda: told.append(trio.lowlevel.in_trio_run()))
    with bridge_uncaught(log):
        raised(trio.run, fail)
    assert told == [True]
    reader.close()


def test_guest_runs() -> None:
    log = make_log()
    reader = follow(log)
    waiting: list[Callable[[], object]] = []
    some = threading.Semaphore(0)
    done: list[outcome.Outcome[None]] = []

    def soon(function: Callable[[], object]) -> None:
        waiting.append(function)
        some.release()

    def run(main: Callable[[], Any]) -> outcome.Outcome[None]:
        trio.lowlevel.start_guest_run(main, run_sync_soon_threadsafe=soon, done_callback=done.append)
        while not done:
            some.acquire()
            waiting.pop(0)()
        return done.pop()

    with bridge_uncaught(log):
        assert isinstance(run(fail), outcome.Error)
        assert isinstance(run(trio.lowlevel.checkpoint), outcome.Value)
        # What is no async function trio refuses in its own way, by the callback.
        assert isinstance(run(lambda: None), outcome.Error)
    told = [(record.message, record.exception and record.exception["type"]) for record in read(reader)]
    assert told == [("trio.run failed", "ValueError"), ("trio.run failed", "TypeError")]


def test_what_a_run_returns_is_returned() -> None:
    async def main(a: int, b: int) -> int:
        return a + b

    with bridge_uncaught(make_log()):
        assert trio.run(main, 1, 2) == 3


def test_threads(capsys: pytest.CaptureFixture[str]) -> None:
    log = make_log()
    reader = follow(log)
    heard: list[threading.ExceptHookArgs] = []
    before = threading.excepthook
    threading.excepthook = heard.append
    try:
        with bridge_uncaught(log):
            thread = threading.Thread(target=lambda: 1 // 0, name="worker 3")
            thread.start()
            thread.join()
            # threading itself passes SystemExit over, but a hook is asked.
            threading.excepthook(threading.ExceptHookArgs((SystemExit, None, None, None)))
        assert threading.excepthook == heard.append
    finally:
        threading.excepthook = before
    assert len(heard) == 2
    (record,) = read(reader)
    assert (record.level, record.message, record.fields["thread"]) == ("ERROR", "thread failed", "worker 3")
    assert record.exception is not None
    assert record.exception["type"] == "ZeroDivisionError"


def test_what_python_can_not_raise() -> None:
    class Thing:
        def __del__(self) -> None:
            raise ValueError("in a finaliser")

    log = make_log()
    reader = follow(log)
    heard: list[Any] = []
    before = sys.unraisablehook
    sys.unraisablehook = lambda args: heard.append(str(args.exc_value))
    ours = sys.unraisablehook
    try:
        with bridge_uncaught(log):
            Thing()
        assert sys.unraisablehook is ours
    finally:
        sys.unraisablehook = before
    assert heard == ["in a finaliser"]
    (record,) = read(reader)
    assert (record.message, record.exception and record.exception["message"]) == ("exception ignored", "in a finaliser")
    assert "__del__" in record.fields["object"]


class Nosy:
    """Asks for an instrument, or fails at that."""

    def __init__(self, instrument: trio.abc.Instrument | None) -> None:
        self.instrument = instrument
        self.heard: list[BaseException] = []

    def begins(self) -> trio.abc.Instrument | None:
        if isinstance(self.instrument, Broken):
            raise RuntimeError("ours")
        return self.instrument

    def failed(self, exception: BaseException) -> None:
        self.heard.append(exception)
        raise RuntimeError("ours")


class Count(trio.abc.Instrument):
    runs = 0

    def before_run(self) -> None:
        self.runs += 1


class Broken(trio.abc.Instrument):
    pass


def test_listeners_of_runs() -> None:
    ours, theirs = Count(), Count()
    nosy, broken, plain = Nosy(ours), Nosy(Broken()), Nosy(None)
    with Tap(*((point, each) for point in RUNS for each in (broken, nosy, plain))):
        raised(trio.run, fail, instruments=[theirs])
        trio.run(trio.lowlevel.checkpoint)
    assert (ours.runs, theirs.runs) == (2, 1)
    # The main task's, and the run's own end.
    assert len(nosy.heard) == len(broken.heard) == len(plain.heard) == 2
    assert current_span.get() is None


def test_a_run_under_what_others_have_put_over_ours() -> None:
    nosy = Nosy(None)
    points = [(point, nosy) for point in RUNS]
    before = trio.run
    lower = Tap(*points)
    ours = trio.run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trio, "run", lambda *args, **options: ours(*args, **options))
        upper = Tap(*points)
        raised(trio.run, fail)
        # Who listens twice hears it twice, and not once more from below.
        assert len(nosy.heard) == 4
        upper.close()
        raised(ours, fail)
        # What is buried under theirs is ours no more.
        assert len(nosy.heard) == 4
    lower.close()
    lower.close()
    raised(trio.run, fail)
    assert len(nosy.heard) == 4
    setattr(trio, "run", before)  # noqa: B010  # mypy lets nobody assign to a function of a module
