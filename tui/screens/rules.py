"""The watch rules: what each waits for, whether that is so, how often it has fired, and the last time in full."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, Static

from tui.logs.search import span_of
from tui.logs.text import cut, neutralise
from tui.model.alarms import Alarm, Firing
from tui.model.rule_grammar import parse_rule
from tui.model.rules import RuleError
from tui.model.values import brief
from tui.rule_book import TICK, RuleBook
from tui.screens.confirm import ConfirmScreen
from tui.widgets.key_line import KeyLine
from tui.widgets.lines import Cells, Lines
from tui.widgets.prompt import Prompt
from tui.widgets.wanted import TraceWanted, trace_of

__all__ = ("SIGNS", "RuleList", "RulesScreen")

SIGNS: Final = {"waiting": "○", "holds": "●", "off": "□", "broken": "✖"}
"""A sign for each state of a rule, each of another shape."""
_STYLES: Final = {"waiting": "lines--good", "holds": "lines--warn", "off": "lines--dim", "broken": "lines--bad"}
_HELP: Final = "log FILTER   latency NAME > 1s   actor PATTERN failed   state ADDRESS .path > 1   lag > 2s   link lost"
_NEW: Final = "new"
_EDIT: Final = "edit"


def _time(firing: Firing) -> str:
    return f"{datetime.datetime.fromtimestamp(firing.at):%H:%M:%S}"


class RuleList(Lines):
    """The rules, one a line."""

    def __init__(self, book: RuleBook, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._book = book

    def count(self) -> int:
        """Say how many there are."""
        return len(self._book.alarms)

    def empty_text(self) -> str:
        """Say how one is made."""
        return "no rules yet: a adds one"

    def cells(self, index: int, width: int) -> Cells:
        """Draw one."""
        alarm = self._book.alarms[index]
        last = _time(alarm.last) if alarm.last else "–"
        off = "" if alarm.enabled else "lines--dim"
        title = neutralise(cut(f"{alarm.rule.name}: " if alarm.rule.name else "", 60))
        rest = f"  {alarm.rule.rest}" if alarm.rule.rest else ""
        return [
            (f"{SIGNS[alarm.state]} {alarm.state:<8}", _STYLES[alarm.state]),
            (f"{alarm.count:>7,}  ", off),
            (f"{last:>8}  ", "lines--dim"),
            (title, off or "lines--strong"),
            (neutralise(str(alarm.rule.condition)), off),
            (neutralise(rest), "lines--dim"),
        ]


class RulesScreen(Screen[None]):
    """Rules to look at and to change.

    Args:
        book: holds them.
    """

    DEFAULT_CSS = """
    RulesScreen {
        & #rules-heading { height: 1; background: $panel; text-style: bold; text-wrap: nowrap; }
        & #rules-columns { height: 1; color: $text-muted; text-wrap: nowrap; }
        & #rule-last { height: auto; max-height: 50%; border-top: solid $surface-lighten-1; padding: 0 1; }
        &:ansi #rules-heading { background: ansi_default; text-style: bold reverse; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "add", "Add a rule", show=False, id="rules.add"),
        Binding("e", "edit", "Edit the rule", show=False, id="rules.edit"),
        Binding("space", "turn", "Turn the rule off or on", show=False, id="rules.toggle"),
        Binding("d,delete", "remove", "Remove the rule", show=False, id="rules.remove"),
        Binding("t", "trace", "The trace of the record that did it", show=False, id="rules.trace"),
        Binding("escape,q,A", "dismiss", "Back", show=False, id="rules.back"),
    ]

    def __init__(self, book: RuleBook) -> None:
        super().__init__()
        self._book = book
        self._edited: Alarm | None = None

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Static(id="rules-heading", markup=False)
        yield Static(Content(f" {'  state':<10}{'fired':>8}  {'last':>8}  rule"), id="rules-columns", markup=False)
        yield RuleList(self._book, id="rules")
        yield Static(id="rule-last", markup=False)
        yield Prompt(id="rule-prompt")
        keys = KeyLine(id="keys")
        keys.show(
            (
                ("a", "add"),
                ("e", "edit"),
                ("space", "off/on"),
                ("d", "remove"),
                ("t", "trace"),
                ("?", "help"),
                ("q", "back"),
            )
        )
        yield keys

    def on_mount(self) -> None:
        """Show them, and what becomes of them."""
        self.query_one(RuleList).focus()
        # A rule is changed in its midst more often than written anew.
        self.query_one(Input).select_on_focus = False
        self.set_interval(TICK, self.changed)
        self.changed()

    @property
    def alarm(self) -> Alarm | None:
        """The rule under the mark."""
        rules = self.query_one(RuleList)
        return self._book.alarms[rules.cursor] if self._book.alarms else None

    def changed(self) -> None:
        """Show them as they are."""
        if not self.is_mounted:
            return
        alarms = self._book.alarms
        count = sum(alarm.count for alarm in alarms)
        on_now = sum(alarm.enabled for alarm in alarms)
        heading = f" Watch rules: {on_now} of {len(alarms)} on, fired {count:,} times"
        self.query_one("#rules-heading", Static).update(Content(heading))
        self.query_one(RuleList).changed()
        self._show_last()

    @on(Lines.Moved)
    def _moved(self) -> None:
        self._show_last()

    def _show_last(self) -> None:
        alarm = self.alarm
        lines: list[str] = []
        if alarm is not None:
            lines.append(neutralise(str(alarm.rule)))
            if alarm.problem:
                lines.append(f"broken: {alarm.problem}")
            if (last := alarm.last) is None:
                lines.append("has not fired")
            else:
                more = f", and {last.more:,} more since the time before" if last.more else ""
                lines += [f"fired at {_time(last)}{more}", last.hit.what]
                if last.hit.value is not None:
                    lines.append(f"value {brief(last.hit.value, 400)}")
            if how := self._book.ended.get(alarm):
                lines.append(f"its command: {how}")
        self.query_one("#rule-last", Static).update(Content("\n".join(lines)))

    # ---- keys ----

    def action_add(self) -> None:
        """Ask for a new rule."""
        self.query_one(Prompt).open(_NEW, "rule", placeholder="log error", help=_HELP)

    @on(Lines.Chosen)
    def action_edit(self) -> None:
        """Ask for the rule as it shall be."""
        if (alarm := self.alarm) is not None:
            self._edited = alarm
            self.query_one(Prompt).open(_EDIT, "rule", str(alarm.rule), help=_HELP)

    @on(Prompt.Submitted)
    def _submitted(self, event: Prompt.Submitted) -> None:
        prompt = self.query_one(Prompt)
        try:
            rule = parse_rule(event.text)
        except RuleError as error:
            hint = f"; did you mean {error.proposal!r}?" if error.proposal else ""
            prompt.refuse(f"{error.message}{hint}", error.position)
            return
        prompt.close()
        rules, edited = self.query_one(RuleList), self._edited
        with self._kept():
            if event.purpose == _EDIT and edited in self._book.alarms and edited is not None:
                self._book.replace(edited, rule)
            else:
                self._book.add(rule)
        self.changed()
        if event.purpose == _NEW:
            rules.cursor = len(self._book.alarms) - 1
        rules.focus()

    @on(Prompt.Left)
    def _left(self) -> None:
        self.query_one(RuleList).focus()

    def action_turn(self) -> None:
        """Turn the rule off or on."""
        if (alarm := self.alarm) is not None:
            with self._kept():
                self._book.toggle(alarm)
            self.changed()

    def action_remove(self) -> None:
        """Ask, then forget the rule."""
        alarm = self.alarm
        if alarm is None:
            return

        def remove(yes: bool | None) -> None:
            if yes and alarm in self._book.alarms:
                with self._kept():
                    self._book.remove(alarm)
                self.changed()

        self.app.push_screen(ConfirmScreen("Remove this rule?", str(alarm.rule), "remove"), remove)

    def action_trace(self) -> None:
        """Show the trace of the record that did it."""
        last = self.alarm.last if self.alarm is not None else None
        if last is not None and last.hit.line and (trace_id := trace_of(last.hit.line)) is not None:
            self.post_message(TraceWanted(trace_id, span_of(last.hit.line)))

    @contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            said = f"It holds until the app ends: {error.strerror or error}"
            self.notify(neutralise(said), title="The rules can't be kept", severity="warning", markup=False)
