"""The log view follows, holds, searches, opens and copies, by keys and by mouse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest
from textual.binding import BindingType
from textual.events import Key, MouseScrollDown, MouseScrollUp
from textual.pilot import Pilot
from textual.worker import WorkerCancelled

from tests.tui.log_probe import Batch, Probe, batch, fill, numbers, play, record, screen, searched
from tui.logs.search import parse_query
from tui.widgets.log_view import Counts, LogView


def test_it_follows_what_comes() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        await fill(pilot, view)
        assert numbers(view) == list(range(88, 100))
        view.append(batch(100, 50))
        view.refresh()
        assert numbers(view) == list(range(138, 150))
        assert view.counts == Counts(rows=150, new=0, lost=0)
        assert view.cursor is None

    play(act)


def test_on_hold_it_stays_put_while_the_ring_turns_over() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        await fill(pilot, view)
        await pilot.press("space")
        before = screen(view)
        assert "paused" in before[-1]
        for start in range(100, 2_100, 100):
            view.append(batch(start, 100))
        await pilot.pause()
        view.refresh()
        assert view.store.first_row > 100
        after = screen(view)
        assert [line[:-1] for line in after[:-1]] == [line[:-1] for line in before[:-1]]
        assert "2,000 new ↓" in after[-1]
        assert view.counts.new == 2_000 > len(view.store)
        assert view.line(95) is not None
        await pilot.press("k", "enter")
        assert view.cursor == 98
        await pilot.press("space")
        assert numbers(view)[-1] == 2_099
        assert view.counts.new == 0
        assert view.line(95) is None

    view = LogView(max_bytes=100_000)
    said = play(act, view=view)
    assert [message.follow for message in said if isinstance(message, LogView.FollowChanged)] == [False, True]
    assert [message.row for message in said if isinstance(message, LogView.Opened)] == [98]
    assert all(message.control is view for message in said if isinstance(message, LogView.FollowChanged))


def test_new_is_what_was_never_on_the_screen() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        await fill(pilot, view, 5)
        await pilot.press("space")
        view.append(batch(5, 3))
        view.refresh()
        assert "paused" in screen(view)[-1]
        assert view.counts.new == 0
        view.append(batch(8, 10))
        view.refresh()
        assert numbers(view) == list(range(12))
        assert view.counts.new == 6
        assert "6 new ↓" in screen(view)[-1]

    play(act)


def test_keys_keep_their_meaning_in_vim() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        await fill(pilot, view)
        for keys, cursor, top in [
            ("g", 0, 0),
            ("j", 1, 0),
            ("down", 2, 0),
            ("k", 1, 0),
            ("up", 0, 0),
            ("up", 0, 0),
            ("ctrl+d", 6, 6),
            ("pagedown", 17, 17),
            ("ctrl+u", 11, 11),
            ("pageup", 0, 0),
            ("end", None, 88),
            ("k", 98, 88),
            ("home", 0, 0),
            ("G", None, 88),
            ("pageup", 88, 77),
            ("ctrl+d", 94, 83),
            ("ctrl+d", None, 88),
            ("j", None, 88),
        ]:
            await pilot.press(keys)
            assert (keys, view.cursor, numbers(view)[0]) == (keys, cursor, top)

    play(act)


def test_past_the_last_row_it_follows_again() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        await fill(pilot, view)
        await pilot.press("k", "k", "j", "j")
        assert view.follow is False
        await pilot.press("j")
        assert view.follow is True

    said = play(act)
    assert [message.follow for message in said if isinstance(message, LogView.FollowChanged)] == [False, True]


def test_the_app_may_set_follow() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        await fill(pilot, view)
        view.follow = False
        await pilot.pause()
        assert view.cursor == 99
        view.append(batch(100, 10))
        view.refresh()
        assert numbers(view)[-1] == 99
        view.follow = True
        await pilot.pause()
        assert numbers(view)[-1] == 109

    said = play(act)
    assert [message.follow for message in said if isinstance(message, LogView.FollowChanged)] == [False, True]


def test_opening_and_copying_give_the_record_itself() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        await pilot.press("enter", "y", "n")
        await fill(pilot, view)
        await pilot.press("g", "enter", "j", "y", "G", "enter")

    said = play(act)
    opened = [message for message in said if isinstance(message, LogView.Opened)]
    assert [(message.row, message.line) for message in opened] == [(0, record(0)), (99, record(99))]
    copied = [message for message in said if isinstance(message, LogView.CopyRequested)]
    assert [(message.row, message.line) for message in copied] == [(1, record(1))]
    assert {message.control for message in (*opened, *copied)} == {opened[0].view}


def test_an_empty_view_says_what_would_fill_it() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        assert sum("Nothing matches info yet." in line for line in screen(view)) == 1
        view.empty = "No host."
        await pilot.pause()
        assert sum("No host." in line for line in screen(view)) == 1
        await fill(pilot, view, 1)
        assert not any("No host." in line for line in screen(view))
        view.clear()
        await pilot.pause()
        assert any("No host." in line for line in screen(view))
        assert view.counts == Counts(0, 0, 0)

    play(act, view=LogView(empty="Nothing matches info yet."))


def test_clearing_follows_again() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        await fill(pilot, view)
        await pilot.press("g")
        view.clear()
        await pilot.pause()
        assert (view.follow, view.cursor) == (True, None)
        view.append(batch(500, 3))
        view.refresh()
        assert numbers(view) == [500, 501, 502]

    play(act)


def test_seams_and_losses_are_rows() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        await fill(pilot, view, 2)
        view.append(Batch(record(8), 2, 9, dropped=6))
        view.seam("another host: demo")
        view.mark("3 records are no longer kept", 3)
        view.append(Batch(b"", 1, 4))
        view.refresh()
        lines = screen(view)
        assert "── 6 records lost: this reader was too slow ──" in lines[2]
        assert "number=8" in lines[3]
        assert "── another host: demo ──" in lines[4]
        assert "── 3 records are no longer kept ──" in lines[5]
        assert view.counts == Counts(rows=6, new=0, lost=9)

    play(act)


def test_a_view_that_is_not_on_a_screen_only_keeps() -> None:
    view = LogView()
    view.append(batch(0, 10))
    view.seam("later")
    assert view.counts.rows == 11


def test_search_marks_finds_and_goes_on() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        view.append(batch(0, 40))
        view.append(Batch(record(40, "card declined") + b"\n" + record(41), 40, 42))
        view.append(batch(42, 58))
        view.append(Batch(record(100, "card Declined"), 100, 101))
        await pilot.pause()
        view.search("declined")
        await searched(pilot, view)
        assert view.cursor == 100
        await pilot.press("n")
        await searched(pilot, view)
        assert view.cursor == 40
        assert "declined: past the end" in screen(view)[-1]
        await pilot.press("n")
        await searched(pilot, view)
        assert view.cursor == 100
        await pilot.press("N")
        await searched(pilot, view)
        assert view.cursor == 40
        marked = [
            segment.text
            for strip in view.render_lines(view.size.region)
            for segment in strip
            if segment.style == view._paint_with().style("log-view--match")
        ]
        assert marked == ["declined"]
        await pilot.press("escape")
        assert view._marks is None
        await pilot.press("n")
        await searched(pilot, view)
        assert (view.cursor, view._marks is None) == (100, False)
        view.search("nowhere")
        await searched(pilot, view)
        assert "nowhere: not found" in screen(view)[-1]
        assert view.cursor == 100
        view.search("/(/")
        await pilot.pause()
        assert "missing )" in screen(view)[-1]
        view.search(None)
        await pilot.pause()
        assert "missing" not in screen(view)[-1]

    said = play(act)
    states = [message.state for message in said if isinstance(message, LogView.SearchChanged)]
    assert [state for state in states if state != "searching"] == [
        "found",
        "wrapped",
        "found",
        "found",
        "left",
        "found",
        "none",
        "bad",
        "left",
    ]
    told = [message for message in said if isinstance(message, LogView.SearchChanged)]
    assert {message.control for message in told} == {told[0].view}


def test_a_search_begins_at_the_chosen_row() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        await fill(pilot, view)
        await pilot.press("g", "j", "j")
        view.search("number=1")
        await searched(pilot, view)
        assert view.cursor == 10
        # n on the last hit and N on the first come round the ends.
        await pilot.press("G")
        await pilot.press("k", "j", "n")
        await searched(pilot, view)
        assert view.cursor == 1
        await pilot.press("g", "N")
        await searched(pilot, view)
        assert view.cursor == 19

    play(act)


def test_a_search_lets_keys_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.widgets.log_view._SEARCH_SLICE", 0.0)
    cursors: list[int | None] = []

    class Pressing:
        """A search that presses a key at its first row, and notes what became of it."""

        step = 10

        def __init__(self, view: LogView) -> None:
            self.view = view

        def candidates(self, data: bytes) -> Iterator[int]:
            return parse_query("/x|y/").candidates(data)

        def matches(self, line: bytes) -> bool:
            if not cursors:
                self.view.app.post_message(Key("g", "g"))
            cursors.append(self.view.cursor)
            return False

    async def act(pilot: Pilot[None], view: LogView) -> None:
        await fill(pilot, view, 3_000)
        view._seek(Pressing(view), "x", 0, forward=True)
        await searched(pilot, view)
        assert (cursors[0], cursors[-1], len(cursors)) == (None, 0, 3_000)

    play(act)


def test_escape_is_the_apps_when_there_is_no_search() -> None:
    pressed: list[str] = []

    class Escaping(Probe):
        BINDINGS: ClassVar[list[BindingType]] = [("escape", "note")]

        def action_note(self) -> None:
            pressed.append("app")

    async def act(pilot: Pilot[None], view: LogView) -> None:
        await fill(pilot, view)
        await pilot.press("escape")
        assert pressed == ["app"]
        view.search("card")
        await searched(pilot, view)
        await pilot.press("escape")
        assert (pressed, view._marks) == (["app"], None)
        await pilot.press("escape")
        assert pressed == ["app", "app"]

    play(act, app=Escaping())


def test_a_search_can_be_left() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        await fill(pilot, view)
        view.search("/no such thing/")
        view.action_leave_search()
        with pytest.raises(WorkerCancelled):
            await searched(pilot, view)

    said = play(act)
    states = [message.state for message in said if isinstance(message, LogView.SearchChanged)]
    assert states == ["searching", "left"]


def test_errors_and_warnings_are_a_key_away() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        for number in range(100):
            level = {10: "ERROR", 20: "WARN", 30: "ERROR", 60: "WARN"}.get(number, "INFO")
            view.append(Batch(record(number, "an ERROR, a WARN", level), number, number + 1))
        await pilot.pause()
        for key, row in [("e", 30), ("E", 10), ("e", 30), ("w", 60), ("W", 20), ("e", 30), ("e", 10)]:
            await pilot.press(key)
            await searched(pilot, view)
            assert (key, view.cursor) == (key, row)
        assert screen(view)[numbers(view).index(10)].startswith("▌")

    play(act)


def test_sideways() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        view.append(Batch(record(1, "abcdefgh" * 50), 1, 2))
        await pilot.pause()
        assert screen(view)[0][20:30] == "2026-11-23"
        await pilot.press("l", "right")
        assert screen(view)[0][20:28] == "efghabcd"
        await pilot.press("h", "left", "h")
        assert view.left == 0
        await pilot.press("l", "z", "l")
        assert (view.wrap, view.left) == (True, 0)

    play(act)


def test_wrapped_rows_show_all_of_their_text() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        text = "".join(chr(ord("a") + number % 26) for number in range(150))
        view.append(Batch(record(1) + b"\n" + record(2, text), 1, 3))
        await pilot.pause()
        await pilot.press("z")
        lines = screen(view)
        assert text in "".join(line[20:79] for line in lines[1:5]).replace(" ", "")
        await pilot.press("g", "j")
        assert [line[0] for line in screen(view)[:5]] == [" ", "▌", "▌", "▌", " "]
        await pilot.press("z")
        assert view.cursor == 1
        assert len(numbers(view)) == 1

    play(act)


def test_a_wrapped_tail_ends_at_the_bottom() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        for number in range(50):
            view.append(Batch(record(number, "x" * 200), number, number + 1))
        view.wrap = True
        await pilot.pause()
        assert "number=49" in screen(view)[-1]
        view.append(batch(50, 1))
        view.refresh()
        assert "number=50" in screen(view)[-1]
        await pilot.press("ctrl+u", "k", "g")
        assert view.cursor == 0
        await pilot.press("G")
        assert "number=50" in screen(view)[-1]

    play(act)


def test_the_mouse() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        await fill(pilot, view)
        await pilot.click(LogView, offset=(30, 3))
        assert view.cursor == 91
        await pilot.click(LogView, offset=(30, 5), times=2)
        assert view.cursor == 93
        await pilot._post_mouse_events([MouseScrollUp], LogView, offset=(3, 3))
        assert numbers(view)[0] == 85
        await pilot._post_mouse_events([MouseScrollDown], LogView, offset=(3, 3))
        assert (view.follow, numbers(view)[0]) == (True, 88)
        await pilot.press("space")
        await pilot.click(LogView, offset=(76, 11))
        assert view.follow is True
        view.clear()
        await pilot.pause()
        await pilot.click(LogView, offset=(3, 3))
        assert view.follow is True

    said = play(act)
    assert [message.row for message in said if isinstance(message, LogView.Opened)] == [93]


def test_dragging_the_bar() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        await fill(pilot, view, 1_000)
        await pilot.mouse_down(LogView, offset=(79, 0))
        assert numbers(view)[0] == 0
        await pilot.hover(LogView, offset=(40, 6))
        assert 400 < numbers(view)[0] < 700
        assert screen(view)[6][79] == "┃"
        await pilot.hover(LogView, offset=(79, 11))
        assert view.follow is True
        await pilot.hover(LogView, offset=(79, 3))
        assert view.follow is False
        await pilot.mouse_up(LogView, offset=(79, 3))
        where = numbers(view)
        await pilot.hover(LogView, offset=(79, 9))
        assert numbers(view) == where
        assert view.app.mouse_captured is None
        await pilot.click(LogView, offset=(79, 5))
        assert view.cursor in numbers(view)

    play(act)
