"""Exceptions that nobody catches, as events of the log: of runs, threads, and what Python can't raise anywhere."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any, Final

import trio

from inspector.bridges.points import Point, Tap
from inspector.bridges.runs import RUNS
from inspector.tracing.propagation import span_within
from protocol.records import ERROR

if TYPE_CHECKING:
    from inspector.tracing import Log

__all__ = ("TARGET", "Uncaught", "bridge_uncaught")

TARGET: Final = "inspector.bridges.uncaught"

_THREADS: Final = Point(threading, "excepthook")
_UNRAISABLE: Final = Point(sys, "unraisablehook")


class Uncaught:
    """Writes exceptions that end something, each once, before they go on their way.

    What somebody means by `KeyboardInterrupt`, `SystemExit` or trio's `Cancelled` is no error.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        # Told by this log: an exception has no other place that lasts just as long as itself.
        self._mark = f"_inspector_told_{log.host_id}"

    def tell(self, message: str, exception: BaseException, **fields: Any) -> None:
        """Write an exception, unless it was written before or is no error."""
        if not _is_error(exception) or self._mark in vars(exception):
            return
        vars(exception)[self._mark] = True
        site = self._log.site(ERROR, TARGET)
        self._log.write_event(site, span_within(self._log), message, fields, exception)

    def begins(self) -> trio.abc.Instrument | None:
        """Measure nothing of a run."""
        return None

    def failed(self, exception: BaseException) -> None:
        """Write what has ended a run."""
        self.tell("trio.run failed", exception)

    def in_thread(self, args: threading.ExceptHookArgs) -> None:
        """Write what has ended a thread."""
        if args.exc_value is not None:
            self.tell("thread failed", args.exc_value, thread=None if args.thread is None else args.thread.name)

    def unraisable(self, args: sys.UnraisableHookArgs) -> None:
        """Write what can't be raised, for nobody is there: out of finalisers and callbacks from C."""
        if args.exc_value is not None:
            self.tell(args.err_msg or "exception ignored", args.exc_value, object=args.object)


def bridge_uncaught(log: Log) -> Tap:
    """Let a log have what ends runs of trio and threads, and what Python can only ignore, until the tap is closed.

    All of it goes on as before. A run is told of that begins after this.
    """
    uncaught = Uncaught(log)
    runs = ((point, uncaught) for point in RUNS)
    return Tap((_THREADS, uncaught.in_thread), (_UNRAISABLE, uncaught.unraisable), *runs)


def _is_error(exception: BaseException) -> bool:
    if isinstance(exception, BaseExceptionGroup):
        return any(map(_is_error, exception.exceptions))
    return isinstance(exception, Exception)
