"""A log for a whole program, without a socket."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

import inspector
from inspector import get_logger, instrument
from inspector.programs import instrumentation
from inspector.tracing import Log
from tests.inspector.reading import events, read

ORIGINALS = {
    (trio, "run"): trio.run,
    (trio.lowlevel, "start_guest_run"): trio.lowlevel.start_guest_run,
    (threading, "excepthook"): threading.excepthook,
    (logging.Logger, "callHandlers"): logging.Logger.callHandlers,
}

logger = get_logger("tests.instrumented")


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Look at the end that everything is as it was."""
    for name in list(os.environ):
        if name.startswith("INSPECTOR_"):
            monkeypatch.delenv(name)
    hooks = sys.unraisablehook, warnings.showwarning
    yield
    assert {(owner, name): getattr(owner, name) for owner, name in ORIGINALS} == ORIGINALS
    assert (sys.unraisablehook, warnings.showwarning) == hooks
    assert logger.find() is None


def messages(log: Log) -> list[str]:
    return [record.message for record in read(log) if record.kind == "event"]


def test_what_a_program_says_is_recorded() -> None:
    async def main() -> None:
        with logger.span("request", n=1):
            logger.info("hello")
            logging.getLogger("tests.other").error("by logging")
            await trio.to_thread.run_sync(logger.info, "in a thread")

    with instrument() as on:
        trio.run(main)
        trio.run(main)
        with pytest.warns(UserWarning, match="odd"):
            warnings.warn("odd", stacklevel=1)
    assert messages(on.log) == ["hello", "by logging", "in a thread"] * 2
    inside = [record for record in read(on.log) if record.kind == "event"]
    assert len({record.span_id for record in inside[:3]}) == 1
    assert len({record.trace_id for record in inside}) == 2
    assert not on.log.is_open


def test_inside_a_run_too() -> None:
    async def main() -> Log:
        with instrument() as on:
            logger.info("inside")
            await trio.lowlevel.checkpoint()
            return on.log

    assert messages(trio.run(main)) == ["inside"]


def test_bridges_by_name() -> None:
    with instrument(bridges=["warnings"]) as on:
        logging.getLogger("tests.other").error("by logging")
        assert trio.run is ORIGINALS[trio, "run"]
    assert messages(on.log) == []
    with pytest.raises(ValueError, match="no bridge 'print', there are logging, warnings, uncaught"):
        instrument(bridges=["print"])  # type: ignore[list-item]  # what is wrong with it is tested


def test_it_is_joined_and_the_last_one_closes_it() -> None:
    with instrument(name="shop") as first:
        second = instrument()
        assert second.log is first.log
        assert second.token == first.token
        first.close()
        first.close()
        logger.info("still heard")
        assert second.log.is_open
        # One that says how its log is to be has one of its own.
        with instrument(record="warn", bridges=[]) as own:
            assert own.log is not first.log
            logger.warn("the last one's")
        logger.info("the first one's")
        assert second.close()
        assert second.close()
    assert messages(first.log) == ["still heard", "the first one's"]
    assert messages(own.log) == ["the last one's"]


def test_what_can_not_be_understood_switches_nothing_on() -> None:
    with pytest.raises(ValueError, match="warning"):
        instrument(record="warning")
    assert logger.find() is None


def test_the_end_of_a_program_by_an_exception() -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail, "one")
            nursery.start_soon(fail, "two")

    async def fail(text: str) -> None:
        raise ValueError(text)

    with pytest.raises(ExceptionGroup), instrument() as on:
        trio.run(main)
    (record,) = events(on.log, "trio.run failed")
    assert (record.level, record.target) == ("ERROR", "inspector.bridges.uncaught")
    assert record.exception is not None
    assert record.exception["type"] == "ExceptionGroup"
    assert {each["message"] for each in record.exception["exceptions"]} == {"one", "two"}
    # It is not told again when it leaves the block.
    assert len(messages(on.log)) == 1


def test_the_end_of_the_block_by_an_exception() -> None:
    with pytest.raises(KeyError), instrument(bridges=[]) as on:
        raise KeyError("x")
    assert messages(on.log) == ["the program failed"]


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_an_end_on_purpose_is_no_error(end: type[BaseException]) -> None:
    async def main() -> None:
        raise end

    with pytest.raises(end), instrument() as on:
        trio.run(main)
    assert messages(on.log) == []


def run(program: str, folder: Path, **environment: str) -> tuple[int, list[str], str]:
    """Run a program of its own: its status, its lines on stdout, its stderr."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("INSPECTOR_")}
    (folder / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=folder,
        env={**env, "PYTHONPATH": str(Path(inspector.__file__).parents[1]), **environment},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout.splitlines(), done.stderr


PROGRAM = """
import atexit, inspector, trio
atexit.register(lambda: inspector.get_logger("program").info("at the exit"))
inspector.instrument()
async def main():
    inspector.get_logger("program").info("hello")
trio.run(main)
print("done")
"""


def test_the_programs_end_writes_out_what_is_there(tmp_path: Path) -> None:
    assert run(PROGRAM, tmp_path) == (0, ["done"], "")
    status, lines, errors = run(PROGRAM, tmp_path, INSPECTOR_LOG="info", INSPECTOR_SINK="file:log.jsonl")
    assert (status, errors) == (0, "")
    lines.remove("done")
    records = [json.loads(line) for line in lines]
    assert [record["fields"]["message"] for record in records] == ["hello"]
    assert records == [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]


def test_what_is_on_is_let_go_at_once() -> None:
    on = instrument(bridges=[])
    instrumentation._programs.abandon()
    own = instrument()
    # Not joined, for it was another process's.
    assert own.log is not on.log
    own.close()
    assert on.close()


FORKING = """
import inspector, logging, os, threading, trio, warnings

original = trio.run
on = inspector.instrument(log="info")
log = inspector.get_logger("program")

async def child():
    async with inspector.open_inspector(log="info", name="child", runtime_file=False):
        log.info("in the child's own")

def fork():
    pid = os.fork()
    if not pid:
        try:
            log.info("nothing")
            logging.getLogger("x").critical("to nobody's log")
            assert trio.run is original
            on.close()
            trio.run(child)
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

async def main():
    with log.span("work"):
        log.info("in the parent")
        # From a thread: the child of a fork inside trio's own thread would still be inside trio.
        return await trio.to_thread.run_sync(fork)

logging.getLogger("x").addHandler(logging.NullHandler())
warnings.simplefilter("ignore")
status = trio.run(main)
log.info("the end", status=status)
"""


def test_a_forked_child_has_none_until_it_opens_one(tmp_path: Path) -> None:
    status, lines, errors = run(FORKING, tmp_path)
    assert (status, errors) == (0, "")
    records = [json.loads(line) for line in lines]
    said = [(record["span"].get("host_name"), record["fields"]["message"]) for record in records]
    assert [text for name, text in said if name != "child"] == ["in the parent", "the end"]
    assert [text for name, text in said if name == "child"] == [
        "inspector listening",
        "in the child's own",
        "inspector draining",
        "inspector stopped",
    ]
    assert records[-1]["fields"]["status"] == 0
    # In no span of the parent's.
    assert {record["trace_id"] for record in records if record["span"].get("host_name") == "child"} != {
        records[0]["trace_id"]
    }
