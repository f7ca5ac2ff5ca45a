"""What holds over the host's own filters: the last one asked for, and when that goes, the one before."""

from __future__ import annotations

import io

import pytest

from inspector.tracing import Sink, open_sink
from inspector.tracing.layers import Layers
from protocol.filters import FilterError, parse_filter
from protocol.records import DEBUG, INFO, TRACE, WARN
from tests.inspector.tracing.records import follow, make_log, messages

INFO_FILTER, DEBUG_FILTER, TRACE_FILTER = map(parse_filter, ("info", "debug", "trace"))


def test_the_last_one_holds() -> None:
    layers = Layers(INFO_FILTER)
    assert layers.current is INFO_FILTER
    layers.put("a", DEBUG_FILTER)
    layers.put("b", TRACE_FILTER)
    assert layers.current is TRACE_FILTER
    layers.put("a", DEBUG_FILTER)
    assert layers.current is DEBUG_FILTER
    layers.take("b")
    layers.take("c")
    assert layers.current is DEBUG_FILTER
    layers.own = TRACE_FILTER
    assert layers.current is DEBUG_FILTER
    layers.take("a")
    assert layers.current is TRACE_FILTER


def test_what_is_put_over_the_record_filter_holds_until_it_is_taken() -> None:
    log = make_log(record="info")
    told: list[str] = []

    def tell() -> None:
        told.append(f"{log.filters.record} {log.wants(TRACE, 't')}")

    log.filters.change("one", {"record": DEBUG_FILTER}, tell)
    assert (log.wants(DEBUG, "t"), log.wants(TRACE, "t")) == (True, False)
    log.filters.change("two", {"record": TRACE_FILTER}, tell)
    assert str(log.record_filter) == "trace"
    assert log.wants(TRACE, "t")
    # The host's own changes below: nothing is to be seen of that yet.
    log.set_record_filter(parse_filter("warn"))
    assert log.wants(TRACE, "t")
    log.filters.change("one", {"record": None}, tell)
    assert log.wants(TRACE, "t")
    log.filters.change("two", {"record": None}, tell)
    assert (log.wants(WARN, "t"), log.wants(INFO, "t")) == (True, False)
    # Told before it takes effect, and only where something changes.
    assert told == ["debug False", "trace False", "warn True"]


def sink_of(stream: io.StringIO, filter: str | None = None) -> Sink:
    return open_sink(stream=stream, format="json", filter=filter)


def test_sinks_that_follow_show_what_the_host_says() -> None:
    log = make_log(log="warn")
    assert log.filters.log is None
    follower, other = sink_of(io.StringIO()), sink_of(io.StringIO(), "info")
    log.add_sink(follower)
    log.add_sink(other)
    assert (str(follower.filter), str(other.filter), str(log.filters.log)) == ("warn", "info", "warn")
    log.filters.change("x", {"log": parse_filter("[poll]=off,info")}, lambda: None)
    assert str(follower.filter) == "info,[poll]=off"
    late = sink_of(io.StringIO())
    log.add_sink(late)
    assert str(late.filter) == "info,[poll]=off"
    log.filters.set_own("log", parse_filter("error"))
    log.filters.change("x", {"log": None}, lambda: None)
    assert [str(each.filter) for each in (follower, late, other)] == ["error", "error", "info"]
    log.close()


def test_a_new_filter_is_seen_in_what_a_sink_writes() -> None:
    stream = io.StringIO()
    log = make_log()
    log.add_sink(sink_of(stream))
    log.filters.change("x", {"log": parse_filter("off,[poll{n=1}]=debug")}, lambda: None)
    logger = log.logger("t")
    with logger.span("poll", n=1):
        logger.debug("shown")
    with logger.span("poll", n=2):
        logger.info("not shown")
    assert log.close()
    assert stream.getvalue().count('"shown"') == 1
    assert "not shown" not in stream.getvalue()
    assert messages(follow(log, after_seq=0)) == ["shown", "not shown"]


def test_filters_that_do_not_parse() -> None:
    with pytest.raises(FilterError):
        make_log(log="warning")
    with pytest.raises(FilterError):
        make_log(record="warning")
