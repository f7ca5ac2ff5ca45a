"""The life of a registry and of the host around it: one state machine, as a table."""

from __future__ import annotations

from typing import Final, Literal

import trio

__all__ = ("DRAIN_TIMEOUT", "TRANSITIONS", "Event", "Lifecycle", "State")

DRAIN_TIMEOUT: Final = 20.0
"""Seconds that a drain may take, from the first refusal to the last stop hook."""

State = Literal["idle", "starting", "serving", "draining", "stopped"]
Event = Literal["start", "ready", "shutdown", "end"]

TRANSITIONS: Final[dict[tuple[State, Event], State]] = {
    ("idle", "start"): "starting",
    ("idle", "shutdown"): "stopped",
    ("idle", "end"): "stopped",
    ("starting", "ready"): "serving",
    ("starting", "shutdown"): "draining",
    ("starting", "end"): "stopped",
    ("serving", "shutdown"): "draining",
    ("serving", "end"): "stopped",
    ("draining", "ready"): "draining",
    ("draining", "shutdown"): "draining",
    ("draining", "end"): "stopped",
    ("stopped", "shutdown"): "stopped",
    ("stopped", "end"): "stopped",
}
"""Every legal step. `ready` while draining is a start that raced a shutdown: the shutdown has won."""


class Lifecycle:
    """Where a registry stands. What has been reached stays reached for everybody who waits, also later."""

    def __init__(self) -> None:
        self._state: State = "idle"
        self._draining = trio.Event()
        self._stopped = trio.Event()

    @property
    def state(self) -> State:
        """The present state."""
        return self._state

    @property
    def over(self) -> bool:
        """Whether no new work is taken in any more."""
        return self._state in ("draining", "stopped")

    def apply(self, event: Event) -> State:
        """Take a step.

        Returns:
            The new state.

        Raises:
            RuntimeError: the table has no such step; a registry runs once.
        """
        state = TRANSITIONS.get((self._state, event))
        if state is None:
            raise RuntimeError(f"a registry that is {self._state} can't {event}: it runs once")
        self._state = state
        if self.over:
            self._draining.set()
        if state == "stopped":
            self._stopped.set()
        return state

    async def wait_draining(self) -> None:
        """Wait until a shutdown has begun; at once if one has."""
        await self._draining.wait()

    async def wait_stopped(self) -> None:
        """Wait until all is over; at once if it is."""
        await self._stopped.wait()
