"""Levels as other logging systems spell them, and what they are called here."""

from __future__ import annotations

from typing import Final

from protocol.records import LEVEL_NAMES

__all__ = ("level_name", "level_number", "numbered_level")

_WORDS: Final = {
    "TRACE": ("trace", "verbose", "finest", "finer", "silly", "all"),
    "DEBUG": ("debug", "dbg", "fine"),
    "INFO": ("info", "information", "informational", "notice", "log"),
    "WARN": ("warn", "warning"),
    "ERROR": (
        *("error", "err", "exception", "critical", "crit", "fatal", "severe", "panic", "dpanic", "alert", "emerg"),
        "emergency",
    ),
}
_NAMES: Final = {word: name for name, words in _WORDS.items() for word in words}


def level_name(word: str) -> str:
    """Give one of our levels for a word of any system, or of a number as pino and bunyan have it.

    A word that names none comes back in upper case.
    """
    name = _NAMES.get(word.lower())
    if name is None and word.isascii() and word.isdigit() and len(word) < 10:
        return numbered_level(int(word))
    return name or word.upper()


def numbered_level(number: int) -> str:
    """Give one of our levels for a number, of which pino and bunyan give ten to each, from 10 for `trace`."""
    return LEVEL_NAMES[min(max(number // 10 - 1, 0), len(LEVEL_NAMES) - 1)]


def level_number(name: str) -> int | None:
    """Give the number of one of our levels; None for another word."""
    return LEVEL_NAMES.index(name) if name in LEVEL_NAMES else None
