"""Edits of a state from outside. An edit takes its turn in the mailbox like any action."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import UNSET

from inspector.actors.actions import ActionSpec, accept_instance, action
from inspector.actors.watch import watch_of
from protocol.errors import InspectorError
from protocol.messages import PatchStateRequest
from protocol.patch import PatchError, apply_patch

if TYPE_CHECKING:
    from inspector.actors.actor import Actor
    from inspector.actors.cell import Cell

__all__ = ("EDIT",)

_LONGEST_REASON: Final = 300


@action
def _edit(actor: Any, request: Any) -> Any:
    """Change the state; return its version, or the error that says why nothing was changed."""
    try:
        return _apply(actor, request)
    except InspectorError as exc:
        # Raised, it would be taken for a failure of the actor.
        return exc


EDIT: Final = ActionSpec(object, "(edit state)", _edit)
"""The turn that an edit takes: called with the actor and a `PatchStateRequest`, it returns a version or an error."""


def _apply(actor: Actor[Any], request: PatchStateRequest) -> int:
    cell: Cell = actor._cell
    kind = cell.kind
    if kind.state is None:
        raise InspectorError("actor.state_disabled", f"{cell.address} has no state", {"actor": cell.address})
    watch = watch_of(cell)
    before = watch.look()
    if request.version is not UNSET and request.version != before.version:
        raise InspectorError(
            "actor.state_conflict",
            f"{cell.address}: the state is at version {before.version}, not {request.version}",
            {"version": before.version},
        )
    try:
        value = request.state if request.patch is UNSET else apply_patch(before.value, request.patch)
        state = msgspec.convert(value, kind.state, dec_hook=accept_instance, str_keys=True)
    except PatchError as exc:
        raise _invalid(cell, str(exc), index=exc.index, path=exc.path) from None
    except Exception as exc:
        # A state's own constructor may raise whatever it likes; that is no failure of the actor.
        raise _invalid(cell, str(exc)[:_LONGEST_REASON]) from None
    old, actor.state = actor.state, state
    # Before the look, which is what finds the change and asks who made it.
    watch.touch(cell.current)
    try:
        version = watch.look().version
    except InspectorError:
        # It fits its type, but could not be shown to anybody any more.
        actor.state = old
        raise
    actor.log.info("state edited", version=version)
    return version


def _invalid(cell: Cell, text: str, **metadata: Any) -> InspectorError:
    return InspectorError("actor.invalid_patch", f"{cell.address}: {text}", metadata)
