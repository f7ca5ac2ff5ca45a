"""The OTLP sink, against a collector that decodes what it is sent."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.logs.v1.logs_pb2 import SeverityNumber
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SentSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from inspector.tracing import Log, SpanContext, open_sink
from inspector.tracing.sinks.otlp import OtlpSink
from tests.inspector.tracing.collector import Answer, Collector, collecting, values
from tests.inspector.tracing.records import START, Clock, Told, make_log

SECOND = 10**9


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing of this machine's say where to send to, or by way of whom."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Run a collector."""
    with collecting() as collector:
        yield collector


def add_otlp(log: Log, collector: Collector, options: str = "", filter: str = "t=trace") -> OtlpSink:
    sink = open_sink(f"otlp:{collector.url}{options}", filter=filter)
    assert isinstance(sink, OtlpSink)
    log.add_sink(sink)
    return sink


def test_spans(collector: Collector) -> None:
    clock, monotonic = Clock(START), Clock(0)
    log = make_log(clock=clock, monotonic=monotonic)
    add_otlp(log, collector)
    t = log.logger("t.shop")
    outer = log.start_span("action", {"actor": "cart/7", "rid": 12}, target="t")
    clock.now += SECOND
    inner = log.start_span(
        "inner", {"list": [1, 2], "deep": {"a": [None]}, "none": None}, target="t.shop", parent=outer
    )
    clock.now += 3 * SECOND
    monotonic.now += 3 * SECOND
    inner.end()
    outer.end("error", ValueError("boom"))
    cancelled = t.span("cancelled", big=2**63, mixed=[1, "a"], ok=True, ratio=0.5)
    cancelled.end("cancelled")
    log.start_span("no_reason", {}, target="t").end("error")
    assert log.close()
    found = {span.name: (scope, span) for scope, span in [collector.spans.get() for _ in range(4)]}
    assert {name: scope for name, (scope, _) in found.items()} == {
        "inner": "t.shop",
        "action": "t",
        "cancelled": "t.shop",
        "no_reason": "t",
    }
    first, second, third, fourth = (found[name][1] for name in ("inner", "action", "cancelled", "no_reason"))
    assert first.trace_id.hex() == second.trace_id.hex() == outer.trace_id
    assert (first.span_id.hex(), first.parent_span_id) == (inner.span_id, second.span_id)
    assert (second.span_id.hex(), second.parent_span_id) == (outer.span_id, b"")
    assert (first.start_time_unix_nano, first.end_time_unix_nano) == (START + SECOND, START + 4 * SECOND)
    assert (second.start_time_unix_nano, second.end_time_unix_nano) == (START, START + 3 * SECOND)
    assert values(first.attributes) == {"list": [1, 2], "deep": '{"a":[null]}'}
    assert values(second.attributes) == {"actor": "cart/7", "rid": 12}
    assert first.kind == second.kind == SentSpan.SPAN_KIND_INTERNAL
    assert first.status.code == Status.STATUS_CODE_OK
    assert (second.status.code, second.status.message) == (Status.STATUS_CODE_ERROR, "boom")
    [event] = second.events
    assert (event.name, event.time_unix_nano) == ("exception", second.end_time_unix_nano)
    told = values(event.attributes)
    assert (told["exception.type"], told["exception.message"]) == ("ValueError", "boom")
    assert told["exception.stacktrace"] == "ValueError: boom"
    assert third.status.code == Status.STATUS_CODE_UNSET
    assert values(third.attributes) == {
        "big": str(2**63),
        "mixed": '[1,"a"]',
        "ok": True,
        "ratio": 0.5,
        "inspector.cancelled": True,
    }
    assert (fourth.status.code, fourth.status.message, len(fourth.events)) == (Status.STATUS_CODE_ERROR, "", 0)
    [resource] = collector.resources
    assert resource["service.name"] == "h"
    assert resource["service.instance.id"] == resource["inspector.host_id"] == "1"


def test_log_records(collector: Collector) -> None:
    log = make_log(secret_names=("pin",))
    add_otlp(log, collector)
    logger = log.logger("t")
    for level in ("trace", "debug", "info", "warn", "error"):
        getattr(logger, level)(level, n=1, pin=1234)
    with log.start_span("action", {"actor": "cart/7"}, target="u") as span:
        try:
            raise KeyError("x") from OSError("cause")
        except KeyError as error:
            logger.exception("it failed", error, amount=12)
    assert log.close()
    records = [collector.logs.get() for _ in range(6)]
    assert {scope for scope, _ in records} == {"t"}
    assert [(record.severity_text, record.severity_number, record.body.string_value) for _, record in records] == [
        ("TRACE", SeverityNumber.SEVERITY_NUMBER_TRACE, "trace"),
        ("DEBUG", SeverityNumber.SEVERITY_NUMBER_DEBUG, "debug"),
        ("INFO", SeverityNumber.SEVERITY_NUMBER_INFO, "info"),
        ("WARN", SeverityNumber.SEVERITY_NUMBER_WARN, "warn"),
        ("ERROR", SeverityNumber.SEVERITY_NUMBER_ERROR, "error"),
        ("ERROR", SeverityNumber.SEVERITY_NUMBER_ERROR, "it failed"),
    ]
    _, first = records[0]
    assert values(first.attributes) == {"n": 1, "pin": "[redacted]", "inspector.seq": 1}
    assert first.time_unix_nano == first.observed_time_unix_nano == START
    assert first.trace_id.hex() == log.host_span.trace_id
    _, last = records[5]
    assert (last.trace_id.hex(), last.span_id.hex(), last.flags) == (span.trace_id, span.span_id, 1)
    attributes = values(last.attributes)
    stack = attributes.pop("exception.stacktrace")
    assert attributes == {
        "amount": 12,
        "exception.type": "KeyError",
        "exception.message": "'x'",
        "inspector.actor": "cart/7",
        "inspector.seq": 7,
    }
    assert stack.startswith("OSError: cause\n\nThe above exception was the direct cause")
    assert stack.endswith(f"File \"{__file__}\", line {error_line()}, in test_log_records\nKeyError: 'x'")


def error_line() -> int:
    with open(__file__) as source:
        return next(number for number, line in enumerate(source, 1) if "raise KeyError" in line)


def test_a_caller_in_another_process(collector: Collector) -> None:
    log = make_log()
    add_otlp(log, collector)
    parent = SpanContext("ab" * 16, "cd" * 8, tracestate="vendor=1")
    log.start_span("action", {}, target="t", parent=parent).end()
    assert log.close()
    _, span = collector.spans.get()
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == ("ab" * 16, "cd" * 8)
    assert span.kind == SentSpan.SPAN_KIND_SERVER


def test_time_that_tasks_ran(collector: Collector) -> None:
    log = make_log()
    add_otlp(log, collector)
    log.busy = lambda key, ended: 17
    log.start_span("work", {}, target="t").end()
    assert log.close()
    assert values(collector.spans.get()[1].attributes) == {"inspector.busy_ns": 17}


def test_spans_that_have_not_ended(collector: Collector) -> None:
    clock = Clock(START)
    log = make_log(clock=clock)
    add_otlp(log, collector)
    span = log.start_span("stuck", {"n": 1}, target="t")
    lost = log.start_span("lost", {}, target="t")
    del lost
    # The ring would hold it.
    clock.now += SECOND
    assert log.close()
    sent = {found.name: found for _, found in [collector.spans.get() for _ in range(collector.spans.qsize())]}
    assert sent["stuck"].span_id.hex() == span.span_id
    assert values(sent["stuck"].attributes) == {"n": 1, "inspector.unfinished": True}
    assert sent["stuck"].end_time_unix_nano == START + SECOND
    assert sent["stuck"].status.code == Status.STATUS_CODE_UNSET


def test_only_so_many_open_spans_are_remembered(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.tracing.sinks.otlp._OPEN_SPANS", 2)
    log = make_log()
    sink = add_otlp(log, collector)
    spans = [log.start_span(str(number), {}, target="t") for number in range(4)]
    assert sink.flush(60)
    spans[3].end()
    assert log.close()
    names = [collector.spans.get()[1].name for _ in range(collector.spans.qsize())]
    assert sorted(names) == ["0", "1", "3"]


@pytest.mark.parametrize("signal", ["traces", "logs"])
def test_one_signal_alone(collector: Collector, signal: str) -> None:
    log = make_log()
    add_otlp(log, collector, f",signal={signal}")
    with log.start_span("x", {}, target="t"):
        log.logger("t").info("hello")
    assert log.close()
    assert (collector.spans.qsize(), collector.logs.qsize()) == ((1, 0) if signal == "traces" else (0, 1))


def test_headers_and_compression(collector: Collector) -> None:
    log = make_log()
    add_otlp(log, collector, ',headers="Authorization=Bearer x,X-Team=shop",compression=gzip,timeout=5s')
    log.logger("t").info("hello")
    assert log.close()
    assert collector.logs.get()[1].body.string_value == "hello"
    headers = {name.lower(): value for name, value in collector.headers[0].items()}
    assert (headers["authorization"], headers["x-team"]) == ("Bearer x", "shop")
    assert headers["content-encoding"] == "gzip"


def test_what_opentelemetrys_own_variables_say(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team=shop")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "checkout")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
    log = make_log()
    sink = open_sink("otlp")
    assert (str(sink.filter), sink.follows_default, sink.name) == ("debug", False, "otlp")
    log.add_sink(sink)
    log.logger("t").info("hello")
    assert log.close()
    assert collector.resources[0]["service.name"] == "checkout"
    assert collector.resources[0]["deployment.environment"] == "test"
    assert {name.lower(): value for name, value in collector.headers[0].items()}["x-team"] == "shop"


def test_its_name_holds_no_secret() -> None:
    sink = open_sink("otlp:https://user:secret@collector:4318/x?token=secret")
    assert sink.name == "otlp:https://collector:4318/x"
    assert sink.close(0)


# ---- collectors that fail ----


def sent(collector: Collector) -> list[str]:
    return [collector.logs.get()[1].body.string_value for _ in range(collector.logs.qsize())]


@pytest.mark.parametrize("answer", [Answer(503), Answer(429), Answer(502, b"bad gateway"), Answer(200, cut=True)])
def test_a_collector_that_is_busy_is_tried_again(collector: Collector, answer: Answer) -> None:
    log = make_log()
    told = Told(log)
    # Its own tries end with the timeout; then it is our turn.
    collector.answers.put(answer)
    sink = add_otlp(log, collector, ",timeout=500ms")
    log.logger("t").info("1")
    record = told.next()
    assert record.message == "log sink fails, and tries again"
    assert str(answer.status) in record.fields["error"] or answer.cut
    assert record.fields["sink"] == f"otlp:{collector.url}"
    log.logger("t").info("2")
    assert told.next().message == "log sink works again"
    assert log.close(60)
    assert sent(collector) == ["1", "2"]
    assert (sink.dropped, sink.error) == (0, None)


def test_a_collector_that_is_down(caplog: pytest.LogCaptureFixture) -> None:
    log = make_log()
    told = Told(log)
    with collecting() as gone:
        pass
    sink = add_otlp(log, gone, ",timeout=500ms")
    log.logger("t").info("1")
    record = told.next()
    assert record.message == "log sink fails, and tries again"
    assert "refused" in record.fields["error"]
    assert not log.close(0)
    assert sink.dropped == 1
    # What the libraries say in the sink's thread goes nowhere: to the log it would come back as a record to send.
    assert caplog.records == []
    with caplog.at_level(logging.ERROR):
        logging.getLogger("urllib3.connectionpool").error("of another thread")
    assert len(caplog.records) == 1


@pytest.mark.parametrize("status", [400, 404, 413, 301])
def test_what_a_collector_refuses_is_lost(collector: Collector, status: int) -> None:
    log = make_log()
    told = Told(log)
    collector.answers.put(Answer(status))
    sink = add_otlp(log, collector)
    log.logger("t").info("1")
    record = told.next()
    assert record.message == "log sink is refused what it writes, and goes on without"
    assert f"the collector answers {status}" in record.fields["error"]
    log.logger("t").info("2")
    record = told.next()
    assert (record.message, record.fields["dropped"]) == ("log sink works again", 1)
    assert not log.close()
    assert sink.dropped == 1
    # The gap is told in the place too.
    assert sent(collector) == ["1 records lost", "2"]


def test_a_part_that_is_rejected_is_lost(collector: Collector) -> None:
    log = make_log()
    told = Told(log)
    logs, traces = ExportLogsServiceResponse(), ExportTraceServiceResponse()
    logs.partial_success.rejected_log_records = 2
    logs.partial_success.error_message = "too old"
    traces.partial_success.rejected_spans = 0
    collector.answers.put(Answer(200, traces.SerializeToString()))
    collector.answers.put(Answer(200, logs.SerializeToString()))
    collector.answers.put(Answer(200, b"\xff no protobuf"))
    sink = add_otlp(log, collector)
    with log.start_span("x", {}, target="t"):
        for number in range(3):
            log.logger("t").info(str(number))
    assert "rejects a part: too old" in told.next().fields["error"]
    log.logger("t").info("3")
    assert told.next().fields["dropped"] == 2
    assert sink.dropped == 2
    log.close()


def test_a_collector_that_does_not_answer_hangs_nobody(collector: Collector) -> None:
    log = make_log(record_size=16_384)
    held = Answer(held=True)
    collector.answers.put(held)
    sink = add_otlp(log, collector, ",timeout=60s")
    log.logger("t").info("0")
    assert collector.came.get() == "/v1/logs"
    for number in range(1, 1000):
        log.logger("t").info(str(number))
    assert not log.close(0)
    held.release.set()
    sink._thread.join()
    # The request at hand, and what it never came to.
    assert sink.dropped >= 999


def test_what_is_no_utf8_is_sent(collector: Collector) -> None:
    log = make_log()
    add_otlp(log, collector)
    log.logger("t").info("a\ud800b", data=b"\xff", nan=float("nan"))
    assert log.close()
    [(_, record)] = [collector.logs.get()]
    assert "a" in record.body.string_value
    assert log.sinks == ()


def test_what_can_not_be_encoded_is_refused(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any) -> Any:
        raise ValueError("no such thing")

    # An exporter that does not send says only that it has failed.
    monkeypatch.setattr("opentelemetry.exporter.otlp.proto.http._log_exporter.encode_logs", broken)
    log = make_log()
    told = Told(log)
    sink = add_otlp(log, collector)
    log.logger("t").info("1")
    assert "can't be encoded" in told.next().fields["error"]
    assert not log.close()
    assert sink.dropped == 1
    assert collector.came.empty()


def test_gaps_are_log_records(collector: Collector) -> None:
    log = make_log(record_size=16_384)
    told = Told(log)
    held = Answer(held=True)
    collector.answers.put(held)
    sink = add_otlp(log, collector)
    log.logger("t").info("0")
    collector.came.get()
    for number in range(1, 1000):
        log.logger("t").info(str(number))
    held.release.set()
    assert told.next().message == "log sink is too slow and may lose records"
    assert told.next().message == "log sink works again"
    assert sink.dropped > 0
    log.close()
    records = [collector.logs.get()[1] for _ in range(2)]
    assert [record.body.string_value for record in records] == ["0", f"{sink.dropped} records lost"]
    attributes = values(records[1].attributes)
    assert (attributes["inspector.kind"], attributes["dropped"]) == ("gap", sink.dropped)


def test_threads_log_while_it_sends(collector: Collector) -> None:
    log = make_log()
    add_otlp(log, collector)

    def work() -> None:
        for _ in range(100):
            with log.logger("t").span("x"):
                log.logger("t").info("hello")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.close(60)
    assert (collector.spans.qsize(), collector.logs.qsize()) == (400, 400)
