"""Follow a file by its name: as it grows, is truncated, written anew, or replaced by another one."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

from tui.logs.files.period import Clock, clock_at
from tui.logs.files.reading import PlainFile

__all__ = ("Tail",)

# Enough to notice that a file which is longer than before is not what it was.
_REMEMBERED: Final = 64


class Tail:
    """Reads what comes in a file. Nothing is waited for: `lines` gives what is there, `look` says what has happened.

    Args:
        file: it is closed by the tail.
        offset: where to begin; a line's beginning.

    Attributes:
        clock: tells when the lines were written that were given last.
    """

    def __init__(self, file: PlainFile, offset: int = 0) -> None:
        self._file = file
        self._path: Path = file.path
        self._offset = offset
        self._seen = b""
        self._missing = False
        self.clock: Final[Clock] = clock_at(file, offset)
        self._remember()

    @property
    def file(self) -> PlainFile:
        """Give the file that is read now; it is the tail's."""
        return self._file

    @property
    def offset(self) -> int:
        """Give where the next line begins."""
        return self._offset

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def lines(self) -> bytes | None:
        """Give whole lines that were not given yet, without the last newline; None when there are none at present."""
        if self._altered():
            return None
        data, offset = self._file.lines_at(self._offset)
        if offset == self._offset:
            return None
        self._offset = offset
        self._remember()
        return data

    def rest(self) -> bytes:
        """Give what stands behind the last newline, as a line that will not be completed."""
        if self._altered():
            return b""
        data = self._file.read_at(self._offset)
        self._offset += len(data)
        self._remember()
        return data

    def look(self) -> tuple[bytes, str] | None:
        """See what has become of the file; to be asked when `lines` gives none.

        Returns:
            The last line of the old file, where it had no newline, and what a reader is told; None when the file is
            what it was. From here on `lines` gives what the file has now.
        """
        if self._altered():
            size = self._file.size
            what = "truncated" if size < self._offset else "written anew"
            self._offset = 0
            self._remember()
            return b"", f"{self._path.name} was {what}: from here on it is read from its beginning"
        try:
            there = self._path.stat()
        except OSError:
            # Between being moved away and being made again it has no name; what is written to it still counts.
            if self._missing:
                return None
            self._missing = True
            return b"", f"{self._path.name} is gone: waiting for it to come back"
        if (there.st_dev, there.st_ino) == self._file.identity:
            self._missing = False
            return None
        # It was opened by its name, so it may vanish again before it is.
        with suppress(OSError):
            successor = PlainFile(self._path)
            last = self.rest()
            self._file.close()
            self._file, self._offset, self._missing = successor, 0, False
            self._remember()
            return last, f"{self._path.name} was replaced: from here on it is another file"
        return None

    def _remember(self) -> None:
        start = max(0, self._offset - _REMEMBERED)
        self._seen = self._file.read_at(start, self._offset - start)

    def _altered(self) -> bool:
        return self._file.read_at(self._offset - len(self._seen), len(self._seen)) != self._seen
