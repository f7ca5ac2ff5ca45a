"""Cursors are opaque, and pages bounded."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.store.query import MAX_PAGE, Cursor, CursorError, PageLines
from tests.inspector.store.kept import ask

__all__ = ()


@given(st.integers(0, 2**63 - 1), st.text(max_size=40), st.integers(1, 2**63 - 1))
def test_a_cursor_survives_its_spelling(segment: int, host: str, seq: int) -> None:
    cursor = Cursor(segment, host, seq)
    try:
        word = cursor.encode()
    except TypeError:
        # A lone surrogate; ids of hosts have none.
        return
    assert Cursor.decode(word) == cursor
    assert word.isascii()
    assert "=" not in word


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(CursorError):
        Cursor.decode(text)


@pytest.mark.parametrize(
    "value",
    ["[]", "[0,1,1]", '[0,"h"]', '[-1,"h",1]', '[0,"h",0]', '["0","h",1]', '[0,"h",1e3]', "{}", '[0, "h",1]', "1"],
)
def test_what_decodes_and_is_no_cursor_is_refused(value: str) -> None:
    with pytest.raises(CursorError):
        Cursor.decode(base64.urlsafe_b64encode(value.encode()).decode().rstrip("="))


def test_a_page_takes_lines_until_one_does_not_fit() -> None:
    lines = PageLines(3)
    assert [lines.add(b"x") for _ in range(5)] == [True, True, True, False, False]
    assert lines.joined() == b"x\nx\nx"
    lines = PageLines(1000)
    assert lines.add(b"x" * (MAX_PAGE - 2))
    assert lines.add(b"y")
    assert not lines.add(b"")
    assert len(lines.joined()) == MAX_PAGE


def test_a_line_that_is_longer_than_a_page_comes_alone() -> None:
    lines = PageLines(1000)
    assert lines.add(b"x" * (MAX_PAGE + 1))
    assert not lines.add(b"y")


def test_times_become_timestamps() -> None:
    query = ask(start_ms=0, end_ms=1_763_930_853_139)
    assert (query.begin, query.end) == (b"1970-01-01T00:00:00.000000Z", b"2025-11-23T20:47:33.139000Z")
    assert (ask().begin, ask().end) == (b"", None)
