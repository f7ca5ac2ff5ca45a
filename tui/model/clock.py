"""Times of a host, written for people: by its clock, in UTC, as its records are."""

from __future__ import annotations

import time

__all__ = ("write_time",)


def write_time(nanoseconds: int) -> str:
    """Write a time since 1970 as HH:MM:SS and milliseconds; what no calendar holds as dashes."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    try:
        return f"{time.strftime('%H:%M:%S', time.gmtime(seconds))}.{rest // 1_000_000:03}"
    except (OverflowError, ValueError, OSError):
        return "--:--:--.---"
