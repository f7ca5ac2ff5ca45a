"""The arguments of one action, to be filled in: a field each, or all of them as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static, TextArea

from protocol.messages import Rpc
from tui.logs.text import cut, neutralise
from tui.model.form import Field, FieldError, Form, make_form, parse_json
from tui.model.values import to_json

__all__ = ("ActionForm",)

_MAX_DOC = 2_000


class _FieldRow(Vertical):
    """One argument: its name and type, what is typed, its help, what is wrong with it."""

    DEFAULT_CSS = """
    _FieldRow {
        height: auto;
        & .label { height: auto; }
        & .help { height: auto; color: $text-muted; display: none; padding-left: 2; }
        & .help.-some { display: block; }
        & .error { height: auto; color: $text-error; display: none; padding-left: 2; }
        &.-wrong .error { display: block; }
        & Input { height: 1; border: none; padding: 0 1; background: $surface; }
        & Input:focus { border: none; background: $primary 20%; }
        &:ansi .error { color: ansi_red; }
        &:ansi .help { color: ansi_default; text-style: dim; }
        &:ansi Input { background: ansi_default; text-style: underline; }
    }
    """

    def __init__(self, field: Field, text: str) -> None:
        super().__init__()
        self.field = field
        self._text = text

    def compose(self) -> ComposeResult:
        yield Static(Content(self.field.label), classes="label", markup=False)
        yield Input(self._text, compact=True, placeholder="" if self.field.required else "left out")
        yield Static(Content(self.field.help), classes="help -some" if self.field.help else "help", markup=False)
        yield Static(classes="error", markup=False)

    @property
    def text(self) -> str:
        return self.query_one(Input).value

    def refuse(self, message: str) -> None:
        self.query_one(".error", Static).update(Content(neutralise(f"✖ {message}")))
        self.add_class("-wrong")
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.remove_class("-wrong")


class ActionForm(VerticalScroll):
    """The form of one action.

    `Submitted` brings arguments that fit its schema as far as that can be told here.
    """

    DEFAULT_CSS = """
    ActionForm {
        height: auto; max-height: 60%; padding: 0 1; scrollbar-size-vertical: 1;
        & #form-doc { height: auto; max-height: 8; color: $text-muted; margin-bottom: 1; }
        & #form-hint { height: auto; color: $text-muted; }
        & #form-error { height: auto; color: $text-error; display: none; }
        &.-wrong #form-error { display: block; }
        & TextArea, & TextArea:focus { height: 6; border: none; padding: 0; display: none; }
        &.-raw TextArea, &.-raw TextArea:focus { display: block; }
        &.-raw _FieldRow { display: none; }
        &:ansi #form-doc, &:ansi #form-hint { color: ansi_default; text-style: dim; }
        &:ansi #form-error { color: ansi_red; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r", "raw", "form / JSON", id="form.raw"),
        Binding("ctrl+j,ctrl+enter", "submit", "Fire", show=False, id="form.submit"),
    ]

    @dataclass
    class Submitted(Message):
        """Somebody fires the action with these arguments."""

        action: str
        args: dict[str, Any] | list[Any]

    def __init__(self, rpc: Rpc, texts: dict[str, str] | None = None, raw: str | None = None) -> None:
        super().__init__(id="action-form", can_focus=False)
        self.rpc = rpc
        self.form: Form = make_form(rpc.args)
        self._texts = texts or {field.name: field.default for field in self.form.fields}
        self._raw = raw
        self.set_class(raw is not None, "-raw")

    def compose(self) -> ComposeResult:
        """Lay it out."""
        doc = self.rpc.doc if isinstance(self.rpc.doc, str) else "No description."
        lines = [neutralise(line) for line in cut(doc, _MAX_DOC).splitlines()]
        yield Static(Content("\n".join(lines)), id="form-doc", markup=False)
        for field in self.form.fields:
            yield _FieldRow(field, self._texts.get(field.name, ""))
        yield TextArea(self._raw or "{}", id="form-raw", soft_wrap=True, show_line_numbers=False)
        yield Static(id="form-error", markup=False)
        yield Static(self._hint(), id="form-hint", markup=False)

    def _hint(self) -> Content:
        raw = "ctrl+r form" if self.is_raw else "ctrl+r JSON"
        fire = "ctrl+j fires" if self.is_raw else "enter fires"
        none = "" if self.form.fields or self.is_raw else "No arguments.  "
        more = f"  {self.form.more} more only as JSON" if self.form.more else ""
        return Content(f"{none}{fire}  {raw}{more}")

    @property
    def is_raw(self) -> bool:
        """Whether the arguments are typed as JSON."""
        return self.has_class("-raw")

    def focus_first(self) -> bool:
        """Go to the first thing to fill in; False if there is none."""
        target = self.query_one(TextArea) if self.is_raw else next(iter(self.query(Input)), None)
        if target is None:
            return False
        target.focus()
        return True

    def values(self) -> dict[str, Any] | list[Any]:
        """Give the arguments.

        Raises:
            FieldError: what was typed does not fit.
        """
        if not self.is_raw:
            return self.form.parse({row.field.name: row.text for row in self.query(_FieldRow)})
        try:
            args = parse_json(self.query_one(TextArea).text or "{}")
        except ValueError as exc:
            raise FieldError(f"no JSON: {exc}") from None
        if not isinstance(args, (dict, list)):
            raise FieldError("a JSON object (by name) or array (by position) is wanted")
        return args

    def refuse(self, message: str, field: str = "") -> None:
        """Show an error at its field, or where there is none of that name, below the form."""
        if not self.is_raw:
            for row in self.query(_FieldRow):
                if row.field.name == field:
                    row.refuse(message)
                    return
        prefix = f"{field}: " if field and field not in message else ""
        self.query_one("#form-error", Static).update(Content(neutralise(f"✖ {prefix}{message}")))
        self.add_class("-wrong")

    def clear_errors(self) -> None:
        """Take back what `refuse` said."""
        self.remove_class("-wrong")
        self.query(_FieldRow).remove_class("-wrong")

    def action_submit(self) -> None:
        """Check the arguments and fire."""
        self.clear_errors()
        try:
            args = self.values()
        except FieldError as exc:
            self.refuse(str(exc), exc.field)
            return
        self.post_message(self.Submitted(self.rpc.name, args))

    def action_raw(self) -> None:
        """Change between the fields and JSON, taking along what fits."""
        area = self.query_one(TextArea)
        if self.is_raw:
            try:
                texts = self.form.fill(self.values())
            except FieldError as exc:
                self.refuse(str(exc))
                return
            for row in self.query(_FieldRow):
                row.query_one(Input).value = texts[row.field.name]
        else:
            try:
                area.text = to_json(self.values(), indent=2)
            except FieldError:
                area.text = "{}"
        self.clear_errors()
        self.toggle_class("-raw")
        self.query_one("#form-hint", Static).update(self._hint())
        self.call_after_refresh(self.focus_first)

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_submit()
