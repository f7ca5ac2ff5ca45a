"""The Spans tab: the traces of the host as they come, newest at the bottom."""

from __future__ import annotations

from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from protocol.errors import InspectorError
from protocol.messages import LogBatch
from tui.cells import fit
from tui.feed import LogFeed
from tui.inspection import Inspection
from tui.logs.row import format_duration
from tui.logs.text import cut, neutralise
from tui.model.clock import write_time
from tui.model.spans import Spans, Trace
from tui.model.waterfall import STATUS_SIGNS
from tui.widgets.lines import Cells, Lines
from tui.widgets.wanted import TraceWanted
from tui.widgets.waterfall import STATUS_STYLES

__all__ = ("FILTER", "SpanPane", "TraceList")

FILTER: Final = "debug"
"""Span records are debug; more than that the host does not record unless it is told to."""
_BACKLOG: Final = 5_000
_EVERY: Final = 0.1
_COLUMNS: Final = 31
"""Cells of the numbers: spans 7, records 9, warnings and errors 5, time 10."""
_TIME: Final = 13
_NARROW: Final = 60


class TraceList(Lines):
    """One line a trace."""

    def __init__(self, spans: Spans, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.spans = spans
        self.open_only = False
        self.now = 0
        self.why = "waiting for the host's first span"
        self.shown: list[Trace] = []
        self._marked: str | None = None

    @property
    def trace(self) -> Trace | None:
        """The marked trace."""
        return self.shown[self.cursor] if self.cursor < len(self.shown) else None

    def update(self, now: int) -> None:
        """Draw what is there at `now`, nanoseconds since 1970; a mark at the end stays there, another on its trace."""
        self.now = now
        last = self.cursor >= len(self.shown) - 1
        shown = [trace for trace in self.spans.traces.values() if trace.spans]
        self.shown = [trace for trace in shown if trace.open] if self.open_only else shown
        place = None
        if not last and self._marked is not None:
            place = next((i for i, trace in enumerate(self.shown) if trace.id == self._marked), None)
        if place is not None or last:
            self.set_reactive(Lines.cursor, max(0, len(self.shown) - 1) if place is None else place)
        self.changed()
        if last:
            self._show_cursor()
        self._note()

    def watch_cursor(self, old: int, new: int) -> None:
        """Remember the trace, not the line."""
        self._note()
        super().watch_cursor(old, new)

    def _note(self) -> None:
        self._marked = self.trace.id if self.trace is not None else None

    def count(self) -> int:
        """Say how many there are."""
        return len(self.shown)

    def empty_text(self) -> str:
        """Say why there are none."""
        return "no span is open" if self.open_only and self.spans.traces else self.why

    def heading(self, width: int) -> str:
        """Write the line above the list."""
        what = "open" if self.open_only else "traces"
        text = fit(f" {self.count():,} {what}", max(0, width - _COLUMNS))
        return text + f"{'spans':>7}{'records':>9}{'!':>5}{'time':>10}"[-width:]

    def cells(self, index: int, width: int) -> Cells:
        """Draw a trace."""
        trace = self.shown[index]
        root = trace.root
        assert root is not None
        status = trace.status
        time = fit(write_time(trace.start), _TIME) if width >= _NARROW else ""
        room = max(0, width - _COLUMNS - len(time) - 2)
        length = format_duration(trace.end(self.now) - trace.start) if status != "lost" else ""
        return [
            (time, "lines--dim"),
            (f"{STATUS_SIGNS[status]} ", STATUS_STYLES[status]),
            (fit(root.label, room), ""),
            (fit(f"{len(trace.spans) + trace.unseen:,}", 7, right=True), "lines--dim"),
            (fit(f"{trace.events:,}" if trace.events else "", 9, right=True), "lines--dim"),
            (fit(f"{trace.problems:,}" if trace.problems else "", 5, right=True), "lines--warn"),
            (fit(length, 10, right=True), STATUS_STYLES[status] if status == "open" else ""),
        ]


class _Sink:
    """Lets a feed write for as long as it is the one that is shown."""

    def __init__(self, pane: SpanPane) -> None:
        self._pane = pane
        self.feed: LogFeed | None = None

    def append(self, batch: LogBatch, /) -> None:
        if self.feed is self._pane.feed:
            self._pane.spans.feed(batch.lines)
            self._pane.stale()

    def seam(self, text: str, /) -> None:
        if self.feed is self._pane.feed and text.startswith("another run"):
            self._pane.spans.lose()
            self._pane.stale()


class SpanPane(Vertical):
    """The traces of all actors, or of the chosen one; asks the host only while somebody looks."""

    DEFAULT_CSS = """
    SpanPane { height: 1fr; }
    SpanPane #span-line { height: 1; background: $surface; color: $text-muted; text-wrap: nowrap; }
    SpanPane #span-scope { height: 1; background: $surface; color: $text-muted; text-wrap: nowrap; }
    SpanPane:ansi #span-line, SpanPane:ansi #span-scope { background: ansi_default; color: ansi_default; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "scope", "All actors / this one", show=False, id="spans.scope"),
        Binding("o", "open_only", "Only what is open / all", show=False, id="spans.open_only"),
        Binding("t", "trace", "The trace", show=False, id="spans.trace"),
    ]

    def __init__(self, inspection: Inspection, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.inspection = inspection
        self.spans = Spans()
        self.feed: LogFeed | None = None
        self._chosen: str | None = None
        self._only: str | None = None
        self._stale = False
        self._seen = False

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Static(id="span-line", markup=False)
        yield TraceList(self.spans, id="trace-list")
        yield Static(id="span-scope", markup=False)

    def on_mount(self) -> None:
        """Let the time of what is open go on."""
        self.set_interval(0.25, self._tick)

    def on_resize(self) -> None:
        """Put the heads over their columns."""
        self._lines()

    # ---- what is shown ----

    def look(self, actor: str | None, *, seen: bool) -> None:
        """Ask while somebody sees it, and no longer; a list that is narrowed to one actor follows the choice."""
        self._chosen, self._seen = actor, seen
        if self._only is not None and actor is not None and actor != self._only:
            self._only = actor
            self._leave()
        if seen and self.feed is None:
            self._ask()
        elif not seen:
            self._leave()

    def _ask(self) -> None:
        self.spans.clear()
        whose = (
            "the host's first span" if self._only is None else f"the first span of {neutralise(cut(self._only, 60))}"
        )
        self.query_one(TraceList).why = f"waiting for {whose}"
        sink = _Sink(self)
        feed = self.feed = sink.feed = LogFeed(
            FILTER,
            self._only,
            sink,
            on_refused=lambda error: self._refused(feed, error),
            backlog=_BACKLOG,
            offset=lambda: self.inspection.link.clock_offset,
            clock=self.inspection.link.wall,
        )
        self.stale()
        self.inspection.spawn(self.inspection.link.subscribe(feed))

    def _leave(self) -> None:
        if self.feed is not None:
            self.inspection.spawn(self.inspection.link.unsubscribe(self.feed))
            self.feed = None

    def _refused(self, feed: LogFeed, error: InspectorError) -> None:
        if feed is self.feed and self._live:
            self.query_one(TraceList).why = neutralise(cut(str(error), 300))
            self.stale()

    @property
    def _live(self) -> bool:
        # When the app ends the widgets go one by one, while the link still speaks.
        return self.is_mounted and self.app.is_running

    def stale(self) -> None:
        """Draw soon: ten times a second, however often it changes."""
        if not self._stale and self._live:
            self._stale = True
            self.set_timer(_EVERY, self._draw)

    def _tick(self) -> None:
        if self._seen and any(trace.open for trace in self.spans.traces.values()):
            self.stale()

    def _draw(self) -> None:
        self._stale = False
        if self._live and self.feed is not None:
            self.query_one(TraceList).update(int(self.feed.host_time * 1e9))
            self._lines()

    def _lines(self) -> None:
        width = max(1, self.size.width)
        self.query_one("#span-line", Static).update(Content(self.query_one(TraceList).heading(width)))
        scope = "all actors" if self._only is None else f"only {neutralise(cut(self._only, 60))}"
        kept = f"{self.spans.count:,} spans kept"
        if self.spans.forgotten:
            kept += f", {self.spans.forgotten:,} traces let go"
        text = fit(f" {FILTER}  {scope}", max(1, width - len(kept) - 2)) + f" {kept} "
        self.query_one("#span-scope", Static).update(Content(fit(text, width)))

    # ---- keys ----

    @on(Lines.Moved, "#trace-list")
    def _moved(self, event: Lines.Moved) -> None:
        event.stop()

    @on(Lines.Chosen, "#trace-list")
    def _chosen_trace(self, event: Lines.Chosen) -> None:
        event.stop()
        self.action_trace()

    def action_trace(self) -> None:
        """Show the marked trace as a waterfall."""
        trace = self.query_one(TraceList).trace
        if trace is not None:
            self.post_message(TraceWanted(trace.id))

    def action_scope(self) -> None:
        """Show all actors, or only the chosen one."""
        only = self._chosen if self._only is None else None
        if only != self._only:
            self._only = only
            self._leave()
            self._ask()

    def action_open_only(self) -> None:
        """Show only traces of which a span is open, or all."""
        traces = self.query_one(TraceList)
        traces.open_only = not traces.open_only
        self.stale()
