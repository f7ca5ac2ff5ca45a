"""For structlog: a processor that writes into the log, and one that adds the current span's ids."""

from __future__ import annotations

import sys
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Final

from inspector.tracing.propagation import span_within
from inspector.tracing.spans import current_span
from protocol.records import DEBUG, ERROR, INFO, TRACE, WARN

if TYPE_CHECKING:
    from inspector.tracing import Log

__all__ = ("ToLog", "add_span_ids")

_EventDict = MutableMapping[str, Any]

_LEVELS: Final = {
    "trace": TRACE,
    "notset": TRACE,
    "debug": DEBUG,
    "info": INFO,
    "msg": INFO,
    "log": INFO,
    "warn": WARN,
    "warning": WARN,
    "err": ERROR,
    "error": ERROR,
    "exception": ERROR,
    "critical": ERROR,
    "fatal": ERROR,
    "failure": ERROR,
}

# What a record has of its own, under other names.
_OURS: Final = ("event", "level", "logger", "timestamp", "exc_info")


def add_span_ids(logger: Any, method: str, event_dict: _EventDict) -> _EventDict:
    """Add `trace_id` and `span_id` of the current span to an event dict, where there is one and they are not set."""
    span = current_span.get()
    if span is not None:
        event_dict.setdefault("trace_id", span.trace_id)
        event_dict.setdefault("span_id", span.span_id)
    return event_dict


class ToLog:
    """A processor that writes into a log, in the current span. It stands last, in place of a renderer.

    The logger's name, where `structlog.stdlib.add_logger_name` stands before it, is the target; `exc_info` becomes the
    record's exception.

    Args:
        log: where to.
        target: of what has no logger's name.
        pass_on: let the next processor have the event dict too; without, structlog prints nothing.
    """

    def __init__(self, log: Log, *, target: str = "structlog", pass_on: bool = False) -> None:
        # Whoever makes one has it.
        from structlog import DropEvent

        self._log = log
        self._target = target
        self._pass_on = pass_on
        self._drop = DropEvent

    def __call__(self, logger: Any, method: str, event_dict: _EventDict) -> _EventDict:
        name = event_dict.get("logger")
        level = _LEVELS.get(str(event_dict.get("level", method)).lower(), INFO)
        site = self._log.site(level, name if isinstance(name, str) else self._target)
        if site.open:
            exception = _exception(event_dict.get("exc_info"))
            fields = {key: value for key, value in event_dict.items() if key not in _OURS}
            self._log.write_event(site, span_within(self._log), _text(event_dict), fields, exception)
        if not self._pass_on:
            raise self._drop
        return event_dict


def _text(event_dict: Mapping[str, Any]) -> Any:
    event = event_dict.get("event")
    return "" if event is None else event


def _exception(found: object) -> BaseException | None:
    if isinstance(found, BaseException):
        return found
    if isinstance(found, tuple):
        return found[1] if len(found) == 3 and isinstance(found[1], BaseException) else None
    return sys.exception() if found else None
