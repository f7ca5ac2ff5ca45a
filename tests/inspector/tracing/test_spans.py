"""Spans: their records, their ids, and who is current."""

from __future__ import annotations

import contextlib
import contextvars
import gc
import threading
import weakref
from collections.abc import AsyncIterator

import orjson
import pytest
import trio

from inspector.tracing import DEBUG, INFO, TRACE, Span, SpanContext, current_span
from protocol.records import decode_record
from tests.inspector.tracing.records import START, Clock, all_lines, follow, make_log, messages, read


def test_the_two_records_of_a_span() -> None:
    monotonic = Clock(5)
    log = make_log(monotonic=monotonic)
    reader = follow(log)
    span = log.start_span("action", {"actor": "cart/7", "rid": 12}, target="shop", level=INFO)
    monotonic.now += 250
    span.end()
    span.end("error")
    start, end = read(reader)
    assert (start.seq, start.kind, start.level, start.target) == (1, "span_start", "INFO", "shop")
    assert start.timestamp == "2025-11-23T20:47:33.139606Z"
    assert start.span == {"name": "action", "actor": "cart/7", "rid": 12}
    assert (start.trace_id, start.span_id, start.parent_id) == (span.trace_id, span.span_id, None)
    assert (start.fields, start.duration_ns, start.status) == ({}, None, None)
    assert (end.seq, end.kind, end.duration_ns, end.status) == (2, "span_end", 250, "ok")
    assert (end.span, end.trace_id, end.span_id) == (start.span, start.trace_id, start.span_id)
    assert (span.name, span.target, span.level, span.start_seq, span.start_ns) == ("action", "shop", INFO, 1, START)
    assert span.ended


def test_the_end_says_how_long_its_tasks_ran_while_somebody_times_them() -> None:
    log = make_log()
    reader = follow(log, "info")
    first, second, hidden = (
        log.start_span(name, {}, target="t", level=level)
        for name, level in (("first", INFO), ("second", INFO), ("hidden", TRACE))
    )
    log.start_span("untimed", {}, target="t", level=INFO).end()
    ran = {first.key: 7, hidden.key: 8}
    log.busy = lambda key, began: ran.pop(key, None)
    for span in (first, second, hidden):
        span.end("error")
    ends = [record for record in read(reader) if record.kind == "span_end"]
    assert [(end.busy_ns, end.status) for end in ends] == [(None, "ok"), (7, "error"), (None, "error")]
    assert ran == {}


def test_a_child_is_of_its_parents_trace() -> None:
    log = make_log()
    root = log.start_span("root", {"actor": "a/1"}, target="t")
    child = log.start_span("child", {}, target="t", parent=root)
    other = log.start_span("other", {"actor": "b"}, target="t", parent=child)
    assert (child.trace_id, child.parent_id, child.parent) == (root.trace_id, root.span_id, root)
    assert (root.actor, child.actor, other.actor) == ("a/1", "a/1", "b")
    assert log.start_span("root", {}, target="t").trace_id != root.trace_id
    assert log.start_span("root", {}, target="t").actor is None


def test_a_remote_parent() -> None:
    log = make_log()
    reader = follow(log)
    context = SpanContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    span = log.start_span("action", {"actor": "a"}, target="t", parent=context)
    assert (span.parent, span.parent_id, span.trace_id, span.actor) == (None, context.span_id, context.trace_id, "a")
    assert span.traceparent == f"00-{context.trace_id}-{span.span_id}-01"
    assert span.context == SpanContext(context.trace_id, span.span_id)
    assert read(reader)[0].parent_id == context.span_id


def test_the_block_makes_it_current_and_ends_it() -> None:
    log = make_log()
    reader = follow(log)
    logger = log.logger("t")
    with logger.span("outer", n=1) as outer:
        assert current_span.get() is outer
        with logger.span("inner", name=2) as inner:
            assert current_span.get() is inner
            logger.info("inside")
        assert current_span.get() is outer
    assert current_span.get() is None
    assert (outer.parent, inner.parent) == (None, outer)
    assert outer.parent_id is None
    assert outer.trace_id != log.host_span.trace_id
    records = read(reader)
    assert [record.kind for record in records] == ["span_start", "span_start", "event", "span_end", "span_end"]
    assert records[2].span == {"name": "inner", "name_": 2}


def test_an_error_ends_it_as_one() -> None:
    log = make_log()
    reader = follow(log)
    with pytest.raises(ValueError, match="bad"), log.logger("t").span("x"):
        raise ValueError("bad")
    end = read(reader)[-1]
    assert end.status == "error"
    assert end.exception is not None
    assert end.exception["message"] == "bad"


@pytest.mark.trio
async def test_cancelled_is_no_error() -> None:
    log = make_log()
    reader = follow(log)
    with trio.CancelScope() as scope, log.logger("t").span("x"):
        scope.cancel()
        await trio.lowlevel.checkpoint()
    end = read(reader)[-1]
    assert (end.status, end.exception) == ("cancelled", None)


@pytest.mark.trio
async def test_it_follows_into_tasks_and_threads() -> None:
    log = make_log()
    reader = follow(log)
    logger = log.logger("t")

    async def work(span: Span) -> None:
        assert current_span.get() is span
        logger.info("task")
        await trio.to_thread.run_sync(logger.info, "thread")

    with logger.span("outer") as outer:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work, outer)
    events = [record for record in read(reader) if record.kind == "event"]
    assert [event.message for event in events] == ["task", "thread"]
    assert {event.span_id for event in events} == {outer.span_id}


@pytest.mark.trio
async def test_left_in_another_context_than_entered() -> None:
    log = make_log()

    async def generate() -> AsyncIterator[int]:
        with log.logger("t").span("generator"):
            yield 1

    generator = generate()

    async def begin() -> None:
        await anext(generator)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(begin)
    with contextlib.suppress(StopAsyncIteration):
        await anext(generator)
    assert current_span.get() is None
    assert log.next_seq == 3


def test_events_outside_any_span_speak_of_the_host() -> None:
    log = make_log()
    reader = follow(log)
    with log:
        log.logger("t").info("hello")
    start, event, end = read(reader)
    assert start.span == event.span == end.span == {"name": "host", "host_id": "1", "host_name": "h"}
    assert (start.kind, end.kind, end.status) == ("span_start", "span_end", "ok")
    assert start.target == "inspector.tracing"
    assert event.span_id == log.host_span.span_id


def test_the_span_of_another_log_is_not_this_ones() -> None:
    one, other = make_log(), make_log()
    reader = follow(one)
    with other.logger("t").span("theirs"):
        one.logger("t").info("mine")
        one.logger("t").exception("mine", ValueError())
        assert one.logger("t").span("child").parent_id is None
    assert {record.span_id for record in read(reader)[:2]} == {one.host_span.span_id}


def test_fields_are_written_when_first_needed_and_nothing_else_is_kept() -> None:
    log = make_log(record="off")

    class Big:
        def __repr__(self) -> str:
            return "big"

    big = Big()
    gone = weakref.ref(big)
    span = log.start_span("x", {"big": big, "text": "y" * 100_000, "password": "p"}, target="t")
    reader = follow(log)
    log.logger("t").event(INFO, span, "hello")
    del big
    gc.collect()
    assert gone() is None
    assert span.fields["big"] == "big"
    assert span.fields["password"] == "[redacted]"
    assert len(span.fields["text"]) < 13_000
    first = read(reader)[0].span
    span.forget_text()
    log.logger("t").event(INFO, span, "hello")
    assert read(reader)[0].span == first


def test_start_records_of_spans_and_their_ancestors() -> None:
    log = make_log()
    reader = follow(log)
    log.open()
    root = log.start_span("root", {"actor": "a"}, target="t")
    child = log.start_span("child", {}, target="t", parent=root)
    grandchild = log.start_span("grandchild", {"n": [1]}, target="t", parent=child)
    sibling = log.start_span("sibling", {}, target="t", parent=root)
    lines = all_lines(reader)
    assert log.span_records([grandchild.span_id]) == lines[1:4]
    assert log.span_records([sibling.span_id, grandchild.span_id, sibling.span_id]) == [
        lines[1],
        lines[4],
        lines[2],
        lines[3],
    ]
    assert log.span_records(["f" * 16, "nonsense", "\ud800"]) == []
    child_id = grandchild.span_id
    for span in (grandchild, child, sibling, root):
        span.end()
    del span, root, child, grandchild, sibling
    assert log.span_records([child_id]) == lines[1:4]
    log.close()


def test_start_records_outlive_the_ring_while_a_span_is_open() -> None:
    log = make_log(record_size=4096)
    span = log.start_span("open", {}, target="t")
    ended = log.start_span("ended", {}, target="t")
    ended_id = ended.span_id
    ended.end()
    del ended
    for _ in range(100):
        log.logger("t").info("noise")
    assert log.first_seq > 3
    assert [decode_record(line).seq for line in log.span_records([span.span_id, ended_id])] == [1]


def test_the_start_of_a_span_that_nobody_wanted() -> None:
    log = make_log(record="info")
    span = log.start_span("quiet", {}, target="t", level=DEBUG)
    log.logger("t").event(INFO, span, "loud")
    [line] = log.span_records([span.span_id])
    record = decode_record(line)
    assert (record.seq, record.kind, record.span) == (0, "span_start", {"name": "quiet"})
    assert log.next_seq == 2


def test_a_span_that_is_never_ended_does_not_stay() -> None:
    log = make_log(record="off")
    span = log.start_span("lost", {}, target="t")
    gone = weakref.ref(span)
    span_id = span.span_id
    del span
    gc.collect()
    assert gone() is None
    assert log.span_records([span_id]) == []


def test_ancestors() -> None:
    log = make_log()
    root = log.start_span("root", {"a": 1}, target="t")
    child = log.start_span("child", {}, target="t", parent=root)
    grandchild = log.start_span("grandchild", {}, target="t", parent=child)
    assert (root.ancestors(), child.ancestors()) == (b"", b'{"name":"root","a":1}')
    assert orjson.loads(b"[%b]" % grandchild.ancestors()) == [{"name": "root", "a": 1}, {"name": "child"}]


def test_a_duration_is_never_negative() -> None:
    monotonic = Clock(100)
    log = make_log(monotonic=monotonic)
    reader = follow(log)
    span = log.start_span("x", {}, target="t")
    monotonic.now = 50
    span.end()
    assert read(reader)[-1].duration_ns == 0


def test_a_clock_that_steps_back_breaks_nothing() -> None:
    clock = Clock(START)
    log = make_log(clock=clock)
    reader = follow(log)
    logger = log.logger("t")
    logger.info("a", n=1)
    for now in (START, START - 1, START - 10**12, START - 10**12 + 999, 0, -5, START + 7_000):
        clock.now = now
        logger.info("a", n=1)
    records = read(reader)
    assert [record.seq for record in records] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert records[4].timestamp == records[3].timestamp
    assert records[-1].timestamp == "2025-11-23T20:47:33.139613Z"


def test_representations() -> None:
    log = make_log()
    span = log.start_span("x", {}, target="t")
    assert repr(span) == f"<Span x {span.span_id}>"
    assert repr(log.logger("t")) == "<Logger t>"


def test_one_block_in_two_threads() -> None:
    log = make_log()
    reader = follow(log)
    span = log.start_span("shared", {}, target="t")
    context = contextvars.copy_context()
    context.run(current_span.set, span)
    threads = [threading.Thread(target=context.copy().run, args=(log.logger("t").info, "hi")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    span.end()
    assert messages(reader) == ["hi"] * 4
