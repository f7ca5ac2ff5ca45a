"""What somebody else wrote reaches the screen as visible text, or not at all."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.logs.text import cut, neutralise


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("grüße 日本語 🎉", "grüße 日本語 🎉"),
        ("a\x1b[31mred\x1b[0m", "a␛[31mred␛[0m"),
        ("a\nb\tc\x00d\x7f", "a␊b␉c␀d␡"),
        ("\x9b31m", "⟨009B⟩31m"),
        ("safe\u202egpj.exe", "safe⟨202E⟩gpj.exe"),
        ("zero\u200bwidth", "zero⟨200B⟩width"),
        ("no\u00a0break", "no break"),
        ("a\u2028b", "a⟨2028⟩b"),
        ("\ud800", "⟨D800⟩"),
        ("heart\ufe0f", "heart⟨FE0F⟩"),
        ("filler\u3164", "filler⟨3164⟩"),
        ("e\u0301", "e\u0301"),
        ("z" + "\u0301" * 50 + "a", "z" + "\u0301" * 3 + "a"),
        ("[bold]markup[/]", "[bold]markup[/]"),
    ],
)
def test_what_a_terminal_would_act_on_is_shown_instead(text: str, shown: str) -> None:
    assert neutralise(text) == shown


@given(st.text(st.characters(exclude_categories=[])))
@example("\u202e\x1b]0;title\x07")
def test_nothing_that_acts_or_hides_is_left(text: str) -> None:
    shown = neutralise(text)
    assert shown.isprintable()
    assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in shown)
    assert neutralise(shown) == shown
    assert cell_len(shown) >= 0
    assert all(ord(char) < 0x110000 and char not in "\r\n\x1b" for char in shown)


@given(st.text(max_size=60), st.integers(1, 40))
def test_a_cut_keeps_the_beginning_and_says_what_is_missing(text: str, limit: int) -> None:
    short = cut(text, limit)
    if len(text) <= limit:
        assert short == text
    else:
        assert short == f"{text[:limit]}…+{len(text) - limit:,}"
