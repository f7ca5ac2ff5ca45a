"""Plays what is on the disk to one who follows the log, from where it was left off up to what the ring has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.store.blocks import BlockHead
from inspector.store.matching import Matcher, seq_of
from inspector.store.query import PageLines, make_query
from inspector.store.reading import BUDGET, BlockFile, Place, read_segment, segments_from
from inspector.store.segments import Segment
from inspector.store.store import Store
from protocol.filters import Filter

if TYPE_CHECKING:
    from inspector.tracing import Log

__all__ = ("Passage", "Playback")

# Lines of a passage are bounded by their bytes alone.
_ANY_NUMBER = 2**62


@dataclass(frozen=True, slots=True)
class Passage:
    """What was played: it speaks for every record of `first_seq` to `next_seq` (not included) of one run of the host.

    Attributes:
        host: the run's id.
        dropped: records between these numbers that are not kept.
    """

    host: str
    first_seq: int
    next_seq: int
    dropped: int
    lines: bytes


class Playback:
    """One reader of the disk. `read` may be called from any thread, one at a time.

    Args:
        log: what is followed in the end.
        store: what keeps it.
        host: the run that `after_seq` is a number of. Of one that nothing is kept of, everything kept came after.
        after_seq: go on behind this record.
        filter: what is wanted.
        actor: only what this actor said, by its address.

    Attributes:
        next_seq: where it begins, in the run that it begins with.
        missed: records behind `after_seq` that are not kept, as far as that run goes.
    """

    def __init__(self, log: Log, store: Store, host: str, after_seq: int, filter: Filter, actor: str | None) -> None:
        self._log = log
        self._store = store
        self._matcher = Matcher(make_query(filter, actor=actor, limit=_ANY_NUMBER))
        self._place, self.missed = self._begin(host, after_seq)
        self.next_seq = self._place.seq
        self._spoken = self._place.seq
        self._dropped = 0

    def _begin(self, host: str, after_seq: int) -> tuple[Place, int]:
        own = self._log.host_id
        segments = self._store.segments
        of_run = [each for each in segments if each.host == host]
        first, end = after_seq + 1, max((each.next_seq for each in of_run), default=0)
        if host == own:
            kept = min([each.first_seq for each in of_run] + [self._log.first_seq])
            # A number that was never given out comes from nowhere: it is not for us to wait until it comes.
            seq = min(max(first, kept), self._log.next_seq)
            return Place(0, own, seq), max(0, kept - first)
        if first < end:
            kept = of_run[0].first_seq
            return Place(of_run[0].number, host, max(first, kept)), max(0, kept - first)
        behind = [each for each in segments if not of_run or each.number > of_run[-1].number]
        return (Place(behind[0].number, behind[0].host, 1) if behind else Place(0, own, 1)), 0

    @property
    def seq(self) -> int | None:
        """The number in this run that the ring goes on with; None while there is more to be played."""
        place = self._place
        if place.host != self._log.host_id or self._log.first_seq > place.seq < self._store.written:
            return None
        return place.seq

    def read(self) -> Passage | None:
        """Return what comes next; None when nothing did that matches: ask again unless there is a `seq`."""
        lines = PageLines(_ANY_NUMBER)
        spent = 0
        for segment in segments_from(self._store.segments, self._place):
            if segment.host != self._place.host:
                # The run has ended. What it said last and nobody wanted is told by the next one's coming.
                if lines.lines or self._dropped:
                    return self._passage(lines)
                self._spoken = 1
                self._place = Place(segment.number, segment.host, 1)
            heads = read_segment(segment, self._log)
            if heads is None:
                self._dropped += segment.next_seq - self._place.seq
                self._place = Place(segment.number, segment.host, segment.next_seq)
                continue
            with BlockFile(segment, self._log) as file:
                for head in heads:
                    if head.next_seq <= self._place.seq:
                        continue
                    if self.seq is not None:
                        # The ring has the rest.
                        break
                    if spent > BUDGET:
                        return self._passage(lines) if lines.lines or self._dropped else None
                    if not self._play(segment, head, file, lines):
                        return self._passage(lines)
                    spent += head.size
        if lines.lines or self._dropped:
            return self._passage(lines)
        if self._place.host != self._log.host_id:
            self._spoken = 1
            self._place = Place(0, self._log.host_id, 1)
        return None

    def unspoken(self) -> Passage | None:
        """Return a passage for what was looked through and had nothing in it, where there is such a stretch before the
        ring's first record: the ring's own speak for nothing before it."""
        return None if self._spoken == self._place.seq else self._passage(PageLines(_ANY_NUMBER))

    def _play(self, segment: Segment, head: BlockHead, file: BlockFile, lines: PageLines) -> bool:
        """Take what matches out of a block, and go on behind it; False if not all of it has found room."""
        place = self._place
        missing = max(0, head.first_seq - place.seq)
        if self._matcher.may_lie_in(head):
            block = file.read(head)
            if block is None:
                missing += head.records
            else:
                for line in self._matcher.in_block(block):
                    seq = seq_of(line)
                    if seq >= place.seq and not lines.add(line):
                        self._dropped += missing
                        self._place = Place(segment.number, segment.host, seq)
                        return False
        self._dropped += missing + head.dropped
        self._place = Place(segment.number, segment.host, head.next_seq)
        return True

    def _passage(self, lines: PageLines) -> Passage:
        place = self._place
        passage = Passage(place.host, self._spoken, place.seq, self._dropped, lines.joined())
        self._spoken = place.seq
        self._dropped = 0
        return passage
