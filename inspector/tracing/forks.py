"""What a forked child must let go of: logs, sockets and hooks are the parent's."""

from __future__ import annotations

import os
import weakref
from typing import Protocol

from inspector.tracing.spans import current_span

__all__ = ("Forked", "on_fork")


class Forked(Protocol):
    """Something that a child of this process must not use as if it were its own."""

    def abandon(self) -> None:
        """Let go of it, in the child. A lock may be held by a thread that the child does not have: wait for none."""
        ...


_watched: weakref.WeakSet[Forked] = weakref.WeakSet()


def on_fork(thing: Forked) -> None:
    """Have a thing abandoned in each child that is forked from now on, for as long as somebody holds it."""
    _watched.add(thing)


def _in_child() -> None:
    # The child begins in the middle of its parent's work, and does not do that work.
    current_span.set(None)
    for thing in list(_watched):
        thing.abandon()
    _watched.clear()


os.register_at_fork(after_in_child=_in_child)
