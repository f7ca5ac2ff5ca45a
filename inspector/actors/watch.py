"""State as it is: a watched actor's state is encoded after each turn and compared with what was last seen.

Nobody watching costs nothing: then there is no watch, or one that only remembers a version and a hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

from inspector.actors.calls import Call
from protocol.dialects.cbor import dump_value, load_value
from protocol.messages import Cause

if TYPE_CHECKING:
    from inspector.actors.cell import Cell

__all__ = ("Snapshot", "StateWatch", "watch_of")


class Snapshot(msgspec.Struct, frozen=True):
    """A state at one moment: plain values, its version, its size in CBOR, and the action that changed it."""

    value: Any
    version: int
    size: int
    cause: Cause | None


class StateWatch:
    """The versions of one actor's state, as far as somebody looked.

    Args:
        cell: the actor.
    """

    __slots__ = ("_cause", "_cell", "_digest", "_encoded", "_touched", "_version", "listeners")

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._version = 0
        self._digest = b""
        self._encoded: bytes | None = None
        self._touched: Call | None = None
        self._cause: Cause | None = None
        self.listeners: set[Callable[[], object]] = set()
        """Called after each turn; they decide when to look."""

    def touch(self, call: Call | None) -> None:
        """A turn is over that may have changed the state; None for what was no turn."""
        if self.listeners:
            self._touched = call
            for listener in tuple(self.listeners):
                listener()

    def look(self) -> Snapshot:
        """Encode the state and compare it; its version rises by one where it differs from the last look.

        Raises:
            InspectorError: ``actor.unserializable``.
        """
        actor = self._cell.actor
        encoded = dump_value(None if actor is None else actor.state)
        if encoded != self._encoded:
            digest = hashlib.blake2b(encoded, digest_size=16).digest()
            if digest != self._digest:
                self._digest = digest
                self._version += 1
                self._cause = _cause(self._touched)
        # Whoever had the last turn is not to blame for what changes later.
        self._touched = None
        # Kept only while somebody watches; the digest is enough to know it again.
        self._encoded = encoded if self.listeners else None
        return Snapshot(load_value(encoded, trusted=True), self._version, len(encoded), self._cause)


def watch_of(cell: Cell) -> StateWatch:
    """Return an actor's watch, made where there is none yet."""
    if cell.watch is None:
        cell.watch = StateWatch(cell)
    return cell.watch


def _cause(call: Call | None) -> Cause | None:
    if call is None or call.span is None:
        return None
    # An edit takes a turn as well, but is none of the actor's actions.
    action = call.spec.name if call.spec.name in call.cell.kind.actions else UNSET
    return Cause(action=action, trace_id=call.span.trace_id, span_id=call.span.span_id)
