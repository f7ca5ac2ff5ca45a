"""Traces across processes: whose child a span is that has no parent here, and what to tell whom we call.

W3C Trace Context, https://www.w3.org/TR/trace-context/: `traceparent` names a span, `tracestate` goes with it unread.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from inspector.tracing.ids import SpanContext, format_traceparent, parse_traceparent
from inspector.tracing.spans import Span, current_span, tracestate_of

if TYPE_CHECKING:
    from inspector.tracing.log import Log

__all__ = (
    "caller_parent",
    "parent_of_new",
    "parse_tracestate",
    "remote_context",
    "remote_parent",
    "span_within",
    "traceparent",
    "tracestate",
)

_MEMBERS: Final = 32
# What the standard asks everybody to hand on at least.
_LENGTH: Final = 512
_MEMBER: Final = re.compile(r"[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x7e]{0,255}[\x21-\x7e]")

_OPENTELEMETRY: Final = "opentelemetry.trace"


@dataclass(frozen=True, slots=True)
class _Inbound:
    """A caller in another process, for as long as no span was begun here since."""

    context: SpanContext
    below: Span | None


_inbound: Final[ContextVar[_Inbound | None]] = ContextVar("inspector_inbound", default=None)


def parse_tracestate(text: object) -> str:
    """Read a `tracestate`; empty when it is malformed, for then it is not handed on (section 4.3).

    Of one that is too long the last members, those that others added first, are left out.
    """
    if not isinstance(text, str):
        return ""
    members = [stripped for member in text.split(",") if (stripped := member.strip(" \t"))]
    if len(members) > _MEMBERS or not all(_MEMBER.fullmatch(member) and member.count("=") == 1 for member in members):
        return ""
    while len(found := ",".join(members)) > _LENGTH:
        members.pop()
    return found


def remote_context(traceparent: object, tracestate: object = None) -> SpanContext | None:
    """Read what comes with a request; None where there is no valid `traceparent`."""
    context = parse_traceparent(traceparent)
    return context if context is None or not tracestate else replace(context, tracestate=parse_tracestate(tracestate))


@contextmanager
def remote_parent(traceparent: object, tracestate: object = None) -> Iterator[SpanContext | None]:
    """Let the spans that are begun inside the block, and in no other span, be children of a caller's.

    Args:
        traceparent: what came with the request; anything malformed, None too, changes nothing.
        tracestate: what came with that.

    Returns:
        The caller's span, None where there is no valid `traceparent`.
    """
    context = remote_context(traceparent, tracestate)
    if context is None:
        yield None
        return
    token = _inbound.set(_Inbound(context, current_span.get()))
    try:
        yield context
    finally:
        # An asynchronous generator may leave the block in another context than it entered it.
        with contextlib.suppress(ValueError):
            _inbound.reset(token)


def traceparent() -> str | None:
    """Return the `traceparent` for calls to others: of the current span, else of our caller's; None with neither."""
    context = _current_context()
    return None if context is None else format_traceparent(context)


def tracestate() -> str | None:
    """Return the `tracestate` that belongs to `traceparent()`; None where there is none to hand on."""
    context = _current_context()
    return None if context is None else context.tracestate or None


def parent_of_new(log: Log) -> Span | SpanContext | None:
    """Return the parent of a span that is begun here and now in a log; None begins a new trace."""
    span = current_span.get()
    inbound = _inbound.get()
    if inbound is not None and inbound.below is span:
        return inbound.context
    # The host's own span lasts as long as the host: what lies below it would be one trace for ever.
    if span is not None and span.log is log and span is not log.host_span:
        return span
    return _opentelemetry()


def span_within(log: Log) -> Span:
    """Return the span that an event belongs to which is written here and now: the log's current one or the host's."""
    span = current_span.get()
    return span if span is not None and span.log is log else log.host_span


def caller_parent(log: Log) -> Span | SpanContext | None:
    """Return the parent of a call that comes from no actor: what `traceparent()` speaks of."""
    parent = parent_of_new(log)
    # What an actor does outside of its actions is no part of anybody's request.
    return None if isinstance(parent, Span) and parent.actor is not None else parent


def _current_context() -> SpanContext | None:
    span = current_span.get()
    if span is None:
        inbound = _inbound.get()
        return _opentelemetry() if inbound is None else inbound.context
    parent = parent_of_new(span.log)
    if not isinstance(parent, Span):
        return parent
    return replace(parent.context, tracestate=tracestate_of(parent))


def _opentelemetry() -> SpanContext | None:
    """Return OpenTelemetry's current span, where the program uses it; it is not imported for this."""
    api = sys.modules.get(_OPENTELEMETRY)
    if api is None:
        return None
    # Half imported, or another version: a trace less is no reason to fail.
    with contextlib.suppress(Exception):
        found = api.get_current_span().get_span_context()
        if found.is_valid:
            state = parse_tracestate(found.trace_state.to_header())
            return SpanContext(f"{found.trace_id:032x}", f"{found.span_id:016x}", int(found.trace_flags), state)
    return None
