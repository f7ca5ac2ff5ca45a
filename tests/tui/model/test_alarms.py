"""What makes a rule fire, kind by kind, by a clock that is set by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.messages import Failure
from tests.tui.host import actor, record, span_record
from tui.model.alarm_kinds import FRESH, MAX_SAMPLES, find_value, make_alarm
from tui.model.alarms import MAX_SUBJECTS, Alarm, Firing, Held, Hit, Window, describe_record
from tui.model.rule_grammar import parse_rule

__all__ = ()


class Seen:
    """An alarm and what it told."""

    def __init__(self, rule: str) -> None:
        self.told: list[Firing] = []
        self.alarm = make_alarm(parse_rule(f"{rule} every 1ms"), self._tell, lambda: 1_700_000_000.5)

    def _tell(self, alarm: Alarm, firing: Firing) -> None:
        assert alarm is self.alarm
        self.told.append(firing)

    @property
    def what(self) -> list[str]:
        return [firing.hit.what for firing in self.told]


def test_each_record_fires_and_those_too_soon_are_counted() -> None:
    told: list[Firing] = []
    alarm = make_alarm(parse_rule("bad: log error every 10s"), lambda alarm, firing: told.append(firing), lambda: 0.25)
    alarm.take(b"", 0.0)
    alarm.take(b"\n".join([record(1, "a", "ERROR"), record(2, "b", "ERROR")]), 0.0)
    alarm.take(record(3, "c", "ERROR"), 9.0)
    alarm.take(record(4, "d\x1b", "ERROR", code=5), 10.0)
    assert [(firing.number, firing.more) for firing in told] == [(2, 1), (4, 1)]
    assert (alarm.count, alarm.last) == (4, told[1])
    assert told[1].hit.what == "ERROR shop.cart d␛ code=5"
    values = told[1].as_values()
    assert values["record"]["seq"] == 4
    del values["record"]
    assert values == {
        "rule": "bad: log error every 10s",
        "name": "bad",
        "at": "1970-01-01T00:00:00.250000Z",
        "what": "ERROR shop.cart d␛ code=5",
        "subject": None,
        "value": None,
        "number": 4,
        "more": 1,
    }


def test_what_was_lost_on_the_way_counts_too() -> None:
    seen, rate = Seen("log error"), Seen("log error rate >= 2/s")
    seen.alarm.take(record(1), 0.0, lost=4)
    seen.alarm.take(b"", 1.0, lost=5)
    assert (seen.what[1], seen.alarm.count) == ("5 records that came too fast to be seen", 10)
    rate.alarm.take(record(1), 0.0, lost=8)
    assert rate.told == []
    rate.alarm.take(b"", 1.0, lost=1)
    assert rate.what == ["2 records/s"]


@pytest.mark.parametrize("line", [b"{", b"\xff\xfe", b"[" * 5000, b'{"a":"' + b"x" * (65 << 10) + b'"}'])
def test_a_record_that_is_none_is_told_without_it(line: bytes) -> None:
    seen = Seen("log error")
    seen.alarm.take(line, 0.0)
    assert seen.told[0].as_values()["record"] is None
    assert len(describe_record(line)) < 500
    assert describe_record(line).isprintable()


def test_a_rate_fires_when_it_has_lasted_and_again_after_it_was_over() -> None:
    seen = Seen("log info rate > 2/s for 3s")
    lines = b"\n".join(record(n) for n in range(3))
    at = 0.0
    while at < 20:
        seen.alarm.take(lines if at < 10 else b"", at)
        at += 0.5
    assert len(seen.told) == 1
    assert seen.alarm.state == "waiting"
    while at < 30:
        seen.alarm.take(lines, at)
        at += 0.5
    assert len(seen.told) == 2
    assert (seen.alarm.state, seen.told[1].hit.value > 2) == ("holds", True)


def test_silence_is_told_only_of_a_time_that_was_seen_whole() -> None:
    seen = Seen("log info rate < 1/m")
    for at in (0, 30, 59):
        seen.alarm.tick(at)
    assert seen.told == []
    seen.alarm.interrupted()
    for at in (60, 61, 119):
        seen.alarm.tick(at)
    assert seen.told == []
    seen.alarm.tick(120)
    assert seen.what == ["0 records/m"]


def test_each_long_span_fires() -> None:
    seen = Seen("latency action=charge actor=pay/* > 1s")
    lines = [
        span_record(1, "action", action="charge", actor="pay/eu"),
        span_record(2, "action", ended=1_500_000_000, action="charge", actor="pay/eu"),
        span_record(3, "action", ended=1_000_000_000, action="charge", actor="pay/eu"),
        span_record(4, "action", ended=1_500_000_000, action="charge", actor="mail"),
        span_record(5, "action", ended=1_500_000_000, action="refund", actor="pay/eu"),
        b'{"kind":"span_end","span":5}',
        b'{"kind":"span_end","span":{},"duration_ns":5e9}',
        record(6, "charge"),
    ]
    seen.alarm.take(b"\n".join(lines), 1.0)
    seen.alarm.tick(2.0)
    assert [firing.hit.value for firing in seen.told] == [1.5]
    assert "1.50 s" in seen.what[0]


@pytest.mark.parametrize("rule", ["latency charge > 1s", "latency name=ch*e > 1s", "latency > 1s"])
def test_a_span_is_meant_by_its_name_too(rule: str) -> None:
    seen = Seen(rule)
    seen.alarm.take(span_record(1, "charge", ended=2_000_000_000), 0.0)
    assert len(seen.told) == 1
    assert seen.told[0].hit.line == span_record(1, "charge", ended=2_000_000_000)


def test_a_percentile_is_of_the_last_time_alone() -> None:
    seen = Seen("latency p90 >= 100ms over 10s")
    spans = [span_record(n, "work", ended=n * 10_000_000) for n in range(1, 11)]
    seen.alarm.take(b"\n".join(spans), 0.0)
    seen.alarm.tick(0.0)
    assert seen.told == []
    seen.alarm.take(b"\n".join(spans[9:] * 10), 5.0)
    seen.alarm.tick(5.0)
    assert (seen.what, seen.told[0].hit.value) == (["p90 is 100 ms of 20 spans"], 0.1)
    seen.alarm.tick(16.0)
    assert seen.alarm.state == "waiting"
    seen.alarm.take(spans[9], 17.0)
    seen.alarm.tick(17.0)
    assert seen.what[1] == "p90 is 100 ms of 1 spans"
    seen.alarm.reset()
    seen.alarm.tick(17.5)
    assert (len(seen.told), seen.alarm.state) == (2, "waiting")
    for _ in range(3):
        seen.alarm.take(b"\n".join(spans * (MAX_SAMPLES // 20)), 18.0)
    seen.alarm.tick(18.0)
    assert len(seen.told) == 2


def test_an_actor_that_fails_is_told_once_a_life() -> None:
    seen = Seen("actor pay/* failed")
    failed = actor("pay/eu", "failed", failure=Failure(type="Declined", message="no\x1b", at=1))
    seen.alarm.actors([actor("mail", "failed"), actor("pay/us")], 0.0, listed=True)
    assert seen.told == []
    seen.alarm.actors([failed], 1.0, listed=False)
    seen.alarm.actors([failed], 2.0, listed=False)
    seen.alarm.actors([actor("pay/eu")], 3.0, listed=False)
    seen.alarm.actors([failed], 4.0, listed=False)
    assert seen.what == ["pay/eu is failed: Declined: no␛"] * 2
    assert (seen.told[0].hit.subject, seen.told[0].hit.value) == ("pay/eu", "failed")
    # Another run of the host: what is failed there has failed anew.
    seen.alarm.reset()
    seen.alarm.actors([failed], 5.0, listed=True)
    assert len(seen.told) == 3


def test_dead_and_gone() -> None:
    dead, gone = Seen("actor * dead"), Seen("actor a/* gone")
    for seen in (dead, gone):
        seen.alarm.actors([actor("a/1", "stopped"), actor("a/2", "idle")], 0.0, listed=True)
        seen.alarm.removed(["a/2", "b"], 1.0)
    assert (dead.what, gone.what) == (["a/1 is stopped"], ["a/2 is gone"])
    # One that is made again and removed again.
    gone.alarm.actors([actor("a/2", "idle")], 2.0, listed=False)
    gone.alarm.removed(["a/2"], 3.0)
    assert len(gone.told) == 2


def test_a_mailbox_that_is_full_for_a_while() -> None:
    seen = Seen("actor * mailbox > 50 for 10s")
    for at, mailbox in ((0, 60), (8, 1000), (9, 50), (10, 51), (19, 1300)):
        seen.alarm.actors([actor("a", mailbox=mailbox)], at, listed=False)
    assert seen.told == []
    seen.alarm.tick(20.0)
    assert (seen.what, seen.told[0].hit.value) == (["a has mailbox 1,300"], 1300)
    # Without a connection nobody knows what was meanwhile.
    seen.alarm.actors([actor("b", mailbox=60)], 20, listed=False)
    seen.alarm.interrupted()
    seen.alarm.actors([actor("b", mailbox=60)], 40, listed=True)
    seen.alarm.tick(49)
    assert len(seen.told) == 1
    seen.alarm.tick(50)
    assert len(seen.told) == 2


def test_a_million_actors_are_no_million_tellings() -> None:
    held = Held(0)
    for number in range(MAX_SUBJECTS + 10):
        held.observe(str(number), True, 0.0, lambda: Hit("x"))
    assert len(held.due(0.0)) == MAX_SUBJECTS
    assert held.holds


def test_restarts_are_counted_from_what_was_there() -> None:
    seen = Seen("restarts pay/* > 2 in 1m")
    seen.alarm.actors([actor("pay/eu", restarts=7), actor("mail", restarts=9)], 0.0, listed=True)
    seen.alarm.actors([actor("pay/eu", restarts=8), actor("mail", restarts=99)], 1.0, listed=False)
    seen.alarm.actors([actor("pay/us", restarts=1)], 2.0, listed=False)
    assert seen.told == []
    # Made anew it counts from the beginning.
    seen.alarm.actors([actor("pay/eu", restarts=1, id="another")], 3.0, listed=False)
    assert seen.what == ["3 restarts in 1m, the last of pay/eu"]
    assert (seen.told[0].hit.subject, seen.told[0].hit.value) == ("pay/eu", 3)
    seen.alarm.tick(70.0)
    assert seen.alarm.state == "waiting"
    seen.alarm.removed(["pay/eu"], 71.0)
    seen.alarm.interrupted()
    seen.alarm.reset()
    seen.alarm.actors([actor("pay/us", restarts=50)], 72.0, listed=True)
    assert len(seen.told) == 1


def test_too_few_actions_in_a_time_that_was_seen_whole() -> None:
    seen = Seen("actions = 0 in 10s")
    seen.alarm.tick(0)
    seen.alarm.tick(9)
    assert seen.told == []
    seen.alarm.tick(10)
    assert seen.what == ["0 actions in 10s"]


def test_a_state_that_is_as_asked() -> None:
    seen = Seen("state a/b .list[1].n >= 3")
    for at, state in enumerate([{}, {"list": [0, {"n": 2}]}, {"list": [0, {"n": 3}]}, {"list": [0, {"n": 4}]}, None]):
        seen.alarm.state_seen(state, at)
    assert (seen.what, seen.told[0].hit.subject) == (["a/b .list.1.n is 3"], "a/b")
    assert seen.alarm.state == "waiting"
    text = Seen('state a/b .s ~ "^x+$"')
    text.alarm.state_seen({"s": "xxx\x1b"}, 0)
    assert text.told == []
    text.alarm.state_seen({"s": "xxx"}, 1)
    assert text.what == ['a/b .s is "xxx"']
    exists = Seen("state a/b .e exists for 1s")
    exists.alarm.state_seen({"e": None}, 0)
    exists.alarm.tick(1)
    assert exists.what == ["a/b .e is null"]


def test_each_change_of_a_state() -> None:
    seen = Seen("state a/b .n changes")
    states: list[Any] = [{"n": 1}, {"n": 1, "m": 2}, {"n": True}, {}, {"n": [1]}, {"n": [1]}]
    for at, state in enumerate(states):
        seen.alarm.state_seen(state, at)
    assert seen.what == ["a/b .n was 1, is true", "a/b .n was true, is nothing", "a/b .n was nothing, is [1]"]
    seen.alarm.reset()
    seen.alarm.state_seen({"n": 5}, 9)
    assert len(seen.told) == 3


def test_any_value_of_a_hosts_can_be_told() -> None:
    seen = Seen("state a/b changes")
    for at, state in enumerate([1, {b"\xff": float("nan"), 5: 10**3000}, "\ud800"]):
        seen.alarm.state_seen(state, at)
    assert [json.loads(json.dumps(firing.as_values(), allow_nan=False)) for firing in seen.told]
    assert all(what.isprintable() for what in seen.what)


@pytest.mark.parametrize(
    ("path", "found"),
    [((), True), (("a", "1"), True), (("5",), True), (("a", "2"), False), (("a", "x"), False), (("z", "z"), False)],
)
def test_where_a_value_stands(path: tuple[str, ...], found: bool) -> None:
    state = {"a": [0, 1], 5: "five"}
    absent = find_value({}, ("x",))
    assert (find_value(state, path) is not absent) is found


def test_lag_is_the_worse_of_two_and_grows_old() -> None:
    seen = Seen("lag > 2s for 3s")
    seen.alarm.lag_seen(2.5, 0.0)
    seen.alarm.lag_seen(0.1, 1.0, of="ping")
    seen.alarm.tick(3.0)
    assert (seen.what, seen.told[0].hit.value) == (["2,500 ms behind"], 2.5)
    seen.alarm.tick(FRESH + 0.1)
    assert seen.alarm.state == "waiting"
    seen.alarm.lag_seen(9, 6.0)
    seen.alarm.interrupted()
    seen.alarm.tick(10.0)
    assert len(seen.told) == 1


def test_a_link_that_is_lost_for_a_while() -> None:
    seen = Seen("link lost for 5s")
    seen.alarm.link_seen("gone\x1b", 0.0)
    seen.alarm.interrupted()
    seen.alarm.reset()
    seen.alarm.link_seen("still", 4.9)
    assert seen.told == []
    seen.alarm.link_seen("still", 5.0)
    assert seen.what == ["no connection: still"]
    seen.alarm.link_seen(None, 6.0)
    seen.alarm.link_seen("again", 7.0)
    seen.alarm.link_seen("again", 12.0)
    assert len(seen.told) == 2


def test_the_state_of_a_rule() -> None:
    seen = Seen("link lost")
    assert seen.alarm.state == "waiting"
    seen.alarm.link_seen("gone", 0.0)
    assert seen.alarm.state == "holds"
    seen.alarm.problem = "no"
    assert seen.alarm.state == "broken"
    seen.alarm.enabled = False
    assert seen.alarm.state == "off"
    assert Seen("log error").alarm.state == "waiting"


def test_what_a_rule_does_not_wait_for_is_nothing_to_it() -> None:
    seen = Seen("log error")
    seen.alarm.actors([actor("a", "failed")], 0.0, listed=True)
    seen.alarm.removed(["a"], 0.0)
    seen.alarm.state_seen({}, 0.0)
    seen.alarm.lag_seen(9.0, 0.0)
    seen.alarm.link_seen("gone", 0.0)
    seen.alarm.tick(1.0)
    seen.alarm.interrupted()
    seen.alarm.reset()
    assert (seen.told, seen.alarm.count) == ([], 0)


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 5)), max_size=40))
def test_a_window_counts_what_lies_in_it_but_for_its_last_step(steps: list[tuple[int, int]]) -> None:
    window, now = Window(10.0), 0.0
    events: list[tuple[float, int]] = []
    for tenths, count in steps:
        now += tenths / 10
        window.add(count, now)
        events.append((now, count))
        inside = sum(n for at, n in events if now - at < 10.0 - 10.0 / Window.STEPS)
        at_most = sum(n for at, n in events if now - at <= 10.0)
        assert inside <= window.total(now) <= at_most
    window.clear()
    assert window.total(now) == 0
