"""A trace as a waterfall: its spans as a tree in time, one row each."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from tui.logs.row import format_duration
from tui.model.spans import Span, Trace

__all__ = ("STATUS_SIGNS", "Row", "bar", "lay_out", "write_length")


STATUS_SIGNS: Final = {"open": "…", "ok": "✓", "error": "✗", "cancelled": "⊘", "lost": "?"}
"""How a span stands, in one cell: it can be read without colour."""

_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_MAX_DEPTH: Final = 400


@dataclass(frozen=True, slots=True)
class Row:
    """One span's row.

    Attributes:
        span: the span.
        depth: how many spans are around it.
        children: how many spans are directly inside it.
        folded: whether these are out of sight.
        orphan: whether it has a parent that never came.
    """

    span: Span
    depth: int
    children: int
    folded: bool
    orphan: bool


def lay_out(trace: Trace, folded: Collection[str] = ()) -> list[Row]:
    """Give a row for each span in sight: parents before their children, these by their start.

    Args:
        trace: what is laid out.
        folded: ids of spans whose insides are out of sight.
    """
    inside: dict[str, list[Span]] = {}
    roots: list[Span] = []
    for span in trace.spans.values():
        if span.parent_id is None or span.parent_id not in trace.spans:
            roots.append(span)
        else:
            inside.setdefault(span.parent_id, []).append(span)
    # What comes last is taken first; of equals the first to come shall be.
    for spans in (*inside.values(), roots):
        spans.sort(key=_start)
        spans.reverse()
    rows: list[Row] = []
    waiting = [(span, 0) for span in _circles(trace, roots, inside) + roots]
    seen: set[str] = set()
    while waiting:
        span, depth = waiting.pop()
        if span.id in seen:
            continue
        seen.add(span.id)
        children = inside.get(span.id, [])
        hidden = span.id in folded and bool(children)
        rows.append(Row(span, depth, len(children), hidden, depth == 0 and span.parent_id is not None))
        if not hidden:
            waiting += [(child, min(depth + 1, _MAX_DEPTH)) for child in children]
    return rows


def _start(span: Span) -> int:
    return span.start


def _circles(trace: Trace, roots: list[Span], inside: dict[str, list[Span]]) -> list[Span]:
    """Give one span of each circle: a hostile host may say that spans are inside one another, where no root leads."""
    reached: set[str] = set()

    def reach(span: Span) -> None:
        waiting = [span]
        while waiting:
            each = waiting.pop()
            if each.id not in reached:
                reached.add(each.id)
                waiting += inside.get(each.id, [])

    for span in roots:
        reach(span)
    found: list[Span] = []
    if len(reached) < len(trace.spans):
        for span in sorted(trace.spans.values(), key=_start):
            if span.id not in reached:
                found.append(span)
                reach(span)
    return found


def bar(start: int, end: int, first: int, last: int, width: int) -> tuple[int, str]:
    """Draw the time from `start` to `end` on `width` cells that stand for the time from `first` to `last`.

    Returns:
        the cells before the bar, and the bar: at least one cell, in eighths of a cell at its end.
    """
    whole = max(1, last - first)
    # In eighths, whole numbers: nanoseconds since 1970 are past what a float holds exactly.
    left = max(0, min((start - first) * width * 8 // whole, width * 8 - 1)) // 8 * 8
    right = max(left + 1, min(-(-(end - first) * width * 8 // whole), width * 8))
    full, part = divmod(right - left, 8)
    return left // 8, "█" * full + (_EIGHTHS[part] if part else "")


def write_length(span: Span, now: int) -> str:
    """Write how long a span took; a lost one has no length that anybody knows."""
    return "" if span.status == "lost" else format_duration(span.length(now))
