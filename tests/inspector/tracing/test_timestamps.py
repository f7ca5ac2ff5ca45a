"""Times as RFC 3339."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.tracing.timestamps import timestamp


@given(st.integers(0, 253402300799999999))
def test_is_the_same_time(microseconds: int) -> None:
    expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    text = timestamp(microseconds * 1000 + 999).decode()
    assert len(text) == len("2026-11-23T20:27:33.139606Z")
    assert datetime.fromisoformat(text) == expected


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, b"1970-01-01T00:00:00.000000Z"),
        (-1, b"1970-01-01T00:00:00.000999Z"),
        (2**70, b"9999-12-31T23:59:59.999174Z"),
    ],
)
def test_a_broken_clock_gets_the_nearest_time(ns: int, text: bytes) -> None:
    assert timestamp(ns)[:23] == text[:23]
    assert len(timestamp(ns)) == len(text)
