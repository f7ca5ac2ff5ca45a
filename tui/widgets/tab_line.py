"""The tabs, in one line: the chosen one stands out without colour, the others take a click."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Static

from tui.cells import fit
from tui.logs.text import cut, neutralise

__all__ = ("TabLine",)


class TabLine(Static):
    """Names of tabs at the left, what they are about at the right."""

    DEFAULT_CSS = """
    TabLine { height: 1; text-wrap: nowrap; background: $surface; }
    TabLine:ansi { background: ansi_default; }
    """

    active: reactive[str] = reactive("")
    subject: reactive[str] = reactive("")

    @dataclass
    class Picked(Message):
        """Somebody wants a tab."""

        tab: str

    def __init__(self, tabs: tuple[str, ...], *, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self.tabs = tabs
        self.set_reactive(TabLine.active, tabs[0])

    def _labels(self) -> list[str]:
        return [f" {number} {tab} " for number, tab in enumerate(self.tabs, 1)]

    def on_mount(self) -> None:
        """Draw it."""
        self._draw()

    def on_resize(self) -> None:
        """Draw it for the new width."""
        self._draw()

    def watch_active(self) -> None:
        """Draw it anew."""
        self._draw()

    def watch_subject(self) -> None:
        """Draw it anew."""
        self._draw()

    def _draw(self) -> None:
        labels = self._labels()
        room = max(0, self.size.width - sum(map(cell_len, labels)) - 1)
        subject = fit(neutralise(cut(self.subject, 300)), room, right=True)
        parts = [
            (label, "bold reverse" if tab == self.active else "$text-muted")
            for label, tab in zip(labels, self.tabs, strict=True)
        ]
        self.update(Content.assemble(*parts, (subject, "bold"), " "))

    def on_click(self, event: events.Click) -> None:
        """Pick the tab under the pointer."""
        at = 0
        for label, tab in zip(self._labels(), self.tabs, strict=True):
            at += cell_len(label)
            if event.x < at:
                self.post_message(self.Picked(tab))
                return
