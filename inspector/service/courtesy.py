"""Courtesy among connections: who sends many requests at once gives way to those who send few.

Giving way costs a pass of the scheduler, which is worth half a request. So a reader does it after every frame only
while others have read something lately, and rarely while they are silent, however many they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from inspector.service.roll import Roll

__all__ = ("ALONE", "LATELY", "SELDOM", "Courtesy")

ALONE: Final = 32
"""Frames of one connection behind which the host's other tasks have their turn."""

SELDOM: Final = 8
"""Frames of one connection behind which others have their turn while they are silent: what the first request of one of
them may have to wait for."""
LATELY: Final = 64
"""Steps of a reader through which it remembers that another connection has read something."""


class Courtesy:
    """One reader's.

    Args:
        roll: all connections of the service, this one included.
    """

    __slots__ = ("_left", "_others", "_own", "_roll")

    def __init__(self, roll: Roll) -> None:
        self._roll = roll
        self._own = 0
        self._others = roll.reads
        self._left = 0

    def begin(self) -> int:
        """Note that this connection has read something; return after how many frames it gives way."""
        self._own += 1
        self._roll.reads += 1
        return self.frames()

    def frames(self) -> int:
        """Return after how many frames more it gives way."""
        others = self._roll.reads - self._own
        if others != self._others:
            self._others = others
            self._left = LATELY
        if not self._left:
            return SELDOM if len(self._roll) > 1 else ALONE
        self._left -= 1
        return 1
