"""Which records a query asks for, of the ring's and of a block's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import orjson

from inspector.store.blocks import STAMP, Block, BlockHead, actor_key, trace_key
from inspector.store.query import Query
from inspector.store.segments import Segment
from inspector.tracing.decide import Judge
from protocol.records import OFF

if TYPE_CHECKING:
    from inspector.tracing.recorder import Entry

__all__ = ("Matcher", "seq_of")

_SEQ: Final = len(b'{"seq":')


def seq_of(line: bytes) -> int:
    """Return a record's number."""
    return int(line[_SEQ : line.index(b",", _SEQ)])


class Matcher:
    """Finds the records of one query. For one thread."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._judge = Judge(query.filter)
        self._trace = None if query.trace_id is None else trace_key(query.trace_id)
        self._actor = None if query.actor is None else actor_key(query.actor)
        lowest = min((directive.level for directive in query.filter.directives), default=OFF)
        self._levels = 0xFF & (0xFF << lowest)
        self._any_time = query.begin == b"" and query.end is None

    def in_ring(self, entry: Entry) -> bool:
        """Tell if a record of the ring is asked for."""
        line, site, span = entry
        query, judge = self._query, self._judge
        return (
            judge.rules[site] is not False
            and (query.actor is None or query.actor == span.actor)
            and (query.trace_id is None or query.trace_id == span.trace_id)
            and self._in_time(line)
            and (not judge.scoped or judge.of_line(site, span, line))
        )

    @property
    def key(self) -> bytes | None:
        """What the index of a block has that holds a record which is asked for, where one can say."""
        return self._trace or self._actor

    def may_lie_within(self, segment: Segment) -> bool:
        """Tell if a record that is asked for may be in a segment."""
        end = self._query.end
        return (
            segment.levels & self._levels != 0
            and self._query.begin <= segment.end
            and (end is None or segment.begin < end)
        )

    def may_lie_in(self, head: BlockHead) -> bool:
        """Tell if a record that is asked for may be in a block."""
        return head.may_hold(self._levels, self._trace, self._actor, self._query.begin, self._query.end)

    def in_block(self, block: Block) -> Iterator[bytes]:
        """Yield those lines of a block that are asked for."""
        query = self._query
        decisions = [query.filter.decide(level, target) for level, target in block.sites]
        wanted = [query.actor is None or query.actor == actor for actor, _ in block.contexts]
        if not any(decisions) or not any(wanted):
            return
        trace_id = query.trace_id
        needle = b"" if trace_id is None else b'"trace_id":"%b"' % trace_id.encode()
        for line, site, context in zip(block.lines, block.site_ids, block.context_ids, strict=True):
            decided = decisions[site]
            if decided is False or not wanted[context] or needle not in line or not self._in_time(line):
                continue
            if trace_id is not None or decided is not True:
                record = orjson.loads(line)
                # The bytes may also stand in a field of that name.
                if trace_id is not None and record["trace_id"] != trace_id:
                    continue
                if decided is not True and not self._passes(*block.sites[site], record, block.contexts[context][1]):
                    continue
            yield line

    def _in_time(self, line: bytes) -> bool:
        if self._any_time:
            return True
        query = self._query
        at = line.index(b'"timestamp":"') + 13
        # All are of one length and in UTC: in the order of their texts they are in the order of time.
        stamp = line[at : at + STAMP]
        return query.begin <= stamp and (query.end is None or stamp < query.end)

    def _passes(self, level: int, target: str, record: dict[str, Any], ancestors: list[dict[str, Any]]) -> bool:
        return self._query.filter.passes(level, target, record.get("fields", {}), [*ancestors, record["span"]])
