"""A sink that writes lines to a stream, standard output as a rule, from a thread of its own."""

from __future__ import annotations

import io
import os
import select
import threading
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, Final, Protocol

from inspector.tracing.reader import LogReader, Portion
from inspector.tracing.sinks.formats import Format
from inspector.tracing.timestamps import timestamp
from protocol.filters import Filter

if TYPE_CHECKING:
    from inspector.tracing.log import Log

__all__ = ("StreamSink",)

_TARGET: Final = "inspector.tracing.sinks"

# Records that come close together are written together: woken for each, the thread would take the interpreter from
# the program thousands of times a second.
_COALESCE: Final = 0.01

# A pipe that is writable takes this much without blocking (POSIX: PIPE_BUF is at least 512, Linux has 4096).
_PIPE_BUF: Final = getattr(select, "PIPE_BUF", 512)
_POLL: Final = 0.05
# Not writable for so long is worth a record.
_STUCK_POLLS: Final = 20


class _Place(Protocol):
    def write(self, data: bytes, give_up: threading.Event, stuck: Callable[[], None]) -> bool: ...

    def close(self) -> None: ...


class StreamSink:
    """Pulls records from the ring and writes them; nobody waits for it.

    A reader of the stream that is stuck, or a stream that is closed, costs the sink alone: what the ring no longer
    holds by the time it gets on is counted, told by a record of kind `gap` in the stream and once, at level warn, in
    the log. After an error the sink has ended, which is told once too.

    Attributes:
        dropped: records that it wanted and could not write.
        error: why it ended, None while it writes.
    """

    def __init__(self, stream: IO[Any] | None, format: Format, filter: Filter) -> None:
        """Write to a text or binary stream, by its file descriptor if it has one.

        None is the standard output of a program that has none: the sink ends at the first record.
        """
        self.dropped = 0
        self.error: OSError | ValueError | None = None
        self._place = _place_of(stream)
        self._format = format
        self._filter = filter
        self._log: Log | None = None
        self._reader: LogReader | None = None
        self._awake = threading.Event()
        self._closing = threading.Event()
        self._give_up = threading.Event()
        self._told = False
        # A daemon: a stream that blocks for ever must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name="inspector-log-sink", daemon=True)

    @property
    def filter(self) -> Filter:
        """What it writes."""
        return self._filter

    def set_filter(self, filter: Filter) -> None:
        """Write something else from now on."""
        self._filter = filter
        if self._reader is not None:
            self._reader.set_filter(filter)

    def attach(self, log: Log) -> None:
        """Begin to write a log, from now on; once in a sink's life."""
        self._log = log
        self._reader = log.subscribe(self._filter, wake=self._awake.set)
        self._thread.start()

    def close(self, timeout: float) -> bool:
        """Write what has been logged so far, then stop; give up after `timeout` seconds.

        Returns:
            whether everything was written. If not, the thread may still hang in a write, and ends with it.
        """
        if self._reader is None:
            return True
        self._closing.set()
        self._awake.set()
        self._thread.join(timeout)
        self._give_up.set()
        self._thread.join(_POLL * 4)
        self._reader.close()
        return not self._thread.is_alive() and self.error is None and self.dropped == 0

    def _run(self) -> None:
        reader = self._reader
        log = self._log
        assert reader is not None
        assert log is not None
        try:
            while True:
                # Asked before the ring is looked through: what was logged before the wish to close is written.
                closing = self._closing.is_set()
                while (portion := reader.take()) is not None:
                    if not self._write(portion, log):
                        return
                if closing:
                    return
                self._awake.wait()
                self._awake.clear()
                self._closing.wait(_COALESCE)
        except (OSError, ValueError) as error:
            # ValueError is what a closed file object says.
            self.error = error
            reader.close()
            log.logger(_TARGET).warn("log sink has ended, its stream failed", error=str(error))
        finally:
            self._place.close()

    def _write(self, portion: Portion, log: Log) -> bool:
        lines = [self._format(line, span) for line, _, span in portion.entries]
        if portion.dropped:
            self.dropped += portion.dropped
            lines.insert(0, self._format(_gap(portion, log), log.host_span))
            self._tell()
        # Lost until it is written.
        self.dropped += len(portion.entries)
        if not self._place.write(b"\n".join(lines) + b"\n", self._give_up, self._tell):
            return False
        self.dropped -= len(portion.entries)
        return True

    def _tell(self) -> None:
        if not self._told and self._log is not None:
            self._told = True
            self._log.logger(_TARGET).warn("log sink is too slow and may lose records", dropped=self.dropped)


def _gap(portion: Portion, log: Log) -> bytes:
    """Return a record that tells of records which are not there; its number is the first one missing."""
    fields = b'{"message":"%d records lost","dropped":%d}' % (portion.dropped, portion.dropped)
    head = b'{"seq":%d,"timestamp":"%b","level":"WARN","kind":"gap","target":"%b","fields":%b'
    head %= (portion.first_seq, timestamp(log.clock()), _TARGET.encode(), fields)
    return head + log.host_span.text()


class _Descriptor:
    """Writes past Python's buffers: a daemon thread that hangs in one of them at exit brings the process down."""

    def __init__(self, descriptor: int) -> None:
        # One of its own: a number that the program closes is soon given to something else, a socket perhaps.
        self._descriptor = os.dup(descriptor)

    def write(self, data: bytes, give_up: threading.Event, stuck: Callable[[], None]) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        view = memoryview(data)
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
        return True

    def close(self) -> None:
        os.close(self._descriptor)


class _Stream:
    """Writes to what is no file of the system, such as a StringIO."""

    def __init__(self, stream: IO[Any]) -> None:
        self._stream = stream
        self._text = isinstance(stream, io.TextIOBase)

    def write(self, data: bytes, give_up: threading.Event, stuck: Callable[[], None]) -> bool:
        self._stream.write(data.decode() if self._text else data)
        self._stream.flush()
        return True

    def close(self) -> None:
        # The program's own.
        pass


class _Nowhere:
    def __init__(self, why: str) -> None:
        self._why = why

    def write(self, data: bytes, give_up: threading.Event, stuck: Callable[[], None]) -> bool:
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
