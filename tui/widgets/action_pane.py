"""The Actions tab: the chosen actor's actions, a form for one of them, what came of it, and what was fired
before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.worker import Worker

from protocol.errors import InspectorError
from protocol.messages import Rpc
from tui.connection import LinkLost
from tui.inspection import Inspection
from tui.logs.text import cut, neutralise
from tui.model.history import Fired
from tui.model.values import to_json
from tui.widgets.action_form import ActionForm
from tui.widgets.fired_view import FiredList, FiredView
from tui.widgets.lines import Cells, Lines
from tui.widgets.wanted import TraceWanted

__all__ = ("ActionList", "ActionPane")


class ActionList(Lines):
    """The names of an actor's actions."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rpcs: list[Rpc] = []
        self.why = "choose an actor to see its actions"

    def show(self, rpcs: list[Rpc], why: str = "") -> None:
        """List actions; where there are none, say why."""
        self.rpcs, self.why = rpcs, why
        self.changed()

    @property
    def rpc(self) -> Rpc | None:
        """The marked action."""
        return self.rpcs[self.cursor] if self.cursor < len(self.rpcs) else None

    def count(self) -> int:
        """Say how many there are."""
        return len(self.rpcs)

    def empty_text(self) -> str:
        """Say why there are none."""
        return self.why

    def cells(self, index: int, width: int) -> Cells:
        """Draw one: its name, and the first line of its description."""
        rpc = self.rpcs[index]
        doc = rpc.doc.strip().partition("\n")[0] if isinstance(rpc.doc, str) else ""
        return [(neutralise(cut(rpc.name, 80)), "lines--strong"), (f"  {neutralise(cut(doc, 200))}", "lines--dim")]


class ActionPane(Vertical):
    """Fires actions. What is wanted goes out as messages; what came of it comes in by `update`."""

    DEFAULT_CSS = """
    ActionPane {
        height: 1fr; layout: grid; grid-size: 2 2; grid-columns: 30 1fr; grid-rows: 1fr 6;
        & #action-right { height: 1fr; border-left: solid $surface-lighten-1; }
        & #fired-list { column-span: 2; border-top: solid $surface-lighten-1; height: 1fr; }
        &.-narrow { grid-size: 1 3; grid-columns: 1fr; grid-rows: 4 1fr 4; }
        &.-narrow #action-right { border-left: none; border-top: solid $surface-lighten-1; }
        &.-narrow #fired-list { column-span: 1; }
        &.-low { grid-size: 2 1; grid-rows: 1fr; }
        &.-low #fired-list { display: none; }
        &.-low ActionForm { max-height: 70%; }
        &.-low ActionForm #form-doc { max-height: 1; margin-bottom: 0; }
        &.-narrow.-low { grid-size: 1 2; grid-rows: 3 1fr; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        # In a field it cuts: only while something is under way does it cancel.
        Binding("ctrl+x", "cancel", "cancel", priority=True, id="action.cancel"),
        Binding("t", "trace", "its trace", id="action.trace"),
        Binding("R", "again", "fire again", id="action.again"),
        Binding("escape", "back", "Back to the actions", show=False, id="action.back"),
    ]

    @dataclass
    class Fire(Message):
        """Somebody fires an action at the chosen actor, or (a re-run) at the one it was fired at before."""

        actor: str
        action: str
        args: dict[str, Any] | list[Any]

    def __init__(self, inspection: Inspection, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.inspection = inspection
        self.history = inspection.history
        self._wanted: str | None = None
        self.actor: str | None = None
        self._now = 0.0

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield ActionList(id="action-list")
        with Vertical(id="action-right"):
            yield FiredView(id="fired-view")
        yield FiredList(self.history, id="fired-list")

    def on_resize(self) -> None:
        """Put the parts over one another where there is no room beside."""
        self.set_class(self.size.width < 76, "-narrow")
        self.set_class(self.size.height < 16, "-low")

    # ---- what is shown ----

    def look(self, actor: str | None, *, seen: bool) -> None:
        """Be about an actor; while nobody sees it the host is not asked."""
        self._wanted = actor
        if not seen:
            return
        if actor is None:
            self.show(None, [], "choose an actor to see its actions")
        else:
            self.inspection.spawn(self._list(actor))

    async def _list(self, actor: str) -> None:
        why = "this actor has no actions"
        try:
            rpcs = await self.inspection.actions(actor)
        except InspectorError as error:
            rpcs, why = [], neutralise(str(error))
        except LinkLost:
            # What is shown stays; the next connection asks again.
            return
        # When the app ends the widgets go one by one, while the link still speaks.
        if actor == self._wanted and self.is_mounted and self.app.is_running:
            self.show(actor, rpcs, why)

    def show(self, actor: str | None, rpcs: list[Rpc], why: str = "") -> None:
        """Be about an actor and its actions.

        A form that is being filled in stays as long as its action is there.
        """
        actions, same = self.query_one(ActionList), actor == self.actor
        self.actor = actor
        before = actions.rpc if same else None
        actions.show(rpcs, why)
        names = [rpc.name for rpc in rpcs]
        if before is not None and before.name in names:
            actions.cursor = names.index(before.name)
            if actions.rpc == before and self.query(ActionForm):
                return
        elif not same:
            actions.cursor = 0
        self._open(actions.rpc)

    def _open(self, rpc: Rpc | None, args: dict[str, Any] | list[Any] | None = None) -> None:
        last = self.history.last(self.actor, rpc.name) if self.actor is not None and rpc is not None else None
        self.query_one(FiredView).show(last, self._now)

        # A function: a coroutine that is superseded before it began would be one that nobody awaited.
        async def replace() -> None:
            await self._replace(rpc, args)

        _: Worker[None] = self.run_worker(replace, group="action-form", exclusive=True)

    async def _replace(self, rpc: Rpc | None, args: dict[str, Any] | list[Any] | None) -> None:
        right = self.query_one("#action-right", Vertical)
        await right.query(ActionForm).remove()
        if rpc is None:
            return
        form = ActionForm(rpc)
        if args is not None:
            fits = isinstance(args, list) or {field.name for field in form.form.fields} >= set(args)
            form = ActionForm(rpc, form.form.fill(args)) if fits else ActionForm(rpc, None, to_json(args, indent=2))
        await right.mount(form, before=0)

    def update(self, fired: Fired, now: float) -> None:
        """Take what has become of an action."""
        self._now = now
        fired_list, view = self.query_one(FiredList), self.query_one(FiredView)
        fired_list.now = now
        fired_list.changed()
        rpc = self.query_one(ActionList).rpc
        shown = view.fired
        if shown is fired or (fired.outcome == "pending" and fired.actor == self.actor):
            view.show(fired, now)
        form = next(iter(self.query(ActionForm)), None)
        error = fired.error
        if form is None or error is None or shown is not fired or rpc is None or rpc.name != fired.action:
            return
        if error.name == "actor.invalid_arguments":
            form.refuse(error.message, self._field(form, error.metadata.get("argument")))

    def _field(self, form: ActionForm, argument: object) -> str:
        fields = form.form.fields
        if isinstance(argument, int) and 0 <= argument < len(fields):
            return fields[argument].name
        return argument if isinstance(argument, str) else ""

    def tick(self, now: float) -> None:
        """Let the time of what is pending go on."""
        self._now = now
        if self.history.pending():
            self.query_one(FiredList).now = now
            self.query_one(FiredList).refresh()
            view = self.query_one(FiredView)
            if view.fired is not None and view.fired.outcome == "pending":
                view.tick(now)

    # ---- keys ----

    @on(Lines.Moved, "#action-list")
    def _moved(self, event: Lines.Moved) -> None:
        event.stop()
        self._open(self.query_one(ActionList).rpc)

    @on(Lines.Chosen, "#action-list")
    def _chosen(self, event: Lines.Chosen) -> None:
        event.stop()
        form = next(iter(self.query(ActionForm)), None)
        rpc = self.query_one(ActionList).rpc
        if form is None or rpc is None or form.rpc is not rpc:
            return
        if not form.focus_first():
            form.action_submit()

    @on(Lines.Moved, "#fired-list")
    def _history_moved(self, event: Lines.Moved) -> None:
        event.stop()
        self.query_one(FiredView).show(self.history[event.index], self._now)

    @on(Lines.Chosen, "#fired-list")
    def _history_chosen(self, event: Lines.Chosen) -> None:
        """Fill the form with what was fired, if it is one of this actor's actions."""
        event.stop()
        fired = self.history[event.index]
        actions = self.query_one(ActionList)
        names = [rpc.name for rpc in actions.rpcs]
        if fired.actor == self.actor and fired.action in names:
            with actions.prevent(Lines.Moved):
                actions.cursor = names.index(fired.action)
            self._open(actions.rpc, fired.args)
        self.query_one(FiredView).show(fired, self._now)

    @on(ActionForm.Submitted)
    def _submitted(self, event: ActionForm.Submitted) -> None:
        event.stop()
        if self.actor is not None:
            self.post_message(self.Fire(self.actor, event.action, event.args))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave a key to whoever else has a use for it."""
        return action != "cancel" or bool(self.history.pending())

    def action_cancel(self) -> None:
        """Cancel what is shown, or else what was fired last, if it is under way."""
        shown = self.query_one(FiredView).fired
        pending = self.history.pending()
        fired = shown if shown in pending else next(iter(pending), None)
        if fired is not None:
            self.inspection.spawn(self._cancel(fired))

    async def _cancel(self, fired: Fired) -> None:
        try:
            if not await self.inspection.cancel(fired) and fired.outcome == "pending":
                self.notify("too late to cancel", timeout=3)
        except (InspectorError, LinkLost) as error:
            self.notify(neutralise(str(error)), title="Not cancelled", severity="warning", markup=False)

    def action_trace(self) -> None:
        """Show in the log what the shown action did."""
        fired = self.query_one(FiredView).fired
        if fired is not None and fired.trace_id:
            self.post_message(TraceWanted(fired.trace_id))

    def action_again(self) -> None:
        """Fire the shown action again, as it was."""
        fired = self.query_one(FiredView).fired
        if fired is not None:
            self.post_message(self.Fire(fired.actor, fired.action, fired.args))

    def action_back(self) -> None:
        """Go back to the list of actions."""
        self.query_one(ActionList).focus()
