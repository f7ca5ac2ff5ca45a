"""One trace, in any number of actors: its spans as a waterfall, and below it all that was said in them."""

from __future__ import annotations

from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from protocol.errors import InspectorError
from protocol.messages import LogBatch
from tui.cells import fit
from tui.inspection import Inspection
from tui.logs.row import format_duration
from tui.logs.search import SpanQuery, span_of
from tui.logs.text import cut, neutralise
from tui.model.spans import Spans, Trace
from tui.model.waterfall import STATUS_SIGNS
from tui.screens.record import RecordScreen
from tui.trace_source import TraceSource
from tui.widgets.key_line import KeyLine
from tui.widgets.lines import Lines
from tui.widgets.log_view import LogView
from tui.widgets.prompt import Prompt
from tui.widgets.waterfall import Waterfall

__all__ = ("TraceScreen",)

_EVERY: Final = 0.1
_TICK: Final = 0.25
_NOBODY: Final = Trace("")
_KEYS: Final = {
    "waterfall": (
        ("enter", "record"),
        ("s", "in the log"),
        ("space", "fold"),
        ("tab", "log"),
        ("?", "help"),
        ("escape", "back"),
    ),
    "log": (
        ("enter", "open"),
        ("s", "its span"),
        ("/", "search"),
        ("z", "wrap"),
        ("tab", "spans"),
        ("?", "help"),
        ("escape", "back"),
    ),
}


class TraceScreen(Screen[None]):
    """One trace, live: what the host still has of it, and what comes.

    Args:
        trace_id: which.
        inspection: where it is asked for.
        span_id: the span to mark.
    """

    DEFAULT_CSS = """
    TraceScreen {
        & #trace-heading { height: 1; background: $panel; text-style: bold; text-wrap: nowrap; }
        & #trace-line { height: 1; background: $surface; color: $text-muted; text-wrap: nowrap; }
        & Waterfall { height: 1fr; }
        & LogView { height: 1fr; border-top: solid $surface-lighten-1; }
        &:ansi #trace-line { background: ansi_default; color: ansi_default; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "search", key_display="/", id="trace.search"),
        Binding("s", "across", "The span in the log, the record among the spans", id="trace.across"),
        Binding("tab", "other", "Spans / log", show=False, id="trace.other"),
        # The log has a use for it too, but only while it is searched.
        Binding("escape", "back", "Back", priority=True, id="trace.back"),
        Binding("backspace", "back", "Back", show=False, id="trace.back_too"),
    ]

    def __init__(self, trace_id: str, inspection: Inspection, span_id: str | None = None) -> None:
        super().__init__()
        self._trace_id = trace_id
        self._inspection = inspection
        self._wanted = span_id
        self._source = TraceSource(inspection, trace_id, self)
        self._spans = Spans()
        self._stale = False
        self._connected = True

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Static(id="trace-heading", markup=False)
        yield Static(id="trace-line", markup=False)
        yield Waterfall(id="trace-spans")
        yield LogView(1 << 22, id="trace-view", empty="Asking the host for the records of this trace.")
        yield Prompt(id="trace-prompt")
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        """Ask for it."""
        self.query_one(Waterfall).focus()
        self.set_interval(_TICK, self._tick)
        self._draw()
        self._inspection.spawn(self._source.run())

    def on_unmount(self) -> None:
        """Want no more of it."""
        self._inspection.spawn(self._source.end())

    def on_resize(self) -> None:
        """Put the heads over their columns."""
        self.call_after_refresh(self._draw)

    # ---- what the source tells ----

    @property
    def _live(self) -> bool:
        # When the app ends the widgets go one by one, while the link still speaks.
        return self.is_attached and self.app.is_running

    def take(self, lines: bytes, dropped: int = 0) -> None:
        """Take records of the trace."""
        self._spans.feed(lines)
        if self._live:
            self.query_one(LogView).append(LogBatch(sub=0, first_seq=0, next_seq=0, dropped=dropped, lines=lines))
            self.stale()

    def seam(self, text: str) -> None:
        """Take word that another run of the host begins here."""
        self._spans.lose()
        if self._live:
            self.query_one(LogView).seam(text)
            self.stale()

    def told(self, why: str) -> None:
        """Hear that all of the past has been told: what there is not, there will not be."""
        if self._live:
            self.query_one(LogView).empty = why
            waterfall = self.query_one(Waterfall)
            waterfall.why = why
            if not self.trace.spans and self.focused is waterfall:
                self.query_one(LogView).focus()
            self.stale()

    def refused(self, error: InspectorError) -> None:
        """Show why there is nothing."""
        self.told(neutralise(cut(str(error), 300)))

    def stale(self) -> None:
        """Draw soon: ten times a second, however much comes."""
        if not self._stale:
            self._stale = True
            self.set_timer(_EVERY, self._draw)

    # ---- drawing ----

    @property
    def trace(self) -> Trace:
        """What is known of the trace."""
        return self._spans.traces.get(self._trace_id, _NOBODY)

    def _tick(self) -> None:
        if self.trace.open or self._connected is (self._inspection.link.connection is None):
            self.stale()

    def _draw(self) -> None:
        self._stale = False
        if not self._live:
            return
        trace, now = self.trace, int(self._source.host_time * 1e9)
        waterfall = self.query_one(Waterfall)
        waterfall.show(trace, now)
        if self._wanted is not None and waterfall.mark(self._wanted):
            self._wanted = None
        width = max(1, self.size.width)
        self.query_one("#trace-line", Static).update(Content(waterfall.heading(width)))
        self._connected = self._inspection.link.connection is not None
        # In front, where there is room at any width: what is open may have ended long ago.
        lead, said = "" if self._connected else " not connected ", ""
        if trace.spans:
            count = len(trace.spans) + trace.unseen
            said += f"  {STATUS_SIGNS[trace.status]} {trace.status}  {format_duration(trace.end(now) - trace.start)}"
            said += f"  {count:,} span{'s' * (count != 1)}  {trace.events:,} record{'s' * (trace.events != 1)}"
            if trace.problems:
                said += f"  {trace.problems:,} problem{'s' * (trace.problems != 1)}"
        lead += " trace "
        # The beginning of the id tells as much as all of it; what follows it does not stand anywhere else.
        trace_id = neutralise(cut(self._trace_id, 40))
        trace_id = fit(trace_id, max(8, min(len(trace_id), width - len(lead) - len(said))))
        said = lead + trace_id + said
        self.query_one("#trace-heading", Static).update(Content(fit(said, width)))
        self._keys()

    def _keys(self) -> None:
        place = "log" if self.focused is self.query_one(LogView) else "waterfall"
        self.query_one(KeyLine).show(_KEYS[place])

    def on_descendant_focus(self) -> None:
        """Show the keys that work there."""
        self._keys()

    # ---- keys ----

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave a key to whoever else has a use for it."""
        view = self.query_one(LogView)
        searching = self.focused is view and view.check_action("leave_search", ())
        return action != "back" or not (searching or self.query_one(Prompt).is_open)

    def action_back(self) -> None:
        """Go back to where the trace was asked for."""
        self.dismiss()

    def action_other(self) -> None:
        """Go to the spans, or to the log."""
        view, waterfall = self.query_one(LogView), self.query_one(Waterfall)
        (waterfall if self.focused is view else view).focus()

    def action_across(self) -> None:
        """Go from a span to its records, and from a record to its span."""
        view, waterfall = self.query_one(LogView), self.query_one(Waterfall)
        if self.focused is view:
            line = None if view.cursor is None else view.line(view.cursor)
            span_id = None if line is None else span_of(line)
            waterfall.focus()
            if span_id is not None:
                waterfall.mark(span_id)
        elif waterfall.span is not None:
            view.focus()
            view.go_to(SpanQuery(waterfall.span.id), waterfall.span.label)

    @on(Lines.Chosen, "#trace-spans")
    def _span_chosen(self) -> None:
        span = self.query_one(Waterfall).span
        if span is not None:
            self.app.push_screen(RecordScreen(span.line, self._inspection))

    def action_search(self) -> None:
        """Ask what to look for."""
        self.query_one(Prompt).open("search", "/", placeholder="text, or /regular expression/")

    @on(Prompt.Submitted)
    def _search(self, event: Prompt.Submitted) -> None:
        self.query_one(Prompt).close()
        view = self.query_one(LogView)
        view.focus()
        view.search(event.text or None)

    @on(Prompt.Left)
    def _left(self) -> None:
        self.query_one(LogView).focus()
