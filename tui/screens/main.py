"""The main screen: actors at the left, the chosen one's log, state and actions at the right."""

from __future__ import annotations

from typing import ClassVar, Final, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Static

from protocol.errors import InspectorError
from tui.connection import LinkLost
from tui.feed import LogFeed, LogSink
from tui.inspection import Inspection
from tui.link import Connected, LinkEvent, Lost
from tui.log_source import LogSource
from tui.logs.search import span_of
from tui.logs.text import cut, neutralise
from tui.model.history import Fired
from tui.screens.confirm import ConfirmScreen
from tui.screens.tabs import TABS, Pane
from tui.widgets.action_pane import ActionPane
from tui.widgets.actor_list import ActorList
from tui.widgets.key_line import KEYS, KeyLine
from tui.widgets.lines import Lines
from tui.widgets.log_pane import LogPane
from tui.widgets.log_view import LogView
from tui.widgets.prompt import Prompt
from tui.widgets.status_line import StatusLine, describe_lost
from tui.widgets.tab_line import TabLine
from tui.widgets.wanted import TraceWanted, trace_of

__all__ = (
    "TICK",
    "MainScreen",
)

_NAMES: Final = tuple(tab.name for tab in TABS)
TICK: Final = 0.25
"""Seconds between two updates of rates, lag and elapsed times."""
_ACTORS_EVERY: Final = 0.1
_SETTLE: Final = 0.12
"""Seconds that the mark has to rest on an actor before the host is asked about it."""


class MainScreen(Screen[None]):
    """One host, live."""

    # Instance variables of the base class by their annotations, class variables by what they are for.
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide"), (160, "-vast")]  # noqa: RUF012 - see above
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-high")]  # noqa: RUF012 - see above
    DEFAULT_CSS = """
    MainScreen {
        & #banner {
            height: auto; max-height: 2; display: none; padding: 0 1;
            background: $error; color: $text; text-style: bold;
        }
        &.-lost #banner { display: block; }
        & #left { width: 46; border-right: solid $surface-lighten-1; }
        & #right { width: 1fr; height: 1fr; }
        & #actor-heading { height: 1; color: $text-muted; text-wrap: nowrap; background: $surface; }
        & #body, & ContentSwitcher { height: 1fr; }
        &.-vast #left { width: 60; }
        &.-narrow #body { layout: vertical; }
        &.-narrow #left { width: 1fr; height: 4; border-right: none; }
        &.-narrow #left:focus-within { height: 50%; }
        &.-narrow.-low #left { height: 1; }
        &.-narrow.-low #actor-heading { display: none; }
        &.-narrow.-low #left:focus-within { height: 5; }
        &:ansi #banner { background: ansi_default; color: ansi_red; text-style: bold reverse; }
        &:ansi #actor-heading { background: ansi_default; color: ansi_default; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(tab.keys, f"tab('{tab.name}')", tab.name, show=False, id=f"tab.{tab.name.lower()}") for tab in TABS),
        Binding("right_square_bracket", "next_tab(1)", "Next tab", show=False, id="tab.next"),
        Binding("left_square_bracket", "next_tab(-1)", "Previous tab", show=False, id="tab.previous"),
        Binding("tab", "other_side", "Actors / tab", show=False, id="focus.other"),
        Binding("slash", "find_actor", "Find an actor by the beginning of its address", show=False, id="actors.find"),
        Binding("R", "restart", "Restart the actor", show=False, id="actors.restart"),
        Binding("t", "trace", "The trace of this record", show=False, id="log.trace"),
        Binding("r", "retry", "Connect again now", show=False, id="link.retry"),
        Binding("escape", "leave", "Leave what was opened here", show=False, id="main.leave"),
    ]

    def __init__(self, inspection: Inspection, place: str) -> None:
        super().__init__()
        self.inspection = inspection
        self.place = place
        self._clock = inspection.clock
        self._source: LogSource | None = None
        self._chosen: str | None = None
        self._settling: Timer | None = None
        self._lost_at = 0.0
        self._actors_waiting = False

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield StatusLine(id="status")
        yield Static(id="banner", markup=False)
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield Static(id="actor-heading", markup=False)
                yield ActorList(self.inspection.world, id="actors")
                yield Prompt(id="actor-prompt")
            with Vertical(id="right"):
                yield TabLine(_NAMES, id="tabs")
                with ContentSwitcher(initial=_NAMES[0], id="panes"):
                    for tab in TABS:
                        yield tab.make(self.inspection)
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        """Begin with the log of all actors."""
        self.query_one(LogView).focus()
        self._want_log(self.log_pane.filter, None)
        self.set_interval(TICK, self._tick)
        self._tick()

    @property
    def log_pane(self) -> LogPane:
        """The Logs tab."""
        return self.query_one(LogPane)

    @property
    def tab(self) -> str:
        """The tab that is seen."""
        return self.query_one("#panes", ContentSwitcher).current or _NAMES[0]

    @property
    def actors(self) -> ActorList:
        """The list of actors."""
        return self.query_one(ActorList)

    @property
    def _live(self) -> bool:
        # When the app ends its widgets go one by one, while the link still speaks.
        return self.is_mounted and self.app.is_running

    # ---- what the inspection tells ----

    def link_changed(self, event: LinkEvent) -> None:
        """Show that the connection came or went; whatever else is on the screen stays."""
        self._lost_at = self._clock()
        if isinstance(event, Connected) and self._live:
            self.place = event.target.place
            self.query_one(ActionPane).look(self._chosen, seen=self.tab == "Actions")
        self._tick()

    def actors_changed(self) -> None:
        """Show the actors as they are."""
        if self._live and not self._actors_waiting:
            self._actors_waiting = True
            # However often they change, they are drawn ten times a second.
            self.set_timer(_ACTORS_EVERY, self._draw_actors)

    def _draw_actors(self) -> None:
        self._actors_waiting = False
        if self._live:
            self.actors.update(self._clock())

    def fired_changed(self, fired: Fired) -> None:
        """Show what became of an action."""
        if self._live:
            self.query_one(ActionPane).update(fired, self._clock())

    # ---- the lines around ----

    def _tick(self) -> None:
        if not self._live:
            return
        now, event = self._clock(), self.inspection.event
        feed, connection = self.log_pane.feed, self.inspection.link.connection
        self.query_one(StatusLine).show(
            event,
            place=self.place,
            round_trip=connection.latency if connection else None,
            rate=feed.meter.rate(self.inspection.link.wall()) if feed else 0.0,
            lag=feed.lag if feed else None,
            dropped=self._source.dropped if self._source else 0,
        )
        self.set_class(isinstance(event, Lost), "-lost")
        if isinstance(event, Lost):
            text = describe_lost(event, event.retry_in - (now - self._lost_at))
            self.query_one("#banner", Static).update(Content(text))
        self.actors.update(now)
        self._heading()
        self.log_pane.refresh_line()
        self.query_one(ActionPane).tick(now)
        self._show_keys()

    def _heading(self) -> None:
        width = self.query_one("#actor-heading").size.width
        self.query_one("#actor-heading", Static).update(Content(self.actors.heading(max(1, width))))

    def _show_keys(self) -> None:
        focused: Widget | None = self.focused
        place = self.tab
        while focused is not None and focused is not self:
            if isinstance(focused, Prompt):
                place = "prompt"
                break
            if isinstance(focused, ActorList):
                place = "actors"
                break
            parent = focused.parent
            focused = parent if isinstance(parent, Widget) else None
        self.query_one(KeyLine).show(KEYS[place])

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Show the keys that work there."""
        self._show_keys()

    # ---- the chosen actor ----

    @on(Lines.Moved, "#actors")
    def _actor_moved(self) -> None:
        if self._settling is not None:
            self._settling.stop()
        self._settling = self.set_timer(_SETTLE, self._settle)

    def _settle(self) -> None:
        address = self.actors.address
        if address == self._chosen:
            return
        self._chosen = address
        self.query_one(TabLine).subject = address or ""
        self._look()

    @on(Lines.Chosen, "#actors")
    def _actor_chosen(self) -> None:
        self._settle()
        if self._chosen is not None:
            if self.tab == "Logs":
                self.log_pane.narrow(self._chosen)
            self._focus_tab()

    def _look(self) -> None:
        """Ask for what the tab in sight shows of the chosen actor, and for nothing that nobody looks at."""
        for name in _NAMES:
            cast(Pane, self.query_one(f"#{name}")).look(self._chosen, seen=self.tab == name)

    # ---- the log ----

    @on(LogPane.Wanted)
    def _log_wanted(self, event: LogPane.Wanted) -> None:
        self._want_log(event.filter, event.actor)

    def _want_log(self, filter: str, actor: str | None) -> None:
        if self._source is None:
            self._source = LogSource(self.inspection.link, self)
        self.inspection.spawn(self._source.want(filter, actor))

    @property
    def sink(self) -> LogSink:
        """Takes the records."""
        return self.log_pane.view

    def adopt(self, feed: LogFeed) -> None:
        """Show what the host has accepted."""
        if self._live:
            self.log_pane.adopt(feed)
            self._tidy()

    def refused(self, filter: str, error: InspectorError) -> None:
        """Show why the host did not accept a filter."""
        if self._live:
            self.log_pane.refused(filter, error)
            self._tidy()

    def _tidy(self) -> None:
        if self._source is not None:
            self.inspection.spawn(self._source.tidy())

    # ---- actions ----

    @on(ActionPane.Fire)
    def _fire(self, event: ActionPane.Fire) -> None:
        fired = self.inspection.fire(event.actor, event.action, event.args)
        self.query_one(ActionPane).update(fired, self._clock())

    # ---- keys ----

    @on(TabLine.Picked)
    def _tab_picked(self, event: TabLine.Picked) -> None:
        self.action_tab(event.tab)

    def action_tab(self, tab: str) -> None:
        """Show a tab and go there."""
        self.query_one("#panes", ContentSwitcher).current = tab
        self.query_one(TabLine).active = tab
        self._settle()
        self._look()
        self.call_after_refresh(self._focus_tab)

    def action_next_tab(self, direction: int) -> None:
        """Show the tab beside."""
        self.action_tab(_NAMES[(_NAMES.index(self.tab) + direction) % len(_NAMES)])

    def _focus_tab(self) -> None:
        self.query_one(TABS[_NAMES.index(self.tab)].place).focus()

    def action_other_side(self) -> None:
        """Go from the actors to the tab, through its parts, and back."""
        if self.focused is self.actors:
            self._focus_tab()
        elif self.tab == "Actions" and self.focused is not self.query_one("#fired-list"):
            self.focus_next()
        else:
            self.actors.focus()

    def action_find_actor(self) -> None:
        """Ask how the addresses wanted begin."""
        self.query_one("#actor-prompt", Prompt).open("prefix", "begins with", self.actors.prefix)

    @on(Prompt.Submitted)
    def _prefix_given(self, event: Prompt.Submitted) -> None:
        self.query_one("#actor-prompt", Prompt).close()
        self.actors.filter(event.text.strip())
        self.actors.focus()

    @on(Prompt.Left)
    def _prefix_left(self) -> None:
        self.actors.focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Restart from the list alone, where one sees what one has marked."""
        return action != "restart" or self.focused is self.actors

    def action_restart(self) -> None:
        """Ask, then end the marked actor's life and begin its next."""
        address = self.actors.address
        if address is None:
            return

        def restart(yes: bool | None) -> None:
            if yes:
                self.inspection.spawn(self._restart(address))

        loss = "Its state is lost; actions under way are ended; what waits in its mailbox waits on."
        self.app.push_screen(ConfirmScreen(f"Restart {cut(address, 100)}?", loss, "restart"), restart)

    async def _restart(self, address: str) -> None:
        try:
            generation = await self.inspection.restart(address)
        except (InspectorError, LinkLost) as error:
            self.notify(neutralise(str(error)), title="Not restarted", severity="warning", markup=False)
        else:
            self.notify(neutralise(f"{address} is in life {generation:,}"), title="Restarted", timeout=3, markup=False)

    def action_trace(self) -> None:
        """Show everything of the trace that the marked record belongs to."""
        view = self.log_pane.view
        line = None if view.cursor is None else view.line(view.cursor)
        if self.tab != "Logs" or line is None:
            return
        trace_id = trace_of(line)
        if trace_id is not None:
            self.post_message(TraceWanted(trace_id, span_of(line)))

    def action_retry(self) -> None:
        """Connect now, if there is no connection."""
        self.inspection.link.retry_now()

    def action_leave(self) -> None:
        """Take the prefix off, or go to the tab."""
        if self.focused is self.actors and self.actors.prefix:
            self.actors.filter("")
        else:
            self._focus_tab()
