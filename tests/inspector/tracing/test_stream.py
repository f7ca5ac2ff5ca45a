"""The stream sink: it writes, and whatever its stream does is its own affair."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import threading
from typing import Any

import orjson
import pytest

from inspector.tracing import StreamSink, default_format, open_sink
from protocol.filters import parse_filter
from tests.inspector.tracing.records import follow, make_log, messages, read


class Refusing(io.StringIO):
    """A stream that fails at each write."""

    def write(self, text: str, /) -> int:
        raise OSError("disk on fire")


class Gate(io.BytesIO):
    """A stream whose reader is stuck until the gate is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.opened = threading.Event()

    def write(self, data: Any, /) -> int:
        self.entered.set()
        self.opened.wait()
        return super().write(data)


def records(data: str | bytes) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in data.splitlines()]


@pytest.mark.parametrize("stream", [io.StringIO(), io.BytesIO()])
def test_writes_what_its_filter_passes(stream: io.StringIO | io.BytesIO) -> None:
    log = make_log(record="off")
    sink = open_sink(format="json", stream=stream, filter="info,t.loud=trace")
    log.add_sink(sink)
    assert log.sinks == (sink,)
    assert str(sink.filter) == "info,t.loud=trace"
    log.logger("t").debug("lost")
    log.logger("t").info("1")
    log.logger("t.loud").trace("2")
    assert log.close()
    assert [record["fields"]["message"] for record in records(stream.getvalue())] == ["1", "2"]
    assert not log.sinks
    assert (sink.dropped, sink.error) == (0, None)


def test_its_filter_can_change() -> None:
    log = make_log(record="off")
    stream = io.StringIO()
    sink = open_sink(format="json", stream=stream, filter="off")
    sink.set_filter(parse_filter("warn"))
    log.add_sink(sink)
    log.logger("t").info("lost")
    sink.set_filter(parse_filter("info"))
    log.logger("t").info("1")
    assert log.close()
    assert [record["fields"]["message"] for record in records(stream.getvalue())] == ["1"]


def test_each_sink_for_itself() -> None:
    log = make_log()
    one, other = io.StringIO(), io.StringIO()
    log.add_sink(open_sink(format="json", stream=one, filter="warn", span_list=True))
    log.add_sink(open_sink(format="logfmt", stream=other, filter="debug"))
    with log, log.logger("t").span("outer"), log.logger("t").span("x"):
        log.logger("t").warn("w")
    [record] = records(one.getvalue())
    assert [span["name"] for span in record["spans"]][-1:] == ["outer"]
    assert len(other.getvalue().splitlines()) == 7


def test_a_file(tmp_path: Any) -> None:
    log = make_log()
    with open(tmp_path / "log", "w") as stream:
        stream.write("before\n")
        log.add_sink(open_sink(stream=stream, filter="info"))
        for number in range(2000):
            log.logger("t").info("x", n=number)
        assert log.close()
    before, *lines = (tmp_path / "log").read_text().splitlines()
    assert before == "before"
    assert [orjson.loads(line)["fields"]["n"] for line in lines] == [*range(2000)]


def test_a_stream_that_fails_ends_the_sink_and_is_told_once() -> None:
    log = make_log()
    sink = open_sink(format="json", stream=Refusing(), filter="info")
    told = threading.Event()
    reader = log.subscribe(parse_filter("inspector.tracing.sinks=warn"), wake=told.set)
    log.add_sink(sink)
    log.logger("t").info("1")
    told.wait()
    for _ in range(100):
        log.logger("t").info("2")
    assert not sink.close(10)
    assert isinstance(sink.error, OSError)
    assert sink.dropped == 1
    [record] = read(reader)
    assert (record.level, record.fields["error"]) == ("WARN", "disk on fire")


def test_a_stuck_reader_costs_the_sink_alone() -> None:
    log = make_log(record_size=16_384)
    stream = Gate()
    sink = open_sink(format="json", stream=stream, filter="info")
    reader = follow(log, "inspector.tracing.sinks=warn")
    log.add_sink(sink)
    log.logger("t").info("first")
    stream.entered.wait()
    for number in range(1000):
        log.logger("t").info(str(number))
    assert sink._thread.is_alive()
    stream.opened.set()
    assert not log.close(10)
    lines = records(stream.getvalue())
    gap = lines[1]
    assert lines[0]["fields"]["message"] == "first"
    assert (gap["kind"], gap["level"], gap["fields"]["dropped"]) == ("gap", "WARN", sink.dropped)
    assert sink.dropped == lines[2]["seq"] - 2 > 800
    assert gap["seq"] == 2
    assert [(record.message, record.fields["dropped"]) for record in read(reader)] == [
        ("log sink is too slow and may lose records", sink.dropped),
        ("log sink works again", sink.dropped),
    ]


def test_a_pipe_that_nobody_reads_is_given_up_and_told() -> None:
    log = make_log()
    receive, send = os.pipe()
    told = threading.Event()
    reader = log.subscribe(parse_filter("inspector.tracing.sinks=warn"), wake=told.set)
    with open(receive, "rb"), open(send, "wb") as stream:
        sink = open_sink(format="json", stream=stream, filter="info")
        log.add_sink(sink)
        for number in range(1000):
            log.logger("t").info("x", n=number)
        told.wait()
        assert not log.close(0)
        assert not sink._thread.is_alive()
        assert sink.dropped > 0
    assert messages(reader) == ["log sink is too slow and may lose records"]


def test_a_pipe_that_is_closed() -> None:
    log = make_log()
    receive, send = os.pipe()
    told = threading.Event()
    log.subscribe(parse_filter("inspector.tracing.sinks=warn"), wake=told.set)
    with open(send, "wb") as stream:
        sink = open_sink(format="json", stream=stream, filter="info")
        os.close(receive)
        log.add_sink(sink)
        log.logger("t").info("x")
        told.wait()
        assert not log.close(10)
    assert isinstance(sink.error, BrokenPipeError)


def test_a_pipe_that_is_not_blocking_and_full() -> None:
    log = make_log()
    receive, send = os.pipe()
    os.set_blocking(send, False)
    with open(receive, "rb") as end, open(send, "wb", buffering=0) as stream:
        sink = open_sink(format="json", stream=stream, filter="info")
        log.add_sink(sink)
        for number in range(3000):
            log.logger("t").info("x", n=number)
        got = [end.readline() for _ in range(3000)]
        assert log.close(10)
    assert [orjson.loads(line)["fields"]["n"] for line in got] == [*range(3000)]


def test_a_terminal() -> None:
    log = make_log()
    leader, follower = pty.openpty()
    with open(follower, "w") as stream, open(leader, "rb", buffering=0) as screen:
        assert default_format(stream) == "pretty"
        log.add_sink(open_sink(stream=stream, filter="info"))
        log.logger("t").info("hello \x1b[31m")
        assert log.close()
        seen = screen.read(4096)
    assert b"\x1b[32mINFO " in seen
    assert rb"hello \x1b[31m" in seen


def test_a_terminal_and_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    log = make_log()
    leader, follower = pty.openpty()
    with open(follower, "w") as stream, open(leader, "rb", buffering=0) as screen:
        log.add_sink(open_sink(stream=stream, filter="info"))
        log.logger("t").info("hello")
        assert log.close()
        seen = screen.read(4096)
    assert b"\x1b" not in seen


@pytest.mark.parametrize("close", ["python", "system", "none"])
def test_a_closed_standard_output(close: str, monkeypatch: pytest.MonkeyPatch) -> None:
    log = make_log()
    reader = follow(log, "inspector.tracing.sinks=warn")
    receive, send = os.pipe()
    os.close(receive)
    stream = open(send, "w")  # noqa: SIM115  # its end is what is tested
    if close == "none":
        stream.close()
        monkeypatch.setattr(sys, "stdout", None)
    elif close == "python":
        stream.close()
        monkeypatch.setattr(sys, "stdout", stream)
    else:
        os.close(send)
        monkeypatch.setattr(sys, "stdout", stream)
    sink = open_sink(filter="info")
    log.add_sink(sink)
    log.logger("t").info("1")
    sink._thread.join()
    log.logger("t").info("2")
    assert not log.close()
    assert sink.error is not None
    assert messages(reader) == ["log sink has ended, its place failed"]
    if close == "system":
        # So that its finaliser does not close a number that is somebody else's by then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), send)
        stream.close()


def test_a_sink_that_was_never_attached() -> None:
    assert StreamSink(io.StringIO(), lambda line, span: line, parse_filter("info")).close(0)


def test_bad_settings() -> None:
    with pytest.raises(ValueError, match="no log format"):
        open_sink(format="xml", stream=io.StringIO())
    with pytest.raises(ValueError, match="'warn'"):
        open_sink(format="json", stream=io.StringIO(), filter="warning")


PROGRAM = """
import sys, threading
from inspector.tracing import Log, open_sink
log = Log()
log.add_sink(open_sink(format="json"))
log.open()
for number in range(2000):
    log.logger("t").info("x", n=number, pad="y" * 200)
print("done", file=sys.stderr, flush=True)
"""


def test_a_program_that_ends_while_nobody_reads_its_output() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stderr is not None
        assert child.stderr.read() == "done\n"
        assert child.wait() == 0
