"""Levels by name, and records decoded from lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.records import (
    LEVEL_NAMES,
    OFF,
    WARN,
    LevelError,
    RecordError,
    decode_record,
    level_from_name,
    propose_level,
)

LINE = (
    b'{"seq":41,"timestamp":"2026-11-23T20:27:33.139606Z","level":"INFO","kind":"event","target":"shop.cart",'
    b'"fields":{"message":"card accepted","amount":12},"span":{"name":"action","actor":"cart/7"},'
    b'"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331"}'
)


def test_decodes_an_event() -> None:
    record = decode_record(LINE)
    assert (record.seq, record.level, record.level_number, record.kind) == (41, "INFO", 2, "event")
    assert record.message == "card accepted"
    assert record.fields == {"message": "card accepted", "amount": 12}
    assert record.span == {"name": "action", "actor": "cart/7"}
    assert (record.parent_id, record.spans, record.duration_ns, record.busy_ns) == (None, None, None, None)
    assert (record.status, record.exception) == (None, None)


def test_decodes_the_end_of_a_span_and_ignores_what_it_does_not_know() -> None:
    line = LINE.replace(b'"event"', b'"span_end"').replace(
        b'"fields":{"message":"card accepted","amount":12},',
        b'"duration_ns":7,"busy_ns":3,"status":"cancelled","later":1,"spans":[],"parent_id":"00f067aa0ba902b7",'
        b'"exception":{"type":"ValueError","message":"","frames":[]},',
    )
    record = decode_record(line.decode())
    assert (record.duration_ns, record.busy_ns, record.status, record.spans) == (7, 3, "cancelled", [])
    assert record.exception == {"type": "ValueError", "message": "", "frames": []}
    assert record.message == ""


def test_message_that_is_no_text() -> None:
    assert decode_record(LINE.replace(b'"card accepted"', b"[1]")).message == "[1]"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        LINE[:-1],
        LINE + b"x",
        LINE.replace(b"41", b'"41"'),
        LINE.replace(b"INFO", b"LOUD"),
        LINE.replace(b'"event"', b'"party"'),
        LINE.replace(b"shop", b"\xff"),
        LINE.replace(b'{"message":"card accepted","amount":12}', b"[" * 200_000 + b"]" * 200_000),
        LINE.replace(b'"amount":12', b'"amount":' + b"[" * 200_000 + b"]" * 200_000),
    ],
)
def test_refuses_what_is_no_record(line: bytes) -> None:
    with pytest.raises(RecordError):
        decode_record(line)


@given(st.binary())
def test_no_bytes_make_anything_but_an_error(line: bytes) -> None:
    with pytest.raises(RecordError):
        decode_record(line)


@pytest.mark.parametrize(("number", "name"), [*enumerate(LEVEL_NAMES)])
def test_level_names(number: int, name: str) -> None:
    assert level_from_name(name) == level_from_name(f" {name.lower()} ") == number
    assert propose_level(name) == name.lower()


def test_other_level_names() -> None:
    assert level_from_name("Off") == OFF
    with pytest.raises(LevelError, match="did you mean 'warn'") as caught:
        level_from_name("WARNING")
    assert caught.value.proposal == "warn"
    assert level_from_name(caught.value.proposal) == WARN
    with pytest.raises(LevelError, match="levels are off, error") as caught:
        level_from_name("banana")
    assert caught.value.proposal is None


@pytest.mark.parametrize(
    "word", ["shop", "cart", "ward.n", "d", "", "tr", "infrared", "terrors", "wrong", "eorrr", "dbeug2"]
)
def test_words_that_look_like_no_level(word: str) -> None:
    assert propose_level(word) is None
