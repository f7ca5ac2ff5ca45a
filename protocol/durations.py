"""Times as people write them on a command line: `500ms`, `30s`, `1.5h`."""

from __future__ import annotations

import re
from typing import Final

__all__ = ("parse_duration",)

_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([a-zA-Z]+)")
# A year of each unit and more fits; what is longer is no time that anybody waits for.
_LONGEST: Final = 1000 * 365 * 86400


def parse_duration(text: str) -> float:
    """Read a time in seconds.

    Raises:
        ValueError: it is none, nothing at all, or longer than a thousand years.
    """
    match = _DURATION.fullmatch(text.strip())
    factor = _SECONDS.get(match[2].lower()) if match else None
    if match is None or factor is None:
        raise ValueError("a time is a number and ms, s, m, h, d or w")
    seconds = float(match[1]) * factor
    if not 0 < seconds <= _LONGEST:
        raise ValueError("a time is longer than nothing, and not for ever")
    return seconds
