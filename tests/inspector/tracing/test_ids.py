"""Ids, and their spelling in a traceparent."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.tracing import SpanContext, format_traceparent, parse_traceparent
from inspector.tracing.ids import new_span_id, new_trace_id

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
SPAN_ID = "b7ad6b7169203331"


def test_ids_have_their_size_and_differ() -> None:
    spans = {new_span_id() for _ in range(1000)}
    traces = {new_trace_id() for _ in range(1000)}
    assert len(spans) == len(traces) == 1000
    assert {len(each) for each in spans} == {16}
    assert {len(each) for each in traces} == {32}
    assert all(int(each, 16) for each in spans | traces)


def test_a_forked_child_makes_ids_of_its_own() -> None:
    receive, send = os.pipe()
    new_span_id()
    new_trace_id()
    child = os.fork()
    if child == 0:
        os.write(send, new_span_id() + new_trace_id())
        os._exit(0)
    mine = new_span_id(), new_trace_id()
    os.waitpid(child, 0)
    theirs = os.read(receive, 48)
    os.close(receive)
    os.close(send)
    assert len(theirs) == 48
    assert theirs[:16] != mine[0]
    assert theirs[16:] != mine[1]


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        (f"00-{TRACE_ID}-{SPAN_ID}-01", 1),
        (f"00-{TRACE_ID}-{SPAN_ID}-00", 0),
        (f" 00-{TRACE_ID}-{SPAN_ID}-ff\t", 255),
        (f"cc-{TRACE_ID}-{SPAN_ID}-01", 1),
        (f"cc-{TRACE_ID}-{SPAN_ID}-01-what-the-future-brings", 1),
    ],
)
def test_reads_a_traceparent(text: str, flags: int) -> None:
    assert parse_traceparent(text) == SpanContext(TRACE_ID, SPAN_ID, flags)


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        b"00",
        "",
        f"00-{TRACE_ID}-{SPAN_ID}",
        f"00-{TRACE_ID}-{SPAN_ID}-01-more",
        f"ff-{TRACE_ID}-{SPAN_ID}-01",
        f"cc-{TRACE_ID}-{SPAN_ID}-01more",
        f"00-{TRACE_ID.upper()}-{SPAN_ID}-01",
        f"00-{'0' * 32}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00-{TRACE_ID[:-1]}-{SPAN_ID}-01",
        f"00-{TRACE_ID[:-1]}g-{SPAN_ID}-01",
        f"00-{TRACE_ID[:-1]}\u0661-{SPAN_ID}-01",
    ],
)
def test_a_malformed_traceparent_is_none(text: object) -> None:
    assert parse_traceparent(text) is None


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.integers(0, 255))
def test_reads_what_it_writes(trace: int, span: int, flags: int) -> None:
    context = SpanContext(f"{trace:032x}", f"{span:016x}", flags)
    assert parse_traceparent(format_traceparent(context)) == context


@given(st.text())
def test_no_text_raises(text: str) -> None:
    assert parse_traceparent(text) is None
