"""A list of any length that draws only the lines on the screen, with a chosen one and vim's keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Self

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.cells import fit

__all__ = ("Cells", "Lines")

Cells = list[tuple[str, str]]
"""One line: texts with the component class that each is drawn in, empty for the widget's own style."""
_BLOCKS: Final = "▏▎▍▌▋▊▉█"


class Lines(ScrollView, can_focus=True):
    """A virtual list. A subclass says how many lines there are and what is on each."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "lines--cursor",
        "lines--dim",
        "lines--accent",
        "lines--good",
        "lines--warn",
        "lines--bad",
        "lines--strong",
        "lines--empty",
    }
    DEFAULT_CSS = """
    Lines {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        scrollbar-background: $background;
        scrollbar-color: $surface-lighten-2;
        scrollbar-color-hover: $primary;
        scrollbar-color-active: $primary;
        & > .lines--cursor { text-style: bold; }
        & > .lines--dim { color: $text-muted; }
        & > .lines--accent { color: $text-primary; }
        & > .lines--good { color: $text-success; }
        & > .lines--warn { color: $text-warning; }
        & > .lines--bad { color: $text-error; }
        & > .lines--strong { text-style: bold; }
        & > .lines--empty { color: $text-muted; text-style: italic; }
        &:focus > .lines--cursor { text-style: bold; background: $primary 30%; }
        &:ansi {
            & > .lines--dim, & > .lines--empty { color: ansi_default; text-style: dim; }
            & > .lines--accent { color: ansi_cyan; }
            & > .lines--good { color: ansi_green; }
            & > .lines--warn { color: ansi_yellow; }
            & > .lines--bad { color: ansi_red; }
            &:focus > .lines--cursor { background: ansi_default; text-style: bold reverse; }
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "Next line", show=False, id="lines.down"),
        Binding("k,up", "move(-1)", "Previous line", show=False, id="lines.up"),
        Binding("g,home", "first", "First line", show=False, id="lines.first"),
        Binding("G,end", "last", "Last line", show=False, id="lines.last"),
        Binding("ctrl+d", "page(0.5)", "Half a page down", show=False, id="lines.half_down"),
        Binding("ctrl+u", "page(-0.5)", "Half a page up", show=False, id="lines.half_up"),
        Binding("pagedown,ctrl+f", "page(1.0)", "Page down", show=False, id="lines.page_down"),
        Binding("pageup,ctrl+b", "page(-1.0)", "Page up", show=False, id="lines.page_up"),
        Binding("enter", "choose", "Open", show=False, id="lines.choose"),
    ]

    cursor: reactive[int] = reactive(0)
    """The line that is marked."""

    @dataclass
    class Moved(Message):
        """Another line is marked."""

        lines: Lines
        index: int

        @property
        def control(self) -> Lines:
            """Give the list that it happened in."""
            return self.lines

    @dataclass
    class Chosen(Message):
        """Somebody wants what the line stands for."""

        lines: Lines
        index: int

        @property
        def control(self) -> Lines:
            """Give the list that it happened in."""
            return self.lines

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._styles_known: dict[str, Style] = {}

    def count(self) -> int:
        """Say how many lines there are."""
        raise NotImplementedError

    def cells(self, index: int, width: int) -> Cells:
        """Say what is on a line of `width` cells; what is too long is cut."""
        raise NotImplementedError

    def empty_text(self) -> str:
        """Say what would be here, if there is nothing."""
        return ""

    # ---- drawing ----

    def changed(self) -> Self:
        """Draw again, since what the lines say has changed, perhaps also how many they are."""
        count = self.count()
        size = Size(self.scrollable_content_region.width or 1, count)
        if size.height != self.virtual_size.height:
            self.virtual_size = size
        self.set_reactive(Lines.cursor, max(0, min(self.cursor, count - 1)))
        return self.refresh()

    def on_resize(self) -> None:
        """Keep the marked line in sight."""
        self.virtual_size = Size(self.scrollable_content_region.width or 1, self.count())
        self.call_after_refresh(self._show_cursor)

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen."""
        width = self.scrollable_content_region.width
        index = y + self.scroll_offset.y
        base = self.rich_style
        if index >= self.count():
            text = self.empty_text() if y == 0 and index == 0 else ""
            style = self._style("lines--empty")
            return Strip([Segment(fit(f" {text}", width), style)])
        marked = index == self.cursor
        over = self._cursor_style() if marked else Style.null()
        segments = [Segment("▌" if marked else " ", base + over)]
        left = width - 1
        for text, name in self.cells(index, left):
            if (have := cell_len(text)) > left:
                text, have = fit(text, left), left
            if over.reverse and name and text and not text.strip(_BLOCKS):
                # Reversed, a bar would be a gap.
                segments.append(Segment(text, self._style(name)))
            else:
                # Reversed, a colour of the text would become a patch behind it.
                style = self._style(name) if name and not over.reverse else base
                segments.append(Segment(text, style + over))
            left -= have
            if left <= 0:
                break
        return Strip(segments).adjust_cell_length(width, base + over)

    def _style(self, name: str) -> Style:
        # Worked out anew for each segment it would be the larger part of drawing a line.
        style = self._styles_known.get(name)
        if style is None:
            style = self._styles_known[name] = self.get_component_rich_style(name)
        return style

    def notify_style_update(self) -> None:
        """Forget what was worked out for another theme, or without the focus."""
        super().notify_style_update()
        self._styles_known = {}

    def _cursor_style(self) -> Style:
        # Laid over the colours of the texts: only what is behind them, and how bold they are.
        style = self._style("lines--cursor")
        return Style(bgcolor=style.bgcolor, bold=style.bold, reverse=style.reverse)

    # ---- moving ----

    def validate_cursor(self, cursor: int) -> int:
        """Keep it on a line that is there."""
        return max(0, min(cursor, self.count() - 1))

    def watch_cursor(self, old: int, new: int) -> None:
        """Bring the line into sight and tell."""
        if old != new:
            self._show_cursor()
            self.refresh()
            self.post_message(self.Moved(self, new))

    def _show_cursor(self) -> None:
        self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False, force=True)

    def action_move(self, lines: int) -> None:
        """Mark the next or the previous line."""
        self.cursor += lines

    def action_first(self) -> None:
        """Mark the first line."""
        self.cursor = 0

    def action_last(self) -> None:
        """Mark the last line."""
        self.cursor = self.count() - 1

    def action_page(self, pages: float) -> None:
        """Go some pages."""
        self.cursor += int(max(1, self.size.height - 1) * pages)

    def action_choose(self) -> None:
        """Tell that the marked line is wanted."""
        if self.count():
            self.post_message(self.Chosen(self, self.cursor))

    def on_click(self, event: events.Click) -> None:
        """Mark the line, and choose it."""
        at = event.get_content_offset(self)
        if at is None:
            return
        event.stop()
        index = at.y + self.scroll_offset.y
        if index < self.count():
            self.cursor = index
            self.clicked(index, event)

    def clicked(self, index: int, event: events.Click) -> None:
        """Act on a click on a line: a list of other manners overrides this."""
        self.post_message(self.Chosen(self, index))
