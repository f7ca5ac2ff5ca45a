"""What all sinks share: a thread that pulls records from the ring, and what it does when its place fails or lags."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from inspector.tracing.reader import MAX_CHUNK
from inspector.tracing.sinks.bell import Bell
from inspector.tracing.sinks.trouble import TARGET, Trouble
from inspector.tracing.timestamps import timestamp
from protocol.filters import Filter

if TYPE_CHECKING:
    from inspector.tracing.log import Log
    from inspector.tracing.reader import LogReader, Portion

__all__ = ("PullingSink", "RefusedError", "SinkThread", "gap_record", "inside_sink")

# Records that come close together are written together: woken for each, the thread would take the interpreter from
# the program thousands of times a second.
_COALESCE: Final = 0.01

# Seconds until a place that failed is tried again: doubled each time, up to the second.
_FIRST_PAUSE: Final = 0.1
_LAST_PAUSE: Final = 5.0
# How often it is tried while the program waits for the end.
_CLOSING_PAUSE: Final = 0.05
# What hangs in a write may still see that it is to give up.
_GRACE: Final = 0.2

Part = TypeVar("Part")


class SinkThread(threading.Thread):
    """The thread of a sink. Whatever library it calls may log on its own: such records must not come back to it."""


def inside_sink() -> bool:
    """Tell if the running code works for a sink: what it says by `logging` or `warnings` is not for the log.

    A bridge from `logging` that took it would give the sink a new record to write for each that it fails to write.
    """
    return isinstance(threading.current_thread(), SinkThread)


class RefusedError(Exception):
    """The place has taken a part of a batch away from the sink and will never have it.

    Attributes:
        records: how many are lost by that.
    """

    def __init__(self, why: str, records: int) -> None:
        super().__init__(why)
        self.records = records


class PullingSink(ABC, Generic[Part]):
    """Pulls records from the ring and writes them; nobody waits for it.

    The ring is its only buffer, beside the portion at hand. A place that fails is tried again, with longer and longer
    pauses; one that is slow, or stuck, costs the sink alone. What the ring no longer holds by the time it gets on is
    lost: counted, told in the place by a record of kind `gap`, and in the log by one record of level warn when the
    trouble begins and one when it is over. Both go to the other sinks, and to this one when it can write again.

    A subclass says how a portion is written: `prepare`, `write`, and what it knows of errors.

    Attributes:
        name: where it writes, for people. Holds no secret.
        error: why it does not write at present, None while it does.
        follows_default: it has no filter of its own, but that which the host shows its log by.
        portion_size: bytes of lines that it takes at once at most; a single longer one comes alone.
    """

    portion_size = MAX_CHUNK

    def __init__(
        self, name: str, filter: Filter, *, follows_default: bool = False, coalesce: float = _COALESCE
    ) -> None:
        """Make a sink that writes nothing yet.

        Args:
            coalesce: seconds that the first record waits for others.
        """
        self.name = name
        self.error: Exception | None = None
        self.follows_default = follows_default
        self._filter = filter
        self._coalesce = coalesce
        self._log: Log | None = None
        self._reader: LogReader | None = None
        self._awake = Bell()
        self._closing = threading.Event()
        self._give_up = threading.Event()
        self._lost = 0
        # Parts of the batch at hand that are not written yet, in records.
        self._pending = 0
        # Lost, and not told in the place so far: the number of the first, and how many.
        self._untold: tuple[int, int] | None = None
        self._refused = False
        self._trouble = Trouble(name)
        self._caught_up = threading.Condition()
        # Everything before this number is written, or lost.
        self._done_seq = 0
        self._ended = False
        # A daemon: a place that blocks for ever must not keep the program from ending.
        self._thread = SinkThread(target=self._run, name=f"inspector-sink-{name}", daemon=True)

    # ---- what a subclass says ----

    @abstractmethod
    def prepare(self, portion: Portion, gap: bytes | None) -> list[Part]:
        """Make of a portion what is to be written.

        Args:
            gap: a record that tells of others which are not there, to be written before.
        """

    @abstractmethod
    def write(self, batch: list[Part]) -> bool:
        """Write a batch, and take out of the list what is written, so that another try goes on behind it.

        Returns:
            False if it was given up, for `giving_up` says so.

        Raises:
            OSError: it failed, and may be tried again unless `is_final` says otherwise.
            RefusedError: a part was taken out of the batch without having been written.
        """

    def remains(self) -> list[Part]:
        """Return what is still to be written when the log has ended."""
        return []

    def count(self, batch: list[Part]) -> int:
        """Return how many records a batch is."""
        return len(batch)

    def is_final(self, error: OSError) -> bool:
        """Tell if the place is gone for good."""
        return False

    def interrupt(self) -> None:
        """End a `write` that waits for something; from another thread, when the time to close is up."""

    def rest(self) -> None:
        """Wait until there is something to write, and others have come to it."""
        self._awake.wait()
        self._closing.wait(self._coalesce)

    def end(self) -> None:
        """Let go of the place; the last that the thread does."""

    # ---- for a subclass ----

    @property
    def log(self) -> Log:
        """The log that it writes."""
        assert self._log is not None
        return self._log

    @property
    def giving_up(self) -> threading.Event:
        """Set when nobody waits any longer for what is not written yet."""
        return self._give_up

    def lagging(self) -> None:
        """Tell, once, that the place takes nothing at present."""
        self._troubled("log sink is too slow and may lose records")

    # ---- for the log ----

    @property
    def filter(self) -> Filter:
        """What it writes."""
        return self._filter

    def set_filter(self, filter: Filter) -> None:
        """Write something else from now on."""
        self._filter = filter
        if self._reader is not None:
            self._reader.set_filter(filter)

    @property
    def dropped(self) -> int:
        """How many records it wanted and could not write."""
        return self._lost + (self._pending if self._give_up.is_set() else 0)

    def attach(self, log: Log) -> None:
        """Begin to write a log, from now on; once in a sink's life."""
        self._log = log
        self._reader = log.subscribe(self._filter, wake=self._awake.ring)
        self._thread.start()

    def flush(self, timeout: float) -> bool:
        """Wait until what has been logged so far is written, or lost; for `timeout` seconds.

        Returns:
            whether it is.
        """
        end = self.log.next_seq
        self._awake.ring()
        with self._caught_up:
            self._caught_up.wait_for(lambda: self._done_seq >= end or self._ended, timeout)
            return self._done_seq >= end

    def finish(self) -> None:
        """Write what has been logged so far, then stop. Does not wait."""
        self._closing.set()
        self._awake.ring()

    def close(self, timeout: float) -> bool:
        """Write what has been logged so far, then stop; give up after `timeout` seconds.

        Returns:
            whether everything was written. If not, the thread may still hang in a write, and ends with it.
        """
        if self._reader is None:
            self.end()
            return True
        self.finish()
        self._thread.join(timeout)
        self._give_up.set()
        if self._thread.is_alive():
            self.interrupt()
            self._thread.join(_GRACE)
        self._reader.close()
        if self._thread.is_alive():
            # It hangs in a write, and will find a reader that has nothing more for it.
            self._lost += self._left(self._reader.next_seq)
        return not self._thread.is_alive() and self.error is None and self.dropped == 0

    # ---- its thread ----

    def _run(self) -> None:
        reader = self._reader
        assert reader is not None
        try:
            while True:
                # Asked before the ring is looked through: what was logged before the wish to close is written.
                closing = self._closing.is_set()
                while (portion := reader.take(self.portion_size)) is not None:
                    if not self._deliver(portion):
                        self._abandon(reader)
                        return
                self._done(reader.next_seq)
                if closing:
                    if not self._insist(self.remains(), reader.next_seq):
                        self._abandon(reader)
                    return
                if not self._refused:
                    self._trouble.ends(self.log, self._lost)
                self.rest()
        except Exception as error:
            # The root of the thread. Whatever it is, a thread that ended in silence would be a log that ends in
            # silence; and the ring must not go on recording for it.
            self.error = error
            self._lost += self._pending
            self._pending = 0
            reader.close()
            self.log.logger(TARGET).warn(
                "log sink has ended, its place failed", sink=self.name, error=_text(error), dropped=self._lost
            )
        finally:
            self.end()
            self._done(reader.next_seq, ended=True)

    def _done(self, seq: int, *, ended: bool = False) -> None:
        with self._caught_up:
            self._done_seq = seq
            self._ended = ended
            self._caught_up.notify_all()

    def _deliver(self, portion: Portion) -> bool:
        """Write a portion, however long that takes; False if it was given up."""
        if portion.dropped:
            self._lost += portion.dropped
            self.lagging()
            self._miss(portion.first_seq, portion.dropped)
        gap, self._untold = self._untold and gap_record(self.log, *self._untold), None
        return self._insist(self.prepare(portion, gap), portion.first_seq)

    def _insist(self, batch: list[Part], first_seq: int) -> bool:
        """Write a batch, however long that takes; False if it was given up."""
        if not batch:
            return True
        self._refused = False
        pause = _FIRST_PAUSE
        while True:
            self._pending = self.count(batch)
            try:
                written = self.write(batch)
            except RefusedError as error:
                self._lost += error.records
                self._miss(first_seq, error.records)
                self._refused = True
                self._troubled("log sink is refused what it writes, and goes on without", error=_text(error))
                if not batch:
                    self.error = None
                    self._pending = 0
                    return True
                continue
            except OSError as error:
                self._pending = self.count(batch)
                if self.is_final(error):
                    raise
                self.error = error
                self._troubled("log sink fails, and tries again", error=_text(error))
                if self._waited(pause):
                    return False
                pause = min(pause * 2, _LAST_PAUSE)
                continue
            self._pending = self.count(batch)
            if written:
                self.error = None
            return written

    def _miss(self, seq: int, lost: int) -> None:
        first, before = self._untold or (seq, 0)
        self._untold = first, before + lost

    def _waited(self, pause: float) -> bool:
        """Wait before another try; True if there is to be none."""
        if self._closing.is_set():
            return self._give_up.wait(min(pause, _CLOSING_PAUSE))
        # Woken by the wish to close, for which a place that is well again need not wait.
        self._closing.wait(pause)
        return False

    def _abandon(self, reader: LogReader) -> None:
        """Count what was not written, and what was never begun."""
        self._lost += self._pending
        self._pending = 0
        reader.close()
        self._lost += self._left(reader.next_seq)

    def _left(self, seq: int) -> int:
        """Count the records from a number on that it wanted."""
        reader = self.log.subscribe(self._filter, after_seq=seq - 1, passive=True, wake=lambda: None)
        left = reader.missed
        while (portion := reader.take(self.portion_size)) is not None:
            left += portion.dropped + len(portion.entries)
        reader.close()
        return left

    def _troubled(self, message: str, **fields: Any) -> None:
        self._trouble.begins(self.log, self._lost, message, **fields)


def gap_record(log: Log, first_seq: int, lost: int) -> bytes:
    """Return a record that tells of others which are not there; its number is the first one missing."""
    fields = b'{"message":"%d records lost","dropped":%d}' % (lost, lost)
    head = b'{"seq":%d,"timestamp":"%b","level":"WARN","kind":"gap","target":"%b","fields":%b'
    return head % (first_seq, timestamp(log.clock()), TARGET.encode(), fields) + log.host_span.text()


def _text(error: BaseException) -> str:
    return str(error) or type(error).__name__
