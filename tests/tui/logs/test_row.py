"""A row shows what its record says: cut, safe, and whatever the rest of the record is like."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.logs.row import MAX_FIELDS, MAX_MESSAGE, MAX_RECORD, MAX_VALUE, Row, Rows, format_duration, parse_row

EVENT: dict[str, Any] = {
    "seq": 41,
    "timestamp": "2026-11-23T20:27:33.139606Z",
    "level": "INFO",
    "kind": "event",
    "target": "shop.cart",
    "fields": {"message": "card accepted", "amount": 12, "note": "two words"},
    "span": {"name": "action", "actor": "cart/7", "actor_id": "9f2c", "action": "checkout", "rid": 12},
    "trace_id": "0" * 32,
    "span_id": "1" * 16,
}


def row_of(record: object) -> Row:
    return parse_row(json.dumps(record).encode())


def test_an_event() -> None:
    assert row_of(EVENT) == Row(
        kind="event",
        level="INFO",
        date="2026-11-23",
        time="20:27:33.139606",
        target="shop.cart",
        message="card accepted",
        fields=(("amount", "12"), ("note", '"two words"')),
        span="cart/7 checkout",
    )
    assert row_of(EVENT).text == (
        '2026-11-23 20:27:33.139606 INFO shop.cart cart/7 checkout card accepted amount=12 note="two words"'
    )


def test_a_span_that_starts_and_one_that_ends() -> None:
    span = EVENT["span"] | {"peer": "127.0.0.1"}
    start = row_of(EVENT | {"kind": "span_start", "fields": {}, "span": span})
    assert (start.message, start.span, start.fields) == ("cart/7 checkout", "", (("peer", "127.0.0.1"),))
    end = row_of(EVENT | {"kind": "span_end", "fields": {}, "duration_ns": 3_100_000, "status": "error"})
    assert (end.message, end.duration, end.status, end.fields) == ("cart/7 checkout", "3.10 ms", "error", ())


@pytest.mark.parametrize(
    ("span", "label"),
    [
        ({"name": "host", "host_id": "a"}, "host"),
        ({"name": "actor", "actor": "cart/7"}, "cart/7"),
        ({"name": "run", "actor": "cart/7"}, "cart/7 run"),
        ({"name": "task", "actor": "cart/7", "task": "mailer"}, "cart/7 mailer"),
        ({"name": "task", "task": "mailer"}, "task mailer"),
        ({"name": "action", "action": "checkout"}, "checkout"),
        ({}, ""),
        (None, ""),
        ("text", ""),
    ],
)
def test_a_span_is_called_by_its_actor_and_what_that_does(span: object, label: str) -> None:
    assert row_of(EVENT | {"span": span}).span == label


def test_an_exception_is_its_type_and_message() -> None:
    exception = {"type": "CardDeclined", "message": "code\n51", "frames": [{"file": "a.py", "line": 3}]}
    assert row_of(EVENT | {"exception": exception}).exception == "CardDeclined: code␊51"
    assert row_of(EVENT | {"exception": {"type": "KeyError"}}).exception == "KeyError"
    assert row_of(EVENT | {"exception": {"message": "what"}}).exception == "what"
    assert row_of(EVENT | {"exception": None}).exception == ""
    assert row_of(EVENT | {"exception": exception}).text.endswith("CardDeclined: code␊51")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (12, "12"),
        (1.5, "1.5"),
        (2**70, str(2**70)),
        (True, "true"),
        (None, "null"),
        ("bare", "bare"),
        ("", '""'),
        ("a=b", '"a=b"'),
        ('say "x"', '"say \\"x\\""'),
        ("\x1b[2J", "␛[2J"),
        ([1, {"a": "b"}], '[1, {"a": "b"}]'),
    ],
)
def test_a_value_is_shown_as_it_is_spelled(value: object, shown: str) -> None:
    assert row_of(EVENT | {"fields": {"v": value}}).fields == (("v", shown),)


def test_long_values_are_cut() -> None:
    row = row_of(EVENT | {"fields": {"message": "m" * 5_000, "v": "x" * 1_000, "k" * 200: [0] * 1_000}})
    assert row.message == "m" * MAX_MESSAGE + "…+3,000"
    assert row.fields[0] == ("v", "x" * MAX_VALUE + "…+700")
    assert row.fields[1][0] == "k" * 80 + "…+120"
    assert len(row.fields[1][1]) < MAX_VALUE + 10


def test_a_megabyte_is_not_decoded_to_be_cut() -> None:
    row = parse_row(json.dumps({"fields": {"message": "é" * 1_000_000}}, ensure_ascii=False).encode())
    assert row.message.startswith("é" * MAX_MESSAGE + "…+")
    assert row.message.endswith(" bytes")
    assert len(row.message) < MAX_MESSAGE + 30


@given(st.lists(st.sampled_from(["a", "é", "日", "🎉", '"', "\\", "\n", "\u0007"]), min_size=30, max_size=80))
def test_a_cut_never_splits_an_escape(parts: list[str]) -> None:
    text = "".join(parts) * 200
    for ascii_only in (True, False):
        line = json.dumps({"fields": {"message": text}}, ensure_ascii=ascii_only).encode()
        shown = parse_row(line, max_message=25).message
        whole = parse_row(json.dumps({"fields": {"message": text[:25]}}).encode(), max_message=25).message
        assert shown.startswith(whole + "…+")


def test_a_long_string_that_is_no_text_is_shown_as_it_is_spelled() -> None:
    row = parse_row(b'{"fields": {"message": "' + b"\xff" * 3_000 + b'"}}', max_message=50)
    assert row.message.startswith("�" * 49 + "…+")
    assert row.kind == "event"


def test_many_fields_are_counted() -> None:
    row = row_of(EVENT | {"fields": {f"f{number}": number for number in range(100)}})
    assert (len(row.fields), row.more) == (MAX_FIELDS, 100 - MAX_FIELDS)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"Traceback (most recent call last):", "Traceback (most recent call last):"),
        (b"", ""),
        (b"[1, 2]", "[1, 2]"),
        (b'{"level": "INFO"', '{"level": "INFO"'),
        (b"\xff\xfe\x1b[31m", "��␛[31m"),
        (b"[" * 3_000, "[" * 2_000 + "…+1,000"),
    ],
)
def test_what_is_no_record_is_shown_as_text(line: bytes, shown: str) -> None:
    assert parse_row(line) == Row(kind="text", message=shown)


def test_deep_nesting_is_text() -> None:
    row = parse_row(b'{"fields":' + b"[" * 100_000)
    assert row.kind == "text"
    assert row.message.endswith(" bytes")


def test_a_line_beyond_all_bounds_is_not_parsed() -> None:
    row = parse_row(b'{"fields": {"message": "' + b"x" * MAX_RECORD + b'"}}')
    assert row.kind == "text"
    assert len(row.message) < MAX_MESSAGE + 40


@pytest.mark.parametrize(
    "odd",
    [
        {"timestamp": 5, "level": 3, "target": None, "kind": 9, "duration_ns": "long", "status": []},
        {"timestamp": "yesterday", "span": 3, "fields": [], "exception": "x"},
        {"duration_ns": -5},
        {"duration_ns": 10**30},
        {},
    ],
)
def test_one_odd_value_does_not_hide_the_others(odd: dict[str, Any]) -> None:
    row = row_of({"fields": {"message": "still here"}} | odd)
    assert row.kind != "text"
    assert row.message == ("" if "fields" in odd else "still here")
    assert row.duration == ""


def test_odd_times_are_shown_as_they_are() -> None:
    assert row_of({"timestamp": "yesterday"}).time == "yesterday"
    assert row_of({"timestamp": "2026-11-23 20:27:33+01:00"}).time == "20:27:33"
    assert row_of({"kind": "event", "timestamp": 1_700_000_000}).time == "1700000000"


def test_bytes_that_are_no_text_inside_a_record() -> None:
    assert parse_row(b'{"level": "INFO", "fields": {"message": "a\xffb"}}').message == '"a�b"'


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["timestamp", "level", "kind", "fields", "span", "message", "exception", "x"]), inner
            )
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_anything_makes_a_row_of_one_safe_line(line: bytes) -> None:
    assert parse_row(line).text.isprintable()


@pytest.mark.parametrize(
    ("nanoseconds", "shown"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1_000, "1.00 µs"),
        (9_994, "9.99 µs"),
        (9_996, "10.0 µs"),
        (99_949, "99.9 µs"),
        (99_960, "100 µs"),
        (999_499, "999 µs"),
        (999_600, "1.00 ms"),
        (12_345_678, "12.3 ms"),
        (59_900_000_000, "59.9 s"),
        (60_000_000_000, "1m00s"),
        (3_725_000_000_000, "1h02m05s"),
    ],
)
def test_durations_have_three_figures(nanoseconds: int, shown: str) -> None:
    assert format_duration(nanoseconds) == shown


def test_rows_are_remembered_by_number_up_to_a_limit() -> None:
    rows = Rows(limit=2)
    first = rows.get(1, b"one")
    rows.get(2, b"two")
    assert rows.get(1, b"another line") is first
    rows.get(3, b"three")
    assert rows.get(2, b"two again").message == "two again"
    assert rows.get(3, b"three again").message == "three"
