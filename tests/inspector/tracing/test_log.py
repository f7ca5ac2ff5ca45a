"""The log: loggers that are swapped, what is kept, and who is told."""

from __future__ import annotations

import time
from typing import Any

import pytest

from inspector.tracing import DEBUG, ERROR, INFO, TRACE, WARN, Log, Span, current_span, get_logger
from inspector.tracing.decide import Judge
from inspector.tracing.emit import nothing
from inspector.tracing.sites import Site
from protocol.filters import FilterError, parse_filter
from tests.inspector.tracing.records import Clock, all_lines, follow, make_log, messages, read


def test_an_event() -> None:
    log = make_log()
    reader = follow(log)
    with log.logger("shop").span("action", actor="cart/7") as span:
        for _ in range(2):
            log.logger("shop.cart").info("card accepted", amount=12, level="x", seq=7)
    for event in read(reader)[1:3]:
        assert (event.level, event.kind, event.target) == ("INFO", "event", "shop.cart")
        assert event.fields == {"message": "card accepted", "amount": 12, "level": "x", "seq": 7}
        assert event.span == {"name": "action", "actor": "cart/7"}
        assert (event.trace_id, event.span_id, event.parent_id) == (span.trace_id, span.span_id, span.parent_id)


@pytest.mark.parametrize("message", ["", "x", "x" * 1000, "{[", "ü\n", "\ud800", 7, None, ["list"], {"a": 1}])
def test_any_message_and_no_fields(message: Any) -> None:
    log = make_log()
    reader = follow(log)
    logger = log.logger("t")
    for _ in range(3):
        logger.info(message)
        logger.info(message, n=1)
    events = read(reader)
    assert len({event.message for event in events}) == 1
    assert [event.fields.get("n") for event in events] == [None, 1] * 3
    if isinstance(message, str) and message.isprintable():
        assert events[0].message == message


def test_messages_that_are_never_the_same() -> None:
    log = make_log()
    reader = follow(log)
    for number in range(1000):
        log.logger("t").info(f"message {number}", n=number)
    assert messages(reader) == [f"message {number}" for number in range(1000)]


def test_fields_of_every_kind_again_and_again() -> None:
    log = make_log()
    reader = follow(log)
    for _ in range(3):
        log.logger("t").info("x", a=1, b=[1, {"c": 2}], password="p", text="{[", s={1}, big=2**70, long="y" * 5000)
    for event in read(reader):
        assert event.fields == {
            "message": "x",
            "a": 1,
            "b": [1, {"c": 2}],
            "password": "[redacted]",
            "text": "{[",
            "s": [1],
            "big": str(2**70),
            "long": "y" * 5000,
        }


def test_a_huge_value_under_a_message_that_had_a_small_one() -> None:
    log = make_log()
    reader = follow(log)
    logger = log.logger("t")
    for value in (1, 1, [1] * 100_000, [1] * 100_000, 1, [1], {"secret": 1}, "[", 1):
        logger.info("x", value=value)
    values = [event.fields["value"] for event in read(reader)]
    assert values[:2] == [1, 1]
    assert values[2] == values[3]
    assert values[2][-1].endswith("more entries")
    assert values[4:] == [1, [1], {"secret": "[redacted]"}, "[", 1]


def test_one_record_is_at_most_64_kib() -> None:
    log = make_log()
    reader = follow(log)
    big = {f"f{number}": "\x00" * 100_000 for number in range(100)}
    error = ExceptionGroup("\x00" * 100_000, [ValueError("\x00" * 100_000)] * 50)
    with log.logger("t").span("x" * 100_000, **big):
        log.logger("t").exception("y" * 100_000, error, WARN, **big)
    lines = all_lines(reader)
    assert len(lines) == 3
    assert 40_000 < max(map(len, lines)) <= 64 * 1024


def test_an_exception_at_any_level() -> None:
    log = make_log()
    reader = follow(log)
    logger = log.logger("t")
    logger.exception("bad", ValueError("a"))
    logger.exception("bad", ValueError("b"), WARN, level=3)
    one, other = read(reader)
    assert (one.level, other.level, other.fields["level"]) == ("ERROR", "WARN", 3)
    assert one.exception == {"type": "ValueError", "message": "a", "frames": []}


def test_levels_that_nobody_wants_are_swapped_out() -> None:
    log = make_log(record="warn,shop.cart=debug")
    logger, cart = log.logger("shop"), log.logger("shop.cart")
    assert [logger.enabled(level) for level in range(5)] == [False, False, False, True, True]
    assert log.wants(DEBUG, "shop.cart.items")
    assert not log.wants(TRACE, "shop.cart")
    silent = {name for name in ("trace", "debug", "info", "warn", "error") if vars(type(logger))[name] is nothing}
    assert silent == {"trace", "debug", "info"}
    assert vars(type(cart))["trace"] is nothing
    for each in (logger, cart):
        each.trace("trace", n=1)
        each.debug("debug")
        each.info("info")
        each.warn("warn")
        each.error("error")
        each.exception("not wanted", ValueError(), TRACE)
    log.start_span("quiet", {}, target="shop").end()
    reader = follow(log, backlog=100)
    assert [(event.target, event.message) for event in read(reader)] == [
        ("shop", "warn"),
        ("shop", "error"),
        ("shop.cart", "debug"),
        ("shop.cart", "info"),
        ("shop.cart", "warn"),
        ("shop.cart", "error"),
    ]


def test_a_new_record_filter_applies_at_once_to_loggers_and_open_spans() -> None:
    log = make_log(record="off")
    logger = log.logger("t")
    span = log.start_span("open", {"a": 1}, target="t")
    logger.error("lost")
    log.set_record_filter(parse_filter("trace"))
    logger.trace("kept")
    span.end()
    log.set_record_filter(parse_filter("off"))
    logger.error("lost")
    assert str(log.record_filter) == "off"
    kept, end = read(follow(log, after_seq=0))
    assert (kept.message, kept.seq, end.span) == ("kept", 1, {"name": "open", "a": 1})


def test_kept_is_what_the_ring_or_a_reader_wants() -> None:
    log = make_log(record="info")
    logger = log.logger("t")
    logger.debug("before")
    reader = follow(log, "t=debug")
    other = follow(log, "warn")
    logger.trace("never")
    logger.debug("during")
    reader.close()
    reader.close()
    logger.debug("after")
    logger.warn("end")
    assert messages(follow(log, "trace", after_seq=0)) == ["during", "end"]
    assert messages(other) == ["end"]
    assert reader.collect() is None
    assert log.next_seq == 3


def test_a_readers_filter_can_change() -> None:
    log = make_log(record="off")
    reader = follow(log, "warn")
    log.logger("t").info("lost")
    reader.set_filter(parse_filter("info"))
    log.logger("t").info("kept")
    assert messages(reader) == ["kept"]
    assert str(reader.filter) == "info"


def test_a_reader_of_one_actor_makes_only_that_one_talk() -> None:
    log = make_log(record="info")
    reader = follow(log, "trace", actor="a/1")
    logger = log.logger("t")
    with logger.span("one", actor="a/1"):
        logger.trace("wanted", n=1)
        logger.info("wanted too")
        with logger.span("below"):
            logger.trace("wanted below")
    with logger.span("two", actor="a/12"):
        logger.trace("lost", n=1)
        logger.exception("lost", ValueError(), DEBUG)
        logger.info("kept, but for others")
    logger.trace("lost")
    assert messages(reader) == ["wanted", "wanted too", "wanted below"]
    assert messages(follow(log, "trace", after_seq=0)) == [
        "wanted",
        "wanted too",
        "wanted below",
        "kept, but for others",
    ]
    assert "one" in {record.span["name"] for record in read(follow(log, "trace", after_seq=0))}


def test_what_a_reader_wanted_is_kept_until_it_may_be_back() -> None:
    monotonic = Clock(0)
    log = make_log(record="info", monotonic=monotonic)
    logger = log.logger("t")
    reader = follow(log, "trace")
    logger.trace("1")
    assert messages(reader) == ["1"]
    reader.close(linger=30.0)
    logger.trace("2")
    monotonic.now = 30 * 10**9 - 1
    logger.trace("3")
    back = follow(log, "trace", after_seq=reader.next_seq - 1)
    assert (back.missed, messages(back)) == (0, ["2", "3"])
    back.close()
    logger.trace("4")
    monotonic.now += 2
    logger.trace("lost")
    assert not logger.enabled(TRACE)
    logger.trace("lost")
    assert messages(follow(log, "trace", after_seq=0)) == ["1", "2", "3", "4"]


def test_lingering_of_one_actor() -> None:
    monotonic = Clock(0)
    log = make_log(record="off", monotonic=monotonic)
    logger = log.logger("t")
    with logger.span("one", actor="a"):
        follow(log, "trace", actor="a").close(linger=10)
        logger.trace("kept")
        with logger.span("two", actor="b"):
            logger.trace("lost")
        other = follow(log, "trace", actor="b")
        with logger.span("three", actor="b"):
            logger.trace("kept for the other")
        monotonic.now = 10 * 10**9
        logger.trace("lost")
    assert messages(other) == ["kept for the other"]
    assert messages(follow(log, "trace", after_seq=0)) == ["kept", "kept for the other"]


def test_lingering_readers_are_bounded_and_told_apart() -> None:
    log = make_log(record="off")
    for number in range(200):
        follow(log, f"t{number}=info").close(linger=10)
        follow(log, "warn").close(linger=10)
    assert len(log._wiring._wants._lingers) == 64


def test_a_reader_is_woken_once_until_it_looks_again() -> None:
    log = make_log()
    woken: list[str] = []
    reader = log.subscribe(parse_filter("info"), wake=lambda: woken.append("info"))
    traced = log.subscribe(parse_filter("t=trace"), wake=lambda: woken.append("trace"))
    logger = log.logger("t")
    logger.trace("a")
    assert woken == ["trace"]
    logger.info("b", n=1)
    logger.info("c", n=1)
    assert woken == ["trace", "info"]
    assert messages(reader) == ["b", "c"]
    logger.trace("d")
    logger.exception("e", ValueError())
    log.start_span("f", {}, target="t").end()
    assert woken == ["trace", "info", "info"]
    assert messages(traced) == ["a", "b", "c", "d", "e"]
    traced.close()
    log.start_span("f", {}, target="t", level=INFO)
    assert woken == ["trace", "info", "info"]


def test_a_wake_that_raises_is_its_readers_affair() -> None:
    log = make_log()

    def raising() -> None:
        raise RuntimeError("too late")

    reader = log.subscribe(parse_filter("info"), wake=raising)
    log.logger("t").info("x", n=1)
    assert messages(reader) == ["x"]


def test_a_reader_that_another_thread_has_woken() -> None:
    log = make_log()
    woken: list[str] = []
    reader = log.subscribe(parse_filter("info"), wake=lambda: woken.append("twice"))
    log.subscribe(parse_filter("info"), wake=lambda: woken.append("the other"))

    class Overtaken(Judge):
        def of_span(self, site: Site, span: Span) -> bool | None:
            # As if the other thread came in between the look at who is armed and the wake.
            log.disarm(reader)
            return super().of_span(site, span)

    reader.judge = Overtaken(reader.filter)
    log.logger("t").info("x")
    assert woken == ["the other"]


def test_names_of_spans_that_are_never_the_same() -> None:
    log = make_log()
    reader = follow(log)
    for number in range(1000):
        for _ in range(2):
            log.start_span(f"s{number}", {"n": number}, target="t")
    assert [record.span for record in read(reader)[::2]] == [{"name": f"s{n}", "n": n} for n in range(1000)]
    assert len(log.span_heads) <= 256


def test_spans_that_were_lost_are_forgotten() -> None:
    log = make_log(record="off")
    kept = [log.start_span("kept", {}, target="t") for _ in range(100)]
    for _ in range(20_000):
        log.start_span("lost", {}, target="t")
    assert len(log.open_spans.entries) <= 4096
    assert all(log.span_records([span.span_id]) for span in kept)


def test_the_hosts_secret_is_redacted_wherever_it_stands() -> None:
    log = make_log()
    reader = follow(log)
    logger = log.logger("t")
    token = "8Jx2mQ9vT4zKp7RwY1sB6nHcD3fGaL5e"
    open_span = log.start_span("open", {"url": f"ws://x?{token}"}, target="t")
    logger.info(f"with {token}", n=1)
    logger.info(f"with {token}", n=1)
    assert all(token in line.decode() for line in all_lines(reader))
    log.add_secret(token)
    with logger.span(token, **{token: 1, "b": token.encode(), "list": [token]}):
        for _ in range(2):
            logger.info(f"with {token}", n=1)
            logger.info("x", url=f"http://x?{token}")
            logger.exception("x", ValueError(token))
    open_span.end()
    log.add_secret("another one")
    logger.info("x", url=f"http://x?{token}")
    logger.info("x", n="another one")
    lines = all_lines(reader)
    assert len(lines) == 11
    assert not any(token in line.decode() or "another one" in line.decode() for line in lines)


def test_names_to_redact_can_be_added() -> None:
    log = make_log(secret_names=["iban"])
    reader = follow(log)
    log.logger("t").info("x", customer_iban="DE02")
    assert read(reader)[0].fields["customer_iban"] == "[redacted]"


def test_a_finaliser_and_a_value_that_log() -> None:
    log = make_log()
    reader = follow(log)
    logger = log.logger("t")

    class Chatty:
        def __repr__(self) -> str:
            logger.info("from repr")
            return "chatty"

        def __del__(self) -> None:
            logger.info("from del")

    logger.info("outer", value=Chatty())
    assert messages(reader) == ["from repr", "outer", "from del"]


def test_defaults() -> None:
    log = Log()
    assert len(log.host_id) == 32
    assert log.host_id != Log().host_id
    before = time.time_ns()
    span = log.start_span("x", {}, target="t")
    assert before <= span.start_ns <= time.time_ns()
    assert str(log.record_filter) == "debug"
    with pytest.raises(FilterError):
        Log(record="warning")
    with pytest.raises(ValueError, match="at least one byte"):
        Log(record_size=0)
    with pytest.raises(ValueError, match="at least one byte"):
        Log(max_records=0)


def test_open_and_close_are_once() -> None:
    log = make_log()
    log.open()
    log.open()
    assert log.close()
    assert log.close()
    log.logger("t").error("still kept")
    assert [record.kind for record in read(follow(log, after_seq=0))] == ["span_start", "span_end", "event"]


def test_loggers_are_kept_by_target() -> None:
    log = make_log()
    assert log.logger("t") is log.logger("t")
    assert get_logger("m") is get_logger("m")


def test_a_modules_logger_finds_the_log() -> None:
    logger = get_logger("module")
    assert logger.find() is None
    assert not logger.enabled(ERROR)
    for call in (logger.trace, logger.debug, logger.info, logger.warn, logger.error):
        call("lost")
    logger.exception("lost", ValueError())
    with pytest.raises(LookupError):
        logger.span("x")
    one, other = make_log(record="trace"), make_log()
    with one:
        logger.trace("1")
        logger.debug("2")
        logger.info("3")
        logger.warn("4")
        logger.error("5")
        logger.exception("6", ValueError())
        assert logger.enabled(TRACE)
        with other:
            logger.info("lost: which one?")
            with other.logger("x").span("here"):
                logger.info("7")
                with logger.span("below") as below:
                    assert current_span.get() is below
        logger.info("8")
    assert messages(follow(one, after_seq=0)) == ["1", "2", "3", "4", "5", "6", "8"]
    assert messages(follow(other, after_seq=0)) == ["7"]
