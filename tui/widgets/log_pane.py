"""The Logs tab: the log, what it is filtered by, how much of it there is, and a line to type searches and
filters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from protocol.errors import InspectorError
from tui.cells import fit
from tui.feed import LogFeed
from tui.logs.text import cut, neutralise
from tui.widgets.log_view import LogView
from tui.widgets.prompt import Prompt

__all__ = ("LogPane",)


class LogPane(Vertical):
    """A log that the host filters. What it shows is asked for by `Wanted`, and begins with `adopt`."""

    DEFAULT_CSS = """
    LogPane { height: 1fr; }
    LogPane #log-line { height: 1; background: $surface; color: $text-muted; text-wrap: nowrap; }
    LogPane:ansi #log-line { background: ansi_default; color: ansi_default; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "search", key_display="/", id="log.search"),
        Binding("f", "filter", "filter", id="log.filter"),
        Binding("a", "scope", "all / this actor", id="log.scope"),
    ]

    @dataclass
    class Wanted(Message):
        """Somebody wants another part of the log: this filter, of one actor or (None) of all."""

        filter: str
        actor: str | None

    def __init__(self, filter: str = "info", *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.filter = filter
        self.chosen: str | None = None
        """The actor that `a` narrows the log to."""
        self.only: str | None = None
        """The actor that the log is narrowed to."""
        self.feed: LogFeed | None = None
        self.said = ""

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield LogView(id="log-view", empty="Waiting for the host's first record.")
        yield Static(id="log-line", markup=False)
        yield Prompt(id="log-prompt")

    @property
    def view(self) -> LogView:
        """The log."""
        return self.query_one(LogView)

    def on_resize(self) -> None:
        """Fit the line below to the new width."""
        self.refresh_line()

    # ---- what is shown ----

    def adopt(self, feed: LogFeed) -> None:
        """Begin with a feed that the host has accepted."""
        self.feed, self.filter, self.only = feed, feed.filter, feed.actor
        self.view.clear()
        where = f"from {neutralise(cut(feed.actor, 80))} " if feed.actor is not None else ""
        self.view.empty = f"No record {where}passes the filter {neutralise(cut(feed.filter, 80))!r} yet."
        prompt = self.query_one(Prompt)
        if prompt.is_open and prompt.purpose == "filter":
            prompt.close()
            self.view.focus()
        self.refresh_line()

    def refused(self, filter: str, error: InspectorError) -> None:
        """Show why the host did not accept a filter; the log goes on with the one before."""
        prompt = self.query_one(Prompt)
        if not prompt.is_open:
            prompt.open("filter", "filter", filter)
        position = error.metadata.get("position")
        prompt.refuse(f"{error.message} ({error.name})", position if isinstance(position, int) else None)

    def refresh_line(self) -> None:
        """Write the line below the log anew."""
        counts = self.view.counts
        scope = "all actors" if self.only is None else f"only {neutralise(cut(self.only, 60))}"
        filter = neutralise(cut(self.filter, 80)) or "(the host's default)"
        follow = "following" if self.view.follow else "paused"
        numbers = f"{counts.rows:,} kept  {follow} "
        width = max(1, self.size.width)
        left = f" {filter}  {scope}"
        self.said = fit(left, max(1, width - len(numbers) - 1)) + " " + numbers
        self.query_one("#log-line", Static).update(Content(self.said))

    # ---- keys ----

    def action_search(self) -> None:
        """Ask what to look for."""
        self.query_one(Prompt).open("search", "/", placeholder="text, or /regular expression/")

    def action_filter(self) -> None:
        """Ask for another filter."""
        self.query_one(Prompt).open("filter", "filter", self.filter, "info,shop.cart=debug")

    def action_scope(self) -> None:
        """Show all actors, or only the chosen one."""
        actor = self.chosen if self.only is None else None
        if actor != self.only:
            self.post_message(self.Wanted(self.filter, actor))

    def look(self, actor: str | None, *, seen: bool) -> None:
        """Know the chosen actor; a log that is narrowed to one follows the choice. It goes on while nobody sees it."""
        self.chosen = actor
        if self.only is not None and actor is not None:
            self.narrow(actor)

    def narrow(self, actor: str) -> None:
        """Show only one actor."""
        if actor != self.only:
            self.post_message(self.Wanted(self.filter, actor))

    @on(Prompt.Submitted)
    def _submitted(self, event: Prompt.Submitted) -> None:
        event.stop()
        prompt = self.query_one(Prompt)
        if event.purpose == "search":
            prompt.close()
            self.view.focus()
            self.view.search(event.text or None)
        elif event.text.strip() == self.filter.strip():
            prompt.close()
            self.view.focus()
        else:
            # The prompt stays until the host has said yes: a filter that it refuses is mended where it
            # stands.
            self.post_message(self.Wanted(event.text.strip(), self.only))

    @on(Prompt.Left)
    def _left(self, event: Prompt.Left) -> None:
        event.stop()
        self.view.focus()

    @on(LogView.FollowChanged)
    def _follow_changed(self) -> None:
        self.refresh_line()
