"""The tabs of the main screen: one row each, from the key to the widget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from textual.widget import Widget

from tui.inspection import Inspection
from tui.widgets.action_pane import ActionPane
from tui.widgets.connection_pane import ConnectionPane
from tui.widgets.log_pane import LogPane
from tui.widgets.span_pane import SpanPane
from tui.widgets.state_pane import StatePane
from tui.widgets.task_pane import TaskPane

__all__ = ("TABS", "Pane", "Tab")


class Pane(Protocol):
    """What is in a tab."""

    def look(self, actor: str | None, *, seen: bool) -> None:
        """Be about an actor, or about none; while nobody sees it the host is not asked."""


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab.

    Attributes:
        name: its label, and the widget's id.
        keys: what leads to it, as a binding has it.
        place: selects what gets the focus there.
        about: what one can do there, for the palette.
        make: makes the widget, a `Pane`.
    """

    name: str
    keys: str
    place: str
    about: str
    make: Callable[[Inspection], Widget]


TABS: Final = (
    Tab("Logs", "1", "#log-view", "Show the log", lambda inspection: LogPane(id="Logs")),
    Tab("State", "2", "#state-view", "Show the chosen actor's state", lambda i: StatePane(i, id="State")),
    Tab("Actions", "3,exclamation_mark", "#action-list", "Fire an action", lambda i: ActionPane(i, id="Actions")),
    Tab("Spans", "4", "#trace-list", "Requests and all that they caused, in time", lambda i: SpanPane(i, id="Spans")),
    Tab("Tasks", "5", "#task-list", "What runs, where it waits, what ended", lambda i: TaskPane(i, id="Tasks")),
    Tab(
        "Connections", "6", "#connection-list", "Who inspects this host", lambda i: ConnectionPane(i, id="Connections")
    ),
)
"""In the order of their keys."""
