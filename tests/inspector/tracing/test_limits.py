"""One record is at most 64 KiB, with what was cut told; and a span keeps a bounded number of those above it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import orjson
import pytest

from inspector.tracing import Log, Span
from protocol.records import WARN, decode_record
from tests.inspector.tracing.records import all_lines, follow, make_log, written

MILLION = "x" * 1_000_000


@pytest.mark.parametrize("times", [1, 3])
def test_fields_without_end(times: int) -> None:
    fields = {f"field{number}": number for number in range(10_000)}

    def write(log: Log) -> None:
        for _ in range(times):
            log.logger("t").info("many", **fields)

    for record in written(write):
        said = record.fields
        told = said.pop("…")
        assert said.pop("message") == "many"
        assert said == {name: fields[name] for name in said}
        assert told == f"{10_000 - len(said)} more fields"
        assert len(said) > 1000


def test_a_name_of_a_megabyte() -> None:
    [record] = written(lambda log: log.logger("t").info("long", **{MILLION: 1, "a": 2}))
    assert record.fields == {"message": "long", f"{'x' * 256}… (999744 more characters)": 1, "a": 2}


def test_a_message_of_a_megabyte() -> None:
    [record] = written(lambda log: log.logger("t").info(MILLION))
    kept, _, told = record.message.partition("… ")
    assert told == f"({1_000_000 - len(kept)} more characters)"
    assert len(kept) > 8000


@pytest.mark.parametrize("character", ["x", "\0", "\U0001f600"])
def test_a_target_of_a_megabyte_and_all_else_of_the_most(character: str) -> None:
    target = character * 1_000_000
    huge = {f"f{number}": "\0" * 100_000 for number in range(100)}
    error = ExceptionGroup("\0" * 100_000, [ValueError("\0" * 100_000)] * 50)

    def write(log: Log) -> None:
        with log.logger(target).span(MILLION, **huge):
            log.logger(target).exception(MILLION, error, WARN, **huge)

    records = written(write)
    assert {record.target for record in records} == {f"{character * 200}… (999800 more characters)"}


def test_a_long_target_is_wired_like_any() -> None:
    log = make_log(record="off")
    logger = log.logger(MILLION)
    assert log.logger(MILLION) is logger
    logger.info("nobody")
    reader = follow(log, "info")
    logger.info("wanted")
    assert [decode_record(line).message for line in all_lines(reader)] == ["wanted"]
    reader.close()
    logger.info("nobody")
    assert log.next_seq == 2
    assert len(log._wiring.sites) < 12


def test_a_target_without_utf8() -> None:
    [record] = written(lambda log: log.logger("a.\ud800").info("x"))
    assert record.target == "a.\\ud800"


@pytest.mark.parametrize(
    "fields",
    [
        {f"f{number}": number for number in range(10_000)},
        {MILLION: MILLION},
        {"actor": MILLION},
        {"list": [MILLION] * 1000},
    ],
    ids=["many", "name", "actor", "list"],
)
def test_a_span_of_any_size(fields: dict[str, Any]) -> None:
    def write(log: Log) -> None:
        with log.start_span(MILLION, fields, target="t"):
            log.logger("t").info(MILLION, **{f"f{number}": MILLION for number in range(100)})

    start, event, end = written(write)
    assert start.span == event.span == end.span
    assert "more " in orjson.dumps(start.span).decode()


def deep(left: int) -> NoReturn:
    if left:
        deep(left - 1)
    raise ValueError(MILLION)


def caught(raising: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as found:  # noqa: PT011  # any at all
        raising()
    return found.value


def chained(length: int) -> Exception:
    error = ValueError(MILLION)
    for _ in range(length):
        above = ValueError(MILLION)
        above.__cause__ = error
        error = above
    return error


def nested(depth: int) -> Exception:
    error: Exception = ValueError("innermost")
    for _ in range(depth):
        error = ExceptionGroup(MILLION, [error, ValueError(MILLION)])
    return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (caught(lambda: deep(500)), "frames_cut"),
        (chained(1000), "more characters"),
        (nested(200), "exceptions_cut"),
        (type("X" * 1_000_000, (Exception,), {"__module__": MILLION})(), "more characters"),
    ],
    ids=["frames", "causes", "groups", "names"],
)
def test_an_exception_of_any_size(error: Exception, told: str) -> None:
    [record] = written(lambda log: log.logger("t").exception("failed", error))
    assert told in orjson.dumps(record.exception).decode()


def chain(log: Log, length: int) -> Span:
    span = log.start_span("link", {"n": 0}, target="t")
    for number in range(1, length):
        span = log.start_span("link", {"n": number}, target="t", parent=span)
    return span


def test_a_chain_of_spans_keeps_a_bounded_part_of_itself() -> None:
    log = make_log(record="info")
    last = chain(log, 10_000)
    held = 0
    at: Span | None = last
    while at is not None:
        held, at = held + 1, at.parent
    assert 0 < held <= 128
    # What was let go has no entry, and is not found by its id.
    assert len(log.open_spans.entries) == held + 1
    assert len(log.span_records([last.span_id])) == held
    # Deeper than Python's own stack, had it no bound.
    assert len(orjson.loads(b"[%b]" % last.ancestors())) == held - 1


def test_a_chain_is_one_trace_of_one_actor() -> None:
    log = make_log(max_records=100_000)
    reader = follow(log)
    root = log.start_span("link", {"actor": "cart/7"}, target="t")
    span = root
    for number in range(500):
        span = log.start_span("link", {"n": number}, target="t", parent=span)
    assert span.actor == "cart/7"
    records = [decode_record(line) for line in all_lines(reader)]
    assert {record.trace_id for record in records} == {root.trace_id}
    assert [record.parent_id for record in records[1:]] == [record.span_id for record in records[:-1]]
