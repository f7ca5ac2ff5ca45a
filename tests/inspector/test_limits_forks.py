"""A child that is forked in the midst of everything: it has no log of its parent's, and waits for none of its locks."""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio

from inspector import get_logger, instrument
from inspector.programs.instrumentation import _programs
from inspector.store import open_store
from inspector.tracing import Log, current_span, open_sink
from protocol.filters import parse_filter

# Python 3.12 and later warn wherever there is another thread, and here there is.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def status_of_child(work: Callable[[], object]) -> int:
    """Fork, work in the child, and return its exit code; it is ended by a signal if it hangs."""
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    # From here, for it may already hang in what is done in a child before anything else.
    timer = threading.Timer(60, os.kill, (child, signal.SIGKILL))
    timer.start()
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        timer.cancel()
        timer.join()


class Holder:
    """A thread that holds every lock there is, as one may that is in the midst of a change."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._held, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._hold, daemon=True)

    def _hold(self) -> None:
        with ExitStack() as stack:
            stack.enter_context(self._log._wiring._lock)
            stack.enter_context(self._log.recorder._lock)
            stack.enter_context(_programs.lock)
            self._held.set()
            assert self._over.wait(60)

    def __enter__(self) -> None:
        self._thread.start()
        assert self._held.wait(60)

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(60)


def test_a_child_waits_for_no_lock(tmp_path: Path) -> None:
    logger = get_logger("tests.forks")
    path = tmp_path / "child.jsonl"
    with instrument(name="parent", sinks=[f"file:{tmp_path / 'parent.jsonl'}"], record="info") as on:
        log = on.log
        log.add_sink(open_store(tmp_path / "store"))
        reader = log.subscribe(parse_filter("trace"), wake=lambda: None)
        spans = [log.start_span("open", {"n": number}, target="t") for number in range(100)]

        def work() -> None:
            assert current_span.get() is None
            # Whatever is left of the parent's takes nothing and waits for nothing.
            for span in spans:
                span.end()
            log.logger("tests.new").info("nothing")
            log.logger("tests.forks").error("nothing", n=1)
            log.start_span("nothing", {}, target="tests.new").end()
            log.set_record_filter(parse_filter("trace"))
            log.add_secret("geheim")
            reader.set_filter(parse_filter("info"))
            reader.close()
            assert log.close()
            assert on.close()
            assert logger.find() is None
            # And it may begin anew.
            with instrument(name="child", sinks=[f"file:{path}"]):
                logger.info("in the child")

                async def main() -> None:
                    with logger.span("run"):
                        await trio.to_thread.run_sync(logger.info, "in a thread of the child's")

                trio.run(main)

        with log.logger("t").span("parents"), Holder(log):
            before = log.next_seq
            assert status_of_child(work) == 0
            assert log.next_seq == before
        logger.info("in the parent")
        assert spans[0].ended is False
        for sink in log.sinks:
            assert sink.flush(60)  # type: ignore[attr-defined]  # as all have here
    kept = (tmp_path / "parent.jsonl").read_text()
    assert '"in the parent"' in kept
    assert "child" not in kept
    assert [line.count("in the child") + line.count("in a thread") for line in path.read_text().splitlines()] == [1, 1]


def test_a_child_of_a_child(tmp_path: Path) -> None:
    def grandchild() -> None:
        with Log(host_name="grandchild") as log:
            log.add_sink(open_sink(f"file:{tmp_path / 'grandchild.jsonl'}"))
            log.logger("t").info("hello")

    def child() -> None:
        with Log(host_name="child") as log:
            log.add_sink(open_sink(f"file:{tmp_path / 'child.jsonl'}"))
            assert status_of_child(grandchild) == 0
            log.logger("t").info("hello")

    with Log(host_name="parent") as log:
        log.add_sink(open_sink(f"file:{tmp_path / 'parent.jsonl'}"))
        assert status_of_child(child) == 0
        log.logger("t").info("hello")
    for name in ("parent", "child", "grandchild"):
        assert (tmp_path / f"{name}.jsonl").read_text().count('"hello"') == 1
    # What ids are made of is not what the parent has.
    traces = {
        line.split('"trace_id":"')[1][:32]
        for each in tmp_path.glob("*.jsonl")
        for line in each.read_text().split("\n")
        if line
    }
    assert len(traces) == 3


def test_a_reader_that_the_child_still_holds() -> None:
    log = Log(host_name="h")
    reader = log.subscribe(parse_filter("trace"), wake=lambda: None)
    # What happens in the child.
    log.abandon()
    log.logger("t").error("nothing")
    reader.set_filter(parse_filter("info"))
    assert reader.collect() is None
    reader.close(30.0)
    assert reader.closed
    assert not log.wants(4, "t")
