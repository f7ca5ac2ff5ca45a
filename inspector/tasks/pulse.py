"""The pulse of a loop: when to feel it, and what it means if there is none. No thread, no clock, no trio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ("Pulse", "Verdict")

_QUARTERS: Final = 4
_WORKED: Final = 0.5
"""Part of a time in which the loop's thread must have worked for it to count though nobody looked meanwhile."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look has found.

    Attributes:
        what: `ask` that the loop answers; it is `blocked`; it `goes_on`.
        seconds: since the loop was asked.
        worked: seconds of these that its thread used the processor.
    """

    what: Literal["ask", "blocked", "goes_on"]
    seconds: float = 0.0
    worked: float = 0.0


class Pulse:
    """Decides what to do at each look at a loop.

    The loop is asked to answer only when it is seen at work, and counts as blocked once it has not come round to it for
    so long. Looks that come late themselves count for little: then the whole process was stopped, or the machine
    slept.

    Args:
        threshold: seconds.

    Attributes:
        interval: seconds between two looks.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self.interval = threshold / _QUARTERS
        self._looked_at: float | None = None
        self._worked_at = 0.0
        self._asked_at: float | None = None
        self._asked_worked = 0.0
        self._answered_at: float | None = None
        self._may_ask_at = 0.0
        self.told = False
        """Whether the loop is blocked, as far as anybody was told."""

    def answer(self, now: float) -> None:
        """Note that the loop has come round. The one method for another thread."""
        self._answered_at = now

    def look(self, now: float, worked: float, *, idle: bool) -> Verdict | None:
        """Say what follows from a look.

        Args:
            now: seconds on a clock that never steps back.
            worked: seconds that the loop's thread has used the processor.
            idle: the loop is seen to wait for something to happen.
        """
        late = 0.0 if self._looked_at is None else now - self._looked_at - self.interval
        did = worked - self._worked_at
        self._looked_at, self._worked_at = now, worked
        if self._asked_at is None:
            if idle or now < self._may_ask_at:
                return None
            self._asked_at, self._asked_worked = now, worked
            self._may_ask_at = now + self.interval
            return Verdict("ask")
        if self._answered_at is not None:
            seconds, told = self._answered_at - self._asked_at, self.told
            self._asked_at = self._answered_at = None
            self.told = False
            return Verdict("goes_on", seconds, worked - self._asked_worked) if told else None
        if late > self.interval and did < late * _WORKED:
            # Nobody ran meanwhile, neither this thread nor the loop's.
            self._asked_at += late
        seconds = now - self._asked_at
        if self.told or seconds < self._threshold:
            return None
        return Verdict("blocked", seconds, worked - self._asked_worked)

    def end(self, now: float, worked: float) -> Verdict | None:
        """Say what is left to tell when the loop itself says that nobody is to look any more."""
        if self._asked_at is None or not self.told:
            return None
        return Verdict("goes_on", (self._answered_at or now) - self._asked_at, worked - self._asked_worked)

    def tell(self) -> None:
        """Note that somebody was told of the block, so that its end is told too."""
        self.told = True
