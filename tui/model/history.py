"""What was fired, and what came of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from protocol.errors import InspectorError
from protocol.messages import ActionResponse

__all__ = ("HISTORY", "Fired", "History", "Outcome")

HISTORY: Final = 100
"""How many actions are remembered; their results are a host's, of any size up to a frame."""

Outcome = Literal["pending", "ok", "error", "cancelled", "unknown"]


@dataclass(slots=True, eq=False)
class Fired:
    """One action that was fired.

    Attributes:
        actor: the address.
        action: its name.
        args: by name, or by position.
        at: when, in seconds of a monotonic clock.
        outcome: `unknown` when the connection ended before the answer.
        output: what it returned.
        error: what it ended with instead; for `unknown`, why.
        duration_ns: by the host's clock, waiting included.
        trace_id: where it stands in the log, or empty.
        ended: when the answer came, by the same clock as `at`.
        request: the id that cancels it, while it is under way.
    """

    actor: str
    action: str
    args: list[Any] | dict[str, Any]
    at: float
    outcome: Outcome = "pending"
    output: Any = None
    error: InspectorError | None = None
    reason: str = ""
    duration_ns: int | None = None
    trace_id: str = ""
    ended: float | None = None
    request: int | None = field(default=None, repr=False)

    def answered(self, response: ActionResponse, now: float) -> None:
        """Take what the action returned."""
        self.outcome, self.ended, self.request = "ok", now, None
        self.output, self.duration_ns, self.trace_id = (
            response.output,
            response.duration_ns,
            response.trace_id,
        )

    def refused(self, error: InspectorError, now: float) -> None:
        """Take the error that it ended with."""
        self.outcome = "cancelled" if error.name == "actor.action_cancelled" else "error"
        self.ended, self.request, self.error = now, None, error
        trace_id = error.metadata.get("trace_id")
        self.trace_id = trace_id if isinstance(trace_id, str) else ""

    def lost(self, reason: str, now: float) -> None:
        """Note that nobody will hear what became of it."""
        self.outcome, self.ended, self.request, self.reason = "unknown", now, None, reason

    def seconds(self, now: float) -> float:
        """Give how long it has taken so far, or took, as seen from here."""
        return (now if self.ended is None else self.ended) - self.at


class History:
    """What was fired last, the newest first, bounded.

    What is still under way is kept whatever comes after it.
    """

    def __init__(self, limit: int = HISTORY) -> None:
        self._limit = limit
        self._fired: deque[Fired] = deque()

    def __len__(self) -> int:
        return len(self._fired)

    def __iter__(self) -> Iterator[Fired]:
        return iter(self._fired)

    def __getitem__(self, index: int) -> Fired:
        return self._fired[index]

    def add(self, fired: Fired) -> None:
        """Remember one more."""
        self._fired.appendleft(fired)
        if len(self._fired) > self._limit:
            oldest = next((old for old in reversed(self._fired) if old.outcome != "pending"), None)
            if oldest is not None:
                self._fired.remove(oldest)

    def pending(self) -> list[Fired]:
        """Give what is under way, the newest first."""
        return [fired for fired in self._fired if fired.outcome == "pending"]

    def last(self, actor: str, action: str) -> Fired | None:
        """Give the last time that an action was fired at an actor."""
        return next((fired for fired in self._fired if (fired.actor, fired.action) == (actor, action)), None)
