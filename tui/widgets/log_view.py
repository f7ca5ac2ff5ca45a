"""Show a log of any number of records: rows drawn on demand, followed or put on hold, searched."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.cells import cell_len, set_cell_size
from textual import events, work
from textual.binding import Binding, BindingType
from textual.message import Message

from tui.logs.search import BadQuery, Found, LevelQuery, Query, TextQuery, parse_query, search
from tui.logs.store import DEFAULT_MAX_BYTES
from tui.widgets._log_canvas import Batch, Counts, LogCanvas
from tui.widgets._log_css import LOG_VIEW_CSS

__all__ = ("Batch", "Counts", "LogView")

# How long a search keeps the keys waiting before it rests, in seconds.
_SEARCH_SLICE: Final = 0.006
_WHEEL_LINES: Final = 3
_SIDEWAYS_CELLS: Final = 8


class LogView(LogCanvas, can_focus=True):
    """A live log, one record a row, of which only the rows on the screen are ever taken apart.

    Args:
        max_bytes: how much of the log is kept.
        empty: what an empty view says, to tell what would fill it.
        name: the widget's name.
        id: the widget's id.
        classes: the widget's CSS classes.
    """

    DEFAULT_CSS = LOG_VIEW_CSS

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_follow", "Follow / pause", id="log.follow"),
        Binding("enter", "open", "Open", id="log.open"),
        Binding("j,down", "move(1)", "Next row", show=False, id="log.down"),
        Binding("k,up", "move(-1)", "Previous row", show=False, id="log.up"),
        Binding("g,home", "home", "Oldest", show=False, id="log.home"),
        Binding("G,end", "tail", "Newest, follow", show=False, id="log.end"),
        Binding("ctrl+d", "half_page(1)", "Half a page down", show=False, id="log.half_down"),
        Binding("ctrl+u", "half_page(-1)", "Half a page up", show=False, id="log.half_up"),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False, id="log.page_down"),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False, id="log.page_up"),
        Binding("n", "hit(1)", "Next hit", show=False, id="log.next_hit"),
        Binding("N", "hit(-1)", "Previous hit", show=False, id="log.previous_hit"),
        Binding("e", "level('ERROR', 1)", "Next error", show=False, id="log.next_error"),
        Binding("E", "level('ERROR', -1)", "Previous error", show=False, id="log.previous_error"),
        Binding("w", "level('WARN', 1)", "Next warning", show=False, id="log.next_warning"),
        Binding("W", "level('WARN', -1)", "Previous warning", show=False, id="log.previous_warning"),
        Binding("l,right", "sideways(1)", "Scroll right", show=False, id="log.right"),
        Binding("h,left", "sideways(-1)", "Scroll left", show=False, id="log.left"),
        Binding("z", "toggle_wrap", "Wrap", show=False, id="log.wrap"),
        Binding("y", "copy", "Copy record", show=False, id="log.copy"),
        Binding("escape", "leave_search", "Leave search", show=False, id="log.leave_search"),
    ]

    @dataclass
    class Opened(Message):
        """Somebody wants to see a whole record."""

        view: LogView
        row: int
        line: bytes

        @property
        def control(self) -> LogView:
            """Give the view that the record is in."""
            return self.view

    @dataclass
    class CopyRequested(Message):
        """Somebody wants a record on the clipboard."""

        view: LogView
        row: int
        line: bytes

        @property
        def control(self) -> LogView:
            """Give the view that the record is in."""
            return self.view

    @dataclass
    class FollowChanged(Message):
        """The view follows the newest record from now on, or no longer."""

        view: LogView
        follow: bool

        @property
        def control(self) -> LogView:
            """Give the view that it speaks of."""
            return self.view

    @dataclass
    class SearchChanged(Message):
        """A search was begun, has ended, or was left.

        Attributes:
            view: the view that was searched.
            text: what was looked for; empty when the search was left.
            state: `searching`, `found`, `wrapped` (found past an end of the log), `none`, `bad` or `left`.
            detail: what is wrong with a bad one.
        """

        view: LogView
        text: str
        state: str
        detail: str = ""

        @property
        def control(self) -> LogView:
            """Give the view that was searched."""
            return self.view

    def __init__(
        self,
        max_bytes: int = DEFAULT_MAX_BYTES,
        *,
        empty: str | None = None,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(max_bytes, empty=empty, name=name, id=id, classes=classes)
        self._query: TextQuery | None = None
        self._dragging = False

    # ---- following ----

    def watch_follow(self, follow: bool) -> None:
        """Go to the tail, or stay here."""
        if follow != self._window.follow:
            self._sync()
            if follow:
                self._window.tail()
            else:
                self._seen = self.store.end_row
                self._window.pause()
        self.post_message(self.FollowChanged(self, follow))
        self.refresh()

    # ---- keys ----

    def action_move(self, rows: int) -> None:
        """Choose the next or the previous row."""
        self._sync()
        self._window.move(rows)
        self._settle()

    def action_page(self, direction: int) -> None:
        """Go a page, one line of which stays."""
        self._sync()
        self._window.page(direction * max(1, self._window.height - 1))
        self._settle()

    def action_half_page(self, direction: int) -> None:
        """Go half a page."""
        self._sync()
        self._window.page(direction * max(1, self._window.height // 2))
        self._settle()

    def action_home(self) -> None:
        """Go to the oldest record that is kept."""
        self._sync()
        self._window.home()
        self._settle()

    def action_tail(self) -> None:
        """Go to the newest record and follow."""
        self._window.tail()
        self._settle()

    def action_toggle_follow(self) -> None:
        """Follow, or stay here."""
        self.follow = not self.follow

    def action_toggle_wrap(self) -> None:
        """Wrap long rows, or don't."""
        self.wrap = not self.wrap

    def action_sideways(self, direction: int) -> None:
        """Scroll the rows' text sideways."""
        if not self.wrap:
            self.left = max(0, self.left + direction * _SIDEWAYS_CELLS)

    def action_open(self) -> None:
        """Show the whole of the chosen record; the newest, when none is chosen."""
        if (chosen := self._choose()) is not None:
            self.post_message(self.Opened(self, *chosen))

    def action_copy(self) -> None:
        """Copy the chosen record."""
        if (chosen := self._choose()) is not None:
            self.post_message(self.CopyRequested(self, *chosen))

    def _choose(self) -> tuple[int, bytes] | None:
        if self._window.cursor is None:
            # What was painted last is what somebody saw, not what has come since.
            if not self._plan:
                return None
            self._sync()
            self._window.select(self._plan[-1].row)
            self._settle()
        row = self._window.cursor
        line = None if row is None else self.line(row)
        return None if row is None or line is None else (row, line)

    # ---- search ----

    def search(self, text: str | None) -> None:
        """Look for a text, or a regular expression between slashes, and mark it; None leaves the search.

        A view that follows is searched from its newest record backwards, another from its chosen row on.
        """
        if text is None:
            self._leave()
            return
        try:
            query = parse_query(text)
        except BadQuery as error:
            self._tell(text, "bad", error.message)
            return
        self._query = self._marks = query
        self._strips.clear()
        if self._window.cursor is None:
            self._seek(query, text, self.store.end_row - 1, forward=False)
        else:
            self._seek(query, text, self._window.cursor, forward=True)

    def go_to(self, query: Query, text: str) -> None:
        """Go to the oldest record that a query matches; `text` names it where there is none."""
        self._seek(query, text, self.store.first_row, forward=True)

    def action_hit(self, direction: int) -> None:
        """Go to the next or the previous hit of the last search."""
        if self._query is None:
            return
        if self._marks is None:
            self._marks = self._query
            self._strips.clear()
        self._go(self._query, self._query.source, direction)

    def action_level(self, level: str, direction: int) -> None:
        """Go to the next or the previous record of a level."""
        self._go(LevelQuery(level), level, direction)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Let escape mean what it means elsewhere when there is no search to leave."""
        return action != "leave_search" or self._marks is not None or bool(self._note)

    def action_leave_search(self) -> None:
        """Take the marks off."""
        self._leave()

    def _go(self, query: Query, text: str, direction: int) -> None:
        cursor = self._window.cursor
        if cursor is None:
            # Below the tail there is nothing: either way the last one is meant.
            self._seek(query, text, self.store.end_row - 1, forward=False)
        else:
            self._seek(query, text, cursor + direction, forward=direction > 0)

    def _seek(self, query: Query, text: str, start: int, *, forward: bool) -> None:
        first, end = self.store.first_row, self.store.end_row
        # One step past an end goes on at the other.
        wrapped = end > first and not first <= start < end
        if wrapped:
            start = first if forward else end - 1
        self._tell(text, "searching")
        self._run_search(query, text, start, forward=forward, wrapped=wrapped)

    # Not a coroutine given to run_worker: one that is cancelled before its first step would complain.
    @work(group="log-search", exclusive=True)
    async def _run_search(self, query: Query, text: str, start: int, *, forward: bool, wrapped: bool) -> None:
        rest = time.monotonic() + _SEARCH_SLICE
        for step in search(self.store, query, start, forward=forward):
            if isinstance(step, Found):
                self._sync()
                self._window.select(step.row, centre=True)
                self._tell(text, "wrapped" if wrapped or step.wrapped else "found")
                self._settle()
                return
            if time.monotonic() >= rest:
                # Long enough for a key that waits to be handled, not just for the loop to come round.
                await asyncio.sleep(0.0005)
                rest = time.monotonic() + _SEARCH_SLICE
        self._tell(text, "none")

    def _leave(self) -> None:
        self.workers.cancel_group(self, "log-search")
        self._marks = None
        self._strips.clear()
        self._tell("", "left")

    def _tell(self, text: str, state: str, detail: str = "") -> None:
        notes = {
            "searching": f"{text}: searching",
            "wrapped": f"{text}: past the end",
            "none": f"{text}: not found",
            "bad": f"{text}: {detail}",
        }
        self._note = set_cell_size(note, min(cell_len(note), 48)) if (note := notes.get(state, "")) else ""
        self.post_message(self.SearchChanged(self, text, state, detail))
        self.refresh()

    # ---- mouse ----

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll towards newer rows; at the tail, follow."""
        event.stop()
        self._scroll(_WHEEL_LINES)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll towards older rows."""
        event.stop()
        self._scroll(-_WHEEL_LINES)

    def _scroll(self, lines: int) -> None:
        self._sync()
        self._window.scroll(lines)
        self._settle()

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take hold of the scroll bar."""
        if (at := event.get_content_offset(self)) is not None and at.x == self.size.width - 1:
            event.stop()
            self._dragging = True
            self.capture_mouse()
            self._drag_to(at.y)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Drag the scroll bar."""
        if self._dragging:
            event.stop()
            self._drag_to(event.y - self.gutter.top)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Let go of the scroll bar."""
        if self._dragging:
            event.stop()
            self._dragging = False
            self.release_mouse()

    def _drag_to(self, line: int) -> None:
        self._sync()
        start, end = self._thumb
        room = max(1, self.size.height - (end - start))
        self._window.jump((line - (end - start) // 2) / room)
        self._settle()

    def on_click(self, event: events.Click) -> None:
        """Choose a row, open it at the second click, or follow when the badge is clicked."""
        at = event.get_content_offset(self)
        if at is None or at.x == self.size.width - 1:
            return
        event.stop()
        if at.y == self.size.height - 1 and at.x >= self.size.width - 1 - cell_len(self._badge()):
            self.action_tail()
        elif at.y < len(self._plan):
            self._sync()
            self._window.select(self._plan[at.y].row)
            self._settle()
            if event.chain == 2:
                self.action_open()
