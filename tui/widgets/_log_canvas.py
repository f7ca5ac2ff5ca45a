"""Draw the rows of a log that are on the screen, no more often than a screen is looked at."""

from __future__ import annotations

import time
from typing import ClassVar, Final, NamedTuple, Protocol, Self

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.geometry import Region, Size
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui.logs.row import Row, Rows
from tui.logs.search import TextQuery
from tui.logs.store import DEFAULT_MAX_BYTES, LogStore
from tui.logs.window import Place, Window
from tui.widgets._log_css import COMPONENTS
from tui.widgets._log_rows import Painter

__all__ = ("MAX_UPDATES", "Batch", "Counts", "LogCanvas")

MAX_UPDATES: Final = 20
"""Screen updates a second that arriving records cause, at most."""

# While it is on hold only the badge and the scroll bar move.
_MAX_HELD_UPDATES: Final = 5
# When more than a screenful has come since the last one, nobody reads along: what is drawn less often
# leaves more of the interpreter to the keys.
_MAX_FLOOD_UPDATES: Final = 12
_STRIPS_KEPT: Final = 600


class Batch(Protocol):
    """What the view takes from a LogBatch."""

    @property
    def lines(self) -> bytes:
        """JSON lines joined by newlines."""

    @property
    def first_seq(self) -> int:
        """The first sequence number that the batch speaks for."""

    @property
    def next_seq(self) -> int:
        """The one after the last."""

    @property
    def dropped(self) -> int:
        """Matching records of these that were not sent."""


class Counts(NamedTuple):
    """How much there is to see.

    Attributes:
        rows: rows kept.
        new: rows that came since the view was put on hold and were never on the screen, dropped or not.
        lost: records that the stream said were lost.
    """

    rows: int
    new: int
    lost: int


class LogCanvas(Widget):
    """A bounded store of records and a window onto it; only the rows in the window are ever taken apart.

    Args:
        max_bytes: how much of the log is kept.
        empty: what an empty view says, to tell what would fill it.
        name: the widget's name.
        id: the widget's id.
        classes: the widget's CSS classes.
    """

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = set(COMPONENTS)

    follow: reactive[bool] = reactive(True, repaint=False, init=False)
    """Whether the view stays at the newest record."""
    wrap: reactive[bool] = reactive(False)
    """Whether long rows go on in further lines."""
    left: reactive[int] = reactive(0)
    """Cells of the rows' text that are scrolled out of sight."""
    empty: reactive[str] = reactive("No records yet.")
    """What an empty view says."""

    def __init__(
        self,
        max_bytes: int = DEFAULT_MAX_BYTES,
        *,
        empty: str | None = None,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.store = LogStore(max_bytes)
        self._window = Window()
        self._rows = Rows()
        self._seen = 0
        self._held: dict[int, bytes] = {}
        self._painter: Painter | None = None
        self._strips: dict[tuple[int, bool], list[Strip]] = {}
        self._plan: list[Place] = []
        self._thumb = (0, 0)
        self._laid_out = Size(0, 0)
        self._stale = True
        self._waiting = False
        self._updated = 0.0
        self._marks: TextQuery | None = None
        self._note = ""
        if empty is not None:
            self.set_reactive(LogCanvas.empty, empty)

    # ---- records ----

    def append(self, batch: Batch) -> None:
        """Take a batch of the stream; the screen follows within a twentieth of a second."""
        if self.store.append_batch(batch.lines, batch.first_seq, batch.next_seq, batch.dropped):
            self._came()

    def seam(self, text: str) -> None:
        """Show that from here on it is another stream: a host that was away, or another one."""
        self.store.append_seam(text)
        self._came()

    def mark(self, text: str, lost: int = 0) -> None:
        """Show that something happened to the stream here, such as records that are no longer kept."""
        self.store.append_marker(text, lost)
        self._came()

    def clear(self) -> None:
        """Forget every record and follow what comes."""
        self.store.clear()
        self._held.clear()
        self._strips.clear()
        self._sync()
        self._window.tail()
        self._settle()

    @property
    def counts(self) -> Counts:
        """Give how many rows are kept, how many are new, and how many records were lost."""
        new = 0 if self.follow else self.store.end_row - self._seen
        return Counts(len(self.store), new, self.store.lost)

    @property
    def cursor(self) -> int | None:
        """Give the chosen row; None while the view follows."""
        return self._window.cursor

    def line(self, row: int) -> bytes | None:
        """Give a row's record, also one that was dropped while it was on the screen; None when it is gone."""
        try:
            return self.store.row(row)
        except IndexError:
            return self._held.get(row)

    # ---- what is on the screen ----

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Draw again; which rows are shown is decided when that happens."""
        self._stale = True
        super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
        return self

    def notify_style_update(self) -> None:
        """Forget what was drawn in other colours."""
        super().notify_style_update()
        self._repaint_all()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Decide which rows are shown, then draw those lines of them that are asked for."""
        if self._stale or self.size != self._laid_out:
            # Only here, and only after a refresh: what a click hits has to be what was painted last.
            self._stale, self._laid_out = False, self.size
            self._lay_out()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen."""
        painter, (width, height) = self._paint_with(), self._laid_out
        if y < len(self._plan):
            strip = self._row_strip(painter, self._plan[y])
        elif not self._plan and y == height // 3:
            style = painter.style("log-view--empty")
            text = set_cell_size(self.empty, min(cell_len(self.empty), painter.width - 2))
            margin = (painter.width - cell_len(text)) // 2
            strip = Strip([Segment(" " * margin, style), Segment(text, style)])
        else:
            strip = Strip([])
        if strip.cell_length != painter.width:
            strip = strip.adjust_cell_length(painter.width, painter.style("log-view--message"))
        if y == height - 1 and (badge := self._badge()):
            text = set_cell_size(badge, min(cell_len(badge), painter.width))
            corner = Segment(text, painter.style("log-view--badge"))
            strip = Strip([*strip.crop(0, painter.width - cell_len(text)), corner], painter.width)
        start, end = self._thumb
        inside = start <= y < end and len(self.store) > len(self._plan)
        bar = Segment("┃" if inside else "│", painter.style("log-view--thumb" if inside else "log-view--bar"))
        return Strip([*strip, bar], width) if width > 1 else Strip([bar], 1)

    def _lay_out(self) -> None:
        self._sync()
        window = self._window
        self._plan = window.lines()
        self._thumb = window.thumb()
        if self._plan:
            self._seen = max(self._seen, self._plan[-1].row + 1)
        window.hold(self._plan)
        # These stay on the screen even when the ring drops them.
        self._held = {row: line for row in window.pinned if (line := self.line(row)) is not None}

    def _sync(self) -> None:
        window = self._window
        window.height = max(1, self.size.height)
        window.first, window.end = self.store.first_row, self.store.end_row

    def _paint_with(self) -> Painter:
        width = max(1, self._laid_out.width - 1)
        if self._painter is None or self._painter.width != width:
            self._painter = Painter(width, self.get_component_rich_style)
            self._strips.clear()
        return self._painter

    def _row_strip(self, painter: Painter, place: Place) -> Strip:
        selected = place.row == self._window.cursor
        strips = self._strips.get((place.row, selected))
        if strips is None:
            row = self._row(place.row)
            strips = painter.paint(
                row,
                selected=selected,
                date=self._shows_date(place.row, row),
                match=self._marks.pattern if self._marks else None,
                left=self.left,
                wrap=self.wrap,
            )
            if len(self._strips) >= _STRIPS_KEPT:
                self._strips.clear()
            self._strips[place.row, selected] = strips
        # A date that is no longer shown may have taken a line.
        return strips[min(place.part, len(strips) - 1)]

    def _row(self, number: int) -> Row:
        return self._rows.get(number, self.line(number) or b"")

    def _shows_date(self, number: int, row: Row) -> bool:
        """Tell whether the date has to be said: it is another than in the row above, or there is none."""
        above = self.line(number - 1)
        return above is None or self._rows.get(number - 1, above).date not in ("", row.date)

    def _tall(self, number: int) -> int:
        row = self._row(number)
        return self._paint_with().height(row, self._shows_date(number, row))

    def _badge(self) -> str:
        parts = [self._note] if self._note else []
        if not self.follow:
            new = self.counts.new
            parts.append(f"{new:,} new ↓" if new else "paused")
        return f" {'  '.join(parts)} " if parts else ""

    # ---- updates ----

    def _came(self) -> None:
        """Draw soon, however many batches come until then."""
        if self._waiting or not self.is_attached:
            return
        rate = MAX_UPDATES if self.follow else _MAX_HELD_UPDATES
        if self.follow and self.store.end_row - self._seen > self._laid_out.height:
            rate = _MAX_FLOOD_UPDATES
        pause = 1 / rate - (time.monotonic() - self._updated)
        if pause <= 0:
            self._update()
        else:
            self._waiting = True
            self.set_timer(pause, self._update)

    def _update(self) -> None:
        self._waiting = False
        self._updated = time.monotonic()
        width, height = self._laid_out
        self._sync()
        if self.follow or len(self._plan) < height or self._window.thumb() != self._thumb:
            self.refresh()
        else:
            # On hold, with a screen that is full: only the badge has changed.
            self.refresh(Region(self.gutter.left, self.gutter.top + height - 1, width, 1))

    def _repaint_all(self) -> None:
        self._painter = None
        self._strips.clear()
        self.refresh()

    def _settle(self) -> None:
        """Tell what a movement made of following, and draw."""
        if not self._window.follow and self.follow:
            self._seen = self._window.end
        self.follow = self._window.follow
        self.refresh()

    def watch_wrap(self, wrap: bool) -> None:
        """Lay long rows out in lines, or in one that scrolls."""
        self._sync()
        if wrap:
            self.set_reactive(LogCanvas.left, 0)
            self._window.tall = self._tall
        else:
            self._window.tall = Window().tall
            self._window.top = Place(self._window.top.row)
        if self._window.cursor is not None:
            self._window.select(self._window.cursor)
        self._strips.clear()

    def watch_left(self) -> None:
        """Forget rows that were drawn at another place."""
        self._strips.clear()
