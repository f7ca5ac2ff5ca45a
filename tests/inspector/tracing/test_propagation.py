"""Traces that come from other processes and go on to others."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import weakref
from collections.abc import Iterator
from contextvars import copy_context

import pytest
import trio
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NonRecordingSpan, set_span_in_context
from opentelemetry.trace import SpanContext as Foreign
from opentelemetry.trace.propagation import tracecontext

from inspector import Registry, get_logger
from inspector.tracing import (
    SpanContext,
    current_span,
    forks,
    parse_traceparent,
    parse_tracestate,
    remote_parent,
    traceparent,
    tracestate,
)
from tests.inspector.desk import Desk
from tests.inspector.reading import read as read_all
from tests.inspector.tracing.records import make_log

CALLER = f"00-{'a' * 32}-{'b' * 16}-01"
STATE = "vendor=1,other=two"


def test_a_span_is_the_callers_child() -> None:
    log = make_log()
    with remote_parent(CALLER, STATE) as context:
        assert context == SpanContext("a" * 32, "b" * 16, 1, STATE)
        assert (traceparent(), tracestate()) == (CALLER, STATE)
        with log.logger("t").span("request") as request:
            assert (request.trace_id, request.parent_id, request.parent) == ("a" * 32, "b" * 16, None)
            assert (traceparent(), tracestate()) == (request.traceparent, STATE)
            with log.logger("t").span("inner") as inner:
                assert inner.parent is request
                assert (traceparent(), tracestate()) == (inner.traceparent, STATE)
        assert log.logger("t").span("second").parent_id == "b" * 16
    assert (traceparent(), tracestate()) == (None, None)
    assert log.logger("t").span("later").trace_id != "a" * 32


def test_a_caller_inside_a_span_of_ours() -> None:
    log = make_log()
    with log.logger("t").span("server"):
        with remote_parent(CALLER):
            assert (traceparent(), tracestate()) == (CALLER, None)
            assert log.logger("t").span("request").parent_id == "b" * 16
        assert log.logger("t").span("own").trace_id != "a" * 32


@pytest.mark.parametrize("text", [None, "", "junk", 7, f"00-{'0' * 32}-{'b' * 16}-01", f"ff-{'a' * 32}-{'b' * 16}-01"])
def test_a_malformed_caller_changes_nothing(text: object) -> None:
    log = make_log()
    with log.logger("t").span("server") as server, remote_parent(text, STATE) as context:
        assert context is None
        assert log.logger("t").span("request").parent is server
        assert tracestate() is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (STATE, STATE),
        (" a=1 ,\tb=2, ,", "a=1,b=2"),
        ("tenant@vendor=x", "tenant@vendor=x"),
        ("", ""),
        (None, ""),
        (b"a=1", ""),
        ("a", ""),
        ("A=1", ""),
        ("a=1=2", ""),
        ("a=1\r\nx-evil: 1", ""),
        ("a=é", ""),
        (",".join(f"k{n}=v" for n in range(33)), ""),
        (",".join(f"k{n}=v" for n in range(32)), ",".join(f"k{n}=v" for n in range(32))),
        ("a=" + "x" * 256 + ",b=" + "y" * 251 + ",c=1", "a=" + "x" * 256 + ",b=" + "y" * 251),
        ("a=" + "x" * 257, ""),
    ],
    ids=itertools.count(),
)
def test_a_tracestate_is_kept_or_dropped_whole(text: object, found: str) -> None:
    assert parse_tracestate(text) == found
    assert len(found) <= 512


def test_the_hosts_own_span_is_nobodys_parent() -> None:
    with make_log() as log, log.host_span:
        assert traceparent() is None
        assert log.logger("t").span("request").parent_id is None


def test_leaving_in_another_context() -> None:
    async def inbound() -> Iterator[None]:  # type: ignore[misc]  # an asynchronous generator, as `yield` makes it
        with remote_parent(CALLER):
            yield

    async def main() -> None:
        generator = inbound()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(generator.__anext__)  # type: ignore[attr-defined]  # it is an asynchronous generator
        assert traceparent() is None
        await generator.aclose()  # type: ignore[attr-defined]  # it is an asynchronous generator
        assert traceparent() is None

    trio.run(main)


@pytest.mark.trio
async def test_a_call_to_an_actor_goes_on_with_the_callers_trace() -> None:
    registry = Registry([Desk], record="trace")
    logger = registry.log.logger("t")
    async with registry.running():
        desk = registry.get_or_create(Desk)
        with remote_parent(CALLER, STATE):
            await desk.call(Desk.note, "remote")
        with logger.span("request") as request:
            await desk.call(Desk.note, "own")
        await desk.call(Desk.note, "alone")
    actions = [
        record for record in read_all(registry.log) if record.span["name"] == "action" and record.kind != "event"
    ]
    remote, own, alone = actions[::2]
    assert (remote.trace_id, remote.parent_id) == ("a" * 32, "b" * 16)
    assert (own.trace_id, own.parent_id) == (request.trace_id, request.span_id)
    assert alone.parent_id is None


# ---- OpenTelemetry ----


def test_opentelemetrys_current_span_is_the_parent() -> None:
    log = make_log()
    tracer = TracerProvider().get_tracer("t")
    with tracer.start_as_current_span("theirs") as theirs:
        found = theirs.get_span_context()
        sent: dict[str, str] = {}
        tracecontext.TraceContextTextMapPropagator().inject(sent)
        assert traceparent() == sent["traceparent"]
        ours = log.logger("t").span("ours")
        assert ours.trace_id == f"{found.trace_id:032x}"
        assert ours.parent_id == f"{found.span_id:016x}"
        with ours:
            # Its child, and not theirs.
            assert log.logger("t").span("inner").parent is ours
            assert traceparent() == ours.traceparent
        with remote_parent(CALLER):
            assert log.logger("t").span("request").parent_id == "b" * 16
    assert log.logger("t").span("later").parent_id is None
    assert traceparent() is None


def test_a_tracestate_of_opentelemetry_is_handed_on() -> None:
    log = make_log()
    carrier = {"traceparent": CALLER, "tracestate": STATE}
    context = tracecontext.TraceContextTextMapPropagator().extract(carrier)
    from opentelemetry.context import attach, detach

    token = attach(context)
    try:
        assert (traceparent(), tracestate()) == (CALLER, STATE)
        with log.logger("t").span("ours"):
            assert tracestate() == STATE
    finally:
        detach(token)


def test_what_opentelemetry_raises_stays_there() -> None:
    class Broken(NonRecordingSpan):
        def get_span_context(self) -> Foreign:
            raise RuntimeError("half imported")

    from opentelemetry.context import attach, detach

    token = attach(set_span_in_context(Broken(Foreign(1, 1, False))))
    try:
        assert traceparent() is None
        assert make_log().logger("t").span("ours").parent_id is None
    finally:
        detach(token)


def test_opentelemetry_is_not_imported_for_this() -> None:
    program = (
        "import sys, inspector\n"
        "from inspector.tracing import Log, traceparent\n"
        "with Log().logger('t').span('x'): assert traceparent()\n"
        "assert traceparent() is None\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


# ---- module loggers, and forks ----


def test_module_loggers_write_into_the_programs_log() -> None:
    logger = get_logger("tests.program")
    first, second, host, other = make_log(), make_log(), make_log(), make_log()
    assert logger.find() is None
    first.open(program=True)
    second.open(program=True)
    try:
        assert logger.find() is second.logger("tests.program")
        with host:
            # A host's own, as if there were no other.
            assert logger.find() is host.logger("tests.program")
            with other:
                assert logger.find() is second.logger("tests.program")
        second.close()
        assert logger.find() is first.logger("tests.program")
    finally:
        first.close()
        second.close()
    assert logger.find() is None


# Python 3.12 and later warn wherever there is another thread; which there is depends on the tests before this one.
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_has_no_log() -> None:
    log = make_log().open()
    reader = log.subscribe(log.record_filter, wake=lambda: None)
    before = log.next_seq
    with log.logger("t").span("parents"):
        child = os.fork()
        if not child:
            ok = (
                current_span.get() is None
                and not log.is_open
                and not log.wants(4, "t")
                and get_logger("t").find() is None
                and log.close()
            )
            log.logger("t").error("nothing")
            get_logger("t").error("nothing")
            os._exit(0 if ok and log.next_seq == before + 1 and not log.armed else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert log.is_open
    assert reader.collect() is not None
    log.close()
    assert not log.is_open
    assert parse_traceparent(CALLER) is not None


def test_a_child_lets_go_of_all_and_is_in_no_span(monkeypatch: pytest.MonkeyPatch) -> None:
    class Thing:
        abandoned = 0

        def abandon(self) -> None:
            self.abandoned += 1

    held = Thing()
    monkeypatch.setattr(forks, "_watched", weakref.WeakSet())
    forks.on_fork(held)
    forks.on_fork(Thing())
    with make_log().logger("t").span("parents"):
        # What happens in the child, here in a context of its own.
        child = copy_context()
        child.run(forks._in_child)
        assert current_span.get() is not None
    assert (child.get(current_span), held.abandoned) == (None, 1)
    forks._in_child()
    assert held.abandoned == 1
