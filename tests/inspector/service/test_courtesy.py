"""When a reader of many frames gives way."""

from __future__ import annotations

from typing import Any

import pytest

from inspector.service.courtesy import ALONE, LATELY, SELDOM, Courtesy
from inspector.service.roll import Roll

__all__ = ()


class Present:
    """What a roll has to know of a connection."""


def roll_of(number: int) -> Roll:
    """Make a roll with so many connections."""
    roll = Roll()
    for _ in range(number):
        connection: Any = Present()
        roll.enter(connection)
    return roll


def test_alone_it_seldom_gives_way() -> None:
    courtesy = Courtesy(roll_of(1))
    assert [courtesy.begin(), *(courtesy.frames() for _ in range(9))] == [ALONE] * 10


@pytest.mark.parametrize("others", [1, 1000])
def test_silent_ones_cost_the_same_however_many_they_are(others: int) -> None:
    courtesy = Courtesy(roll_of(1 + others))
    assert [courtesy.begin(), *(courtesy.frames() for _ in range(9))] == [SELDOM] * 10


def test_after_every_frame_while_another_has_read_lately() -> None:
    roll = roll_of(3)
    many, few = Courtesy(roll), Courtesy(roll)
    assert many.begin() == SELDOM
    few.begin()
    assert [many.frames() for _ in range(LATELY + 2)] == [1] * LATELY + [SELDOM] * 2
    few.begin()
    # Also where it is its own next read that finds out.
    assert many.begin() == 1


def test_each_read_of_another_is_remembered_anew() -> None:
    roll = roll_of(2)
    many, few = Courtesy(roll), Courtesy(roll)
    for _ in range(3):
        few.begin()
        assert [many.frames() for _ in range(LATELY)] == [1] * LATELY
    assert many.frames() == SELDOM


def test_what_was_read_before_it_came_is_not_lately() -> None:
    roll = roll_of(2)
    Courtesy(roll).begin()
    assert Courtesy(roll).begin() == SELDOM
