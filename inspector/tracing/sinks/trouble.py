"""What the log is told of a sink's trouble: once when it begins, once when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from inspector.tracing.log import Log

__all__ = ("TARGET", "Trouble")

TARGET: Final = "inspector.tracing.sinks"
"""The target of what a sink says of itself."""

# A place that fails, works and fails again is no news within so many nanoseconds.
_QUIET: Final = 30 * 10**9


class Trouble:
    """The trouble of one sink, for its thread alone. All sinks get the records, this one when it can write again."""

    def __init__(self, sink: str) -> None:
        """Take the sink's name."""
        self._sink = sink
        self._there = False
        self._told = False
        self._told_at: int | None = None
        self._told_lost = 0

    def begins(self, log: Log, lost: int, message: str, **fields: Any) -> None:
        """Tell of it, unless it is told of already, or was a short while ago.

        Args:
            lost: records that the sink has lost by now, in all its life.
        """
        self._there = True
        if self._told:
            return
        now = log.monotonic()
        if self._told_at is None or now - self._told_at >= _QUIET:
            self._told = True
            self._told_at = now
            log.logger(TARGET).warn(message, sink=self._sink, dropped=lost - self._told_lost, **fields)

    def ends(self, log: Log, lost: int) -> None:
        """Tell that it is over, if it was told of. What was lost in silence before is told too."""
        if self._there and self._told:
            dropped, self._told_lost = lost - self._told_lost, lost
            log.logger(TARGET).warn("log sink works again", sink=self._sink, dropped=dropped)
        self._there = self._told = False
