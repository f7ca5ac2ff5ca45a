"""Records that the host itself makes about an actor, in a span that need not be the current one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inspector.tracing import INFO, Logger, Span, current_span
from protocol.errors import InspectorError

if TYPE_CHECKING:
    from inspector.actors.cell import Cell

__all__ = ("begin_life", "failure", "note", "text_of")


class _Fields:
    """Those of an actor's span: the dict of an object shares its keys with those of the others, and is half as big."""

    def __init__(self, cell: Cell) -> None:
        self.actor = cell.address
        self.actor_id = cell.id
        self.generation = cell.generation


def begin_life(cell: Cell) -> Span:
    """Begin the span of an actor's new life, and say so in it. Of an actor that idles it is most of what it costs."""
    log = cell.registry.log
    span = log.start_span("actor", vars(_Fields(cell)), target="inspector.actors.life")
    log.open_spans.hold(span)
    note(cell.registry.life_log, INFO, span, "actor started")
    # Most actors say nothing more in it for long.
    span.forget_text()
    return span


def note(
    logger: Logger,
    level: int,
    span: Span | None,
    message: str,
    exc: BaseException | None = None,
    **fields: Any,
) -> None:
    """Write an event into `span`, with an exception where there is one."""
    token = current_span.set(span)
    try:
        if exc is None:
            logger.event(level, span, message, **fields)
        else:
            logger.exception(message, exc, level, **fields)
    finally:
        current_span.reset(token)


def failure(span: Span, exc: BaseException) -> InspectorError:
    """Make the reply of an action that raised. Its traceback is for the log alone."""
    # An error of a call that the action made says already which one it is.
    kind = exc.name if isinstance(exc, InspectorError) else type(exc).__name__
    text = text_of(exc) if isinstance(exc, InspectorError) else f"{kind}: {text_of(exc)}"
    error = InspectorError("actor.failed", text, {"type": kind, "trace_id": span.trace_id, "span_id": span.span_id})
    error.__cause__ = exc
    return error


def text_of(exc: BaseException) -> str:
    """Return what an exception says, at most 1,000 characters of it."""
    try:
        return str(exc)[:1000]
    except Exception:
        # What an exception says of itself is the program's code, and may fail like any other.
        return "(str() of the exception raised)"
