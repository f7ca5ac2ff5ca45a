"""Records of `logging` in a log of ours."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from inspector.bridges import LogHandler, bridge_logging
from inspector.bridges.logging import level_of
from inspector.tracing import Log
from inspector.tracing.sinks.pulling import SinkThread
from protocol.filters import parse_filter
from protocol.records import DEBUG, ERROR, INFO, LEVEL_NAMES, TRACE, WARN, Record
from tests.inspector.tracing.records import follow, make_log, read

NAMES = iter(range(10**9))


@pytest.fixture
def log() -> Log:
    return make_log(record="trace")


@pytest.fixture
def logger(log: Log) -> Iterator[logging.Logger]:
    """Give a logger of the test's own that lets everything through, with the bridge on."""
    logger = logging.getLogger(f"bridged.t{next(NAMES)}")
    logger.setLevel(1)
    # What handlers there are make of a record is their affair.
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    with bridge_logging(log):
        yield logger


def only(log: Log, reader: Any) -> Record:
    (record,) = read(reader)
    return record


def test_a_record_with_all_that_it_has(log: Log, logger: logging.Logger) -> None:
    reader = follow(log)
    with log.logger("t").span("work") as span:
        logger.info("%s has %d items", "cart", 3, extra={"customer": 7, "password": "hunter2", "name_": "x"})
    _, record, _ = read(reader)
    assert (record.level, record.target, record.message) == ("INFO", logger.name, "cart has 3 items")
    assert record.fields == {"message": "cart has 3 items", "customer": 7, "password": "[redacted]", "name_": "x"}
    assert (record.span_id, record.trace_id) == (span.span_id, span.trace_id)
    assert record.exception is None


def test_exceptions(log: Log, logger: logging.Logger) -> None:
    reader = follow(log)
    try:
        raise KeyError("missing")
    except KeyError as exc:
        logger.exception("lookup failed")
        logger.warning("again", exc_info=exc)
        logger.info("no", exc_info=False)
    logger.error("none is raised", exc_info=True)
    first, again, no, none = read(reader)
    assert first.level == "ERROR"
    assert first.exception is not None
    assert (first.exception["type"], first.exception["frames"][0]["function"]) == ("KeyError", "test_exceptions")
    assert again.exception == first.exception
    assert (no.exception, none.exception) == (None, None)


@pytest.mark.parametrize(
    ("number", "level", "said"),
    [
        (5, TRACE, "Level 5"),
        (10, DEBUG, None),
        (15, DEBUG, "Level 15"),
        (20, INFO, None),
        (25, INFO, "NOTICE"),
        (30, WARN, None),
        (40, ERROR, None),
        (50, ERROR, "CRITICAL"),
        (70, ERROR, "Level 70"),
    ],
)
def test_levels(log: Log, logger: logging.Logger, number: int, level: int, said: str | None) -> None:
    logging.addLevelName(25, "NOTICE")
    reader = follow(log)
    logger.log(number, "x")
    record = only(log, reader)
    assert level_of(number) == level
    assert record.level == LEVEL_NAMES[level]
    assert record.fields.get("logging_level") == said


def test_threads_and_stacks(log: Log, logger: logging.Logger) -> None:
    reader = follow(log)
    thread = threading.Thread(target=lambda: logger.info("x", stack_info=True), name="worker 3")
    thread.start()
    thread.join()
    record = only(log, reader)
    assert record.fields["thread"] == "worker 3"
    assert record.fields["stack"].startswith("Stack (most recent call last):")


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_arguments_that_do_not_fit(log: Log, logger: logging.Logger) -> None:
    reader = follow(log)
    logger.info("%d items", "three")
    logger.info("%s and %s", "one")
    logger.info("%(missing)s", {"there": 1})
    logger.info("%s", Unspeakable())
    logger.info(Unspeakable(), exc_info=False)
    logger.info("100 %", extra={"n": 1})
    logger.info("last")
    wrong, few, missing, unspeakable, plain, last = read(reader)
    assert (wrong.message, wrong.fields["args"]) == ("%d items", ["three"])
    assert wrong.fields["format_error"].startswith("TypeError: %d format")
    assert few.fields["format_error"] == "TypeError: not enough arguments for format string"
    assert (missing.fields["args"], missing.fields["format_error"]) == ({"there": 1}, "KeyError: 'missing'")
    assert unspeakable.fields["format_error"] == "RuntimeError: no text"
    assert (plain.message, last.message) == ("100 %", "last")


def test_arguments_are_cut_before_they_are_formatted(log: Log, logger: logging.Logger) -> None:
    class Text(str):
        """Not cut: what a subclass does at `[]` is its own affair."""

    reader = follow(log)
    huge = "x" * 10_000_000
    logger.info("%s|%s", huge, b"y" * 10_000_000)
    logger.info("%(text)s", {"text": huge})
    logger.info("%s", Text("short"))
    logger.info("%s", [1, 2])
    both, named, short, items = read(reader)
    assert both.message.startswith("x" * 1000)
    assert both.message.endswith(" more characters)")
    # The end of what was formatted at all, and not of the 20 MB.
    assert int(both.message.rpartition("(")[2].split()[0]) < 100_000
    assert int(named.message.rpartition("(")[2].split()[0]) < 100_000
    assert (short.message, items.message) == ("short", "[1, 2]")


def test_one_that_logs_while_it_is_written(log: Log, logger: logging.Logger) -> None:
    class Chatty:
        def __str__(self) -> str:
            logger.info("asked for %s", self)
            return "chatty"

    reader = follow(log)
    logger.info("%s", Chatty())
    assert only(log, reader).message == "chatty"


def test_what_a_sink_says_stays_out(log: Log, logger: logging.Logger) -> None:
    reader = follow(log)
    thread = SinkThread(target=lambda: logger.error("the collector is down"))
    thread.start()
    thread.join()
    logger.info("heard")
    assert only(log, reader).message == "heard"


def test_a_level_that_nobody_wants_is_not_even_formatted(logger: logging.Logger) -> None:
    log = make_log(record="warn")
    handler = LogHandler(log)
    assert not handler.handle(logging.LogRecord("x", logging.INFO, "", 0, "%s", (Unspeakable(),), None))
    assert handler.handle(logging.LogRecord("x", logging.WARNING, "", 0, "x", (), None))
    reader = follow(log, "x=debug")
    # It follows what is wanted now.
    assert handler.handle(logging.LogRecord("x", logging.INFO, "", 0, "now", (), None))
    assert not handler.handle(logging.LogRecord("y", logging.INFO, "", 0, "now", (), None))
    reader.close()
    assert not handler.handle(logging.LogRecord("x", logging.INFO, "", 0, "x", (), None))


def test_loggers_without_end(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.bridges.logging._MAX_TARGETS", 2)
    reader = follow(log)
    handler = LogHandler(log)
    for name in ("a", "b", "c", "d", "a"):
        handler.emit(logging.LogRecord(name, logging.INFO, "", 0, "x", (), None))
    found = [(record.target, record.fields.get("logger")) for record in read(reader)]
    assert found == [("a", None), ("b", None), ("logging.other", "c"), ("logging.other", "d"), ("a", None)]


def test_as_a_handler_of_ones_own(log: Log) -> None:
    logger = logging.getLogger(f"bridged.t{next(NAMES)}")
    logger.setLevel(logging.INFO)
    handler = LogHandler(log, "WARNING")
    handler.addFilter(lambda record: "secret plan" not in record.getMessage())
    logger.addHandler(handler)
    reader = follow(log)
    logger.info("below its level")
    logger.warning("a secret plan")
    logger.warning("heard")
    logger.removeHandler(handler)
    logger.warning("gone")
    assert [record.message for record in read(reader)] == ["heard"]


def test_a_filter_that_raises_costs_the_record(log: Log) -> None:
    handler = LogHandler(log)
    handler.addFilter(lambda record: bool(1 // 0))
    reader = follow(log)
    assert not handler.handle(logging.LogRecord("x", logging.INFO, "", 0, "x", (), None))
    handler.filters.clear()
    assert handler.handle(logging.LogRecord("x", logging.INFO, "", 0, "y", (), None))
    assert only(log, reader).message == "y"


def test_the_program_sees_no_difference(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level, root.handlers = root.handlers, root.level, []
    before = vars(logging.Logger)["callHandlers"]
    reader = follow(log, "info")
    try:
        with bridge_logging(log):
            assert root.handlers == []
            # With no handler at all a warning goes to stderr.
            logging.getLogger("bridged.lost").warning("to stderr")
            assert capsys.readouterr().err == "to stderr\n"
            # With one of ours there this would do nothing.
            stream = io.StringIO()
            logging.basicConfig(level=logging.INFO, stream=stream, format="%(funcName)s %(message)s")
            logging.getLogger("bridged.lost").info("hello")
            assert stream.getvalue() == "test_the_program_sees_no_difference hello\n"
            quiet = logging.getLogger("bridged.quiet")
            quiet.propagate = False
            quiet.addHandler(logging.NullHandler())
            quiet.info("heard here alone")
        assert vars(logging.Logger)["callHandlers"] is before
        logging.getLogger("bridged.lost").info("after")
        assert stream.getvalue().endswith("hello\ntest_the_program_sees_no_difference after\n")
    finally:
        root.handlers, root.level = handlers, level
    assert [record.message for record in read(reader)] == ["to stderr", "hello", "heard here alone"]


def test_two_logs_at_once(logger: logging.Logger, log: Log) -> None:
    other = make_log(record="trace")
    first, second = follow(log), follow(other)
    with bridge_logging(other) as tap, log.logger("t").span("of the first") as span:
        logger.info("both")
        tap.close()
        logger.info("one")
    ours = [record for record in read(first) if record.kind == "event"]
    (theirs,) = read(second)
    assert [(record.message, record.span_id) for record in ours] == [("both", span.span_id), ("one", span.span_id)]
    assert (theirs.message, theirs.span_id) == ("both", other.host_span.span_id)


def test_a_log_that_wants_one_target(logger: logging.Logger) -> None:
    log = make_log(record=parse_filter(f"off,{logger.name}=info"))
    with bridge_logging(log):
        logger.info("in")
        logging.getLogger("bridged.elsewhere").error("out")
    reader = log.subscribe(parse_filter("trace"), after_seq=0, wake=lambda: None)
    assert only(log, reader).message == "in"
