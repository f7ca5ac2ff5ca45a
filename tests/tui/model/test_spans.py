"""Spans and traces, made from the records of a log."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.host import TRACE, record, span_id, span_record
from tui.model.clock import write_time
from tui.model.spans import Spans, Trace, nanoseconds
from tui.model.waterfall import bar, lay_out, write_length

SECOND = 1_000_000_000
AT = nanoseconds("2026-11-23T20:27:00.000000Z")
LATER = "2026-11-23T20:27:02.000000Z"


def fed(*lines: bytes, **options: Any) -> Spans:
    spans = Spans(**options)
    spans.feed(b"\n".join(lines))
    return spans


def trace_of(*lines: bytes) -> Trace:
    return fed(*lines).traces[TRACE]


def test_a_span_is_open_until_its_end_comes() -> None:
    spans = fed(span_record(1, "action", actor="cart/7", action="checkout"))
    trace = spans.traces[TRACE]
    (span,) = trace.spans.values()
    assert (span.label, span.status, span.start, span.end) == ("cart/7 checkout", "open", AT, None)
    assert (span.length(AT + SECOND), span.length(AT - SECOND), trace.open, trace.status) == (SECOND, 0, 1, "open")
    version = trace.version
    spans.feed(span_record(2, "action", ended=2 * SECOND, at=LATER, status="error", actor="cart/7", action="checkout"))
    assert (span.status, span.end, span.length(0), trace.open, trace.status) == (
        "error",
        AT + 2 * SECOND,
        2 * SECOND,
        0,
        "error",
    )
    assert trace.version > version
    assert (trace.problems, trace.end(0), trace.start) == (1, AT + 2 * SECOND, AT)


def test_an_end_alone_tells_when_it_began() -> None:
    trace = trace_of(span_record(9, "work", ended=SECOND // 2, at=LATER))
    (span,) = trace.spans.values()
    assert (span.start, span.status, span.parent_id) == (AT + 2 * SECOND - SECOND // 2, "ok", None)


def test_an_end_that_is_told_twice_counts_once() -> None:
    end = span_record(9, "work", ended=5, status="cancelled")
    trace = trace_of(end, end, span_record(8, "work"))
    assert (trace.open, trace.status, len(trace.spans)) == (0, "cancelled", 1)


def test_a_status_that_is_none_reads_as_ok() -> None:
    assert trace_of(span_record(9, "work", ended=5, status="great")).status == "ok"


def test_what_is_said_is_counted_in_its_span_and_its_trace() -> None:
    start = span_record(1, "a")
    said = record(2, "careful", "WARN").replace(b'0123456789abcdef"}', span_id("a").encode() + b'"}')
    trace = trace_of(start, said, record(3, "elsewhere", "ERROR"), record(4))
    assert (trace.events, trace.problems) == (3, 2)
    assert (trace.spans[span_id("a")].events, trace.spans[span_id("a")].problems) == (1, 1)


def test_what_was_said_before_its_span_is_known_is_its_own_all_the_same() -> None:
    child = record(2, "careful", "ERROR").replace(b'0123456789abcdef"}', span_id("b").encode() + b'"}')
    trace = trace_of(span_record(1, "a"), child, span_record(3, "b", parent="a"))
    assert (trace.spans[span_id("b")].events, trace.spans[span_id("b")].problems) == (1, 1)


def test_what_is_said_in_no_trace_that_is_known_makes_none() -> None:
    assert len(fed(record(1))) == 0


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"text",
        b"\xff",
        b"[" * 2000,
        b'{"kind":"span_start"}',
        span_record(1, "a").replace(b"2026-11-23T20:27:00.000000Z", b"yesterday"),
        span_record(1, "a").replace(b"00.000000Z", b"00.000000"),
        span_record(1, "a").replace(b"span_start", b"gap"),
        span_record(1, "a", ended=3).replace(b'"duration_ns":3', b'"duration_ns":"3"'),
    ],
)
def test_what_is_no_record_of_a_span_is_passed_over(line: bytes) -> None:
    assert len(fed(line, span_record(2, "b"))) == 1
    assert span_id("a") not in fed(line, span_record(2, "b")).traces[TRACE].spans


def test_when_the_host_is_gone_what_was_open_is_lost() -> None:
    spans = fed(span_record(1, "a"), span_record(2, "b", ended=5, parent="a"))
    spans.lose()
    trace = spans.traces[TRACE]
    assert [span.status for span in trace.spans.values()] == ["lost", "ok"]
    assert (trace.open, write_length(trace.spans[span_id("a")], AT + SECOND)) == (0, "")


def test_the_oldest_traces_that_are_over_go_first() -> None:
    spans = Spans(max_spans=10)
    for number in range(8):
        spans.feed(span_record(number, "open", trace=f"{number:032x}"))
    for number in range(8, 20):
        spans.feed(span_record(number, "over", ended=5, trace=f"{number:032x}"))
    assert len(spans) <= 10
    assert f"{19:032x}" in spans.traces
    assert all(f"{number:032x}" in spans.traces for number in range(8))
    assert (spans.count, len(spans)) == (len(spans.traces), len(spans.traces))
    assert spans.forgotten == 20 - len(spans)
    for number in range(20, 30):
        spans.feed(span_record(number, "open", trace=f"{number:032x}"))
    assert spans.count <= 10
    assert f"{29:032x}" in spans.traces
    spans.clear()
    assert (len(spans), spans.count, spans.forgotten) == (0, 0, 0)


def test_a_trace_without_end_keeps_so_many_spans_and_counts_the_rest() -> None:
    lines = [span_record(n, f"{n:08}", parent="root") for n in range(5_010)]
    trace = fed(*lines, max_spans=1 << 30).traces[TRACE]
    assert (len(trace.spans), trace.unseen) == (5_000, 10)
    spans = fed(*lines, span_record(9_000, f"{5_005:08}", ended=4), max_spans=1 << 30)
    assert spans.traces[TRACE].unseen == 11


def test_the_tree_in_time() -> None:
    trace = trace_of(
        span_record(1, "root"),
        span_record(3, "late", parent="root", at=LATER),
        span_record(2, "early", parent="root"),
        span_record(4, "inner", parent="early"),
        span_record(5, "orphan", parent="nobody"),
    )
    rows = [(row.span.label, row.depth, row.children, row.orphan) for row in lay_out(trace)]
    assert rows == [
        ("root", 0, 2, False),
        ("early", 1, 1, False),
        ("inner", 2, 0, False),
        ("late", 1, 0, False),
        ("orphan", 0, 0, True),
    ]
    folded = [(row.span.label, row.folded) for row in lay_out(trace, {span_id("early"), span_id("inner")})]
    assert ("inner", False) not in folded
    assert ("early", True) in folded


def test_spans_inside_one_another_in_a_circle_are_shown_once_each() -> None:
    trace = trace_of(span_record(1, "a", parent="b"), span_record(2, "b", parent="a"), span_record(3, "c", parent="c"))
    assert sorted(row.span.label for row in lay_out(trace)) == ["a", "b", "c"]
    assert trace.root is not None


def test_a_trace_of_nothing() -> None:
    trace = Trace("x")
    assert (trace.root, trace.start, trace.status, lay_out(trace)) == (None, 0, "open", [])


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 100, (0, "█" * 10)),
        (0, 50, (0, "█" * 5)),
        (50, 100, (5, "█" * 5)),
        (0, 1, (0, "▏")),
        (99, 100, (9, "█")),
        (100, 100, (9, "█")),
        (-50, 200, (0, "█" * 10)),
        (5, 12, (0, "█▎")),
    ],
)
def test_bars(start: int, end: int, expected: tuple[int, str]) -> None:
    assert bar(start, end, 0, 100, 10) == expected


@given(st.integers(), st.integers(), st.integers(), st.integers(), st.integers(1, 300))
def test_a_bar_never_leaves_its_cells(start: int, end: int, first: int, last: int, width: int) -> None:
    before, drawn = bar(start, end, first, last, width)
    assert before >= 0
    assert len(drawn) >= 1
    assert before + len(drawn) <= width


def test_times_for_people() -> None:
    assert write_time(AT + 7_000_000) == "20:27:00.007"
    assert write_time(10**30) == write_time(-(10**30)) == "--:--:--.---"


def test_a_line_is_kept_as_the_host_wrote_it() -> None:
    end = span_record(9, "work", ended=5, status="error")
    whole = json.loads(end) | {"exception": {"type": "RuntimeError", "message": "boom", "frames": []}}
    trace = trace_of(span_record(1, "work"), json.dumps(whole).encode())
    (span,) = trace.spans.values()
    assert (span.exception, json.loads(span.line)) == ("RuntimeError: boom", whole)
    assert trace_of(span_record(1, "work")).spans[span_id("work")].exception == ""
