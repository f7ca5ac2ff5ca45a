"""Spans that have not ended, and start records of these and of whatever the ring still speaks of."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING

from inspector.tracing.spans import Span
from inspector.tracing.timestamps import timestamp

if TYPE_CHECKING:
    from inspector.tracing.recorder import Recorder, Segment

__all__ = ("OpenSpan", "OpenSpans")


class OpenSpan(Span):
    """A span that the ring does not hold, and that tells its log if it is collected without an end.

    It becomes one when it is entered below, by its class alone: as a reference with a callback it would need all that
    is told of it once more, and as a method of every span this would take a twentieth of the time of its records.
    """

    __slots__ = ()

    def __del__(self) -> None:
        # Nobody is there to raise to.
        with contextlib.suppress(Exception):
            if self.lose():
                self.log.lost.tell(self)


class OpenSpans:
    """The spans of a log that have not ended, as far as the ring does not hold them; and the host's own.

    While a span's start record is in the ring it is found there. Most have ended long before that is dropped: to enter
    each of them and take it out again would take a tenth of the time of its records.

    Attributes:
        entries: by key; weak, for whoever works in a span holds it: one that was never ended must not stay for ever.
            Those that somebody is sure to end stand there themselves, which is smaller.
    """

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: dict[bytes, weakref.ref[Span] | Span] = {}

    def add(self, span: Span) -> None:
        """Enter a span that the ring does not hold."""
        span.__class__ = OpenSpan
        self.entries[span.key] = weakref.ref(span)

    def hold(self, span: Span) -> None:
        """Enter a span that is sure to be ended."""
        self.entries[span.key] = span

    def find(self, key: bytes) -> Span | None:
        """Return a span by its key, None if it is not here."""
        entry = self.entries.get(key)
        return entry() if isinstance(entry, weakref.ref) else entry

    def take_over(self, segment: Segment) -> None:
        """Enter those whose start is in a segment that the ring drops."""
        # A start record alone has nothing of its own.
        for span in [parts[2] for parts in segment.entries() if not parts[0]]:
            if not span.ended and span.key not in self.entries:
                # It was counted with what the ring holds: from now on nothing bounds it but how many are open.
                span.forget_text()
                self.add(span)

    def forget_texts(self, recorder: Recorder) -> None:
        """Let every open span make its texts anew."""
        for key in list(self.entries):
            if (span := self.find(key)) is not None:
                span.forget_text()
        for span in _spans_within(recorder).values():
            span.forget_text()

    def start_records(self, span_ids: Iterable[str], recorder: Recorder) -> list[bytes]:
        """Return the start records of spans and of their ancestors, as far as kept: root first, each once."""
        lines: dict[bytes, bytes] = {}
        ended: dict[bytes, Span] | None = None
        for span_id in span_ids:
            key = span_id.encode("ascii", "replace")
            span = self.find(key)
            if span is None:
                ended = _spans_within(recorder) if ended is None else ended
                span = ended.get(key)
            path: list[Span] = []
            while span is not None and span.key not in lines:
                path.append(span)
                span = span.parent
            for each in reversed(path):
                # The time without its Z, which the site's text begins with.
                head = b'{"seq":%d,"timestamp":"%b' % (each.start_seq, timestamp(each.start_ns)[:-1])
                lines[each.key] = b"%b%b%b" % (head, each.site.start, each.text())
        return [*lines.values()]


def _spans_within(recorder: Recorder) -> dict[bytes, Span]:
    runs = recorder.runs(0, recorder.next_seq)
    return {parts[2].key: parts[2] for _, run in runs for parts in run}
