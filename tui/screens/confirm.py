"""A question before something that can't be taken back."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.logs.text import neutralise
from tui.widgets.key_line import KeyLine

__all__ = ("ConfirmScreen",)


class ConfirmScreen(ModalScreen[bool]):
    """Asks; `y` alone is yes, so that no key pressed by habit is.

    Args:
        question: one line.
        consequence: what yes will do.
    """

    DEFAULT_CSS = """
    ConfirmScreen { align: center middle; }
    ConfirmScreen Vertical {
        width: 64; max-width: 95%; height: auto; background: $surface; border: solid $warning;
        & Static { height: auto; padding: 0 1; }
        & #confirm-question { text-style: bold; }
        & KeyLine { margin-top: 1; padding: 0; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", "Yes", id="confirm.yes"),
        Binding("n,escape,q", "dismiss(False)", "No", id="confirm.no"),
    ]

    def __init__(self, question: str, consequence: str, yes: str) -> None:
        super().__init__()
        self._question = question
        self._consequence = consequence
        self._yes = yes

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Vertical():
            yield Static(Content(neutralise(self._question)), id="confirm-question", markup=False)
            yield Static(Content(neutralise(self._consequence)), markup=False)
            keys = KeyLine(id="confirm-keys")
            keys.show((("y", self._yes), ("n", "no")))
            yield keys
