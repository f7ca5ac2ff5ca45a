"""The log view follows, holds, searches and opens, and draws only what is on the screen."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.style import Style
from textual.app import App, ComposeResult
from textual.events import Key, MouseScrollDown, MouseScrollUp
from textual.message import Message
from textual.pilot import Pilot
from textual.worker import WorkerCancelled

from tui.logs.row import Row, parse_row
from tui.logs.search import parse_query
from tui.widgets._log_rows import MAX_LINES, Columns, Painter
from tui.widgets.log_view import Counts, LogView


@dataclass
class Batch:
    lines: bytes
    first_seq: int
    next_seq: int
    dropped: int = 0


def record(number: int, message: str = "card accepted", level: str = "INFO", **more: Any) -> bytes:
    """Make a record of the kind that a host sends; its time tells its number."""
    value: dict[str, Any] = {
        "seq": number,
        "timestamp": f"2026-11-23T20:{number // 60 % 60:02}:{number % 60:02}.139606Z",
        "level": level,
        "kind": "event",
        "target": "shop.cart",
        "fields": {"message": message, "number": number},
        "span": {"name": "action", "actor": "cart/7", "action": "checkout"},
    }
    return json.dumps(value | more, ensure_ascii=False, separators=(",", ":")).encode()


def batch(first: int, count: int, **more: Any) -> Batch:
    lines = [record(number, **more) for number in range(first, first + count)]
    return Batch(b"\n".join(lines), first, first + count)


class Probe(App[None]):
    """An app that is nothing but the view, and notes what the view says."""

    def __init__(self, view: LogView | None = None) -> None:
        super().__init__()
        self.view = view or LogView()
        self.said: list[Message] = []

    def compose(self) -> ComposeResult:
        yield self.view

    def on_mount(self) -> None:
        self.view.focus()

    def on_log_view_opened(self, message: LogView.Opened) -> None:
        self.said.append(message)

    def on_log_view_copy_requested(self, message: LogView.CopyRequested) -> None:
        self.said.append(message)

    def on_log_view_follow_changed(self, message: LogView.FollowChanged) -> None:
        self.said.append(message)

    def on_log_view_search_changed(self, message: LogView.SearchChanged) -> None:
        self.said.append(message)


Play = Callable[[Pilot[None], LogView], Awaitable[None]]


def play(act: Play, *, size: tuple[int, int] = (80, 12), view: LogView | None = None) -> list[Message]:
    """Run the view in a screen of that size, and give what it said."""
    app = Probe(view)

    async def main() -> None:
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await act(pilot, app.view)
            await pilot.pause()

    asyncio.run(main())
    return app.said


def screen(view: LogView) -> list[str]:
    """Give the text on the view's lines, as a terminal would show it."""
    return [strip.text for strip in view.render_lines(view.size.region)]


def numbers(view: LogView) -> list[int]:
    """Give the numbers of the records on the screen."""
    return [int(found[1]) for line in screen(view) if (found := re.search(r"number=(\d+)", line))]


async def fill(pilot: Pilot[None], view: LogView, count: int = 100) -> None:
    view.append(batch(0, count))
    await pilot.pause()


async def searched(pilot: Pilot[None], view: LogView) -> None:
    await view.workers.wait_for_complete()
    await pilot.pause()


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

    said = play(act, view=LogView(max_bytes=100_000))
    assert [message.follow for message in said if isinstance(message, LogView.FollowChanged)] == [False, True]
    assert [message.row for message in said if isinstance(message, LogView.Opened)] == [98]


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


def test_batches_cause_few_updates() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        await pilot.pause()
        asked: list[int] = []
        refresh = view.refresh

        def counting(*args: Any, **more: Any) -> LogView:
            asked.append(1)
            return refresh(*args, **more)

        view.refresh = counting  # type: ignore[method-assign]  # counts, and does what it did
        for start in range(0, 20_000, 20):
            view.append(batch(start, 20))
        # One at once, and one that waits: nothing else can happen before the loop comes round.
        assert len(asked) <= 1
        assert len(view.store) == 20_000

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
            return parse_query("/x/").candidates(data)

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

    play(act)


def test_a_resize_keeps_the_choice_on_the_screen() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        await fill(pilot, view, 1_000)
        await pilot.press("g", "pagedown", "pagedown")
        chosen = view.cursor
        for size in [(60, 15), (400, 100), (20, 3), (80, 24), (1, 1), (200, 50)]:
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert view.cursor == chosen
            assert all(strip.cell_length == size[0] for strip in view.render_lines(view.size.region))
        assert chosen in numbers(view)

    play(act)


def test_columns_come_with_the_width() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        await fill(pilot, view, 3)
        assert screen(view)[1].startswith(" 20:00:01.139 INFO  card accepted  number=1 ")
        await pilot.resize_terminal(160, 12)
        await pilot.pause()
        assert re.match(r" 20:00:01\.139 INFO  shop\.cart +cart/7 checkout +card accepted", screen(view)[1])
        await pilot.resize_terminal(50, 12)
        await pilot.pause()
        assert screen(view)[1].startswith(" 20:00:01 INFO  card accepted")

    play(act)


def test_a_date_is_said_once() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        lines = [record(number) for number in range(3)]
        lines.append(record(3, timestamp="2026-11-24T00:00:01.000000Z"))
        lines.append(record(4, timestamp="2026-11-24T00:00:02.000000Z"))
        view.append(Batch(b"\n".join(lines), 0, 5))
        await pilot.pause()
        dated = ["2026-11-2" in line for line in screen(view)[:5]]
        assert dated == [True, False, False, True, False]

    play(act)


HOSTILE = [
    record(1, "\x1b[2J\x1b]0;title\x07\x9b31m\r\n"),
    record(2, "[bold red]markup[/] [link=file:///x]y[/link]"),
    record(3, "a\u202eb\u200bc\ufeff"),
    record(4, "x" * 1_000_000),
    record(5, "日本語" * 100, "\x1b[31mERROR"),
    b"\x1b[31mnot json \xff\xfe",
    b'{"fields": ' + b"[" * 100_000,
    b"",
    record(6, "e" + "\u0301" * 1_000),
    record(7, "👩‍👩‍👧‍👦 🏳️‍🌈", target="日本.🎉" * 20),
]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_what_a_hostile_host_sends_is_shown_and_does_nothing(width: int) -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        view.append(Batch(b"\n".join(HOSTILE), 1, len(HOSTILE) + 1))
        view.search("b")
        await searched(pilot, view)
        for wrap in (True, False):
            view.wrap = wrap
            await pilot.press("g")
            lines = screen(view)
            assert all(line.isprintable() for line in lines)
            assert all(strip.cell_length == width for strip in view.render_lines(view.size.region))
        assert any(" raw " in line for line in lines)

    play(act, size=(width, 40))


def test_colours_follow_the_theme() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        view.append(Batch(record(1, level="ERROR") + b"\n" + record(2), 1, 3))
        await pilot.pause()
        seen = set()
        for theme in ("textual-dark", "textual-light", "ansi-dark"):
            pilot.app.theme = theme
            await pilot.pause()
            level = [segment for segment in view.render_lines(view.size.region)[0] if segment.text == "ERROR"]
            assert level[0].style is not None
            seen.add(level[0].style.color)
            assert level[0].style.bold
        assert len(seen) == 3
        await pilot.press("g")
        chosen = [segment for segment in view.render_lines(view.size.region)[1] if "INFO" in segment.text]
        assert not chosen[0].style or not chosen[0].style.reverse
        chosen = [segment for segment in view.render_lines(view.size.region)[0] if "card" in segment.text]
        assert chosen[0].style
        assert chosen[0].style.reverse

    play(act)


# ---- the painter alone ----


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


def test_fields_that_are_left_out_are_counted() -> None:
    fields = {"message": "m"} | {f"f{number:02}": 0 for number in range(40)}
    assert painter(600).paint(parse_row(record(1, fields=fields)))[0].text.rstrip().endswith("…+8 fields")


def test_columns_always_leave_room() -> None:
    assert all(Columns(width).room >= 1 for width in range(1, 300))


# ---- pictures ----


async def _picture(pilot: Pilot[None]) -> None:
    view = pilot.app.query_one(LogView)
    lines = [record(number) for number in range(60)]
    lines.append(record(60, "retry", "WARN", kind="event"))
    lines.append(record(61, "declined", "ERROR", exception={"type": "CardDeclined", "message": "code 51"}))
    lines.append(record(62, "checkout", kind="span_start", fields={}))
    lines.append(record(63, "trace", "TRACE"))
    lines.append(record(64, kind="span_end", level="DEBUG", fields={}, status="error", duration_ns=3_100_000))
    view.append(Batch(b"\n".join(lines), 0, 65))
    view.append(Batch(record(77, "日本語 \x1b[31m"), 65, 78, dropped=12))
    view.seam("another host: demo")
    view.append(batch(0, 3))
    await pilot.press("k", "k", "k", "k")
    view.search("declined")
    await searched(pilot, view)
    view.append(batch(3, 1_234))
    view.refresh()


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "ansi-dark"])
@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_a_picture(snap_compare: Callable[..., bool], theme: str, size: tuple[int, int]) -> None:
    app = Probe()
    app.theme = theme
    assert snap_compare(app, terminal_size=size, run_before=_picture)
