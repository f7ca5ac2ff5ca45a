"""Rates per second from counts that come in unevenly."""

from __future__ import annotations

import datetime
from collections import deque
from typing import Final

__all__ = (
    "WINDOW",
    "Meter",
    "unix_seconds",
)

WINDOW: Final = 5.0
"""Seconds that a rate looks back: short enough to follow a burst, long enough not to flicker."""
_STEPS: Final = 10


class Meter:
    """Count things and say how many came a second, over a sliding window, in bounded memory."""

    __slots__ = ("_began", "_slots", "_window")

    def __init__(self, window: float = WINDOW) -> None:
        self._window = window
        self._slots: deque[tuple[int, int]] = deque(maxlen=_STEPS + 1)
        self._began: float | None = None

    def add(self, count: int, now: float) -> None:
        """Count `count` more at the time `now`, in seconds of any clock that does not step back."""
        if self._began is None:
            self._began = now
        slot = int(now / self._window * _STEPS)
        if self._slots and self._slots[-1][0] >= slot:
            self._slots[-1] = (self._slots[-1][0], self._slots[-1][1] + count)
        else:
            self._slots.append((slot, count))

    def rate(self, now: float) -> float:
        """Give the rate a second at the time `now`."""
        if self._began is None:
            return 0.0
        oldest = int(now / self._window * _STEPS) - _STEPS
        total = sum(count for slot, count in self._slots if slot > oldest)
        # What has been counted for a second only is not spread over the whole window.
        return total / min(self._window, max(now - self._began, self._window / 5))


def unix_seconds(timestamp: str) -> float:
    """Read an RFC 3339 time.

    Raises:
        ValueError: it is none.
    """
    moment = datetime.datetime.fromisoformat(timestamp)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.timestamp()
