"""A window shows the right rows, whatever comes, goes, or is asked of it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.logs.window import Place, Window


def window(rows: int, height: int = 5, tall: Callable[[int], int] | None = None) -> Window:
    view = Window(height=height, end=rows)
    if tall is not None:
        view.tall = tall
    return view


def rows(view: Window) -> list[int]:
    return [place.row for place in view.lines()]


def test_it_follows_the_end() -> None:
    view = window(3)
    assert rows(view) == [0, 1, 2]
    view.end = 100
    assert rows(view) == [95, 96, 97, 98, 99]
    assert view.cursor is None


def test_on_hold_it_stays_put() -> None:
    view = window(100)
    view.pause()
    view.end = 1_000
    assert rows(view) == [95, 96, 97, 98, 99]
    assert view.cursor == 99


def test_rows_on_the_screen_stay_when_they_are_dropped() -> None:
    view = window(100)
    view.pause()
    view.hold(view.lines())
    view.first, view.end = 500, 1_000
    assert rows(view) == [95, 96, 97, 98, 99]
    view.move(-1)
    assert view.cursor == 98
    view.move(-30)
    assert view.cursor == 95
    view.page(-5)
    assert rows(view)[0] == 95
    view.height = 8
    assert rows(view) == [95, 96, 97, 98, 99, 500, 501, 502]
    view.scroll(6)
    assert rows(view)[:2] == [501, 502]
    view.scroll(-2)
    assert rows(view)[:3] == [99, 500, 501]
    view.home()
    assert rows(view)[0] == 500


def test_a_row_below_the_dropped_ones_is_the_oldest() -> None:
    view = window(100)
    view.pause()
    view.first, view.end = 500, 1_000
    assert rows(view)[0] == 500
    view.scroll(-3)
    assert rows(view)[0] == 500


def test_moving_takes_the_choice_along_and_follows_past_the_end() -> None:
    view = window(100)
    view.move(1)
    assert view.follow
    view.move(-1)
    assert (view.follow, view.cursor, rows(view)[0]) == (False, 98, 95)
    view.move(-4)
    assert (view.cursor, rows(view)[0]) == (94, 94)
    view.move(1)
    assert (view.cursor, rows(view)[0]) == (95, 94)
    view.move(4)
    assert (view.follow, view.cursor, rows(view)[0]) == (False, 99, 95)
    view.move(1)
    assert (view.follow, view.cursor) == (True, None)


def test_home_and_tail() -> None:
    view = window(100)
    view.home()
    assert (view.follow, view.cursor, rows(view)) == (False, 0, [0, 1, 2, 3, 4])
    view.move(-1)
    assert view.cursor == 0
    view.tail()
    assert rows(view)[-1] == 99


def test_pages_keep_the_line_of_the_choice() -> None:
    view = window(100)
    view.page(4)
    assert view.follow
    view.select(97)
    view.page(-4)
    assert (rows(view)[0], view.cursor) == (91, 93)
    view.page(2)
    assert (rows(view)[0], view.cursor) == (93, 95)
    view.page(50)
    assert view.follow
    view.home()
    view.move(3)
    view.page(-4)
    assert view.cursor == 0


def test_the_wheel_moves_the_window_and_not_the_choice() -> None:
    view = window(100)
    view.select(97)
    view.scroll(-2)
    assert (rows(view)[0], view.cursor) == (93, 97)
    view.scroll(-3)
    assert (rows(view)[0], view.cursor) == (90, 94)
    view.scroll(4)
    assert (view.follow, view.cursor) == (False, 94)
    view.scroll(1)
    assert view.follow
    view.scroll(3)
    assert view.follow


def test_a_far_row_comes_into_the_middle() -> None:
    view = window(100, 9)
    view.select(50, centre=True)
    assert (rows(view)[0], view.cursor) == (46, 50)
    view.select(51, centre=True)
    assert rows(view)[0] == 46
    view.select(99, centre=True)
    assert rows(view) == list(range(91, 100))
    view.select(1_000)
    assert view.cursor == 99
    view.select(-5)
    assert view.cursor == 0


def test_dragging_the_bar() -> None:
    view = window(105)
    view.jump(0.5)
    assert (rows(view)[0], view.cursor) == (50, 54)
    view.jump(-1)
    assert (rows(view)[0], view.cursor) == (0, 4)
    view.jump(1)
    assert view.follow


@pytest.mark.parametrize(
    ("count", "top", "thumb"),
    [(3, 0, (0, 10)), (100, 0, (0, 1)), (100, 45, (4, 5)), (20, 0, (0, 5)), (20, 10, (5, 10))],
)
def test_the_thumb_is_where_the_window_is(count: int, top: int, thumb: tuple[int, int]) -> None:
    view = window(count, 10)
    view.pause()
    view.top = Place(top)
    assert view.thumb() == thumb


def test_the_thumb_is_at_the_end_while_following() -> None:
    assert window(100, 10).thumb() == (9, 10)


def test_nothing_to_show_is_nothing_to_move_in() -> None:
    view = window(0)
    for act in (view.pause, view.home, view.tail):
        act()
    for number in (view.move, view.page, view.scroll, view.select, view.jump):
        number(-1)
    assert (view.lines(), view.cursor, view.thumb()) == ([], None, (0, 5))


def test_tall_rows_are_shown_by_their_lines() -> None:
    view = window(10, 5, lambda row: 3)
    assert view.lines() == [Place(8, 1), Place(8, 2), Place(9, 0), Place(9, 1), Place(9, 2)]
    view.select(9)
    view.move(-1)
    assert view.lines()[0] == Place(8, 0)
    view.scroll(-1)
    assert view.lines()[0] == Place(7, 2)
    view.scroll(2)
    assert view.lines()[0] == Place(8, 1)
    assert view.follow


def test_a_row_taller_than_the_screen_shows_its_beginning_and_can_be_scrolled_through() -> None:
    view = window(10, 5, lambda row: 20 if row == 5 else 1)
    view.home()
    view.select(5)
    assert view.lines() == [Place(5, part) for part in range(5)]
    view.scroll(7)
    assert view.lines()[0] == Place(5, 7)
    view.scroll(9)
    assert [place.row for place in view.lines()] == [5, 5, 5, 5, 6]
    view.move(1)
    assert view.lines()[-1] == Place(6)


def test_a_row_that_has_become_shorter() -> None:
    view = window(10, 5, lambda row: 8)
    view.home()
    view.scroll(6)
    view.tall = lambda row: 2
    assert view.lines()[0] == Place(0, 1)


moves = st.one_of(
    st.tuples(st.sampled_from(["move", "page", "scroll", "select", "centre"]), st.integers(-30, 60)),
    st.tuples(st.sampled_from(["home", "tail", "pause"]), st.just(0)),
    st.tuples(st.just("jump"), st.integers(0, 10)),
    st.tuples(st.just("come"), st.integers(0, 30)),
    st.tuples(st.just("go"), st.integers(0, 30)),
    st.tuples(st.just("resize"), st.integers(1, 12)),
)


@given(st.lists(moves, max_size=40), st.sampled_from([1, 2, 3]), st.integers(0, 30))
@settings(max_examples=300)
def test_whatever_is_asked_the_screen_is_whole(acts: list[tuple[str, int]], tallest: int, count: int) -> None:
    view = Window(height=5, end=count)
    if tallest > 1:
        view.tall = lambda row: 1 + row % tallest
    for act, number in acts:
        before = view.lines()
        match act:
            case "come":
                view.end += number
            case "go":
                # A store never drops its newest rows.
                view.first = min(view.first + number, max(view.first, view.end - 1))
            case "resize":
                view.height = number
            case "centre":
                view.select(number, centre=True)
            case "jump":
                view.jump(number / 10)
            case "move" | "page" | "scroll" | "select":
                getattr(view, act)(number)
            case _:
                getattr(view, act)()
        shown = view.lines()
        if act in ("come", "go") and not view.follow:
            # What was on the screen is still there, in its place, even when it was dropped.
            assert shown[: len(before)] == before
        assert len(shown) <= view.height
        assert (not shown) == (view.end <= view.first and not view.pinned)
        for place, after in pairwise(shown):
            known = after.row >= view.first or after.row in view.pinned
            assert known
            if after.row == place.row:
                assert after.part == place.part + 1
            else:
                assert (after.part, after.row) == (0, place.row + 1) or after.row == view.first
        if view.follow:
            assert view.cursor is None
            if shown:
                assert shown[-1].row == view.end - 1
        else:
            seen = [place.row for place in shown]
            if act in ("move", "page", "scroll", "select", "centre", "jump") and seen:
                assert view.cursor in seen
        start, end = view.thumb()
        assert 0 <= start < end <= view.height
        view.hold(shown)
