"""Each logger's own output is told apart, and read to the same row and the same facts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.filters import parse_filter
from protocol.records import DEBUG, ERROR, INFO, WARN
from tui.logs.facts import Facts, facts_of, passes, time_of
from tui.logs.formats import detect_format, format_of
from tui.logs.levels import level_name, level_number
from tui.logs.lines import line_row, parse_logfmt
from tui.logs.row import Row, parse_row
from tui.logs.times import parse_time, show_epoch

# 2026-11-23T20:27:33.139Z
AT = 1_795_465_653_139_000_000
DAY: dict[str, Any] = {"date": "2026-11-23", "time": "20:27:33.139"}

SAMPLES: dict[str, tuple[bytes, dict[str, Any]]] = {
    "records": (
        b'{"seq":4,"timestamp":"2026-11-23T20:27:33.139Z","level":"WARN","kind":"event","target":"shop.pay",'
        b'"fields":{"message":"declined","amount":12},"span":{"name":"action","actor":"cart/7","action":"pay"}}',
        {"fields": (("amount", "12"),), "span": "cart/7 pay"},
    ),
    "tracing": (
        b'{"timestamp":"2026-11-23T20:27:33.139Z","level":"WARN","fields":{"message":"declined","amount":12},'
        b'"target":"shop.pay","span":{"id":7,"name":"pay"},"spans":[{"id":7,"name":"pay"}]}',
        {"fields": (("amount", "12"),), "span": "pay"},
    ),
    "structlog": (
        b'{"amount": 12, "event": "declined", "level": "warning", "logger": "shop.pay", '
        b'"timestamp": "2026-11-23T20:27:33.139Z"}',
        {"fields": (("amount", "12"), ("level", "warning"))},
    ),
    "pino": (
        b'{"level":40,"time":1795465653139,"pid":9,"name":"shop.pay","amount":12,"msg":"declined"}',
        {"fields": (("pid", "9"), ("amount", "12"))},
    ),
    "bunyan": (
        b'{"name":"shop.pay","pid":9,"level":40,"amount":12,"msg":"declined","time":"2026-11-23T20:27:33.139Z","v":0}',
        {"fields": (("pid", "9"), ("amount", "12"), ("v", "0"))},
    ),
    "json": (
        b'{"ts":1795465653.139,"severity":"WARN","logger":"shop.pay","message":"declined","amount":12}',
        {"fields": (("amount", "12"),)},
    ),
    "logfmt": (
        b'time=2026-11-23T20:27:33.139Z level=warn logger=shop.pay msg="declined" amount=12',
        {"fields": (("amount", "12"),)},
    ),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_line_is_read_to_the_same_row_whoever_wrote_it(name: str) -> None:
    line, own = SAMPLES[name]
    row = {"kind": "event", "level": "WARN", "target": "shop.pay", "message": "declined", **DAY, **own}
    assert parse_row(line) == Row(**row)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_line_has_the_same_facts_whoever_wrote_it(name: str) -> None:
    line, _ = SAMPLES[name]
    facts = facts_of(line)
    assert (facts.level, facts.target, facts.at, time_of(line)) == (WARN, "shop.pay", AT, AT)
    assert (facts.fields["message"], str(facts.fields["amount"])) == ("declined", "12")
    for text, expected in {
        "warn": True,
        "error": False,
        "shop=warn": True,
        "shop.cart=trace": False,
        "off,[{amount>=12}]=debug": True,
        "off,[{amount>12}]=debug": False,
        "off,[{message~^decl}]=debug": True,
    }.items():
        assert passes(parse_filter(text), line) is expected, text


@pytest.mark.parametrize("name", SAMPLES)
def test_a_format_is_told_from_its_lines(name: str) -> None:
    line, _ = SAMPLES[name]
    assert format_of(line) == name
    assert detect_format([b"starting up", line, b"", line]) == name


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"2026-11-23 20:27:33,139 shop.pay declined", "text"),
        (b'{"a": 1}', "text"),
        (b'{"level": ', "text"),
        (b'{"kind": "gap", "level": "WARN"}', "records"),
        (b"x" * (2 << 20), "text"),
        (b"a=1 b=2", "text"),
    ],
)
def test_other_lines_are_text(line: bytes, expected: str) -> None:
    assert format_of(line) == expected
    assert detect_format([line]) == expected


def test_an_empty_file_is_text() -> None:
    assert detect_format([]) == "text"


@pytest.mark.parametrize(
    ("line", "row"),
    [
        (b"2026-11-23 20:27:33,139 WARNING shop: no", Row("text", "WARN", **DAY, message="WARNING shop: no")),
        (b"[2026-11-23T20:27:33.139+01:00] [error] no", Row("text", "ERROR", **DAY, message="[error] no")),
        (b"2026-11-23 20:27:33.139 9 main ERROR no", Row("text", "ERROR", **DAY, message="9 main ERROR no")),
        (b"2026-11-23 20:27:33.139 an error, no", Row("text", **DAY, message="an error, no")),
        (b"INFO:     started", Row("text", "INFO", message="INFO:     started")),
        (b"[warn] no", Row("text", "WARN", message="[warn] no")),
        (b"an ERROR that nobody logged", Row("text", message="an ERROR that nobody logged")),
        (b"2026-13-45 20:27:33 no", Row("text", message="2026-13-45 20:27:33 no")),
        ("2026-11-23 20:27:33.139 grüße".encode(), Row("text", **DAY, message="grüße")),
    ],
)
def test_plain_lines_may_begin_with_a_time_and_a_level(line: bytes, row: Row) -> None:
    assert line_row(line, 300, 2000) == row


def test_plain_lines_have_facts() -> None:
    facts = facts_of(b"2026-11-23 20:27:33,139 ERROR no")
    assert (facts.level, facts.at, facts.target) == (ERROR, AT, "")
    assert facts.fields == {"message": "2026-11-23 20:27:33,139 ERROR no"}
    assert facts_of(b"  File x") == Facts(INFO, "", {"message": "  File x"}, ({},), None)
    assert facts_of(b'{"level": ') == Facts()


@pytest.mark.parametrize(
    ("line", "pairs"),
    [
        (b"level=info msg=ok", {"level": "info", "msg": "ok"}),
        (b'msg="a \\"b\\"\\n" done ts=1 e=', {"msg": 'a "b"\n', "done": "true", "ts": "1", "e": ""}),
        (b"level=info", None),
        (b'level=info msg="open', None),
        (b"see level=info msg=ok", None),
        (b"url=http://x?a=b", None),
        (b"level=info " + b"a=b " * 20_000, None),
    ],
)
def test_logfmt(line: bytes, pairs: dict[str, str] | None) -> None:
    assert parse_logfmt(line) == pairs


def test_a_level_that_is_called_otherwise_stays_a_field() -> None:
    row = parse_row(b'{"level":"fatal","msg":"no"}')
    assert (row.level, row.fields) == ("ERROR", (("level", "fatal"),))
    assert parse_row(b"level=CRITICAL msg=no").fields == (("level", "CRITICAL"),)
    assert parse_row(b"level=50 msg=no ts=1795465653139") == Row("event", "ERROR", **DAY, message="no")
    assert parse_row(b"level=odd msg=no ts=later").level == "ODD"
    assert parse_row(b"level=odd msg=no ts=later").time == "later"


def test_an_exception_is_its_type_and_message() -> None:
    row = parse_row(b'{"level":50,"msg":"no","err":{"type":"E","message":"m","stack":"at x"}}')
    assert (row.exception, [name for name, _ in row.fields]) == ("E: m", ["err"])
    row = parse_row(b'{"level":50,"msg":"no","err":{"type":"E","message":"m"}}')
    assert (row.exception, row.fields) == ("E: m", ())
    row = parse_row(b'{"level":"error","event":"no","exception":"Traceback"}')
    assert (row.exception, row.fields) == ("", (("exception", "Traceback"),))


def test_an_object_that_nothing_is_known_of_shows_its_fields() -> None:
    assert parse_row(b' {"a":1,"b":[2]}').fields == (("a", "1"), ("b", "[2]"))
    many = b"{" + b",".join(b'"k%d":1' % number for number in range(50)) + b"}"
    assert (len(parse_row(many).fields), parse_row(many).more) == (32, 18)


@pytest.mark.parametrize(
    "line",
    [
        b'{"fields":{"timestamp":"2020-01-01T00:00:00Z"},"timestamp":"2026-11-23T20:27:33.139Z"}',
        b'{"msg":"\\"ts\\": 5,","ts":1795465653.139}',
        b'{"timestamp":"\\u0032026-11-23T20:27:33.139Z","kind":"event"}',
    ],
)
def test_a_time_is_not_taken_from_a_field_or_a_string(line: bytes) -> None:
    assert time_of(line) == AT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T20:27:33.139Z", AT),
        ("2026-11-23 20:27:33,139", AT),
        ("2026-11-23T21:27:33.139+01:00", AT),
        ("2026-11-23T15:27:33.1390001234-0500", AT + 123),
        ("1795465653.139", AT),
        ("1795465653139", AT),
        ("1795465653139000", AT),
        ("1795465653139000000", AT),
        ("2026-02-30T00:00:00Z", None),
        ("2026-11-23T20:27:99Z", None),
        ("99999999999999999999", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_times(text: str, expected: int | None) -> None:
    assert parse_time(text) == expected


def test_a_number_that_is_no_date_is_shown_as_it_is() -> None:
    assert show_epoch(AT) == ("2026-11-23", "20:27:33.139")
    assert show_epoch(AT + 5_000) == ("2026-11-23", "20:27:33.139005")
    assert show_epoch(10**22) == ("", str(10**22))


def test_levels() -> None:
    assert [level_name(word) for word in ("Warning", "10", "35", "60", "0", "odd")] == [
        *("WARN", "TRACE", "INFO", "ERROR", "TRACE", "ODD")
    ]
    assert (level_number("DEBUG"), level_number("ODD")) == (DEBUG, None)


@given(st.binary(max_size=200))
def test_no_line_is_too_odd(line: bytes) -> None:
    parse_row(line)
    parse_row(b"{" + line + b"}")
    facts_of(line)
    time_of(line)
    format_of(line)
