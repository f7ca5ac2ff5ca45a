"""A sink that writes lines to a stream, standard output as a rule, from a thread of its own."""

from __future__ import annotations

import errno
import io
import os
import select
import threading
from collections.abc import Callable
from typing import IO, Any, Final, Protocol

from inspector.tracing.sinks.formats import Format
from inspector.tracing.sinks.lines import LineSink, take_written
from protocol.filters import Filter

__all__ = ("StreamSink",)

# A pipe that is writable takes this much without blocking (POSIX: PIPE_BUF is at least 512, Linux has 4096).
_PIPE_BUF: Final = getattr(select, "PIPE_BUF", 512)
_POLL: Final = 0.05
# Not writable for so long is worth a record.
_STUCK_POLLS: Final = 20

# What passes: there is no room at present. Whatever else a stream says is its end.
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOBUFS, errno.ENOMEM})


class _Place(Protocol):
    def write(self, batch: list[bytes], give_up: threading.Event, stuck: Callable[[], None]) -> bool: ...

    def close(self) -> None: ...


class StreamSink(LineSink):
    """Writes lines to a stream. When the stream fails the sink has ended, unless it is only that a disk is full."""

    def __init__(
        self,
        stream: IO[Any] | None,
        format: Format,
        filter: Filter,
        *,
        name: str = "stdout",
        follows_default: bool = False,
    ) -> None:
        """Write to a text or binary stream, by its file descriptor if it has one.

        None is the standard output of a program that has none: the sink ends at the first record.
        """
        super().__init__(name, format, filter, follows_default=follows_default)
        self._place = _place_of(stream)

    def write(self, batch: list[bytes]) -> bool:
        """Write a batch."""
        return self._place.write(batch, self.giving_up, self.lagging)

    def is_final(self, error: OSError) -> bool:
        """Tell if the stream has ended."""
        return error.errno not in _NO_ROOM

    def end(self) -> None:
        """Let go of the stream; it stays open, being the program's."""
        self._place.close()


class _Descriptor:
    """Writes past Python's buffers: a daemon thread that hangs in one of them at exit brings the process down."""

    def __init__(self, descriptor: int) -> None:
        # One of its own: a number that the program closes is soon given to something else, a socket perhaps.
        self._descriptor = os.dup(descriptor)

    def write(self, batch: list[bytes], give_up: threading.Event, stuck: Callable[[], None]) -> bool:
        view = memoryview(b"".join(batch))
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        waited = 0
        while view:
            if not poll.poll(_POLL * 1000):
                waited += 1
                if waited >= _STUCK_POLLS:
                    stuck()
                if give_up.is_set():
                    return False
                continue
            try:
                written = os.write(self._descriptor, view[:_PIPE_BUF])
            except BlockingIOError:
                # The other end of a terminal made it non-blocking, and it takes less than it said.
                if give_up.wait(_POLL):
                    return False
                continue
            waited = 0
            view = view[written:]
            take_written(batch, written)
        return True

    def close(self) -> None:
        os.close(self._descriptor)


class _Stream:
    """Writes to what is no file of the system, such as a StringIO."""

    def __init__(self, stream: IO[Any]) -> None:
        self._stream = stream
        self._text = isinstance(stream, io.TextIOBase)

    def write(self, batch: list[bytes], give_up: threading.Event, stuck: Callable[[], None]) -> bool:
        data = b"".join(batch)
        self._stream.write(data.decode() if self._text else data)
        self._stream.flush()
        batch.clear()
        return True

    def close(self) -> None:
        # The program's own.
        pass


class _Nowhere:
    def __init__(self, why: str) -> None:
        self._why = why

    def write(self, batch: list[bytes], give_up: threading.Event, stuck: Callable[[], None]) -> bool:
        raise ValueError(self._why)

    def close(self) -> None:
        pass


def _place_of(stream: IO[Any] | None) -> _Place:
    if stream is None:
        return _Nowhere("the program has no standard output")
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):
        # io.UnsupportedOperation is an OSError; a stand-in for sys.stdout may have no such method.
        return _Stream(stream)
    try:
        stream.flush()
        return _Descriptor(descriptor)
    except (OSError, ValueError) as error:
        return _Nowhere(str(error))
