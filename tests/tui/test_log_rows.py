"""A row is drawn in just the cells that it has, with its matches marked."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.style import Style

from tests.tui.log_probe import record
from tui.logs.row import Row, parse_row
from tui.widgets._log_rows import MAX_LINES, Columns, Painter


def painter(width: int = 80) -> Painter:
    return Painter(width, lambda name: Style(meta={"name": name}))


@given(
    st.builds(
        Row,
        kind=st.sampled_from(["event", "span_start", "span_end", "gap", "text"]),
        level=st.sampled_from(["INFO", "ERROR", "", "STRANGE"]),
        time=st.sampled_from(["", "20:27:33.139606"]),
        date=st.just("2026-11-23"),
        target=st.text(st.sampled_from("ab.日🎉"), max_size=40),
        message=st.text(st.sampled_from("ab 日🎉é"), max_size=300),
        fields=st.just((("a", "1"), ("b", "日本"))),
        more=st.integers(0, 3),
        span=st.text(st.sampled_from("ab/ 日"), max_size=40),
        status=st.sampled_from(["", "ok", "error", "cancelled"]),
        duration=st.sampled_from(["", "3 ms"]),
        exception=st.sampled_from(["", "E: x"]),
    ),
    st.integers(1, 220),
    st.integers(0, 400),
    st.booleans(),
    st.sampled_from([None, "a", "日本?", "", "ab|b"]),
)
@settings(max_examples=200)
def test_every_strip_has_just_the_width(row: Row, width: int, left: int, wrap: bool, match: str | None) -> None:
    paint = painter(width)
    pattern = None if match is None else re.compile(match)
    strips = paint.paint(row, selected=bool(left % 2), date=wrap, match=pattern, left=left, wrap=wrap)
    assert {strip.cell_length for strip in strips} <= {width}
    assert 1 <= len(strips) <= MAX_LINES
    if wrap:
        assert len(strips) == paint.height(row, date=True)
    plain = paint.paint(row, selected=bool(left % 2), date=wrap, left=left, wrap=wrap)
    assert [strip.text for strip in plain] == [strip.text for strip in strips]


def test_the_end_of_a_long_target_is_shown() -> None:
    strip = painter(100).paint(parse_row(record(1, target="inspector.registry.dispatch")))[0]
    assert " …registry.dispatch " in strip.text


def test_without_a_column_the_span_comes_last() -> None:
    narrow = painter(80).paint(parse_row(record(1)))[0].text
    assert narrow.rstrip().endswith("card accepted  number=1  cart/7 checkout")
    assert painter(160).paint(parse_row(record(1)))[0].text.rstrip().endswith("card accepted  number=1")
    host = painter(80).paint(parse_row(record(1, span={"name": "host"})))[0].text
    assert host.rstrip().endswith("number=1")


def test_fields_that_are_left_out_are_counted() -> None:
    fields = {"message": "m"} | {f"f{number:02}": 0 for number in range(40)}
    assert painter(600).paint(parse_row(record(1, fields=fields)))[0].text.rstrip().endswith("…+8 fields")


def test_columns_always_leave_room() -> None:
    assert all(Columns(width).room >= 1 for width in range(1, 300))


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("a" * 200, "a" * 60),
        ("日" * 200, "日" * 30),
        ("a" + "日" * 200, "a" + "日" * 29 + " "),
        ("e\u0301" * 200, "e\u0301" * 60),
        ("日e\u0301" * 200, "日e\u0301" * 20),
        ("a\u0301" * 40, "a\u0301" * 40 + " " * 20),
    ],
)
def test_a_text_fills_its_cells(message: str, shown: str) -> None:
    assert painter().paint(Row("event", message=message))[0].text[20:] == shown


def test_a_match_in_a_seam_is_marked_too() -> None:
    strip = painter(40).paint(Row("gap", message="another host"), match=re.compile("host"))[0]
    names = [(segment.text, segment.style.meta["name"]) for segment in strip if segment.style]
    assert ("host", "log-view--match") in names
    assert strip.text == " ── another host " + "─" * 23


def test_a_match_is_marked_where_it_stands() -> None:
    row = Row("event", message="a card and a Card", fields=(("card", "card"),))
    for wrap in (False, True):
        strip = painter(200).paint(row, match=re.compile("card"), wrap=wrap)[0]
        names = [(segment.text, segment.style.meta["name"]) for segment in strip if segment.style]
        assert [text for text, name in names if name == "log-view--match"] == ["card", "card", "card"]
        assert ("a ", "log-view--message") in names
        assert (" and a Card", "log-view--message") in names
        assert ("=", "log-view--field") in names
