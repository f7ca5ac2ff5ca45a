"""Who wants what: the union of the ring's own filter, the readers' and, for a while, that of readers who left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from protocol.filters import Filter

if TYPE_CHECKING:
    from inspector.tracing.reader import LogReader
    from inspector.tracing.sites import Site
    from inspector.tracing.spans import Span

__all__ = ("Linger", "Wants")

# A client that comes and goes with another filter each time must not make the list grow.
_MAX_LINGERS: Final = 64


@dataclass(frozen=True, slots=True)
class Linger:
    """What a reader wanted who may come back, until a time on the log's monotonic clock."""

    filter: Filter
    actor: str | None
    deadline: int


class Wants:
    """Not for two threads at once: the log changes it inside its lock."""

    __slots__ = ("_lingers", "readers", "record")

    def __init__(self, record: Filter) -> None:
        self.record = record
        self.readers: list[LogReader] = []
        self._lingers: list[Linger] = []

    def add_linger(self, linger: Linger) -> None:
        """Remember what one wanted who left; of equal ones the last counts."""
        others = [each for each in self._lingers if (each.filter, each.actor) != (linger.filter, linger.actor)]
        self._lingers = [*others, linger][-_MAX_LINGERS:]

    def expire(self, now: int) -> None:
        """Forget those whose time is up."""
        self._lingers = [linger for linger in self._lingers if now < linger.deadline]

    def judge(
        self, site: Site, monotonic: Callable[[], int], expired: Callable[[], None]
    ) -> tuple[bool, Callable[[Span], bool] | None]:
        """Return whether someone wants a site, and a question to ask each record's span, None if all are wanted.

        Args:
            monotonic: the clock of the deadlines.
            expired: called when the question finds that a deadline has passed.
        """
        level, target = site.level, site.target
        if self.record.enabled(level, target):
            return True, None
        actors: set[str] = set()
        for reader in self.readers:
            if reader.filter.enabled(level, target):
                if reader.actor is None:
                    return True, None
                actors.add(reader.actor)
        lingers = [linger for linger in self._lingers if linger.filter.enabled(level, target)]
        if not lingers:
            return (True, lambda span: span.actor in actors) if actors else (False, None)

        def guard(span: Span) -> bool:
            now = monotonic()
            if any(now >= linger.deadline for linger in lingers):
                expired()
            return span.actor in actors or any(
                now < linger.deadline and linger.actor in (None, span.actor) for linger in lingers
            )

        return True, guard
