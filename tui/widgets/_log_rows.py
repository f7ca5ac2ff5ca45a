"""Draw one row of a log view: columns by width, styles by meaning, matches marked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.logs.row import Row

__all__ = ("MAX_LINES", "Columns", "Painter")

MAX_LINES: Final = 40
"""Lines that one record takes at most when long ones wrap."""

_LEVELS: Final = {name: f"log-view--{name.lower()}" for name in ("TRACE", "DEBUG", "INFO", "WARN", "ERROR")}
_SPAN_SIGNS: Final = {"span_start": "┌ ", "span_end": "└ "}
_STATUS: Final = {"error": "log-view--error", "cancelled": "log-view--warn"}


class Columns:
    """Which columns a width has room for, and where a record's own text begins.

    Attributes:
        time: cells of the time; 8 is to the second, 12 to the millisecond.
        target: cells of the target, 0 when it is left out.
        span: cells of the span, 0 when it is left out.
        body: the cell where message and fields begin.
        room: the cells that they have.
    """

    __slots__ = ("body", "room", "span", "target", "time")

    def __init__(self, width: int) -> None:
        self.time = 12 if width >= 60 else 8
        self.target = 0 if width < 100 else 18 if width < 150 else 26
        self.span = 0 if width < 130 else 22 if width < 170 else 30
        self.body = 1 + self.time + 1 + 5 + 1
        self.body += (self.target + 1 if self.target else 0) + (self.span + 1 if self.span else 0)
        self.room = max(1, width - self.body)


class Painter:
    """Draws rows in the styles of one theme at one width.

    Args:
        width: the cells of a row.
        style: gives the style of a component class.
    """

    def __init__(self, width: int, style: Callable[[str], Style]) -> None:
        self.width = width
        self.columns = Columns(width)
        self._component = style
        self._styles: dict[tuple[str, bool], Style] = {}

    def style(self, name: str, selected: bool = False) -> Style:
        """Give a component's style, on a chosen row if said."""
        key = (name, selected)
        found = self._styles.get(key)
        if found is None:
            found = self._component(name)
            if selected:
                over = self._component("log-view--selected")
                found += Style(bgcolor=over.bgcolor, bold=over.bold, reverse=over.reverse)
            self._styles[key] = found
        return found

    def paint(
        self,
        row: Row,
        *,
        selected: bool = False,
        date: bool = False,
        match: re.Pattern[str] | None = None,
        left: int = 0,
        wrap: bool = False,
    ) -> list[Strip]:
        """Draw a row: one strip, or as many as it needs when it wraps.

        Args:
            row: what it shows.
            selected: whether it is the chosen one.
            date: whether its date is shown before its text.
            match: what is marked in it.
            left: cells of the text that are scrolled out of sight.
            wrap: whether the text goes on in further lines.
        """
        columns, width = self.columns, self.width
        if row.kind == "gap":
            return [self._gap(row, selected, match)]
        head = self._segments(self._head(row), selected, match)
        mark = self._mark(row, selected)
        pieces = list(self._body(row, date))
        segments = self._segments(pieces, selected, match)
        base = self.style("log-view--message", selected)
        if not wrap:
            if left:
                segments = list(Strip(segments).crop(left, left + columns.room))
            line = [mark, *head, *_fit(segments, columns.room, base)]
            return [Strip(line, width) if width > columns.body else Strip(line).crop(0, width)]
        indent = Segment(" " * (columns.body - 1), base)
        strips: list[Strip] = []
        for part in _split(segments, [len(text) for text in self._chop(pieces)]):
            before = [indent] if strips else head
            strips.append(Strip([mark, *before, *_fit(part, columns.room, base)]).crop(0, width))
        return strips

    def height(self, row: Row, date: bool = False) -> int:
        """Give the number of lines that a row takes when it wraps."""
        return 1 if row.kind == "gap" else len(self._chop(list(self._body(row, date))))

    def _chop(self, pieces: list[tuple[str, str]]) -> list[str]:
        room = self.columns.room
        text = "".join(text for text, _ in pieces)[: room * MAX_LINES]
        # To chop by cells costs microseconds a character: only where some take none or two.
        lines = [text[start : start + room] for start in range(0, len(text), room)] or [""]
        if all(cell_len(line) == len(line) for line in lines):
            return lines
        return [text] if cell_len(text) <= room else chop_cells(text, room)[:MAX_LINES]

    def _mark(self, row: Row, selected: bool) -> Segment:
        error = row.level == "ERROR"
        name = "log-view--error" if error else "log-view--mark"
        # Never reversed: a half block would turn into the other half.
        return Segment("▌" if selected else "▎" if error else " ", self.style(name))

    def _head(self, row: Row) -> list[tuple[str, str]]:
        columns = self.columns
        level = "raw" if row.kind == "text" else row.level
        pieces = [
            (set_cell_size(row.time, columns.time) + " ", "log-view--time"),
            (set_cell_size(level, 5), _LEVELS.get(level, "log-view--field")),
            (" ", "log-view--message"),
        ]
        if columns.target:
            pieces.append((_tail_cells(row.target, columns.target) + " ", "log-view--target"))
        if columns.span:
            pieces.append((set_cell_size(row.span, columns.span) + " ", "log-view--span"))
        return pieces

    def _body(self, row: Row, date: bool) -> Iterator[tuple[str, str]]:
        if date and row.date:
            yield f"{row.date}  ", "log-view--time"
        sign = _SPAN_SIGNS.get(row.kind)
        if sign:
            yield sign, "log-view--span"
        yield row.message, "log-view--span" if sign else "log-view--message"
        if row.status:
            yield f"  {row.status}", _STATUS.get(row.status, "log-view--field")
        if row.duration:
            yield f"  {row.duration}", "log-view--message"
        for name, value in row.fields:
            yield f"  {name}=", "log-view--field"
            yield value, "log-view--message"
        if row.more:
            yield f"  …+{row.more:,} fields", "log-view--field"
        if row.exception:
            yield f"  {row.exception}", "log-view--exception"
        if row.span and not self.columns.span and row.span != "host":
            # Without a column of its own it comes last, but it comes: what happened is little without whom to.
            yield f"  {row.span}", "log-view--span"

    def _gap(self, row: Row, selected: bool, match: re.Pattern[str] | None) -> Strip:
        text = set_cell_size(f"── {row.message} ", min(cell_len(row.message) + 4, self.width - 1))
        line = text + "─" * max(0, self.width - 1 - cell_len(text))
        segments = self._segments([(line, "log-view--gap")], selected, match)
        return Strip([self._mark(row, selected), *segments]).crop(0, self.width)

    def _segments(self, pieces: list[tuple[str, str]], selected: bool, match: re.Pattern[str] | None) -> list[Segment]:
        segments = [Segment(text, self.style(name, selected)) for text, name in pieces if text]
        if match is None:
            return segments
        spans = [found.span() for found in match.finditer("".join(segment.text for segment in segments))]
        marked = self.style("log-view--match")
        return list(_overlay(segments, [span for span in spans if span[0] < span[1]], marked))


def _fit(segments: list[Segment], cells: int, base: Style) -> Iterator[Segment]:
    """Give as much of the text as fits, and blanks for the rest."""
    for segment in segments:
        # Most characters take a cell, so that as many as there are cells are enough to see that they fill
        # them.
        text = segment.text if len(segment.text) <= cells else segment.text[:cells]
        size = cell_len(text)
        if size < cells and text is not segment.text:
            text = segment.text
            size = cell_len(text)
        if size > cells or text is not segment.text:
            yield Segment(set_cell_size(text, cells), segment.style)
            return
        yield segment
        cells -= size
    if cells:
        yield Segment(" " * cells, base)


def _split(segments: list[Segment], lengths: list[int]) -> Iterator[list[Segment]]:
    """Cut a line into lines of so many characters; what is beyond the last one is left out."""
    rest = iter(segments)
    segment = next(rest, Segment(""))
    for length in lengths:
        line: list[Segment] = []
        while length > len(segment.text):
            line.append(segment)
            length -= len(segment.text)
            segment = next(rest)
        line.append(Segment(segment.text[:length], segment.style))
        segment = Segment(segment.text[length:], segment.style)
        yield line


def _overlay(segments: list[Segment], spans: list[tuple[int, int]], style: Style) -> Iterator[Segment]:
    """Give the same text with another style in the spans of characters, which are in order."""
    offset = 0
    for text, base, _ in segments:
        place, end = offset, offset + len(text)
        for low, high in spans:
            low, high = max(low, place), min(high, end)
            if low < high:
                if place < low:
                    yield Segment(text[place - offset : low - offset], base)
                yield Segment(text[low - offset : high - offset], style)
                place = high
        if place < end:
            yield Segment(text[place - offset :], base)
        offset = end


def _tail_cells(text: str, cells: int) -> str:
    """Fit a dotted name: its end says more than its beginning."""
    while cell_len(text) > cells:
        text = "…" + text[2 if text[0] == "…" else 1 :]
    return set_cell_size(text, cells)
