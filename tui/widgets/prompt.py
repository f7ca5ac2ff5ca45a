"""A line to type into, at the bottom of what it is about, with room for what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from tui.logs.text import neutralise

__all__ = ("Prompt",)


class Prompt(Vertical):
    """Asks for one text; hidden until it is opened."""

    DEFAULT_CSS = """
    Prompt {
        height: auto; display: none; background: $surface;
        &.-open { display: block; }
        & Horizontal { height: 1; }
        & #prompt-label { width: auto; padding: 0 1; text-style: bold; }
        & Input { width: 1fr; height: 1; border: none; padding: 0; background: $surface; }
        & Input:focus { border: none; }
        & #prompt-error { height: auto; max-height: 3; display: none; color: $text-error; padding: 0 1; }
        & #prompt-help { height: 1; display: none; color: $text-muted; padding: 0 1; text-wrap: nowrap; }
        &.-helped #prompt-help { display: block; }
        &.-wrong #prompt-help { display: none; }
        &.-wrong #prompt-error { display: block; }
        &:ansi, &:ansi Input { background: ansi_default; }
        &:ansi #prompt-error { color: ansi_red; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Leave", show=False, id="prompt.leave")]

    @dataclass
    class Submitted(Message):
        """Somebody typed a text; `purpose` is what it was asked for."""

        purpose: str
        text: str

    @dataclass
    class Left(Message):
        """Somebody wants nothing after all."""

        purpose: str

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.purpose = ""
        self._label = ""

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Horizontal():
            yield Static(id="prompt-label", markup=False)
            yield Input(id="prompt-input", compact=True)
        yield Static(id="prompt-help", markup=False)
        yield Static(id="prompt-error", markup=False)

    @property
    def is_open(self) -> bool:
        """Whether it can be seen."""
        return self.has_class("-open")

    def open(self, purpose: str, label: str, text: str = "", placeholder: str = "", help: str = "") -> None:
        """Ask for a text."""
        self.query_one("#prompt-help", Static).update(Content(help))
        self.set_class(bool(help), "-helped")
        self.purpose = purpose
        self._label = label
        self.query_one("#prompt-label", Static).update(Content(label))
        field = self.query_one(Input)
        field.value, field.placeholder = text, placeholder
        field.cursor_position = len(text)
        self.remove_class("-wrong")
        self.add_class("-open")
        field.focus()

    def close(self) -> None:
        """Hide it."""
        self.remove_class("-open", "-wrong")

    def refuse(self, message: str, position: int | None = None) -> None:
        """Say what is wrong with the text, and put the cursor where."""
        field = self.query_one(Input)
        lines = [neutralise(message)]
        if position is not None:
            field.cursor_position = max(0, min(position, len(field.value)))
            lines.insert(0, " " * field.cursor_position + "^")
        # By the label's text, not by its place on the screen: it may not have one yet.
        pad = " " * (cell_len(self._label) + 1)
        self.query_one("#prompt-error", Static).update(Content("\n".join([pad + lines[0], *lines[1:]])))
        self.add_class("-wrong")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Submitted(self.purpose, event.value))

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.remove_class("-wrong")

    def action_leave(self) -> None:
        """Want nothing after all."""
        self.close()
        self.post_message(self.Left(self.purpose))
