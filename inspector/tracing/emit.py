"""The method of a logger for one level: a record in the shortest way, or nothing at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from orjson import dumps

from inspector.tracing.encode import BRACE, BRACKET
from inspector.tracing.recorder import ENTRY_COST
from inspector.tracing.spans import current_span
from inspector.tracing.timestamps import MICROSECONDS

if TYPE_CHECKING:
    from inspector.tracing.log import Log
    from inspector.tracing.sites import Site

__all__ = ("Emit", "emitter")

# Fields up to here take the short way. It leaves the limits of a record to the long one.
_SHORT: Final = 4096

# Messages whose text is remembered for each method, and their greatest length: most are literals of the program.
# When they turn out not to be, all are forgotten.
_MESSAGES: Final = 256
_MESSAGE_LENGTH: Final = 200

# In no JSON text: it would stand there as an escape.
_NEVER: Final = (0, b"\0")
# In every JSON object that has a field.
_ALWAYS: Final = (b'"'[0], b'"')


class Emit(Protocol):
    """A logger's method for one level."""

    def __call__(self, message: str, /, **fields: Any) -> None: ...


def nothing(message: str, /, **fields: Any) -> None:
    """Stand in for a level that nobody wants."""


def emitter(log: Log, site: Site) -> Emit:
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
    # With several secrets every record is looked through for all of them.
    rare, secret = (*secrets.needles, _NEVER)[0] if len(secrets.needles) < 2 else _ALWAYS
    recorder = log.recorder
    segment_size = recorder.segment_size
    clock = log.clock
    armed = log.armed
    current = current_span.get
    join = b"".join
    microseconds, entry_cost, brace, bracket, short = MICROSECONDS, ENTRY_COST, BRACE, BRACKET, _SHORT

    def emit(message: str, /, **fields: Any) -> None:
        span = current()
        if span is None or span.log is not log:
            span = log.host_span
        tail = span.known_text
        try:
            own = known[message]
            rest = dumps(fields)[1:]
        except (KeyError, TypeError):
            tail = None
        if tail is None:
            log.write_event(site, span, message, fields, None)
            learn(message)
            return
        if not fields:
            own = own[:-1]
            rest = b"}"
        elif (
            not harmless.issuperset(fields)
            or len(rest) > short
            or brace in rest
            or bracket in rest
            or (rare in rest and secret in rest)
        ) and not is_plain(rest, fields, short):
            log.write_event(site, span, message, fields, None)
            return
        ns = clock()
        began, stamp = recorder.stamp
        since = ns - began
        if since < 0 or since >= 1_000_000:
            began, stamp = recorder.restamp(ns)
            since = ns - began
        segment = recorder.tail
        slots = segment.slots
        seq = segment.next
        line = join((b'{"seq":%d' % seq, stamp, microseconds[since // 1000], own, rest, tail))
        entry = (line, site, span)
        if slots.setdefault(seq, entry) is not entry:
            recorder.append(site, span, ns, own, rest, tail)
        else:
            segment.next = seq + 1
            segment.size = size = segment.size + len(line) + entry_cost
            if size >= segment_size:
                recorder.roll(segment)
        if armed:
            log.wake(site, span)

    def learn(message: object) -> None:
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

    def emit_guarded(message: str, /, **fields: Any) -> None:
        span = current()
        if guard(span if span is not None and span.log is log else log.host_span):
            emit(message, **fields)

    return emit_guarded
