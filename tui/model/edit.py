"""Edits of a state: what is typed for one value, the whole as JSON text, and the patch that comes of it.

The text is JSON as the JSON dialect has it: bytes are `{"$bytes": base64}`, numbers that are none `{"$float": "NaN"}`,
times are text, and so are keys.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from protocol.dialects.json import dump_text, load_text
from protocol.errors import BadMessage, InspectorError
from protocol.messages import PatchOp
from protocol.patch import PatchError, apply_patch, diff
from tui.logs.text import cut, neutralise
from tui.model.form import FieldError, field_at
from tui.model.values import Path, brief, key_text, look_up

__all__ = (
    "MAX_TYPED",
    "Change",
    "Edit",
    "describe",
    "edit_value",
    "edit_whole",
    "read_json",
    "typed_text",
    "value_help",
    "whole_text",
)

MAX_TYPED: Final = 2_000
"""Characters of a value that is edited on one line; a longer one wants an editor."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A change that somebody wants.

    Attributes:
        actor: the address.
        version: the state's, that it was made for; None where it has none.
        base: that state.
        patch: what to do to it.
        text: what was typed, to go on from if it is refused.
        path: the place of the value that was typed; None if it was the whole, in an editor.
    """

    actor: str
    version: int | None
    base: Any
    patch: list[PatchOp]
    text: str
    path: Path | None = None

    def moved(self, version: int | None, state: Any) -> Edit:
        """Give the same change made for another version."""
        return Edit(self.actor, version, state, self.patch, self.text, self.path)

    @property
    def fits(self) -> bool:
        """Whether its patch can be applied to its base."""
        try:
            apply_patch(self.base, self.patch)
        except PatchError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Change:
    """One operation as people read it; all texts are safe for a screen.

    Attributes:
        sign: `~` changed, `+` added, `-` removed, `>` moved or copied, `?` tested.
        place: where.
        before: the value there, empty for none.
        after: the value that comes, empty for none.
    """

    sign: str
    place: str
    before: str
    after: str


# ---- one value ----


def typed_text(value: Any) -> str:
    """Write a value as it is typed on one line: a text as it is, a time in RFC 3339, anything else as JSON.

    Raises:
        ValueError: it can't be typed so; the message is for people.
    """
    if isinstance(value, str):
        text = value
        if text != neutralise(text):
            raise ValueError("it holds line ends or other control characters: E opens it in an editor")
    elif isinstance(value, datetime.datetime):
        text = value.isoformat()
    else:
        text = _dumped(value)
    if len(text) > MAX_TYPED:
        raise ValueError(f"{len(text):,} characters are too many for one line: E opens it in an editor")
    return text


def value_help(value: Any, schema: Mapping[str, Any], path: Path) -> str:
    """Say what may be typed for a value, safe for a screen."""
    field = field_at(schema, path)
    kind = _KINDS.get(type(value), "JSON")
    if field.kind != "json" and kind != "time":
        # Without the name, which stands before what is typed.
        kind = field.label.partition("  ")[2]
    return f"{kind}: {field.help}" if field.help else kind


_KINDS: Final = {
    str: "text",
    bool: "true or false",
    int: "whole number",
    float: "number",
    datetime.datetime: "time",
    list: "JSON array",
    dict: "JSON object",
    bytes: 'JSON {"$bytes": base64}',
}


def edit_value(
    actor: str, version: int | None, state: Any, path: Path, text: str, schema: Mapping[str, Any]
) -> Edit | None:
    """Make the edit of what was typed for one value; None if that changes nothing.

    Raises:
        FieldError: it does not fit the type that the value has, or the schema gives it.
    """
    old = look_up(state, path)
    field = field_at(schema, path)
    if isinstance(old, datetime.datetime):
        value = _time(text)
    elif field.kind != "json":
        value = field.parse(text)
    else:
        value = _parse(text, old)
    if type(value) is type(old) and value == old:
        return None
    return Edit(actor, version, state, [PatchOp(op="replace", path=_pointer(path), value=value)], text, path)


def _time(text: str) -> datetime.datetime:
    try:
        return datetime.datetime.fromisoformat(text.strip())
    except ValueError:
        raise FieldError("a time is wanted, as 2026-11-24T09:30:00+00:00") from None


def _parse(text: str, old: Any) -> Any:
    if isinstance(old, str):
        return text
    if isinstance(old, bool):
        if text.strip().lower() not in ("true", "false"):
            raise FieldError("true or false is wanted")
        return text.strip().lower() == "true"
    value = read_json(text)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(old, int) and not (number and isinstance(value, int)):
        raise FieldError("a whole number is wanted")
    if isinstance(old, float):
        if not number:
            raise FieldError("a number is wanted")
        return float(value) if abs(value) < 2**53 or isinstance(value, float) else value
    if isinstance(old, (list, dict, bytes)) and type(value) is not type(old):
        raise FieldError(f"a {_KINDS[type(old)]} is wanted")
    return value


def _pointer(path: Path) -> str:
    """Write a place as a JSON Pointer (RFC 6901); a key that is no text is found by the text of its JSON."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


# ---- the whole ----


def read_json(text: str) -> Any:
    """Read JSON as the JSON dialect has it.

    Raises:
        FieldError: it is none; the message says where, for people.
    """
    try:
        json.loads(text)
    except json.JSONDecodeError as exc:
        raise FieldError(f"no JSON: {exc.msg}, line {exc.lineno} column {exc.colno}") from None
    except (RecursionError, ValueError):
        # Too deep, or a number too long: what follows says which.
        pass
    try:
        return load_text(text)
    except BadMessage as exc:
        raise FieldError(f"no JSON: {exc.message}") from None


def whole_text(state: Any) -> str:
    """Write a state as JSON text to edit.

    Raises:
        ValueError: something in it has no such form.
    """
    return json.dumps(json.loads(_dumped(state)), ensure_ascii=False, indent=2) + "\n"


def _dumped(value: Any) -> str:
    try:
        return dump_text(_keyed(value))
    except InspectorError as exc:
        raise ValueError(exc.message) from None


def _keyed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key_text(key): _keyed(item) for key, item in value.items()}
    return [_keyed(item) for item in value] if isinstance(value, (list, tuple)) else value


def edit_whole(actor: str, version: int | None, state: Any, text: str) -> Edit | None:
    """Make the edit of a whole state's text; None if nothing has changed.

    Raises:
        FieldError: it is no JSON.
    """
    new = read_json(text)
    # Both are what the text can say, so that only what somebody changed differs: no time becomes text unnoticed.
    old = load_text(_dumped(state))
    patch = [_retyped(operation, state) for operation in diff(old, new)]
    return Edit(actor, version, state, patch, text) if patch else None


def _retyped(operation: PatchOp, state: Any) -> PatchOp:
    if operation.op == "replace" and isinstance(operation.value, str):
        old = _at(state, operation.path)
        if isinstance(old, datetime.datetime):
            try:
                operation.value = datetime.datetime.fromisoformat(operation.value)
            except ValueError:
                # No time any more: the host says whether it may be text.
                return operation
    return operation


# ---- what it does ----


def describe(edit: Edit) -> list[Change]:
    """Say what an edit's operations do to its base, each as if it were the only one."""
    found = []
    for operation in edit.patch:
        value = "" if operation.op in ("remove", "move", "copy") else brief(operation.value)
        old = "" if operation.op == "add" else brief(_at(edit.base, operation.path), 200)
        sign = {"add": "+", "remove": "-", "replace": "~", "test": "?"}.get(operation.op, ">")
        place = neutralise(cut(operation.path, 200)) or "(all)"
        found.append(Change(sign, place, old, value))
    return found


_NOTHING: Final = object()


def _at(value: Any, pointer: str) -> Any:
    """Give what a JSON Pointer leads to in a state; None where that is nothing."""
    for token in pointer.split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list):
            value = value[int(token)] if token.isdecimal() and int(token) < len(value) else None
        elif isinstance(value, dict):
            key = token if token in value else next((k for k in value if key_text(k) == token), _NOTHING)
            value = value.get(key)
        else:
            return None
    return value
