"""A record, whole: its JSON as a tree, and the spans that it happened in."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from protocol.errors import InspectorError
from tui.connection import LinkLost
from tui.inspection import Inspection
from tui.logs.row import Row, parse_row
from tui.logs.search import span_of
from tui.logs.text import cut, neutralise
from tui.model.values import Path, to_json, write_path
from tui.widgets.key_line import KeyLine
from tui.widgets.lines import Cells, Lines
from tui.widgets.value_view import ValueView
from tui.widgets.wanted import CopyWanted, TraceWanted, trace_of

__all__ = ("RecordScreen", "SpanList", "TextScreen")

_MAX_SHOWN: Final = 200_000
"""Characters of one text on a screen of its own; all of it can be copied."""


class TextScreen(Screen[None]):
    """One value, whole, its lines wrapped."""

    DEFAULT_CSS = """
    TextScreen {
        & #text-heading { height: 1; background: $panel; text-style: bold; }
        & VerticalScroll { height: 1fr; padding: 0 1; }
        & VerticalScroll Static { height: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace,enter", "app.pop_screen", "Back", id="text.back"),
        Binding("y", "copy", "Copy all of it", id="text.copy"),
        Binding("j,down", "scroll(1)", "Down", show=False, id="text.down"),
        Binding("k,up", "scroll(-1)", "Up", show=False, id="text.up"),
    ]

    def __init__(self, path: Path, value: Any) -> None:
        super().__init__()
        self._path = path
        self._text = value if isinstance(value, str) else to_json(value, indent=2)

    def compose(self) -> ComposeResult:
        """Lay it out."""
        # Line ends are kept, everything else that is not plainly printable is shown as what it is.
        lines = cut(self._text, _MAX_SHOWN).split("\n")
        heading = f" {write_path(self._path)}  {len(self._text):,} characters"
        yield Static(Content(heading), id="text-heading", markup=False)
        with VerticalScroll():
            yield Static(Content("\n".join(map(neutralise, lines))), id="text-body", markup=False)
        keys = KeyLine(id="keys")
        keys.show((("j", "down"), ("k", "up"), ("y", "copy"), ("escape", "back")))
        yield keys

    def action_copy(self) -> None:
        """Copy all of it."""
        self.post_message(CopyWanted(self._text))

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


class SpanList(Lines):
    """Spans inside one another, the outermost first."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: list[Row] = []
        self.why = "asking the host for the spans around it"

    def show(self, rows: list[Row], why: str) -> None:
        """Show spans; where there are none, say why."""
        self.rows, self.why = rows, why
        self.changed()

    def count(self) -> int:
        """Say how many there are."""
        return len(self.rows)

    def empty_text(self) -> str:
        """Say why there are none."""
        return self.why

    def cells(self, index: int, width: int) -> Cells:
        """Draw one."""
        row = self.rows[index]
        indent = "  " * min(index, 12)
        fields = " ".join(f"{name}={value}" for name, value in row.fields)
        return [
            (f"{row.time}  ", "lines--dim"),
            (f"{indent}{'└ ' if index else ''}", "lines--dim"),
            (row.message, "lines--strong"),
            (f"  {row.target}  {fields}", "lines--dim"),
        ]


class RecordScreen(Screen[None]):
    """One record of the log."""

    DEFAULT_CSS = """
    RecordScreen {
        & #record-heading { height: 1; background: $panel; text-style: bold; text-wrap: nowrap; }
        & #span-heading { height: 1; background: $surface; color: $text-muted; }
        & ValueView { height: 1fr; }
        & SpanList { height: auto; max-height: 40%; min-height: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace", "app.pop_screen", "Back", id="record.back"),
        Binding("tab", "app.focus_next", "Record / spans", show=False, id="record.other"),
        Binding("t", "trace", "Its trace", id="record.trace"),
        Binding("Y", "copy_all", "Copy the record", show=False, id="record.copy"),
    ]

    def __init__(self, line: bytes, inspection: Inspection) -> None:
        super().__init__()
        self._line = line
        self._inspection = inspection
        self._spans: list[bytes] = []
        self._record = _decode(line)

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Static(Content(_heading(parse_row(self._line))), id="record-heading", markup=False)
        yield ValueView(id="record-value")
        yield Static(Content(" inside these spans, the outermost first"), id="span-heading", markup=False)
        yield SpanList(id="record-spans")
        keys = KeyLine(id="keys")
        keys.show((("enter", "fold, whole text"), ("y", "copy"), ("tab", "spans"), ("t", "trace"), ("escape", "back")))
        yield keys

    def on_mount(self) -> None:
        """Show the record, and ask for what the stream does not repeat on each line."""
        view = self.query_one(ValueView)
        view.show(self._record, fresh=True)
        view.focus()
        self.run_worker(self._ask(), group="ancestors")

    async def _ask(self) -> None:
        spans = self.query_one(SpanList)
        span_id = self._record.get("span_id") if isinstance(self._record, dict) else None
        if not isinstance(span_id, str):
            spans.show([], "this line belongs to no span")
            return
        try:
            self._spans = await self._inspection.ancestors(span_id)
        except (InspectorError, LinkLost) as error:
            spans.show([], neutralise(cut(str(error), 300)))
            return
        spans.show([parse_row(line) for line in self._spans], "the host no longer keeps them")

    @on(Lines.Chosen, "#record-spans")
    def _span_chosen(self, event: Lines.Chosen) -> None:
        line = self._spans[event.index]
        self.query_one("#record-heading", Static).update(Content(_heading(parse_row(line))))
        self.query_one(ValueView).show(_decode(line), fresh=True)

    def action_copy_all(self) -> None:
        """Copy the record as the host wrote it."""
        self.post_message(CopyWanted(self._line.decode("utf-8", "replace")))

    def action_trace(self) -> None:
        """Show everything of the trace that the record belongs to."""
        trace_id = trace_of(self._line)
        if trace_id is not None:
            self.post_message(TraceWanted(trace_id, span_of(self._line)))


def _decode(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return line.decode("utf-8", "replace")


def _heading(row: Row) -> str:
    return " " + "  ".join(part for part in (row.date, row.time, row.level, row.target, row.message) if part)
