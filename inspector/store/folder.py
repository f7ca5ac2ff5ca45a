"""The store's directory: who may write to it, what files are in it, and which of them have had their time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from inspector.store.segments import Segment, StoreError, cut, file_head, open_segment
from inspector.tracing.forks import on_fork
from inspector.tracing.timestamps import timestamp

__all__ = ("MAX_SEGMENTS", "MIN_SIZE", "Folder")

MIN_SIZE: Final = 2**20
"""Bytes that a store has at least."""
MAX_SEGMENTS: Final = 1000
"""Files: a host that is started again every few seconds must not fill a directory with them."""

_PARTS: Final = 32
_LARGEST: Final = 16 * 2**20
_NAME: Final = re.compile(r"(\d{8,15})\.records")
_LOCK: Final = "lock"


class Folder:
    """One directory, locked for this process. One thread writes; `segments` may be read by any.

    Args:
        path: made, for its owner alone, where it does not exist.
        size: bytes that its files may have.
        age: nanoseconds after which a record may go; files go whole, once all of theirs may. None keeps them.
        clock: nanoseconds since 1970.

    Raises:
        StoreError: it can't be used: another host has it, other users can write to it, a file in it is of another
            version, or the system says no.

    Attributes:
        segments: oldest first; replaced, never changed in place.
        torn: bytes that were cut off files of hosts that did not end in good order.
    """

    def __init__(self, path: Path, *, size: int, age: int | None, clock: Callable[[], int]) -> None:
        if size < MIN_SIZE:
            raise StoreError(f"a store has {MIN_SIZE} bytes at least, not {size}")
        self.path = path
        self.segments: tuple[Segment, ...] = ()
        self.torn = 0
        self._size = size
        self._part = min(size // _PARTS, _LARGEST)
        self._age = age
        self._clock = clock
        self._descriptor: int | None = None
        self._lock: int | None = None
        self._host, self._name = "", ""
        self._number = 0
        try:
            self._enter()
            self._take_stock()
        except OSError as exc:
            self.close()
            raise StoreError(f"{path} can't be used: {exc.strerror or exc}") from exc
        except StoreError:
            self.close()
            raise
        on_fork(self)

    def _enter(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = self.path.stat()
        if status.st_uid != os.getuid() and os.getuid() != 0:
            raise StoreError(f"{self.path} belongs to another user")
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise StoreError(f"{self.path} can be written to by other users: chmod go-w {self.path}")
        self._lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            if exc.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            other = os.pread(self._lock, 100, 0).decode("utf-8", "replace").strip()
            raise StoreError(f"{self.path} is in use by another host{f', process {other}' if other else ''}") from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, b"%d\n" % os.getpid(), 0)

    def _take_stock(self) -> None:
        numbers = {int(match[1]): match[0] for each in os.listdir(self.path) if (match := _NAME.fullmatch(each))}
        known: list[Segment] = []
        # All are looked at before one is changed: what is refused is left as it is.
        found = [(number, open_segment(number, self.path / numbers[number])) for number in sorted(numbers)]
        for number, each in found:
            segment, closed = each or (None, False)
            if segment is None or not segment.next_seq:
                (self.path / numbers[number]).unlink()
                continue
            if not closed:
                self.torn += cut(segment)
            known.append(segment)
        self._number = max(numbers, default=0)
        self.segments = tuple(known)
        self.sweep()

    # ---- writing ----

    def name(self, host: str, name: str) -> None:
        """Say whose records come now: the id of a run of the host, and the host's name."""
        self._host, self._name = host, name

    @property
    def total(self) -> int:
        """Bytes of all files."""
        return sum(segment.size for segment in self.segments)

    def append(self, block: bytes) -> None:
        """Append a block.

        Raises:
            OSError: it could not be written; nothing of it is left.
        """
        self.sweep(len(block))
        if self._descriptor is None:
            self._begin()
        descriptor, live = self._descriptor, self.segments[-1]
        assert descriptor is not None
        try:
            _write(descriptor, block, live.size)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, live.size)
            raise
        live.add(block)
        if live.size >= self._part or self._is_old(live):
            self.seal()

    def _begin(self) -> None:
        number = self._number + 1
        path = self.path / f"{number:08d}.records"
        head = file_head(self._host, self._name)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _write(descriptor, head, 0)
        except OSError:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        self._number = number
        self._descriptor = descriptor
        self.segments = (*self.segments, Segment(number, path, self._host, len(head)))

    def seal(self) -> None:
        """Close the file that is written to; the next block begins another. One without a footer is mended when the
        directory is opened the next time."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        live = self.segments[-1]
        try:
            if live.next_seq:
                footer = live.footer()
                _write(descriptor, footer, live.size)
                os.fsync(descriptor)
                live.closed(live.size + len(footer))
            else:
                self.segments = self.segments[:-1]
                live.path.unlink()
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, live.size)
        finally:
            os.close(descriptor)

    def sweep(self, more: int = 0) -> None:
        """Remove the oldest files: beyond the size, less `more` bytes, beyond the age and beyond the number."""
        kept = [*self.segments]
        # The last may be the one that is written to.
        limit = self._size - more
        total = sum(segment.size for segment in kept)
        oldest = self._oldest()
        while kept and (self._descriptor is None or len(kept) > 1):
            first = kept[0]
            if not (total > limit or len(kept) > MAX_SEGMENTS or first.end < oldest):
                break
            try:
                first.path.unlink(missing_ok=True)
            except OSError:
                # It stays known, and is tried again.
                break
            total -= first.size
            del kept[0]
        if len(kept) != len(self.segments):
            self.segments = tuple(kept)

    def _oldest(self) -> bytes:
        return b"" if self._age is None else timestamp(self._clock() - self._age)

    def _is_old(self, live: Segment) -> bool:
        # Files go whole: of one that took the whole age to fill the first record would stay twice as long.
        return self._age is not None and live.begin < timestamp(self._clock() - self._age // _PARTS)

    # ---- ending ----

    def abandon(self) -> None:
        """Let go without a word: this is a forked child, and the directory its parent's.

        The lock is held by all who have its descriptor: by the child alone once the parent is no more.
        """
        for descriptor in (self._descriptor, self._lock):
            if descriptor is not None:
                os.close(descriptor)
        self._descriptor = self._lock = None

    def close(self) -> None:
        """Close the file that is written to, and let another host have the directory."""
        self.seal()
        if self._lock is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None


def _write(descriptor: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, at)
        at += written
        view = view[written:]
