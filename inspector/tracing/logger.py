"""Loggers: a method for each level, which does nothing at all while nobody wants that level."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from inspector.tracing.emit import Emit, emitter
from inspector.tracing.propagation import parent_of_new, span_within
from inspector.tracing.spans import Span, current_span
from protocol.records import DEBUG, ERROR, INFO, TRACE, WARN

if TYPE_CHECKING:
    from inspector.tracing.log import Log
    from inspector.tracing.sites import Site

__all__ = ("Logger", "ModuleLogger", "get_logger", "log_closed", "log_opened")

_METHODS: Final = ((TRACE, "trace"), (DEBUG, "debug"), (INFO, "info"), (WARN, "warn"), (ERROR, "error"))


class Logger:
    """Writes events of one target into one log, in the current span of that log or else in the host's.

    Made by `Log.logger`. The log swaps the methods of the levels: hold the logger, not its methods.
    """

    __slots__ = ("_log", "_sites", "target")

    trace: Emit
    debug: Emit
    info: Emit
    warn: Emit
    error: Emit

    def __new__(cls, log: Log, target: str, sites: tuple[Site, ...]) -> Self:
        """Make it the one instance of a class of its own, for the interpreter calls a method that stands in a class
        faster than one that stands in the object: so a call that does nothing costs no more than an empty method's."""
        own: type[Self] = type(cls.__name__, (cls,), {"__slots__": ()})
        return object.__new__(own)

    def __init__(self, log: Log, target: str, sites: tuple[Site, ...]) -> None:
        self._log = log
        self._sites = sites
        self.target = target
        self.swap()

    def swap(self) -> None:
        """Set each level's method by who wants it now."""
        own = type(self)
        for level, name in _METHODS:
            setattr(own, name, emitter(self._log, self._sites[level]))

    def enabled(self, level: int) -> bool:
        """Tell if someone wants this level: what an event would say need not be found out for nobody."""
        return self._sites[level].open

    def exception(self, message: str, exception: BaseException, level: int = ERROR, /, **fields: Any) -> None:
        """Write an event with an exception: its type, message, frames, causes and members."""
        self._log.write_event(self._sites[level], span_within(self._log), message, fields, exception)

    def event(self, level: int, span: Span | None, message: str, /, **fields: Any) -> None:
        """Write an event of any level, in a given span; None is the current one."""
        self._log.write_event(self._sites[level], span or span_within(self._log), message, fields, None)

    def span(self, name: str, /, **fields: Any) -> Span:
        """Start a span of level debug below the current one; use it as a context manager.

        Outside of any span of the log it is a child of `remote_parent` or of OpenTelemetry's current span; with none
        of these it begins a trace.
        """
        return self._log.start_span(name, fields, target=self.target, parent=parent_of_new(self._log))

    def __repr__(self) -> str:
        return f"<Logger {self.target}>"


# Logs between their open() and close(), for events of modules' own loggers outside any span: those of hosts, and
# those of the program around them.
_open: list[Log] = []
_programs: list[Log] = []


def log_opened(log: Log, program: bool) -> None:
    """Let module loggers find a log."""
    (_programs if program else _open).append(log)


def log_closed(log: Log) -> None:
    """Take a log away from module loggers."""
    for logs in (_open, _programs):
        if log in logs:
            logs.remove(log)


class ModuleLogger:
    """A logger for a module's head, before there is any log: it looks for the log at each call.

    It writes into the log of the current span. Outside any span it writes into the log that a host has open, if
    there is exactly one, else into the program's, the last one opened. Without such a log nothing is written.
    """

    __slots__ = ("_found", "target")

    def __init__(self, target: str) -> None:
        self.target: Final = target
        self._found: tuple[Log, Logger] | None = None

    def find(self) -> Logger | None:
        """Return the logger that writes for this one now."""
        span = current_span.get()
        if span is not None:
            log = span.log
        elif len(_open) == 1:
            log = _open[0]
        elif _programs:
            log = _programs[-1]
        else:
            return None
        found = self._found
        if found is None or found[0] is not log:
            found = self._found = (log, log.logger(self.target))
        return found[1]

    def trace(self, message: str, /, **fields: Any) -> None:
        """Write an event of level trace."""
        if (logger := self.find()) is not None:
            logger.trace(message, **fields)

    def debug(self, message: str, /, **fields: Any) -> None:
        """Write an event of level debug."""
        if (logger := self.find()) is not None:
            logger.debug(message, **fields)

    def info(self, message: str, /, **fields: Any) -> None:
        """Write an event of level info."""
        if (logger := self.find()) is not None:
            logger.info(message, **fields)

    def warn(self, message: str, /, **fields: Any) -> None:
        """Write an event of level warn."""
        if (logger := self.find()) is not None:
            logger.warn(message, **fields)

    def error(self, message: str, /, **fields: Any) -> None:
        """Write an event of level error."""
        if (logger := self.find()) is not None:
            logger.error(message, **fields)

    def exception(self, message: str, exception: BaseException, level: int = ERROR, /, **fields: Any) -> None:
        """Write an event with an exception."""
        if (logger := self.find()) is not None:
            logger.exception(message, exception, level, **fields)

    def enabled(self, level: int) -> bool:
        """Tell if someone wants this level."""
        logger = self.find()
        return logger is not None and logger.enabled(level)

    def span(self, name: str, /, **fields: Any) -> Span:
        """Start a span below the current one.

        Raises:
            LookupError: there is no log to write it into.
        """
        logger = self.find()
        if logger is None:
            raise LookupError("no span is current here, and there is not exactly one open log")
        return logger.span(name, **fields)


_module_loggers: dict[str, ModuleLogger] = {}


def get_logger(target: str) -> ModuleLogger:
    """Return the logger of a module, by its dotted name."""
    logger = _module_loggers.get(target)
    if logger is None:
        logger = _module_loggers.setdefault(target, ModuleLogger(target))
    return logger
