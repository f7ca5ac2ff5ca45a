"""A sink that writes lines to a file, and begins a new one when it is large or old."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, Final

from inspector.tracing.sinks.formats import Format
from inspector.tracing.sinks.lines import LineSink, take_written
from inspector.tracing.sinks.rotation import Rotation, put_aside, rotated_files
from inspector.tracing.timestamps import timestamp
from protocol.filters import Filter

if TYPE_CHECKING:
    from inspector.tracing.log import Log

__all__ = ("FileSink",)

# Only its owner may read it: records may hold what is nobody else's business. A file that is there keeps its mode, and
# hands it on.
_MODE: Final = 0o600

_NEWLINE: Final = b"\n"


class FileSink(LineSink):
    """Appends lines to a file.

    The file is found by its name before each portion: if something else has that name by then, for logrotate has put it
    aside or somebody has removed it, writing goes on there, in a new file if need be. A write that ends within a line
    leaves none behind: what is there of the line is cut off, and the line written again. Several processes may write
    one file.

    Attributes:
        path: where it lies, absolute; links are followed once.
        rotation: when a new one is begun.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        format: Format,
        filter: Filter,
        *,
        rotation: Rotation | None = None,
        follows_default: bool = False,
    ) -> None:
        """Open a file, made if there is none.

        Raises:
            OSError: it can't be written, or is no regular file.
        """
        self.path = os.path.realpath(path)
        super().__init__(f"file:{self.path}", format, filter, follows_default=follows_default)
        self.rotation = rotation or Rotation()
        self._descriptor: int | None = None
        # Which of the files by age this one is.
        self._period = 0
        # It ends within a line.
        self._torn = False
        # The file that was put aside last.
        self._before: os.stat_result | None = None
        self._cleared = False
        self._open()
        if self.rotation.rotates and not os.access(os.path.dirname(self.path), os.W_OK | os.X_OK):
            self.end()
            # At the first rotation nobody would be there any more to see it.
            raise PermissionError(f"no new file can be made in {os.path.dirname(self.path)}")

    def attach(self, log: Log) -> None:
        """Begin to write a log, from now on; once in a sink's life."""
        self._log = log
        self._date()
        super().attach(log)

    def write(self, batch: list[bytes]) -> bool:
        """Write a batch, in as many files as it takes.

        Raises:
            OSError: the disk is full, the directory is gone, or the like.
        """
        self._follow()
        while batch:
            if self.giving_up.is_set():
                return False
            descriptor = self._descriptor
            assert descriptor is not None
            size = os.fstat(descriptor).st_size
            count = self._fitting(batch, size)
            if size and (not count or self._is_old()):
                self._rotate()
                continue
            lines = batch[: max(count, 1)]
            del batch[: len(lines)]
            try:
                self._append(descriptor, lines)
            except OSError:
                batch[:0] = lines
                raise
        if not self._cleared:
            self._clear()
        return True

    def end(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _is_old(self) -> bool:
        return self.rotation.max_age is not None and self.rotation.period(self.log.clock()) > self._period

    def _fitting(self, batch: list[bytes], size: int) -> int:
        """Return how many lines of a batch fit into the file."""
        room = self.rotation.room(size)
        if room is None:
            return len(batch)
        count = 0
        for line in batch:
            room -= len(line)
            if room < 0:
                break
            count += 1
        return count

    def _append(self, descriptor: int, lines: list[bytes]) -> None:
        """Write lines. When that fails, those are taken out of the list that are written."""
        if self._torn:
            # Whatever comes now is no part of the line that was begun.
            os.write(descriptor, _NEWLINE)
            self._torn = False
        data = memoryview(b"".join(lines))
        at = 0
        try:
            while at < len(data):
                at += os.write(descriptor, data[at:])
        except OSError:
            whole = _whole_lines(lines, at)
            if whole < at:
                self._cut(descriptor, at - whole)
            take_written(lines, whole)
            raise

    def _cut(self, descriptor: int, length: int) -> None:
        """Take the begin of a line off the end of the file."""
        end = os.lseek(descriptor, 0, os.SEEK_CUR)
        # Unless another process has written behind it.
        if os.fstat(descriptor).st_size == end:
            os.ftruncate(descriptor, end - length)
        else:
            self._torn = True

    # ---- which file ----

    def _open(self) -> None:
        descriptor, made = self._descriptor_of()
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(f"{self.path} is no regular file")
            if made and self._before is not None:
                os.fchmod(descriptor, stat.S_IMODE(self._before.st_mode))
                with contextlib.suppress(PermissionError):
                    # A group that it is not in can be set by root alone.
                    os.fchown(descriptor, -1, self._before.st_gid)
            self._torn = found.st_size > 0 and not self._ends_with_a_line(found.st_size)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        self._date()

    def _descriptor_of(self) -> tuple[int, bool]:
        """Open the file, made if there is none, and tell if it was."""
        # Not blocking, for a pipe would wait for somebody to read it.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        while True:
            try:
                return os.open(self.path, flags), False
            except FileNotFoundError:
                try:
                    return os.open(self.path, flags | os.O_CREAT | os.O_EXCL, _MODE), True
                except FileExistsError:
                    # Somebody was quicker.
                    continue

    def _ends_with_a_line(self, size: int) -> bool:
        """Tell if the file's last byte is a newline; one that can't be read is believed to."""
        try:
            reading = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return True
        try:
            return os.pread(reading, 1, size - 1) == _NEWLINE
        finally:
            os.close(reading)

    def _date(self) -> None:
        """Find out which of the files by age this one is: that of the last time that it was written."""
        if self._log is not None and self._descriptor is not None:
            found = os.fstat(self._descriptor)
            now = self._log.clock()
            # A time to come is one of a clock that has stepped back.
            self._period = self.rotation.period(min(found.st_mtime_ns, now) if found.st_size else now)

    def _follow(self) -> None:
        """Open the file that has the name now, if it is another."""
        if self._descriptor is not None:
            mine = os.fstat(self._descriptor)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(mine, os.stat(self.path)):
                    return
            self._before = mine
            self.end()
        self._open()

    def _rotate(self) -> None:
        assert self._descriptor is not None
        self._before = os.fstat(self._descriptor)
        with contextlib.suppress(FileNotFoundError):
            # Unless somebody was quicker: then the next one is there already.
            if os.path.samestat(self._before, os.stat(self.path)):
                put_aside(self.path, timestamp(self.log.clock()).decode())
        self.end()
        self._open()
        self._clear()

    def _clear(self) -> None:
        """Remove what is not to be kept of the files put aside."""
        self._cleared = True
        if not self.rotation.rotates:
            return
        files = rotated_files(self.path)
        for name in files[: max(0, len(files) - self.rotation.keep)]:
            with contextlib.suppress(FileNotFoundError):
                # Another process may clear up here too.
                os.unlink(name)


def _whole_lines(lines: list[bytes], written: int) -> int:
    """Return how many of so many bytes are lines that are whole."""
    whole = 0
    for line in lines:
        if whole + len(line) > written:
            break
        whole += len(line)
    return whole
