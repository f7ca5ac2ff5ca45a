"""Filters with scopes, decided for the ring and for readers: what passes is what the filter's words say of the line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inspector.tracing import Log, Span
from inspector.tracing.decide import Judge
from protocol.filters import Filter, parse_filter
from protocol.records import DEBUG, INFO, LEVEL_NAMES, Record
from tests.inspector.tracing.records import Clock, follow, make_log, messages, read


def shop(log: Log) -> None:
    """Work in three spans, one inside the other, and outside them."""
    logger = log.logger("shop")
    logger.info("outside")
    with log.start_span("request", {"rid": 7, "user": "ann"}, target="shop"):
        logger.info("in request")
        with logger.span("poll", n=1):
            logger.debug("polling", n=2)
            logger.trace("looked", found=0)
            with logger.span("step"):
                logger.info("stepping", n=3)
        with logger.span("poll", n=5):
            logger.info("polled")
    logger.info("after")


def kept(log: Log) -> list[str]:
    """Return what every event in the ring says; whoever asks wants nothing later."""
    reader = follow(log, after_seq=0)
    found = messages(reader)
    reader.close()
    return found


def said(record: str, act: Callable[[Log], None] = shop) -> list[str]:
    log = make_log(record=record)
    act(log)
    # With a filter that nothing passes the ring is read as it is.
    return [record.message or f"{record.kind} {record.span['name']}" for record in read(follow(log, after_seq=0))]


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ("info", ["outside", "in request", "stepping", "polled", "after"]),
        ("info,[poll]=off", ["outside", "in request", "after"]),
        ("info,[poll]=off,[step]=info", ["outside", "in request", "stepping", "after"]),
        ("off,[step]=trace", ["span_start step", "stepping", "span_end step"]),
        ("off,[poll{n=5}]", ["span_start poll", "polled", "span_end poll"]),
        # What a span's own records and those inside it say, by what is known when they are written.
        ("off,[{n>2}]=info", ["stepping", "polled"]),
        ("off,[poll{n=3}]", ["stepping"]),
        ("off,[{message~^poll}]", ["polling", "polled"]),
        (
            "info,[{n=2}]=debug,[{found}]=trace",
            ["outside", "in request", "polling", "looked", "stepping", "polled", "after"],
        ),
        (
            "off,[{user=ann,n<3}]=debug",
            ["span_start poll", "polling", "span_start step", "stepping", "span_end step", "span_end poll"],
        ),
        ("off,[request{user=bob}]", []),
        ("off,bank[poll]", []),
        ("off,shop[host]=info", ["outside", "after"]),
        ("off,shop[{host_id=1}]=info", ["outside", "after"]),
    ],
)
def test_the_ring_keeps_what_passes(filter: str, expected: list[str]) -> None:
    assert said(filter) == expected


def test_a_new_filter_applies_at_once_to_spans_already_open() -> None:
    log = make_log(record="info")
    logger = log.logger("shop")
    with logger.span("poll", n=1):
        logger.debug("too early")
        log.set_record_filter(parse_filter("info,[poll{n=1}]=debug"))
        logger.debug("heard")
        with logger.span("step"):
            log.set_record_filter(parse_filter("info,[poll{n=1}]=off"))
            logger.info("silenced")
            log.set_record_filter(parse_filter("info"))
            logger.info("heard again")
    assert messages(follow(log, after_seq=0)) == ["heard", "heard again"]


def test_each_reader_decides_for_itself() -> None:
    log = make_log(record="off")
    polls, steps, ann = follow(log, "[poll]=debug"), follow(log, "[step]"), follow(log, "[{user=ann}]=info,shop=off")
    plain = follow(log, "shop=info")
    shop(log)
    assert messages(polls) == ["polling", "stepping", "polled"]
    assert messages(steps) == ["stepping"]
    assert messages(ann) == []
    assert messages(plain) == ["outside", "in request", "stepping", "polled", "after"]
    polls.close()
    steps.close()
    plain.close()
    shop(log)
    assert log.next_seq == log.recorder.next_seq
    assert [record.message for record in read(follow(log, after_seq=polls.next_seq - 1))] == []


def test_a_reader_of_one_actor_has_scopes_too() -> None:
    log = make_log(record="off")
    mine = follow(log, "[{n=1}]=info", actor="cart/7")
    logger = log.logger("shop")
    for actor in ("cart/7", "cart/8"):
        with log.start_span("action", {"actor": actor}, target="shop"):
            logger.info("one", n=1, actor_was=actor)
            logger.info("two", n=2)
    assert log.next_seq == 2
    assert [record.fields["actor_was"] for record in read(mine)] == ["cart/7"]


def test_the_backlog_is_of_what_passes() -> None:
    log = make_log(record="trace")
    shop(log)
    assert messages(follow(log, "[poll]=info", backlog=1)) == ["polled"]
    assert messages(follow(log, "[{n=3}]", backlog=5)) == ["stepping"]
    assert messages(follow(log, "[request]=info", backlog=2, actor="nobody")) == []


def test_a_reader_is_woken_for_what_may_pass() -> None:
    log = make_log()
    woken: list[str] = []
    log.subscribe(parse_filter("[poll]"), wake=lambda: woken.append("poll"))
    log.subscribe(parse_filter("[{n=3}]"), wake=lambda: woken.append("n"))
    log.subscribe(parse_filter("bank"), wake=lambda: woken.append("bank"))
    logger = log.logger("shop")
    with log.start_span("request", {}, target="shop"):
        assert woken == ["n"]
        with logger.span("poll"):
            assert woken == ["n", "poll"]


def test_another_filter_of_a_reader_changes_what_is_recorded() -> None:
    log = make_log(record="off")
    reader = follow(log, "[step]")
    reader.set_filter(parse_filter("[poll]=info"))
    assert str(reader.filter) == "[poll]=info"
    shop(log)
    assert messages(reader) == ["stepping", "polled"]
    reader.close()
    reader.set_filter(parse_filter("info"))
    shop(log)
    assert log.next_seq == 3


def test_who_left_is_still_recorded_for_a_while() -> None:
    clock = Clock(0)
    log = make_log(record="off", monotonic=clock)
    gone = follow(log, "[{n=3}]=info")
    gone.close(linger=10)
    shop(log)
    assert kept(log) == ["stepping"]
    clock.now = 11 * 10**9
    shop(log)
    assert log.next_seq == 2


def test_lingering_beside_a_reader() -> None:
    clock = Clock(0)
    log = make_log(record="off", monotonic=clock)
    follow(log, "[step]=info").close(linger=10)
    stays = follow(log, "[{n=5}]=info")
    shop(log)
    assert messages(stays) == ["polled"]
    assert kept(log) == ["stepping", "polled"]
    clock.now = 11 * 10**9
    shop(log)
    assert log.next_seq == 4


def test_tests_look_at_what_is_written() -> None:
    log = make_log(record="off", secret_names=["pin"])
    logger = log.logger("shop")
    hidden, found = follow(log, '[{pin="[redacted]"}]=info'), follow(log, "[{pin=1234}]=info")
    listed, renamed = follow(log, '[{items="[1,2]"}]=info'), follow(log, "[{message_=own}]=info")
    with logger.span("pay", pin=1234):
        logger.info("in a span")
    logger.info("in an event", pin=1234)
    logger.info("listed", items=(1, 2))
    logger.info("renamed", **{"message": "own"})
    logger.info("named", pin=object())
    assert messages(found) == []
    assert messages(hidden) == ["in a span", "in an event", "named"]
    assert messages(listed) == ["listed"]
    assert messages(renamed) == ["renamed"]


def test_a_secret_that_becomes_known_is_hidden_from_filters_too() -> None:
    log = make_log(record="off,[pay{card=4711}]=info")
    reader = follow(log, "[pay{card=4711}]=info", after_seq=0)
    logger = log.logger("shop")
    with logger.span("pay", card="4711"):
        logger.info("before")
        assert messages(reader) == ["before"]
        log.add_secret("4711")
        logger.info("after")
    assert messages(reader) == []
    assert log.next_seq == 2


def test_exceptions_and_spans_given_by_hand_are_judged_alike() -> None:
    log = make_log(record="off,[poll{n=1}]=info")
    logger = log.logger("shop")
    span = log.start_span("poll", {"n": 1}, target="shop")
    logger.event(INFO, span, "by hand")
    with span:
        logger.exception("failed", ValueError("x"))
    logger.exception("elsewhere", ValueError("x"))
    assert messages(follow(log, after_seq=0)) == ["by hand", "failed"]


def test_spans_from_elsewhere_have_no_ancestors_here() -> None:
    log = make_log(record="trace")
    outer = log.start_span("outer", {"n": 1}, target="shop")
    log.start_span("inner", {}, target="shop", parent=outer.context).end()
    log.start_span("inner", {"near": True}, target="shop", parent=outer).end()
    found = read(follow(log, "[{n=1}]", after_seq=0))
    assert [(record.kind, record.span["name"]) for record in found] == [
        ("span_start", "outer"),
        ("span_start", "inner"),
        ("span_end", "inner"),
    ]


def test_what_is_remembered_is_bounded_and_keeps_no_span_alive() -> None:
    log = make_log(record="trace", max_records=10)
    judge = Judge(parse_filter("[{n=1}],[deep]=off"))
    site = log.site(DEBUG, "shop")
    span: Span | None = None
    for number in range(100):
        span = log.start_span("deep" if number == 99 else "s", {"n": int(number == 0)}, target="shop", parent=span)
        assert judge.of_span(site, span) is (number < 99)
    assert span is not None
    for _ in range(1000):
        below = log.start_span("s", {"n": 0}, target="shop", parent=span)
        assert judge.of_span(site, below) is False
        assert len(judge._places) <= 512
    judge.forget()
    assert judge.of_span(site, span) is False
    # Spans that add nothing share what is known of their parent.
    judge.forget()
    middle = span.parent
    assert middle is not None
    judge.of_span(site, middle)
    assert len({id(places) for places in judge._places.values()}) == 1
    held = {type(each) for places in judge._places.items() for each in places}
    assert held == {bytes, tuple}


def test_a_look_at_what_has_ended_leaves_nothing_with_it() -> None:
    log = make_log(record="trace")
    with log.start_span("poll", {"n": 1}, target="shop") as span:
        log.logger("shop").info("x")
    assert span.known_text is None
    assert messages(follow(log, "[{n=1}]", after_seq=0)) == ["x"]
    assert span.known_text is None


def test_more_spans_than_a_guard_remembers() -> None:
    log = make_log(record="off,[{n=1}]=info")
    mine = follow(log, "shop=info", actor="cart/7")
    logger = log.logger("shop")
    spans = [log.start_span("s", {"n": number % 2, "actor": f"cart/{number}"}, target="shop") for number in range(1500)]
    for _ in range(2):
        for span in spans:
            logger.event(INFO, span, "said")
    assert log.next_seq == 2 * 750 + 1
    assert messages(mine) == ["said"] * 2


def test_a_line_is_read_only_where_nothing_else_decides() -> None:
    log = make_log()
    judge = Judge(parse_filter("info,[poll]=off,[{n=1}]=debug"))
    site, span = log.site(INFO, "shop"), log.start_span("poll", {}, target="shop")
    assert judge.of_line(site, span, b"no JSON") is False
    assert judge.of_line(site, log.host_span, b'{"fields":{"n":1}}') is True
    assert judge.of_line(log.site(DEBUG, "shop"), log.host_span, b'{"kind":"span_end"}') is False
    assert judge.of_line(log.site(DEBUG, "shop"), log.host_span, b'{"fields":{"n":1}}') is True


def test_a_thousand_subscribers_with_a_thousand_filters() -> None:
    log = make_log(record="off")
    readers = [follow(log, f"off,[request{{user=u{number}}}]=info,t{number}=debug") for number in range(1000)]
    logger = log.logger("shop")
    sites = {log.site(DEBUG, f"t{number}") for number in (1, 2)}
    assert [[reader.filter.enabled(DEBUG, site.target) for reader in site.readers] for site in sites] == [[True]] * 2
    for number in range(0, 1000, 50):
        with log.start_span("request", {"user": f"u{number}"}, target="shop"):
            logger.info("one", number=number)
            logger.debug("nobody")
            logger.info("two", number=number)
    # Only what somebody wants is kept, and each finds his own.
    assert log.next_seq == 41
    for number, reader in enumerate(readers):
        assert messages(reader) == (["one", "two"] if number % 50 == 0 else [])
    # Who wants a record in one span is found out once: at the second, one answer is looked up.
    guard = log.site(INFO, "shop").guard
    assert guard is not None
    asked: list[int] = []

    class Counting(Judge):
        def of_span(self, site: Any, span: Span) -> bool | None:
            asked.append(1)
            return super().of_span(site, span)

    for reader in readers:
        reader.judge = Counting(reader.filter)
        log.filter_changed(reader) if reader is readers[-1] else None
    with log.start_span("request", {"user": "nobody"}, target="shop"):
        logger.info("first")
        assert len(asked) == 1000
        logger.info("second")
        assert len(asked) == 1000
    for reader in readers:
        reader.close()
    assert not any(log.wants(level, "shop") for level in range(len(LEVEL_NAMES)))
    assert not any(site.readers for site in log._wiring.sites.values())


NAMES = st.sampled_from(["a", "b"])
FIELDS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(["n", "m", "actor"]), st.sampled_from([1, 2, "x", None]), max_size=2
)
EVENTS = st.tuples(st.just("event"), st.integers(0, 4), st.sampled_from(["t", "t.u"]), FIELDS)
WORK = st.recursive(
    EVENTS, lambda inner: st.tuples(st.just("span"), NAMES, FIELDS, st.lists(inner, max_size=4)), max_leaves=12
)
TESTS = st.sampled_from(["n", "n=1", "n!=1", "n>1", "m=x", "m~^x$", "message=said", "name=a", "actor=x"])
SCOPES = st.builds(
    lambda span, tests: f"[{span}{{{','.join(tests)}}}]" if tests else f"[{span}]",
    st.sampled_from(["", "a", "b"]),
    st.lists(TESTS, max_size=2),
)
DIRECTIVES = st.builds(
    lambda target, scope, level: f"{target}{scope}={level}" if target + scope else level,
    st.sampled_from(["", "t", "t.u"]),
    st.just("") | SCOPES,
    st.sampled_from(["off", "error", "info", "debug", "trace"]),
)
FILTERS = st.lists(DIRECTIVES, min_size=1, max_size=5).map(",".join)


def work(log: Log, piece: Any) -> None:
    if piece[0] == "event":
        _, level, target, fields = piece
        getattr(log.logger(target), LEVEL_NAMES[level].lower())("said", **fields)
    else:
        _, name, fields, inner = piece
        with log.logger("t").span(name, **fields):
            for each in inner:
                work(log, each)


def told(record: Record, spans: dict[str, Record]) -> list[dict[str, Any]]:
    """Return the spans around a record, root first, with its own."""
    chain = [record.span]
    parent = record.parent_id
    while parent is not None:
        chain.insert(0, spans[parent].span)
        parent = spans[parent].parent_id
    return chain


def what(record: Record) -> tuple[Any, ...]:
    return record.kind, record.level, record.target, tuple(record.fields.items()), tuple(record.span.items())


@settings(deadline=None)
@given(st.lists(WORK, max_size=5), FILTERS)
@example([("span", "a", {"n": 1}, [("event", 2, "t", {"n": 2}), ("event", 2, "t", {})])], "off,[a{n=2}]=info")
def test_ring_and_reader_keep_what_the_filter_says_of_each_record(pieces: list[Any], filter: str) -> None:
    everything, recording, asked = make_log(record="trace"), make_log(record=filter), make_log(record="off")
    parsed: Filter = parse_filter(filter)
    reader = follow(asked, filter)
    for log in (everything, recording, asked):
        for piece in pieces:
            work(log, piece)
    records = read(follow(everything, after_seq=0))
    spans = {record.span_id: record for record in records if record.kind == "span_start"}
    expected = [
        what(record)
        for record in records
        if parsed.passes(record.level_number, record.target, record.fields, told(record, spans))
    ]
    assert [what(record) for record in read(follow(recording, after_seq=0))] == expected
    assert [what(record) for record in read(reader)] == expected
    assert [what(record) for record in read(follow(everything, filter, after_seq=0))] == expected
    # One who reads it all may find more than one asked for, but nothing is missing.
    assert asked.next_seq == len(expected) + 1
