"""What was fired: one line each in the history, and the whole of one below the form."""

from __future__ import annotations

from typing import Final

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from tui.cells import fit
from tui.logs.row import format_duration
from tui.logs.text import cut, neutralise
from tui.model.history import Fired, History
from tui.model.values import brief
from tui.widgets.lines import Cells, Lines
from tui.widgets.value_view import ValueView

__all__ = ("FiredList", "FiredView", "describe")

_SIGNS: Final = {"pending": "◔", "ok": "✔", "error": "✖", "cancelled": "□", "unknown": "?"}
_STYLES: Final = {
    "pending": "lines--accent",
    "ok": "lines--good",
    "error": "lines--bad",
    "cancelled": "lines--warn",
    "unknown": "lines--warn",
}


def describe(fired: Fired, now: float) -> str:
    """Say in one line, safe for a screen, what became of an action."""
    seconds = fired.seconds(now)
    match fired.outcome:
        case "pending":
            return f"pending for {seconds:.1f} s"
        case "ok":
            took = format_duration(fired.duration_ns) if fired.duration_ns is not None else f"{seconds:.3f} s"
            return f"ok in {took}"
        case "unknown":
            return neutralise(cut(f"no answer: {fired.reason}; whether it ran is unknown", 300))
        case _:
            return neutralise(cut(str(fired.error), 600))


class FiredList(Lines):
    """The history, the newest first."""

    def __init__(self, history: History, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.history = history
        self.now = 0.0

    def count(self) -> int:
        """Say how many there are."""
        return len(self.history)

    def empty_text(self) -> str:
        """Say what would be here."""
        return "nothing fired yet"

    def cells(self, index: int, width: int) -> Cells:
        """Draw one."""
        fired = self.history[index]
        what = f"{neutralise(cut(fired.actor, 80))} {neutralise(cut(fired.action, 60))}"
        args = brief(fired.args, 60)
        came = brief(fired.output, 80) if fired.outcome == "ok" else describe(fired, self.now)
        style = _STYLES[fired.outcome]
        left = max(10, width * 3 // 5)
        return [(f"{_SIGNS[fired.outcome]} ", style), (fit(f"{what} {args}", left), ""), (f" {came}", style)]


class FiredView(Vertical):
    """One action that was fired: how it stands, and what it returned."""

    DEFAULT_CSS = """
    FiredView {
        height: 1fr; min-height: 3;
        & #fired-line { height: auto; max-height: 6; background: $surface; padding: 0 1; }
        &:ansi #fired-line { background: ansi_default; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.fired: Fired | None = None
        self.said = ""

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Static(id="fired-line", markup=False)
        yield ValueView(id="fired-value", empty="What an action returns is shown here.")

    def show(self, fired: Fired | None, now: float) -> None:
        """Show one, or none."""
        self.fired = fired
        view = self.query_one(ValueView)
        self.tick(now)
        if fired is None:
            view.clear("What an action returns is shown here.")
        elif fired.outcome == "ok":
            view.show(fired.output, fresh=True)
        elif fired.error is not None and fired.error.metadata:
            view.show(fired.error.metadata, fresh=True)
        else:
            view.clear("")

    def tick(self, now: float) -> None:
        """Write its first line anew: time goes on while it is pending."""
        fired = self.fired
        if fired is None:
            self.said = ""
            self.query_one("#fired-line", Static).update("")
            return
        keys = "ctrl+x cancels" if fired.outcome == "pending" else "t shows its trace" if fired.trace_id else ""
        self.said = f"{_SIGNS[fired.outcome]} {neutralise(cut(fired.action, 60))}  {describe(fired, now)}"
        colours = {"ok": "$text-success", "error": "$text-error", "pending": "$text-primary"}
        self.query_one("#fired-line", Static).update(
            Content.assemble((self.said, colours.get(fired.outcome, "$text-warning")), "  ", (keys, "$text-muted"))
        )
