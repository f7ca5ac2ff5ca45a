"""The method of a logger for one level: a record in the shortest way, or nothing at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from orjson import dumps

from inspector.tracing.encode import BRACE, PLAIN, SCALARS, SHORT
from inspector.tracing.recorder import ENTRY_COST
from inspector.tracing.spans import current_span
from inspector.tracing.timestamps import MICROSECONDS

if TYPE_CHECKING:
    from inspector.tracing.log import Log
    from inspector.tracing.sites import Site

__all__ = ("Emit", "Method", "emitter", "nothing")

# Messages whose text is remembered for each method, and their greatest length: most are literals of the program.
# When they turn out not to be, all are forgotten.
_MESSAGES: Final = 256
_MESSAGE_LENGTH: Final = 200

# A dict, for it has no place for a negative number, and to ask it is cheaper than to compare twice.
_MICROSECONDS: Final = dict(enumerate(MICROSECONDS))


class Emit(Protocol):
    """A logger's method for one level, as its callers have it."""

    def __call__(self, message: str, /, **fields: Any) -> None: ...


class Method(Protocol):
    """The same as it stands in the logger's class."""

    def __call__(self, logger: Any, message: str, /, **fields: Any) -> None: ...


def nothing(logger: object, message: str, /, **fields: Any) -> None:
    """Stand in for a level that nobody wants."""


def emitter(log: Log, site: Site) -> Method:
    """Return the method that writes events of a site, as it is wanted now."""
    if not site.open:
        return nothing

    # What the long way does by way of FieldEncoder.encode_plain and Recorder.append is written out here: five calls,
    # and as many looks at attributes, take half the time of the whole record.
    head = site.event
    known: dict[str, bytes] = {}
    secrets = log.secrets
    harmless = log.event_fields.harmless
    is_plain = log.event_fields.is_plain
    rare, needle = secrets.rare, secrets.needle
    recorder = log.recorder
    segment_size = recorder.segment_size
    clock = log.clock
    armed = log.armed
    current = current_span.get
    microseconds, entry_cost, brace, short = _MICROSECONDS, ENTRY_COST, BRACE, SHORT
    plain = PLAIN

    def emit(logger: object, message: str, /, **fields: Any) -> None:
        span = current()
        if span is None or span.log is not log:
            span = log.host_span
        tail = span.known_text
        try:
            own = known[message]
            rest = dumps(fields, None, plain)[1:]
        except Exception:
            # Not known, not plain, or it will not even be compared.
            tail = None
        if tail is None:
            log.write_event(site, span, message, fields, None)
            learn(message, fields)
            return
        if not fields:
            own = own[:-1]
            rest = b"}"
        elif (not harmless.issuperset(fields) or brace in rest or (rare in rest and needle in rest)) and not is_plain(
            rest, fields
        ):
            # Another thread may have been quicker.
            known.pop(message, None)
            log.write_event(site, span, message, fields, None)
            learn(message, fields)
            return
        ns = clock()
        began, stamp = recorder.stamp
        try:
            microsecond = microseconds[(ns - began) // 1000]
        except KeyError:
            # Another millisecond, perhaps an earlier one.
            began, stamp = recorder.restamp(ns)
            microsecond = microseconds[(ns - began) // 1000]
        size = len(own) + len(rest) + len(tail)
        if size > short:
            # Perhaps a container: the next one may be longer yet.
            known.pop(message, None)
            log.write_event(site, span, message, fields, None)
            return
        parts = (rest, site, span, stamp, microsecond, own, tail)
        segment = recorder.tail
        seq = segment.next
        if segment.slots.setdefault(seq, parts) is not parts:
            recorder.place(parts, size + entry_cost)
        else:
            segment.next = seq + 1
            segment.size = size = segment.size + size + entry_cost
            if size >= segment_size:
                recorder.roll(segment)
        if armed:
            log.wake(site, span)

    def learn(message: object, fields: dict[str, Any]) -> None:
        # Only what is said with scalars: for orjson would write a container in full, however huge it is.
        if not SCALARS.issuperset(map(type, fields.values())):
            return
        if type(message) is str and len(message) <= _MESSAGE_LENGTH and message not in known:
            try:
                text = dumps(message)
            except TypeError:
                return
            if len(known) >= _MESSAGES:
                known.clear()
            if not secrets.within(text):
                known[message] = b"%b%b," % (head, text)

    guard = site.guard
    if guard is None:
        return emit

    def emit_guarded(logger: object, message: str, /, **fields: Any) -> None:
        span = current()
        if guard(span if span is not None and span.log is log else log.host_span, message, fields):
            emit(logger, message, **fields)

    return emit_guarded
