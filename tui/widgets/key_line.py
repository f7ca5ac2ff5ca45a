"""The bottom line: the six keys that matter where one is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

__all__ = ("KEYS", "KeyLine")

_Part = tuple[str, str]
KEYS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "actors": (
        ("/", "find"),
        ("enter", "its log"),
        ("R", "restart"),
        ("2", "state"),
        ("3", "actions"),
        ("?", "help"),
        ("q", "quit"),
    ),
    "Logs": (
        ("/", "search"),
        ("f", "filter"),
        ("space", "pause"),
        ("enter", "open"),
        ("a", "all/this"),
        ("?", "help"),
        ("q", "quit"),
    ),
    "State": (
        ("enter", "fold"),
        ("e", "edit"),
        ("E", "editor"),
        ("y", "copy"),
        ("tab", "actors"),
        ("?", "help"),
        ("q", "quit"),
    ),
    "Actions": (
        ("enter", "fire"),
        ("R", "again"),
        ("t", "trace"),
        ("ctrl+x", "cancel"),
        ("ctrl+r", "JSON"),
        ("?", "help"),
        ("q", "quit"),
    ),
    "Spans": (
        ("enter", "trace"),
        ("a", "all/this"),
        ("o", "open only"),
        ("tab", "actors"),
        ("?", "help"),
        ("q", "quit"),
    ),
    "Tasks": (
        ("enter", "stack"),
        ("a", "all/this"),
        ("e", "ended"),
        ("T", "timing"),
        ("t", "trace"),
        ("?", "help"),
        ("q", "quit"),
    ),
    "Connections": (
        ("tab", "actors"),
        ("1", "logs"),
        ("2", "state"),
        ("3", "actions"),
        ("?", "help"),
        ("q", "quit"),
    ),
    "prompt": (("enter", "take"), ("escape", "leave")),
}
"""The keys that are shown, by the place that has the focus; each fits into 80 columns."""


class KeyLine(Static):
    """Keys and what they do; a click does it too."""

    DEFAULT_CSS = """
    KeyLine { height: 1; background: $panel; text-wrap: nowrap; }
    KeyLine:ansi { background: ansi_default; }
    """

    @dataclass
    class Pressed(Message):
        """Somebody clicked on a key."""

        key: str

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self._keys: tuple[_Part, ...] = ()
        self._spans: list[tuple[int, int, str]] = []

    def show(self, keys: tuple[_Part, ...]) -> None:
        """Show other keys, each as people read it with one word or two; the last stands at the right."""
        if keys != self._keys:
            self._keys = keys
            self._draw()

    def on_resize(self) -> None:
        """Leave out what has no room."""
        self._draw()

    def _draw(self) -> None:
        width = self.size.width
        if not self._keys or not width:
            return
        *rest, last = self._keys
        tail = cell_len(f" {last[0]} {last[1]} ")
        at, parts, self._spans = 0, [], []
        for key, word in rest:
            length = cell_len(f" {key} {word} ")
            if at + length + tail > width:
                break
            parts += [f" {key}", f" {word} "]
            self._spans.append((at, at + length, key))
            at += length
        parts += [" " * max(0, width - at - tail), f" {last[0]}", f" {last[1]} "]
        self._spans.append((width - tail, width, last[0]))
        styled: list[str | tuple[str, str]] = []
        names = {f" {key}" for key, _ in self._keys}
        for part in parts:
            styled.append((part, "bold $text-primary") if part in names else part)
        self.update(Content.assemble(*styled))

    def on_click(self, event: events.Click) -> None:
        """Press the key under the pointer."""
        for start, end, key in self._spans:
            if start <= event.x < end:
                self.post_message(self.Pressed(key))
