"""Spans that have not ended, and start records of these and of whatever the ring still speaks of."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from inspector.tracing.timestamps import timestamp

if TYPE_CHECKING:
    from inspector.tracing.recorder import Recorder
    from inspector.tracing.spans import Span

__all__ = ("OpenSpans",)

# Open spans beyond which those are looked for that were lost without an end.
_SWEEP: Final = 4096


class OpenSpans:
    """The spans of a log by their keys.

    Attributes:
        references: weak, for whoever works in a span holds it: one that was never ended must not stay for ever.
        sweep_at: at so many references `sweep` is due.
    """

    __slots__ = ("references", "sweep_at")

    def __init__(self) -> None:
        self.references: dict[bytes, weakref.ref[Span]] = {}
        self.sweep_at = _SWEEP

    def sweep(self) -> None:
        """Forget spans that were lost without an end; due again when there are twice as many as are left."""
        for key, reference in list(self.references.items()):
            if reference() is None:
                self.references.pop(key, None)
        self.sweep_at = max(_SWEEP, 2 * len(self.references))

    def forget_texts(self) -> None:
        """Let every open span make its texts anew."""
        for reference in list(self.references.values()):
            span = reference()
            if span is not None:
                span.forget_text()

    def start_records(self, span_ids: Iterable[str], recorder: Recorder) -> list[bytes]:
        """Return the start records of spans and of their ancestors, as far as kept: root first, each once."""
        lines: dict[bytes, bytes] = {}
        ended: dict[bytes, Span] | None = None
        for span_id in span_ids:
            key = span_id.encode("ascii", "replace")
            reference = self.references.get(key)
            span = None if reference is None else reference()
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
