"""Who wants what: the union of the ring's own filter, the readers' and, for a while, that of readers who left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from orjson import loads

from inspector.tracing.decide import NO_FIELDS, Judge
from protocol.filters import Filter

if TYPE_CHECKING:
    from inspector.tracing.sites import Guard, Site
    from inspector.tracing.spans import Span

__all__ = ("Linger", "Wants")

# A client that comes and goes with another filter each time must not make the list grow.
_MAX_LINGERS: Final = 64

# Spans of which a guard remembers what it said, then it forgets all.
_SPANS: Final = 1024

_Source = tuple[Judge, "str | None"]
"""Somebody who wants a site in some spans, and of one actor's alone unless that is None."""


@dataclass(frozen=True, slots=True)
class Linger:
    """What a reader wanted who may come back, until a time on the log's monotonic clock."""

    judge: Judge
    actor: str | None
    deadline: int


class Wants:
    """Not for two threads at once: the log changes it inside its lock."""

    __slots__ = ("_lingers", "_record")

    def __init__(self, record: Filter) -> None:
        self._record = Judge(record)
        self._lingers: list[Linger] = []

    def set_record(self, filter: Filter) -> None:
        """Record something else."""
        self._record = Judge(filter)

    def add_linger(self, linger: Linger) -> None:
        """Remember what one wanted who left; of equal ones the last counts."""
        wanted = linger.judge.filter, linger.actor
        others = [each for each in self._lingers if (each.judge.filter, each.actor) != wanted]
        self._lingers = [*others, linger][-_MAX_LINGERS:]

    def expire(self, now: int) -> None:
        """Forget those whose time is up."""
        self._lingers = [linger for linger in self._lingers if now < linger.deadline]

    def forget(self) -> None:
        """Look at all spans anew: they are written in another way."""
        for judge in (self._record, *(linger.judge for linger in self._lingers)):
            judge.forget()

    def judge(self, site: Site, monotonic: Callable[[], int], expired: Callable[[], None]) -> tuple[bool, Guard | None]:
        """Return whether someone wants a site, and a question to ask of each record, None if all are wanted.

        Args:
            monotonic: the clock of the deadlines.
            expired: called when the question finds that a deadline has passed.
        """
        sources: list[_Source] = [(self._record, None)]
        sources += [(reader.judge, reader.actor) for reader in site.readers if not reader.passive]
        wanting: list[_Source] = []
        actors: set[str | None] = set()
        for judge, actor in sources:
            rule = judge.rules[site]
            if rule is True:
                if actor is None:
                    return True, None
                actors.add(actor)
            elif rule:
                wanting.append((judge, actor))
        lingers = [linger for linger in self._lingers if linger.judge.rules[site]]
        by_span = _by_span(site, wanting, actors) if wanting else lambda span, *_: span.actor in actors
        if not lingers:
            return (True, by_span) if wanting or actors else (False, None)

        def guard(span: Span, message: str = "", fields: dict[str, Any] | None = None) -> bool:
            now = monotonic()
            if any(now >= linger.deadline for linger in lingers):
                expired()
            return by_span(span, message, fields) or any(
                now < linger.deadline
                and linger.actor in (None, span.actor)
                and linger.judge.of_record(site, span, _own(span, message, fields))
                for linger in lingers
            )

        return True, guard


def _by_span(site: Site, sources: list[_Source], actors: set[str | None]) -> Guard:
    """Return a question that remembers its answers by span: however many ask, a record costs one look."""
    known: dict[bytes, bool | list[Judge]] = {}

    def guard(span: Span, message: str = "", fields: dict[str, Any] | None = None) -> bool:
        answer = known.get(span.key)
        if answer is None:
            if len(known) >= _SPANS:
                known.clear()
            answer = known[span.key] = find(span)
        if isinstance(answer, bool):
            return answer
        own = _own(span, message, fields)
        return any(judge.of_record(site, span, own) for judge in answer)

    def find(span: Span) -> bool | list[Judge]:
        """Return the answer for a span, or whom to ask for each of its records."""
        if span.actor in actors:
            return True
        undecided: list[Judge] = []
        for judge, actor in sources:
            if actor is None or actor == span.actor:
                passes = judge.of_span(site, span)
                if passes:
                    return True
                if passes is None:
                    undecided.append(judge)
        return undecided or False

    return guard


def _own(span: Span, message: str, fields: dict[str, Any] | None) -> Mapping[str, Any]:
    """Return the fields of an event as they are written; of another record there are none."""
    if fields is None:
        return NO_FIELDS
    written: dict[str, Any] = loads(span.log.event_fields.encode(message, fields))
    return written
