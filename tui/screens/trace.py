"""Everything that one trace said, in any number of actors: the log, narrowed to a trace id."""

from __future__ import annotations

from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from protocol.messages import LogBatch
from tui.feed import LogFeed
from tui.inspection import Inspection
from tui.logs.text import cut, neutralise
from tui.widgets.key_line import KeyLine
from tui.widgets.log_view import LogView
from tui.widgets.prompt import Prompt

__all__ = ("TraceScreen",)

_FILTER: Final = "debug"
"""Span records are debug; more than that the host does not record unless it is told to."""
_BACKLOG: Final = 20_000


class _TraceSink:
    """Passes on the lines of one trace."""

    def __init__(self, view: LogView, trace_id: str) -> None:
        self._view = view
        # The host's own encoder writes no blanks; the id is hex, so it needs no escapes.
        self._needle = f'"trace_id":"{trace_id}"'.encode()

    def append(self, batch: LogBatch) -> None:
        if self._needle not in batch.lines:
            return
        lines = [line for line in batch.lines.split(b"\n") if self._needle in line]
        self._view.append(
            LogBatch(sub=batch.sub, first_seq=0, next_seq=0, dropped=batch.dropped, lines=b"\n".join(lines))
        )

    def seam(self, text: str) -> None:
        self._view.seam(text)


class TraceScreen(Screen[None]):
    """One trace, live: what the host still has of it, and what comes."""

    DEFAULT_CSS = """
    TraceScreen #trace-heading { height: 1; background: $panel; text-style: bold; text-wrap: nowrap; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "search", key_display="/", id="trace.search"),
        # The log has a use for it too, but only while it is searched.
        Binding("escape", "back", "Back", priority=True, id="trace.back"),
        Binding("backspace", "back", "Back", show=False, id="trace.back_too"),
    ]

    def __init__(self, trace_id: str, inspection: Inspection) -> None:
        super().__init__()
        self._trace_id = trace_id
        self._inspection = inspection
        self._feed: LogFeed | None = None
        self._searched = False

    def compose(self) -> ComposeResult:
        """Lay it out."""
        heading = f" trace {neutralise(cut(self._trace_id, 40))}  all actors, {_FILTER} and above"
        yield Static(Content(heading), id="trace-heading", markup=False)
        yield LogView(1 << 20, id="trace-view", empty="Asking the host for the last records of this trace.")
        yield Prompt(id="trace-prompt")
        keys = KeyLine(id="keys")
        keys.show((("enter", "open"), ("/", "search"), ("z", "wrap"), ("escape", "back")))
        yield keys

    def on_mount(self) -> None:
        """Ask for it."""
        view = self.query_one(LogView)
        view.focus()
        self._feed = LogFeed(
            _FILTER,
            None,
            _TraceSink(view, self._trace_id),
            on_open=self._opened,
            on_refused=lambda error: view.set_reactive(LogView.empty, neutralise(str(error))),
            backlog=_BACKLOG,
        )
        self._inspection.spawn(self._inspection.link.subscribe(self._feed))

    def on_unmount(self) -> None:
        """Want no more of it."""
        if self._feed is not None:
            self._inspection.spawn(self._inspection.link.unsubscribe(self._feed))

    def _opened(self) -> None:
        if self.is_attached and self.app.is_running:
            self.query_one(LogView).empty = "The host has no record of this trace (any more)."

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave a key to whoever else has a use for it."""
        return action != "back" or not (self._searched or self.query_one(Prompt).is_open)

    def action_back(self) -> None:
        """Go back to where the trace was asked for."""
        self.dismiss()

    @on(LogView.SearchChanged)
    def _search_changed(self, event: LogView.SearchChanged) -> None:
        self._searched = event.state != "left"

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
