"""Times as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("30s", 30),
        ("5m", 300),
        ("1.5h", 5400),
        ("7d", 604800),
        ("2w", 1209600),
        (" 5 m ", 300),
        ("10S", 10),
    ],
)
def test_reads(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5 minutes", "5m30s", "1e3s", "٣s", "0s", "9" * 400 + "w"])
def test_refuses(text: str) -> None:
    with pytest.raises(ValueError, match=r"^a time is "):
        parse_duration(text)


@given(st.text() | st.text(alphabet="0123456789. msh"))
def test_no_text_is_anything_but_a_time_or_refused(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except ValueError:
        return
    assert 0 < seconds < float("inf")
