"""When a log file is put aside for a new one, what it is called then, and how many are kept."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Final

__all__ = ("Rotation", "put_aside", "rotated_files")

_STAMP: Final = re.compile(r"\.([0-9]{8}T[0-9]{6}\.[0-9]{6}Z)(?:-([0-9]{1,9}))?")


@dataclass(frozen=True, slots=True)
class Rotation:
    """When to begin a new file.

    Attributes:
        max_size: bytes of a file, more only if a single record is longer; None for any.
        max_age: seconds of a file, counted from 1970 in UTC, so that days begin at midnight and a restart makes no
            difference; None for any.
        keep: files that were put aside, beside the one that is written.
    """

    max_size: int | None = None
    max_age: float | None = None
    keep: int = 5

    def __post_init__(self) -> None:
        """Refuse what no file can be.

        Raises:
            ValueError: a number is too small.
        """
        if self.max_size is not None and self.max_size < 1:
            raise ValueError("max_size is at least one byte")
        if self.max_age is not None and self.max_age < 1:
            raise ValueError("max_age is at least a second")
        if self.keep < 0:
            raise ValueError("keep is not negative")

    @property
    def rotates(self) -> bool:
        """Whether there is ever a new file."""
        return self.max_size is not None or self.max_age is not None

    def period(self, ns: int) -> int:
        """Return which file a time belongs to, by its age; ns is nanoseconds since 1970."""
        return 0 if self.max_age is None else ns // int(self.max_age * 10**9)

    def room(self, size: int) -> int | None:
        """Return how many bytes a file of this size may still take; None for any number."""
        return None if self.max_size is None else self.max_size - size


def put_aside(path: str, stamp: str) -> str:
    """Rename a file to a name with a time in it, and return that.

    Other processes may do the same with files of that name at the same time: none overwrites another's.

    Args:
        stamp: the time, RFC 3339 with microseconds and Z.

    Raises:
        OSError: it can't be done; FileNotFoundError if another process was quicker.
    """
    compact, number = stamp.replace("-", "").replace(":", ""), 0
    # Also when the clock has stepped back: names are the order that files are removed in.
    for last, last_number, _ in _rotated(path)[-1:]:
        if last >= compact:
            compact, number = last, last_number + 1
    while True:
        name = f"{path}.{compact}-{number}" if number else f"{path}.{compact}"
        number += 1
        try:
            # Made first, for there is no rename that refuses to overwrite on every system.
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            continue
        try:
            os.rename(path, name)
        except OSError:
            os.unlink(name)
            raise
        return name


def rotated_files(path: str) -> list[str]:
    """Return the files that were put aside, oldest first.

    Raises:
        OSError: the directory can't be read.
    """
    return [name for _, _, name in _rotated(path)]


def _rotated(path: str) -> list[tuple[str, int, str]]:
    folder, base = os.path.split(path)
    found: list[tuple[str, int, str]] = []
    for name in os.listdir(folder):
        match = _STAMP.fullmatch(name, len(base)) if name.startswith(base) else None
        if match is not None:
            found.append((match[1], int(match[2] or 0), os.path.join(folder, name)))
    return sorted(found)
