"""Open spans: found while they last, wherever their start record is; and gone when they are lost."""

from __future__ import annotations

import gc
import weakref

import pytest

from inspector.tracing import Log
from protocol.records import decode_record
from tests.inspector.tracing.records import all_lines, follow, make_log


def turn_over(log: Log) -> None:
    end = log.next_seq
    while log.first_seq < end:
        log.logger("t").info("noise")


def test_what_the_ring_holds_is_not_entered() -> None:
    log = make_log()
    spans = [log.start_span("open", {}, target="t") for _ in range(100)]
    assert [*log.open_spans.entries] == [log.host_span.key]
    assert all(log.span_records([span.span_id]) for span in spans)


def test_the_ring_hands_over_what_is_still_open() -> None:
    log = make_log(record_size=4096)
    span = log.start_span("open", {"n": 1}, target="t")
    log.start_span("ended", {}, target="t").end()
    turn_over(log)
    assert [*log.open_spans.entries] == [log.host_span.key, span.key]
    [line] = log.span_records([span.span_id])
    assert decode_record(line).span == {"name": "open", "n": 1}
    span.end()
    assert [*log.open_spans.entries] == [log.host_span.key]


def test_a_span_that_was_lost_goes_with_the_ring() -> None:
    log = make_log(record_size=4096)
    span = log.start_span("lost", {}, target="t")
    span_id, gone = span.span_id, weakref.ref(span)
    del span
    turn_over(log)
    gc.collect()
    assert gone() is None
    assert log.span_records([span_id]) == []


@pytest.mark.parametrize("record", ["debug", "off"])
def test_one_that_is_held_lasts_until_its_end(record: str) -> None:
    log = make_log(record_size=4096, record=record)
    span = log.start_span("held", {}, target="t")
    log.open_spans.hold(span)
    key, gone = span.key, weakref.ref(span)
    del span
    log.logger("t").warn("hello")
    for _ in range(10_000):
        log.start_span("lost", {}, target="t")
    gc.collect()
    assert decode_record(log.span_records([key.decode()])[0]).span == {"name": "held"}
    held = gone()
    assert held is not None
    held.end()
    del held
    for _ in range(100):
        log.logger("t").error("noise")
    gc.collect()
    assert gone() is None
    assert key not in log.open_spans.entries


def test_a_new_secret_is_hidden_in_all_that_is_open() -> None:
    log = make_log(record_size=8192)
    fields = {"url": "ws://x?8Jx2mQ9vT4zKp7RwY1sB6nHcD3fGaL5e"}
    held, entered = (log.start_span("s", dict(fields), target="t") for _ in range(2))
    log.open_spans.hold(held)
    turn_over(log)
    recorded = log.start_span("s", dict(fields), target="t")
    log.add_secret("8Jx2mQ9vT4zKp7RwY1sB6nHcD3fGaL5e")
    reader = follow(log)
    for span in (held, entered, recorded):
        span.end()
    lines = all_lines(reader)
    assert len(lines) == 3
    assert all(b'"url":"ws://x?[redacted]"' in line for line in lines)
