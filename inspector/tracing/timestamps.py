"""Timestamps of records: RFC 3339 in UTC with microseconds, cheap for records that come close together."""

from __future__ import annotations

import time

__all__ = ("Timestamps",)

_MICROSECONDS = tuple(b"%03dZ" % number for number in range(1000))


class Timestamps:
    """Write times, with the text of the last millisecond kept.

    Not for two threads at once: the recorder calls it inside its lock.
    """

    __slots__ = ("_millisecond", "_millisecond_text", "_second", "_second_text")

    def __init__(self) -> None:
        self._second = -1
        self._second_text = b""
        self._millisecond = -1
        self._millisecond_text = b""

    def text(self, ns: int) -> bytes:
        """Return the time of so many nanoseconds since 1970, such as `2026-11-23T20:27:33.139606Z`.

        A time before 1970 or after 9999, from a clock that is broken, becomes the nearest of these.
        """
        millisecond, microsecond = divmod(ns // 1000, 1000)
        if millisecond != self._millisecond:
            if not 0 <= millisecond <= 253402300799999:
                return self.text(0 if millisecond < 0 else 253402300799999999000)
            second, rest = divmod(millisecond, 1000)
            if second != self._second:
                self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()
                self._second = second
            self._millisecond_text = b"%b.%03d" % (self._second_text, rest)
            self._millisecond = millisecond
        return self._millisecond_text + _MICROSECONDS[microsecond]
