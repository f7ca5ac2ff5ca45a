"""`inspector-tui` itself: screens, and the keys that work on all of them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from tui.discovery import NoHost, Target, Wanted
from tui.hang_up import end_on_hang_up
from tui.inspection import Inspection
from tui.link import LinkEvent, backoff
from tui.logs.text import cut, neutralise
from tui.model.alarms import Alarm, Firing
from tui.model.history import Fired
from tui.model.values import to_json
from tui.rule_book import RuleBook
from tui.screens.choose import ChooseScreen
from tui.screens.edit import EditScreen
from tui.screens.help import HelpScreen, list_keys
from tui.screens.main import MainScreen
from tui.screens.record import RecordScreen, TextScreen
from tui.screens.rules import RulesScreen
from tui.screens.tabs import TABS
from tui.screens.trace import TraceScreen
from tui.widgets.key_line import KeyLine
from tui.widgets.log_view import LogView
from tui.widgets.state_pane import StatePane
from tui.widgets.status_line import StatusLine
from tui.widgets.value_view import ValueView
from tui.widgets.wanted import CopyWanted, TraceWanted

__all__ = ("InspectorApp",)


class InspectorApp(App[None]):
    """The terminal app.

    Args:
        resolve: finds the host to attach to, each time anew; `Wanted(…).resolve` is one.
        place: what is looked for, for the time until it is found.
        delays: makes the pauses between tries to connect; for tests.
        ca: file of the certificates to trust, for a host that is chosen from the list.
        rules: file of the watch rules; without it they last as long as the app.
    """

    TITLE = "inspector-tui"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+q", "quit", "Quit", show=False, priority=False, id="app.quit"),
        # In a terminal ctrl+c means "end", whatever has the focus.
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True, id="app.interrupt"),
        Binding("A", "rules", "Alarms: the watch rules", show=False, id="app.rules"),
        Binding("question_mark", "help", "Keys that work here", show=False, id="app.help"),
    ]

    def __init__(
        self,
        resolve: Callable[[], Target],
        place: str = "",
        *,
        delays: Callable[[], Iterator[float]] = backoff,
        ca: str | None = None,
        rules: Path | None = None,
    ) -> None:
        super().__init__()
        self._ca = ca
        self._resolve = resolve
        self._place = place
        self.inspection = Inspection(lambda: self._resolve(), self, delays=delays)
        self.rules = RuleBook(self.inspection.link, self._rule_fired, rules)
        self.main: MainScreen | None = None
        self.lending = False
        """Whether the terminal is an editor's at the moment."""

    def on_mount(self) -> None:
        """Attach, or ask to what."""
        for number in (signal.SIGTERM, signal.SIGINT):
            try:
                asyncio.get_running_loop().add_signal_handler(number, self._signalled, number)
            except (NotImplementedError, RuntimeError, ValueError):
                # Not the main thread, as in tests: whoever runs that thread has the signals.
                break
        if not self.is_headless:
            end_on_hang_up(asyncio.get_running_loop(), self.exit)
        try:
            self._resolve()
        except NoHost as none:
            if none.hosts:
                self.push_screen(ChooseScreen(none.hosts), lambda host: self._begin(host.target if host else None))
                return
        self._begin(None)

    def _signalled(self, number: int) -> None:
        # Ctrl+C while the terminal is lent is the editor's affair.
        if number != signal.SIGINT or not self.lending:
            self.exit()

    def _begin(self, target: Target | None) -> None:
        if target is not None:
            self._resolve, self._place = Wanted(target.url, ca=self._ca).resolve, target.place
        self.main = MainScreen(self.inspection, self._place)
        self.push_screen(self.main)
        for problem in self.rules.load():
            self.notify(problem, title="Watch rules", severity="warning", timeout=10, markup=False)
        self.run_worker(self.rules.run(), name="rules", exit_on_error=True)
        self.run_worker(self.inspection.run(), name="inspection", exit_on_error=True)

    @contextmanager
    def suspend(self) -> Iterator[None]:
        """Lend the terminal to another program for the length of a block."""
        self.lending = True
        try:
            with super().suspend():
                yield
        finally:
            self.lending = False

    # ---- what the inspection tells ----

    def link_changed(self, event: LinkEvent) -> None:
        """Pass it on."""
        self.rules.link_changed(event)
        if self.main is not None:
            self.main.link_changed(event)

    def actors_changed(self) -> None:
        """Pass it on."""
        if self.main is not None:
            self.main.actors_changed()

    def fired_changed(self, fired: Fired) -> None:
        """Pass it on."""
        if self.main is not None:
            self.main.fired_changed(fired)

    def _rule_fired(self, alarm: Alarm, firing: Firing) -> None:
        if not self.is_running:
            # When the app ends its widgets go one by one, while the link still speaks.
            return
        kinds = {action.kind for action in firing.rule.actions}
        if "bell" in kinds:
            self.bell()
        if "flash" in kinds:
            if self.main is not None and self.main.is_mounted:
                self.main.query_one(StatusLine).flash()
            more = f" (and {firing.more:,} more)" if firing.more else ""
            title = neutralise(cut(firing.rule.title, 60))
            self.notify(f"{firing.hit.what}{more}", title=title, severity="warning", timeout=6, markup=False)
        if isinstance(self.screen, RulesScreen):
            self.screen.changed()

    # ---- what screens want ----

    @on(LogView.Opened)
    def _record_opened(self, event: LogView.Opened) -> None:
        self.push_screen(RecordScreen(event.line, self.inspection))

    @on(TraceWanted)
    def _trace_wanted(self, event: TraceWanted) -> None:
        self.push_screen(TraceScreen(event.trace_id, self.inspection, event.span_id))

    @on(StatePane.Edited)
    def _edited(self, event: StatePane.Edited) -> None:
        screen = EditScreen(event.edit, self.inspection)
        # What is gone on with is the edit that the screen had last: it may be for a newer version.
        self.push_screen(screen, lambda verdict: event.pane.decided(screen.edit, verdict == "again"))

    @on(ValueView.Wanted)
    def _text_wanted(self, event: ValueView.Wanted) -> None:
        self.push_screen(TextScreen(event.path, event.value))

    @on(ValueView.CopyRequested)
    def _value_copied(self, event: ValueView.CopyRequested) -> None:
        self._copy(event.value if isinstance(event.value, str) else to_json(event.value))

    @on(LogView.CopyRequested)
    def _record_copied(self, event: LogView.CopyRequested) -> None:
        self._copy(event.line.decode("utf-8", "replace"))

    @on(CopyWanted)
    def _text_copied(self, event: CopyWanted) -> None:
        self._copy(event.text)

    def _copy(self, text: str) -> None:
        # OSC 52: the terminal takes it, also over SSH, where no clipboard program is at hand.
        self.copy_to_clipboard(text)
        self.notify(f"{len(text):,} characters to the terminal's clipboard", title="Copied", timeout=2)

    @on(KeyLine.Pressed)
    def _key_clicked(self, event: KeyLine.Pressed) -> None:
        self.simulate_key({"/": "slash", "?": "question_mark"}.get(event.key, event.key))

    # ---- keys ----

    def action_rules(self) -> None:
        """Show the watch rules."""
        if self.main is not None and self.screen is self.main:
            self.push_screen(RulesScreen(self.rules))

    def action_help(self) -> None:
        """Show the keys that work here."""
        self.push_screen(HelpScreen(list_keys(self, self.screen.active_bindings)))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Give what the palette offers: Textual's own, and what the main screen can do."""
        for command in super().get_system_commands(screen):
            # They show other things under names of ours, or nothing of use here.
            if command.title not in ("Keys", "Screenshot"):
                yield command
        yield SystemCommand("Help", "The keys that work here", self.action_help)
        if (main := self.main) is not None and screen is main:
            for tab in TABS:
                yield SystemCommand(tab.name, tab.about, partial(main.action_tab, tab.name))
            yield SystemCommand("Filter the log", "At the host, by level and target", main.log_pane.action_filter)
            yield SystemCommand("Search the log", "In the records that came", main.log_pane.action_search)
            yield SystemCommand("All actors or this one", "In the log", main.log_pane.action_scope)
            yield SystemCommand("Find an actor", "By the beginning of its address", main.action_find_actor)
            yield SystemCommand("Watch rules", "What to wait for, and what has fired", self.action_rules)
            yield SystemCommand("Connect again now", "If the connection is lost", main.action_retry)
