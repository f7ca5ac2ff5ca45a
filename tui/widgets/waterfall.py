"""A trace, drawn: its spans as a tree at the left, as bars in time at the right."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.binding import Binding, BindingType

from tui.cells import fit
from tui.logs.row import format_duration
from tui.model.spans import Span, Trace
from tui.model.waterfall import STATUS_SIGNS, Row, bar, lay_out, write_length
from tui.widgets.lines import Cells, Lines

__all__ = ("STATUS_STYLES", "Waterfall")

STATUS_STYLES: Final = {
    "open": "lines--accent",
    "ok": "lines--good",
    "error": "lines--bad",
    "cancelled": "lines--warn",
    "lost": "lines--dim",
}

_LENGTH: Final = 10
_BUSY: Final = 16
_MAX_INDENT: Final = 12
_WIDE: Final = 110
_LEAST_BAR: Final = 8


class Waterfall(Lines):
    """One line a span; what is inside a span stands below it and can be folded away."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "fold", "Fold / unfold", show=False, id="spans.fold"),
        Binding("left,h", "fold(True)", "Fold", show=False, id="spans.close"),
        Binding("right,l", "fold(False)", "Unfold", show=False, id="spans.open"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: list[Row] = []
        self.why = "asking the host for this trace"
        self._trace: Trace | None = None
        self._folded: set[str] = set()
        self._version = -1
        self._now = 0
        self._first = self._last = 0
        self._wanted: str | None = None

    @property
    def span(self) -> Span | None:
        """The marked span."""
        return self.rows[self.cursor].span if self.cursor < len(self.rows) else None

    def show(self, trace: Trace, now: int) -> None:
        """Draw a trace as it is at `now`, nanoseconds since 1970; the mark stays on its span."""
        fresh = trace is not self._trace or trace.version != self._version
        self._trace, self._version, self._now = trace, trace.version, now
        if fresh:
            self._lay_out()
        if trace.spans:
            self._first, self._last = trace.start, trace.end(now)
        if fresh or trace.open:
            self.changed()

    def mark(self, span_id: str) -> bool:
        """Mark a span, as soon as it is there; unfolds what is around it. False if it is not there yet."""
        trace = self._trace
        span = trace.spans.get(span_id) if trace is not None else None
        if trace is None or span is None:
            self._wanted = span_id
            return False
        self._wanted = None
        seen: set[str] = set()
        while span.parent_id in trace.spans and span.parent_id not in seen:
            assert span.parent_id is not None
            seen.add(span.parent_id)
            span = trace.spans[span.parent_id]
        self._folded -= seen
        self._lay_out()
        self.changed()
        self.cursor = next((i for i, row in enumerate(self.rows) if row.span.id == span_id), self.cursor)
        return True

    def _lay_out(self) -> None:
        assert self._trace is not None
        marked = self.span
        self.rows = lay_out(self._trace, self._folded)
        if marked is not None:
            place = next((i for i, row in enumerate(self.rows) if row.span is marked), None)
            if place is not None:
                self.set_reactive(Lines.cursor, place)
        if self._wanted is not None and self._wanted in self._trace.spans:
            self.call_later(self.mark, self._wanted)

    def count(self) -> int:
        """Say how many spans are in sight."""
        return len(self.rows)

    def empty_text(self) -> str:
        """Say why there are none."""
        return self.why

    # ---- drawing ----

    def _columns(self, width: int) -> tuple[int, int, int]:
        """Give the cells of the names, of the time really run, and of the bars."""
        busy = _BUSY if width >= _WIDE and any(row.span.busy is not None for row in self.rows) else 0
        names = max(20, min(60, width * 2 // 5))
        bars = width - names - _LENGTH - busy - 1
        return (names, busy, bars) if bars >= _LEAST_BAR else (max(0, width - _LENGTH), 0, 0)

    def heading(self, width: int) -> str:
        """Write the line above the spans: what the columns are, and how much time the bars stand for."""
        names, busy, bars = self._columns(max(1, width - 1))
        text = " " + fit("span", names) + fit("time", _LENGTH, right=True)
        if busy:
            text += fit("really run", busy, right=True)
        if bars and self.rows:
            total = format_duration(self._last - self._first)
            text += " 0" + fit(total, max(0, bars - 1), right=True)
        return fit(text, width)

    def cells(self, index: int, width: int) -> Cells:
        """Draw a span."""
        row = self.rows[index]
        span = row.span
        names, busy, bars = self._columns(width)
        style = STATUS_STYLES[span.status]
        # Deep inside, the depth as a number says more than blanks up to the edge.
        indent = "  " * row.depth if row.depth <= _MAX_INDENT else f"{'  ' * (_MAX_INDENT - 2)}{row.depth}: "
        fold = "▸ " if row.folded else "▾ " if row.children else "  "
        orphan = "┄ " if row.orphan else ""
        said = f" !{span.problems:,}" if span.problems else ""
        lead = f"{indent}{fold}{orphan}"
        sign = f"{STATUS_SIGNS[span.status]} "
        room = max(0, names - len(lead) - 2 - len(said))
        label = fit(span.label, room) if not said else fit(span.label, max(0, room)).rstrip()
        text = label + said
        cells: Cells = [
            (fit(lead, min(len(lead), max(0, names - 2))), "lines--dim"),
            (sign, style),
            (fit(label, len(label)), "lines--strong" if not row.depth else ""),
            (said, "lines--warn"),
        ]
        have = min(len(lead), max(0, names - 2)) + 2 + len(text)
        cells.append((" " * max(0, names - have), ""))
        cells.append((fit(write_length(span, self._now), _LENGTH, right=True), ""))
        if busy:
            ran = format_duration(span.busy) if span.busy is not None else ""
            cells.append((fit(ran, busy, right=True), "lines--dim"))
        if bars:
            end = span.start + span.length(self._now)
            before, drawn = bar(span.start, end, self._first, self._last, bars)
            cells.append((" " + " " * before, ""))
            cells.append((drawn, style))
        return cells

    # ---- keys ----

    def action_fold(self, fold: bool | None = None) -> None:
        """Fold what is inside the marked span away, or show it again."""
        if not self.rows or self._trace is None:
            return
        row = self.rows[self.cursor]
        if fold is True and (row.folded or not row.children):
            # Already closed: go to what is around it.
            self._to_parent(row)
            return
        wanted = (not row.folded) if fold is None else fold
        (self._folded.add if wanted and row.children else self._folded.discard)(row.span.id)
        self._lay_out()
        self.changed()

    def _to_parent(self, row: Row) -> None:
        place = next((i for i, each in enumerate(self.rows) if each.span.id == row.span.parent_id), None)
        if place is not None:
            self.cursor = place
