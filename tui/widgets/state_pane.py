"""The State tab: the chosen actor's state as a tree, with what changed last, and by what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from tui.editor import EditorFailed, edit_text
from tui.inspection import Inspection
from tui.logs.text import cut, neutralise
from tui.model.diff import MAX_CHANGES, changes
from tui.model.edit import Edit, edit_value, edit_whole, typed_text, value_help, whole_text
from tui.model.form import FieldError
from tui.model.values import Path, look_up, write_path
from tui.watches import StateWatch
from tui.widgets.prompt import Prompt
from tui.widgets.value_view import ValueView

__all__ = ("Draft", "StatePane", "StateView")


@dataclass(frozen=True, slots=True)
class StateView:
    """A state as somebody saw it when the edit began."""

    actor: str
    version: int | None
    state: Any


@dataclass(frozen=True, slots=True)
class Draft:
    """What was written in an editor, and for which state."""

    view: StateView
    text: str


class StatePane(Vertical):
    """One state, live. Draws at most ten times a second, however often it changes."""

    DEFAULT_CSS = """
    StatePane { height: 1fr; }
    StatePane #state-line { height: 1; background: $surface; color: $text-muted; text-wrap: nowrap; }
    StatePane:ansi #state-line { background: ansi_default; color: ansi_default; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "edit", "Edit the value", show=False, id="state.edit"),
        Binding("E", "edit_whole", "Edit the state in your editor", show=False, id="state.editor"),
    ]

    @dataclass
    class Edited(Message):
        """Somebody wants to change the state; `decided` is to hear what becomes of it."""

        pane: StatePane
        edit: Edit

    def __init__(self, inspection: Inspection, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.inspection = inspection
        self.said = ""
        self._watch: StateWatch | None = None
        self._shown: int | None = None
        self._fresh = True
        self._waiting = False
        self._base: tuple[Path, StateView] | None = None
        self._draft: Draft | None = None

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Static(id="state-line", markup=False)
        yield ValueView(id="state-view", empty="Choose an actor to see its state.")
        yield Prompt(id="state-prompt")

    def look(self, actor: str | None, *, seen: bool) -> None:
        """Be about an actor; while nobody sees it the host is not asked."""
        wanted = actor if seen else None
        if (self._watch.actor if self._watch else None) != wanted and self._watch is not None:
            self.inspection.spawn(self.inspection.link.unsubscribe(self._watch))
            self._watch = None
        if seen and self._watch is None:
            self._begin(actor)
            if actor is not None:
                self._watch = StateWatch(self.inspection, actor, self._changed)
                self.inspection.spawn(self.inspection.link.subscribe(self._watch))

    def _begin(self, actor: str | None) -> None:
        self._fresh = True
        self._close_prompt()
        text = (
            f"Waiting for the state of {neutralise(cut(actor, 100))}." if actor else "Choose an actor to see its state."
        )
        self.query_one(ValueView).clear(text)
        self._say("")

    def _changed(self, watch: StateWatch) -> None:
        # When the app ends the widgets go one by one, while the link still speaks.
        if watch is self._watch and self.is_mounted and self.app.is_running:
            self._show()

    def _show(self) -> None:
        if not self._waiting:
            self._waiting = True
            # The first is shown at once; a state that changes a thousand times a second is drawn ten times.
            self._draw()
            self.set_timer(0.1, self._drawn)

    def _drawn(self) -> None:
        self._waiting = False
        watch = self._watch
        if watch is not None and watch.version != self._shown:
            self._show()

    def _draw(self) -> None:
        watch, view = self._watch, self.query_one(ValueView)
        if watch is None or not watch.known:
            return
        self._shown = watch.version
        if watch.error is not None:
            view.clear(neutralise(cut(str(watch.error), 500)))
            self._say("")
        elif not watch.enabled:
            view.clear("This actor has no state.")
            self._say("")
        else:
            found = {} if watch.first else changes(watch.before, watch.state)
            view.show(watch.state, found, fresh=self._fresh)
            self._fresh = False
            self._say(self._describe(watch, found))

    def _describe(self, watch: StateWatch, found: dict[tuple[str | int, ...], str]) -> str:
        text = "" if watch.version is None else f"version {watch.version:,}"
        if watch.first:
            return f"{text}  as it was found"
        removed = [path for path, what in found.items() if what == "removed"]
        count = f"{len(found):,}+" if len(found) >= MAX_CHANGES else f"{len(found):,}"
        text += f"  {count} changed"
        if removed:
            text += f", gone: {', '.join(write_path(path) for path in removed[:3])}" + (
                " …" if len(removed) > 3 else ""
            )
        if watch.cause is not None and isinstance(watch.cause.action, str):
            text += f"  by {neutralise(cut(watch.cause.action, 60))}"
        return text

    def _say(self, text: str) -> None:
        self.said = text
        self.query_one("#state-line", Static).update(Content(f" {text}"))

    # ---- editing ----

    def _editable(self) -> StateWatch | None:
        watch = self._watch
        if watch is None or not watch.known or not watch.enabled or watch.error is not None:
            self._tell("there is no state here that could be edited")
            return None
        return watch

    def _tell(self, text: str) -> None:
        self.notify(neutralise(cut(text, 500)), title="Not edited", severity="warning", timeout=6, markup=False)

    def action_edit(self) -> None:
        """Type another value for the marked one."""
        path = self.query_one(ValueView).marked
        if path is None or (watch := self._editable()) is None:
            return
        try:
            old = look_up(watch.state, path)
            text = typed_text(old)
        except (LookupError, ValueError) as exc:
            self._tell(str(exc))
            return
        self._base = path, StateView(watch.actor, watch.version, watch.state)
        label = write_path(path)
        # The end of a path says more than its beginning.
        label = label if len(label) <= 30 else f"…{label[-29:]}"
        self.query_one(Prompt).open("edit", label, text, help=value_help(old, watch.schema, path))

    @on(Prompt.Submitted)
    def _typed(self, event: Prompt.Submitted) -> None:
        event.stop()
        if self._base is None or self._watch is None:
            return
        path, view = self._base
        try:
            edit = edit_value(view.actor, view.version, view.state, path, event.text, self._watch.schema)
        except FieldError as exc:
            self.query_one(Prompt).refuse(str(exc))
            return
        if edit is None:
            self._leave_prompt()
        else:
            self.post_message(self.Edited(self, edit))

    @on(Prompt.Left)
    def _left(self, event: Prompt.Left) -> None:
        event.stop()
        self._leave_prompt()

    def _leave_prompt(self) -> None:
        self._close_prompt()
        self.query_one(ValueView).focus()

    def _close_prompt(self) -> None:
        self._base = None
        self.query_one(Prompt).close()

    def action_edit_whole(self) -> None:
        """Edit the state as JSON; what was refused before is gone on with."""
        if (watch := self._editable()) is None:
            return
        draft = self._draft
        if draft is None or draft.view.actor != watch.actor:
            try:
                draft = Draft(StateView(watch.actor, watch.version, watch.state), whole_text(watch.state))
            except ValueError as exc:
                self._tell(str(exc))
                return
        self._open_editor(draft)

    def _open_editor(self, draft: Draft) -> None:
        self.run_worker(self._edit(draft), group="editor", exclusive=True)

    async def _edit(self, draft: Draft) -> None:
        view = draft.view
        self._draft = None
        try:
            text = await edit_text(self.app, draft.text)
        except EditorFailed as exc:
            self._tell(str(exc))
            return
        try:
            edit = edit_whole(view.actor, view.version, view.state, text)
        except FieldError as exc:
            self._draft = Draft(view, text)
            self._tell(f"{exc}; E goes on with what you wrote")
            return
        if edit is None:
            self._tell("nothing was changed")
        else:
            self.post_message(self.Edited(self, edit))

    def decided(self, edit: Edit, again: bool) -> None:
        """Hear what became of an edit: with `again` somebody wants to type on."""
        if not again:
            self._leave_prompt()
        elif edit.path is None:
            self._open_editor(Draft(StateView(edit.actor, edit.version, edit.base), edit.text))
        elif self._base is not None:
            self._base = edit.path, StateView(edit.actor, edit.version, edit.base)
            self.query_one("#prompt-input").focus()
