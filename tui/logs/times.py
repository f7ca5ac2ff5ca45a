"""Times as logs write them: to nanoseconds since 1970, to compare, and to texts, to show."""

from __future__ import annotations

import datetime
import re
from functools import lru_cache
from typing import Final

__all__ = ("TIME", "epoch_ns", "parse_time", "show_epoch")

TIME: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9})\d*)?\s?([Zz]|UTC|[+-]\d\d:?\d\d)?", re.ASCII
)
"""A date and a time, as RFC 3339 has them, and as Python's logging does, with a comma."""

_NUMBER: Final = re.compile(r"\d{1,19}(?:\.\d{1,12})?", re.ASCII)
_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
# A number of seconds, milliseconds, microseconds or nanoseconds is told by its size: each range spans the years 1973
# to 5138, and no two of them meet.
_UNITS: Final = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3), (10**20, 1))


def parse_time(text: str) -> int | None:
    """Read a time, also a number since 1970, as nanoseconds since 1970; None if it is none.

    A time without an offset is taken to be in UTC.
    """
    found = TIME.fullmatch(text)
    if found is None:
        return epoch_ns(text)
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    start = _minute(year, month, day, hour, minute, offset)
    if start is None or int(second) > 60:
        return None
    return start + int(second) * 10**9 + (int(fraction.ljust(9, "0")) if fraction else 0)


def epoch_ns(text: str) -> int | None:
    """Read a number of seconds, or of thousandths, millionths or billionths of them, since 1970."""
    if _NUMBER.fullmatch(text) is None:
        return None
    whole, _, fraction = text.partition(".")
    for bound, factor in _UNITS:
        if int(whole) < bound:
            return int(whole) * factor + int(fraction.ljust(12, "0")) * factor // 10**12
    return None


def show_epoch(nanoseconds: int) -> tuple[str, str]:
    """Give the date and the time of a number of nanoseconds since 1970, in UTC; an empty date when there is none."""
    seconds, rest = divmod(nanoseconds, 10**9)
    try:
        moment = _EPOCH + datetime.timedelta(seconds=seconds)
    except OverflowError:
        return "", str(nanoseconds)
    fraction = f"{rest // 1000:06}" if rest % 10**6 else f"{rest // 10**6:03}"
    return f"{moment:%Y-%m-%d}", f"{moment:%H:%M:%S}.{fraction}"


# Records come in the order of time, thousands of them in one minute.
@lru_cache(maxsize=64)
def _minute(year: str, month: str, day: str, hour: str, minute: str, offset: str | None) -> int | None:
    try:
        moment = datetime.datetime(int(year), int(month), int(day), int(hour), int(minute), tzinfo=datetime.UTC)
    except ValueError:
        return None
    seconds = (moment - _EPOCH) // datetime.timedelta(seconds=1)
    if offset is not None and offset[0] in "+-":
        digits = offset[1:].replace(":", "")
        ahead = int(digits[:2]) * 3600 + int(digits[2:]) * 60
        seconds -= ahead if offset[0] == "+" else -ahead
    return seconds * 10**9
