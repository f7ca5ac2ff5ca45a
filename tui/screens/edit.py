"""What an edit will do to a state, before it is sent; and why the host did not take it."""

from __future__ import annotations

from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from protocol.errors import InspectorError
from tui.connection import LinkLost
from tui.inspection import Inspection
from tui.logs.text import cut, neutralise
from tui.model.edit import Change, Edit, describe
from tui.widgets.key_line import KeyLine
from tui.widgets.lines import Cells, Lines

__all__ = ("ChangeList", "EditScreen", "Verdict")

Verdict = Literal["sent", "again", "dropped"]
"""What became of an edit: the host has it, somebody wants to type on, or nobody wants it any more."""

_TRIES = 4
"""Times that an edit is made for a newer version by itself: of a state that changes all the time."""
_STYLES = {"+": "lines--good", "-": "lines--bad", "~": "lines--warn"}


class ChangeList(Lines):
    """The operations, a line each for what goes and what comes."""

    DEFAULT_CSS = "ChangeList { height: auto; max-height: 60vh; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[tuple[int, str, str, str]] = []
        self._wrong: int | None = None

    def show(self, changes: list[Change], wrong: int | None = None) -> None:
        """Show operations; `wrong` is the one that the host could not do."""
        self._wrong = wrong
        self._lines = []
        for number, change in enumerate(changes):
            if change.before:
                self._lines.append((number, "-", change.place, change.before))
            if change.after:
                self._lines.append((number, "+", change.place, change.after))
            if not change.before and not change.after:
                self._lines.append((number, change.sign, change.place, ""))
        self.styles.height = max(1, len(self._lines))
        self.changed()

    def count(self) -> int:
        """Say how many there are."""
        return len(self._lines)

    def cells(self, index: int, width: int) -> Cells:
        """Draw one."""
        number, sign, place, text = self._lines[index]
        fault = "✖ " if number == self._wrong else ""
        style = _STYLES.get(sign, "lines--dim")
        return [(f"{sign} ", style), (fault, "lines--bad"), (place, "lines--strong"), (f"  {text}", style)]


class EditScreen(ModalScreen[Verdict]):
    """Shows an edit as a difference, sends it, and goes on from what the host says."""

    DEFAULT_CSS = """
    EditScreen { align: center middle; }
    EditScreen > Vertical {
        width: 90%; max-width: 120; height: auto; max-height: 90%; background: $surface; border: solid $primary;
        & Static { height: auto; padding: 0 1; }
        & #edit-heading { text-style: bold; }
        & #edit-said { color: $text-error; display: none; max-height: 5; }
        &.-wrong #edit-said { display: block; }
        & ChangeList { margin: 1 0; }
        & KeyLine { padding: 0; }
        &:ansi #edit-said { color: ansi_red; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "send", "Send", priority=True, id="edit.send"),
        Binding("v", "send_anyway", "Send it whatever the version is", id="edit.anyway"),
        Binding("e", "again", "Go on typing", id="edit.again"),
        Binding("escape,q", "drop", "Drop it", id="edit.drop"),
    ]

    def __init__(self, edit: Edit, inspection: Inspection) -> None:
        super().__init__()
        self.edit = edit
        self.inspection = inspection
        self._sending = False
        self._can_send = True
        self._conflict = False

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Vertical():
            yield Static(id="edit-heading", markup=False)
            yield ChangeList(id="edit-changes")
            yield Static(id="edit-said", markup=False)
            yield KeyLine(id="edit-keys")

    def on_mount(self) -> None:
        """Show the edit."""
        self._draw()
        self.query_one(ChangeList).focus()

    def _draw(self, said: str = "", wrong: int | None = None) -> None:
        edit, changes = self.edit, describe(self.edit)
        version = "" if edit.version is None else f"  version {edit.version:,}"
        count = "1 change" if len(changes) == 1 else f"{len(changes):,} changes"
        heading = f"{neutralise(cut(edit.actor, 100))}{version}  {count}"
        self.query_one("#edit-heading", Static).update(Content(heading))
        self.query_one(ChangeList).show(changes, wrong)
        self.query_one("#edit-said", Static).update(Content(neutralise(said)))
        self.query_one(Vertical).set_class(bool(said), "-wrong")
        send = (("enter", "send" if not said else "send again"),) if self._can_send else ()
        anyway = (("v", "on any version"),) if self._can_send and self._conflict else ()
        self.query_one(KeyLine).show((*send, *anyway, ("e", "edit on"), ("escape", "drop")))

    def action_send(self) -> None:
        """Send it, once."""
        if self._can_send and not self._sending:
            self._sending = True
            self.run_worker(self._send(), exclusive=True)

    def action_send_anyway(self) -> None:
        """Send it for whatever version there is by then: after a conflict, which one has seen."""
        if self._conflict:
            self.edit = self.edit.moved(None, self.edit.base)
            self.action_send()

    async def _send(self) -> None:
        try:
            version = await self._settled()
        except InspectorError as error:
            await self._refused(error)
        except LinkLost as lost:
            self._draw(f"{lost}: whether the host has it is not known")
        else:
            self.notify(f"the state has version {version:,} now", title="Edited", timeout=3, markup=False)
            self.dismiss("sent")
        finally:
            self._sending = False

    async def _settled(self) -> int:
        """Send it; where the state has moved on and all that the edit touches has not, for the new version."""
        for _ in range(_TRIES):
            try:
                return await self.inspection.send_edit(self.edit)
            except InspectorError as error:
                if error.name != "actor.state_conflict":
                    raise
                moved = await self.inspection.rebase(self.edit)
                if not moved.fits or describe(moved) != describe(self.edit):
                    raise
                self.edit = moved
        return await self.inspection.send_edit(self.edit)

    async def _refused(self, error: InspectorError) -> None:
        if error.name == "actor.state_conflict":
            await self._moved_on(error)
            return
        # What the host can't do to this state it can't do a second time; anything else may be over by then.
        self._can_send = error.name not in ("actor.invalid_patch", "actor.state_disabled", "actor.not_found")
        index = error.metadata.get("index")
        self._draw(f"✖ {error}", index if isinstance(index, int) else None)

    async def _moved_on(self, error: InspectorError) -> None:
        """Make the same change for the state as it is now, and ask again."""
        self._conflict = True
        try:
            self.edit = await self.inspection.rebase(self.edit)
        except (InspectorError, LinkLost):
            # It says what it did; the next try may find it.
            self._draw(f"✖ {error}")
            return
        self._can_send = self.edit.fits
        then = "this is what it would do now" if self._can_send else "it does not fit any more"
        self._draw(f"✖ {error}; {then}")

    def action_again(self) -> None:
        """Go on typing."""
        self.dismiss("again")

    def action_drop(self) -> None:
        """Forget it."""
        self.dismiss("dropped")
