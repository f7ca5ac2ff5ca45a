"""Rates from counts that come in unevenly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.model.meter import WINDOW, Meter, unix_seconds


def test_nothing_counted_is_no_rate() -> None:
    assert Meter().rate(123.0) == 0.0


def test_a_steady_stream_has_its_rate() -> None:
    meter = Meter()
    for tenth in range(200):
        meter.add(5, tenth / 10)
    assert meter.rate(19.99) == pytest.approx(50, rel=0.02)


def test_what_stops_is_forgotten_after_the_window() -> None:
    meter = Meter()
    meter.add(1000, 100.0)
    assert meter.rate(100.0 + WINDOW / 2) > 0
    assert meter.rate(100.0 + 2 * WINDOW) == 0.0


def test_a_young_count_is_not_spread_over_the_whole_window() -> None:
    meter = Meter()
    meter.add(10, 50.0)
    assert meter.rate(50.0) == pytest.approx(10 / (WINDOW / 5))


@given(st.lists(st.tuples(st.integers(0, 1000), st.floats(0, 2)), max_size=200))
def test_a_rate_is_never_more_than_all_that_was_counted_a_step(counts: list[tuple[int, float]]) -> None:
    meter, now, total = Meter(), 0.0, 0
    for count, pause in counts:
        now += pause
        total += count
        meter.add(count, now)
        assert 0 <= meter.rate(now) <= total / (WINDOW / 5) + 1e-9


def test_times_are_read_with_their_zone() -> None:
    assert unix_seconds("1970-01-01T00:00:01.500000Z") == 1.5
    assert unix_seconds("1970-01-01T01:00:00+01:00") == 0.0


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-23T20:27:33"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        unix_seconds(text)
