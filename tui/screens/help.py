"""The keys that work where somebody asked for help, and what the signs mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.model.world import STATUS_SIGNS

__all__ = ("HelpScreen", "list_keys")

_PLACES = {
    "LogView": "In the log",
    "LogPane": "In the log",
    "ActorList": "In the list of actors",
    "ValueView": "In a tree",
    "ActionList": "In the list of actions",
    "FiredList": "In the history",
    "ActionForm": "In a form",
    "ActionPane": "In the actions",
    "StatePane": "In the state",
    "ConnectionList": "In the connections",
    "Input": "While typing",
    "TextArea": "While typing",
    "MainScreen": "Everywhere here",
    "RulesScreen": "Watch rules",
    "InspectorApp": "Everywhere",
    "Screen": "Everywhere",
}
_ABOUT = """The top line says whether what you see is live: the link's round trip, records a second, how late the \
newest record was when it came (lag), and how many were lost (dropped)."""


def list_keys(app: App[Any], bindings: Mapping[str, ActiveBinding]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Group the keys that work now by the place that they belong to, each key with what it does."""
    places: dict[str, dict[str, list[str]]] = {}
    # What Textual brings along has no id: it is of no use here (pages of columns), or every field on earth
    # has it.
    for active in bindings.values():
        binding = active.binding
        if not active.enabled or not binding.id or not binding.description:
            continue
        place = _PLACES.get(type(active.node).__name__, "Here")
        keys = places.setdefault(place, {}).setdefault(binding.description, [])
        keys.append(app.get_key_display(binding))
    return [
        (place, [(" ".join(dict.fromkeys(keys)), what) for what, keys in entries.items()])
        for place, entries in places.items()
    ]


class HelpScreen(ModalScreen[None]):
    """Keys, and signs."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen VerticalScroll {
        width: 76; max-width: 95%; height: auto; max-height: 90%; background: $surface; padding: 1 2;
        border: solid $primary;
    }
    HelpScreen Static { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "dismiss", "Back", id="help.back"),
        Binding("j,down", "scroll(1)", "Down", show=False, id="help.down"),
        Binding("k,up", "scroll(-1)", "Up", show=False, id="help.up"),
    ]

    def __init__(self, keys: list[tuple[str, list[tuple[str, str]]]]) -> None:
        super().__init__()
        self._keys = keys

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with VerticalScroll():
            yield Static(self._content(), id="help-text", markup=False)

    def _content(self) -> Content:
        parts: list[str | tuple[str, str]] = []
        for place, entries in self._keys:
            parts += [(f"{place}\n", "bold $text-primary")]
            for keys, what in entries:
                parts += [(f"  {keys:<20}", "bold"), f" {what}\n"]
            parts.append("\n")
        parts += [("Actors\n", "bold $text-primary")]
        parts.append("  " + "   ".join(f"{sign} {status}" for status, sign in STATUS_SIGNS.items()) + "\n")
        parts.append("  mail: messages waiting and running; act/s: actions a second; err: errors in all\n\n")
        parts.append(_ABOUT)
        return Content.assemble(*parts)

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
