"""The State tab: the chosen actor's state as a tree, with what changed last, and by what."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from tui.inspection import Inspection
from tui.logs.text import cut, neutralise
from tui.model.diff import MAX_CHANGES, changes
from tui.model.values import write_path
from tui.watches import StateWatch
from tui.widgets.value_view import ValueView

__all__ = ("StatePane",)


class StatePane(Vertical):
    """One state, live. Draws at most ten times a second, however often it changes."""

    DEFAULT_CSS = """
    StatePane { height: 1fr; }
    StatePane #state-line { height: 1; background: $surface; color: $text-muted; text-wrap: nowrap; }
    StatePane:ansi #state-line { background: ansi_default; color: ansi_default; }
    """

    def __init__(self, inspection: Inspection, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.inspection = inspection
        self.said = ""
        self._watch: StateWatch | None = None
        self._shown: int | None = None
        self._fresh = True
        self._waiting = False

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Static(id="state-line", markup=False)
        yield ValueView(id="state-view", empty="Choose an actor to see its state.")

    def look(self, actor: str | None, *, seen: bool) -> None:
        """Be about an actor; while nobody sees it the host is not asked."""
        wanted = actor if seen else None
        if (self._watch.actor if self._watch else None) != wanted and self._watch is not None:
            self.inspection.spawn(self.inspection.link.unsubscribe(self._watch))
            self._watch = None
        if seen and self._watch is None:
            self._begin(actor)
            if actor is not None:
                self._watch = StateWatch(self.inspection, actor, self._changed)
                self.inspection.spawn(self.inspection.link.subscribe(self._watch))

    def _begin(self, actor: str | None) -> None:
        self._fresh = True
        text = (
            f"Waiting for the state of {neutralise(cut(actor, 100))}." if actor else "Choose an actor to see its state."
        )
        self.query_one(ValueView).clear(text)
        self._say("")

    def _changed(self, watch: StateWatch) -> None:
        # When the app ends the widgets go one by one, while the link still speaks.
        if watch is self._watch and self.is_mounted and self.app.is_running:
            self._show()

    def _show(self) -> None:
        if not self._waiting:
            self._waiting = True
            # The first is shown at once; a state that changes a thousand times a second is drawn ten times.
            self._draw()
            self.set_timer(0.1, self._drawn)

    def _drawn(self) -> None:
        self._waiting = False
        watch = self._watch
        if watch is not None and watch.version != self._shown:
            self._show()

    def _draw(self) -> None:
        watch, view = self._watch, self.query_one(ValueView)
        if watch is None or not watch.known:
            return
        self._shown = watch.version
        if watch.error is not None:
            view.clear(neutralise(cut(str(watch.error), 500)))
            self._say("")
        elif not watch.enabled:
            view.clear("This actor has no state.")
            self._say("")
        else:
            found = {} if watch.first else changes(watch.before, watch.state)
            view.show(watch.state, found, fresh=self._fresh)
            self._fresh = False
            self._say(self._describe(watch, found))

    def _describe(self, watch: StateWatch, found: dict[tuple[str | int, ...], str]) -> str:
        text = "" if watch.version is None else f"version {watch.version:,}"
        if watch.first:
            return f"{text}  as it was found"
        removed = [path for path, what in found.items() if what == "removed"]
        count = f"{len(found):,}+" if len(found) >= MAX_CHANGES else f"{len(found):,}"
        text += f"  {count} changed"
        if removed:
            text += f", gone: {', '.join(write_path(path) for path in removed[:3])}" + (
                " …" if len(removed) > 3 else ""
            )
        if watch.cause is not None and isinstance(watch.cause.action, str):
            text += f"  by {neutralise(cut(watch.cause.action, 60))}"
        return text

    def _say(self, text: str) -> None:
        self.said = text
        self.query_one("#state-line", Static).update(Content(f" {text}"))
