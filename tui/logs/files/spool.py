"""Give what comes as a stream a place where it can be read anywhere: packed files, pipes."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

from tui.logs.files.reading import PlainFile, is_gzip, unpacked

__all__ = ("Spool",)


class Spool:
    """Writes a stream to a file without a name, which is gone when nobody has it open any more.

    Args:
        path: what the stream is called.
        read: gives the next bytes, none at its end; packed ones are unpacked.

    Attributes:
        trouble: why the stream ended too early; empty if it did not.
    """

    def __init__(self, path: Path, read: Callable[[], bytes]) -> None:
        self.trouble = ""
        self._path = path
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - open as long as the spool is
        first = read()

        def all_of_it() -> bytes:
            nonlocal first
            held, first = first, b""
            return held or read()

        self._read = unpacked(all_of_it) if is_gzip(first) else all_of_it

    def close(self) -> None:
        """Give the file back; who got it by `file` still has it."""
        self._file.close()

    def file(self) -> PlainFile:
        """Give the file that the stream is written to, to be read while it grows, and closed by who asks."""
        return PlainFile(self._path, self._file.fileno())

    def step(self) -> bool:
        """Write what comes next; tell whether there may be more."""
        try:
            data = self._read()
        except (EOFError, zlib.error) as exc:
            self.trouble = str(exc)
            return False
        self._file.write(data)
        return bool(data)
