"""Records of the standard library's `logging` as events of the log, in the current span."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Final

from inspector.bridges.points import Point, Tap
from inspector.tracing.propagation import span_within
from inspector.tracing.sinks import inside_sink
from inspector.tracing.sites import Site
from protocol.records import DEBUG, ERROR, INFO, TRACE, WARN

if TYPE_CHECKING:
    from inspector.tracing import Log

__all__ = ("LogHandler", "bridge_logging", "level_of")

# What every record has; whatever else there is came by `extra`.
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_STANDARD_LEVELS: Final = frozenset((logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR))

# A logger of ours is kept for each target as long as the log: a program that names loggers after its requests would
# have no end of them.
_MAX_TARGETS: Final = 4096
_OTHER: Final = "logging.other"

# No record shows more of a text; what is left out is not formatted.
_TEXT: Final = 32 * 1024

_CALL_HANDLERS: Final = Point(logging.Logger, "callHandlers")

_busy = threading.local()


def level_of(number: int) -> int:
    """Return our level of one of `logging`'s, also of those between its own."""
    if number >= logging.ERROR:
        return ERROR
    if number >= logging.WARNING:
        return WARN
    if number >= logging.INFO:
        return INFO
    return DEBUG if number >= logging.DEBUG else TRACE


class LogHandler(logging.Handler):
    """A handler that writes into a log.

    The logger's name is the target, `extra` the fields; `exc_info` becomes the record's exception. A field `thread`
    names any thread but the main one, `logging_level` a level that is none of the usual four.

    Args:
        log: where to.
        level: handle nothing below, as with each handler. What the log does not want is left alone before anything is
            formatted, whatever this says, so that it need not be set to save time.
    """

    def __init__(self, log: Log, level: int | str = logging.NOTSET) -> None:
        super().__init__(level)
        self._log = log
        self._targets: dict[str, tuple[Site, ...]] = {}

    def handle(self, record: logging.LogRecord) -> bool:
        """Write a record if the log wants it and the handler's filters pass it."""
        site = self._site(record)
        if not site.open or getattr(_busy, "on", False) or inside_sink():
            return False
        # One that logs while it is written, by way of its arguments' texts, would go round for ever.
        _busy.on = True
        try:
            # Since Python 3.12 a filter may give another record.
            passed: Any = self.filter(record)
            if passed:
                self._write(site, passed if isinstance(passed, logging.LogRecord) else record)
        except Exception:
            # As `Handler.handleError` has it, but for what it prints: the program is to go on.
            return False
        finally:
            _busy.on = False
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; `handle` is what logging calls."""
        self._write(self._site(record), record)

    def _site(self, record: logging.LogRecord) -> Site:
        sites = self._targets.get(record.name)
        if sites is None:
            name = record.name if len(self._targets) < _MAX_TARGETS else _OTHER
            sites = tuple(self._log.site(level, name) for level in range(ERROR + 1))
            if name is not _OTHER:
                self._targets[name] = sites
        return sites[level_of(record.levelno)]

    def _write(self, site: Site, record: logging.LogRecord) -> None:
        fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        message = _message(record, fields)
        if site.target != record.name:
            fields["logger"] = record.name
        if record.levelno not in _STANDARD_LEVELS:
            fields["logging_level"] = record.levelname
        if record.thread is not None and record.thread != threading.main_thread().ident:
            fields["thread"] = record.threadName
        if record.stack_info:
            fields["stack"] = record.stack_info
        exception = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        self._log.write_event(site, span_within(self._log), message, fields, exception)


def bridge_logging(log: Log) -> Tap:
    """Let a log have each record that any logger lets through, until the tap is closed.

    No handler is added, for that would change what the program does: `logging.basicConfig` does nothing where there is
    one, and without any a warning goes to stderr. What handlers there are get all they got before, and loggers'
    levels stay as they are: what a logger does not let through is not written.
    """
    handler = LogHandler(log)
    return Tap((_CALL_HANDLERS, lambda logger, record: handler.handle(record)))


def _message(record: logging.LogRecord, fields: dict[str, Any]) -> str:
    """Return what a record says, with as much of its arguments as a record of ours could show."""
    message = record.msg if isinstance(record.msg, str) else str(record.msg)
    args: Any = record.args
    if not args:
        return message
    try:
        if isinstance(args, tuple):
            return message % tuple(map(_cut, args))
        return message % ({name: _cut(value) for name, value in args.items()} if type(args) is dict else args)
    except Exception as exc:
        # A format that does not fit its arguments, or an argument without a text: what can be said is said.
        fields["args"] = args
        fields["format_error"] = f"{type(exc).__name__}: {exc}"
        return message


def _cut(value: object) -> object:
    return value[:_TEXT] if type(value) in (str, bytes) and len(value) > _TEXT else value  # type: ignore[arg-type, index]  # both have lengths and slices
