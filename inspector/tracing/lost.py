"""Spans that nobody can end any more, for whoever worked in them is gone: the log is told."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from protocol.records import WARN

if TYPE_CHECKING:
    from inspector.tracing.log import Log
    from inspector.tracing.recorder import Recorder
    from inspector.tracing.spans import Span

__all__ = ("LostSpans", "spans_of_nobody")

_TARGET: Final = "inspector.tracing"

# So many are told of each for itself in so many nanoseconds; of a program that ends none of its spans, a log full of
# that would be all that is left.
_MOST: Final = 10
_WHILE: Final = 10**9


class LostSpans:
    """Tells a log of each span that was never ended, or of how many there were besides.

    A span is known to be lost once it is collected, and while the ring speaks of it it is not: so it is told when the
    last such record leaves the ring, or when the log closes.
    """

    __slots__ = ("_log", "_since", "_site", "_told", "_untold")

    def __init__(self, log: Log) -> None:
        self._log = log
        # Not asked for when it is needed: a finaliser may come while another thread holds the lock that it takes.
        self._site = log.site(WARN, _TARGET)
        self._since = log.monotonic()
        self._told = 0
        self._untold = 0

    def tell(self, span: Span) -> None:
        """Tell of a span. A finaliser may call it, in the midst of anything that any thread does."""
        log = self._log
        if not log.is_open:
            return
        now = log.monotonic()
        if not 0 <= now - self._since < _WHILE:
            self._since, self._told = now, 0
        if self._told >= _MOST:
            # Also when what is written here makes the ring drop a segment of such spans, and so comes back here.
            self._untold += 1
            return
        self._told += 1
        others, self._untold = self._untold, 0
        log.write_event(self._site, span, "span was never ended", {"others": others} if others else {}, None)
        span.forget_text()

    def close(self) -> None:
        """Tell of those that the ring alone still holds, and of how many were passed over."""
        log = self._log
        for span in spans_of_nobody(log.recorder):
            if span is not log.host_span and span.lose():
                self.tell(span)
        if self._untold:
            log.write_event(self._site, log.host_span, "spans were never ended", {"others": self._untold}, None)
            self._untold = 0


def spans_of_nobody(recorder: Recorder) -> list[Span]:
    """Return the spans that have not ended and that nothing holds but the ring.

    References are counted: what a thread looks at in this moment is in use, and so is what only a cycle holds that is
    garbage.
    """
    # How often each is held by what is known here: by its records, and by the spans below it.
    known: dict[Any, int] = {}
    for _, run in recorder.runs(0, recorder.next_seq):
        for parts in run:
            known[parts[2]] = known.get(parts[2], 0) + 1
    if all(span.ended for span in known):
        return []
    below = [*known]
    for span in below:
        above = span.parent
        if above is not None:
            if above not in known:
                known[above] = 0
                below.append(above)
            known[above] += 1
    del below, span, above, parts, run
    # One that is held by nothing else stands behind them: what the counting itself holds is on it too.
    known[object()] = 0
    more = [sys.getrefcount(each) - count for each, count in known.items()]
    known.popitem()
    used: set[Span] = set()
    for span, count in zip(known, more, strict=False):
        at: Span | None = span if count > more[-1] else None
        while at is not None and at not in used:
            used.add(at)
            at = at.parent
    return [span for span in known if not span.ended and span not in used]
