"""Spans that were never ended: told when they are collected, each once, and not so often that nothing else is heard."""

from __future__ import annotations

import contextvars
import gc
from collections.abc import Iterator

import pytest

from inspector.tracing import Log, Span, current_span
from inspector.tracing.lost import spans_of_nobody
from protocol.filters import parse_filter
from protocol.records import TRACE, Record
from tests.inspector.tracing.records import Clock, follow, make_log, read

LOST = "span was never ended"


_opened: list[Log] = []


@pytest.fixture(autouse=True)
def no_log_stays_open() -> Iterator[None]:
    """Take from other tests' module loggers what they would find."""
    yield
    while _opened:
        _opened.pop().close()


def opened(**settings: object) -> Log:
    log = make_log(**settings)
    _opened.append(log)
    return log.open()


def small_log() -> Log:
    return opened(record_size=4096)


def turn_over(log: Log) -> None:
    end = log.next_seq
    while log.first_seq < end:
        log.logger("t").info("noise")


def told(log: Log) -> list[Record]:
    reader = follow(log, after_seq=0)
    found = read(reader)
    # Else it would go on to want more than the ring records.
    reader.close()
    return [record for record in found if record.target == "inspector.tracing" and record.fields]


def leak(log: Log, name: str = "lost", parent: Span | None = None) -> str:
    return log.start_span(name, {"n": 1}, target="t", parent=parent).span_id


def test_one_that_the_ring_has_let_go() -> None:
    log = small_log()
    reader = follow(log, "inspector.tracing=warn")
    with log.start_span("root", {}, target="t") as root:
        lost = leak(log, parent=root)
        turn_over(log)
    [record] = read(reader)
    assert (record.message, record.level, record.target) == (LOST, "WARN", "inspector.tracing")
    assert record.fields == {"message": LOST}
    assert record.span == {"name": "lost", "n": 1}
    assert (record.trace_id, record.span_id, record.parent_id) == (root.trace_id, lost, root.span_id)
    turn_over(log)
    assert read(reader) == []
    assert [*log.open_spans.entries] == [log.host_span.key]
    log.close()
    assert read(reader) == []


def test_one_that_is_held_is_told_when_it_is_let_go() -> None:
    log = small_log()
    reader = follow(log, "inspector.tracing=warn")
    span = log.start_span("held", {}, target="t")
    ended = log.start_span("ended", {}, target="t")
    turn_over(log)
    ended.end()
    del ended
    assert read(reader) == []
    key = span.span_id
    assert key.encode() in log.open_spans.entries
    del span
    assert [record.span_id for record in read(reader)] == [key]
    assert key.encode() not in log.open_spans.entries


def test_one_that_nobody_wanted_a_record_of() -> None:
    log = opened(record="info")
    assert [record.span_id for record in told(log)] == []
    lost = leak(log)
    assert [record.span_id for record in told(log)] == [lost]


def test_one_in_a_cycle() -> None:
    log = small_log()
    context = contextvars.copy_context()
    # Entered and never left: the span, its token and the context hold one another.
    lost = context.run(lambda: log.start_span("lost", {}, target="t").__enter__().span_id)
    del context
    turn_over(log)
    gc.collect()
    assert [record.span_id for record in told(log)] == [lost]


def test_at_the_logs_end_those_that_the_ring_alone_holds() -> None:
    log = opened()
    with log.start_span("root", {}, target="t") as root:
        log.logger("t").info("inside")
    lost = [leak(log, parent=root)]
    # Held by a child that is nobody's either, and by what it has said.
    parent = log.start_span("above", {}, target="t")
    log.logger("t").event(2, parent, "hello")
    lost += [parent.span_id, leak(log, "below", parent)]
    del parent
    # One that the ring does not speak of, held by one that it does.
    unseen = log.start_span("unseen", {}, target="t", level=TRACE)
    lost += [leak(log, "below", unseen), unseen.span_id]
    del unseen
    # In use: held here, or by a child that is held here, or current somewhere.
    held = log.start_span("held", {}, target="t")
    child = log.start_span("child", {}, target="t", parent=log.start_span("used", {}, target="t"))
    context = contextvars.copy_context()
    context.run(lambda: current_span.set(log.start_span("current", {}, target="t")))
    log.close()
    records = told(log)
    assert [record.span_id for record in records] == lost
    assert {record.message for record in records} == {LOST}
    assert not held.ended
    assert not child.ended
    log.close()
    assert len(told(log)) == len(lost)


def test_a_log_without_such_has_nobodys_spans() -> None:
    log = opened()
    with log.start_span("ended", {}, target="t"):
        log.logger("t").info("inside")
    # The host's span is open, and the log's.
    assert spans_of_nobody(log.recorder) == []
    log.close()
    assert told(log) == []
    assert spans_of_nobody(log.recorder) == []


def test_many_are_counted() -> None:
    monotonic = Clock(0)
    log = opened(record="info", monotonic=monotonic)
    for _ in range(1000):
        leak(log)
    assert [record.fields for record in told(log)] == [{"message": LOST}] * 10
    monotonic.now = 999_999_999
    leak(log)
    assert len(told(log)) == 10
    monotonic.now = 1_000_000_000
    last = leak(log)
    [record] = told(log)[10:]
    assert (record.span_id, record.fields) == (last, {"message": LOST, "others": 991})
    # A clock that steps back begins anew; it does not silence for as long as it went back.
    monotonic.now = 0
    leak(log)
    assert len(told(log)) == 12
    for _ in range(20):
        leak(log)
    log.close()
    *_, before, end = told(log)
    assert before.fields == {"message": LOST}
    assert (end.fields, end.span) == (
        {"message": "spans were never ended", "others": 11},
        {"name": "host", "host_id": "1", "host_name": "h"},
    )


def test_many_that_leave_the_ring_at_once() -> None:
    log = opened(record_size=2**20)
    reader = follow(log, "inspector.tracing=warn")
    found: list[Record] = []
    for _ in range(10_000):
        leak(log)
        found += read(reader)
    while log.first_seq < 10_000:
        log.logger("t").info("noise")
        found += read(reader)
    assert [record.fields for record in found] == [{"message": LOST}] * 10
    log.close()
    assert [record.fields["others"] for record in read(reader)] == [9_990]


@pytest.mark.parametrize("state", ["not open", "closed", "in a child"])
def test_a_log_that_is_not_open_is_told_nothing(state: str) -> None:
    log = make_log(record="info")
    if state != "not open":
        log.open()
    if state == "closed":
        log.close()
    if state == "in a child":
        log.abandon()
    before = log.next_seq
    leak(log)
    assert log.next_seq == before


def test_what_goes_wrong_meanwhile_is_nobodys() -> None:
    times = [0] * 9
    log = opened(record="info", monotonic=lambda: times.pop())
    span = log.start_span("lost", {}, target="t")
    times.clear()
    # Its clock raises. An exception out of a finaliser is a warning, and so would fail this test.
    del span
    gc.collect()
    assert len(log.open_spans.entries) == 1
    times += [0] * 9


def test_a_reader_of_one_actor_is_told_of_its_spans() -> None:
    log = opened(record="info")
    reader = log.subscribe(parse_filter("warn"), actor="cart/7", wake=lambda: None)
    log.start_span("task", {"actor": "cart/7"}, target="t")
    log.start_span("task", {"actor": "cart/8"}, target="t")
    assert [record.span["actor"] for record in read(reader)] == ["cart/7"]
