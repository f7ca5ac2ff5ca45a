"""Timestamps of records: RFC 3339 in UTC with microseconds, cheap for records that come close together."""

from __future__ import annotations

import time
from typing import Final

__all__ = ("MICROSECONDS", "millisecond_text", "timestamp")

MICROSECONDS: Final = tuple(b"%03d" % number for number in range(1000))
"""The three digits behind a millisecond."""

# The last millisecond before the year 10000, which RFC 3339 has no word for.
_LAST: Final = 253402300799999


def millisecond_text(millisecond: int) -> bytes:
    """Return a time of so many milliseconds since 1970, such as `2026-11-23T20:27:33.139`.

    A time before 1970 or after 9999, from a clock that is broken, becomes the nearest of these.
    """
    second, rest = divmod(min(max(millisecond, 0), _LAST), 1000)
    return b"%b.%03d" % (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode(), rest)


def timestamp(ns: int) -> bytes:
    """Return a time of so many nanoseconds since 1970, such as `2026-11-23T20:27:33.139606Z`."""
    millisecond, microsecond = divmod(ns // 1000, 1000)
    return b"%b%bZ" % (millisecond_text(millisecond), MICROSECONDS[microsecond])
