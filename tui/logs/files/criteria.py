"""Which lines of a block are asked for: bytes are looked at first, and only what may match is taken apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from protocol.filters import Filter
from protocol.records import OFF, TRACE
from tui.logs.facts import passes
from tui.logs.levels import level_name, level_number
from tui.logs.search import Query

__all__ = ("Criterion", "EveryLine", "FilterLines", "MatchingLines", "level_at", "line_end")

_MARK: Final = b'"level":'
# What stands behind the mark tells the level of nearly all lines; so much of it is looked up.
_SLICE: Final = 8
_SPELLED: Final = re.compile(rb'\s?(?:"([A-Za-z]{4,5})"|([0-9]{2})[,}\s])')
# Behind the mark there may be anything, so what was looked up must not pile up.
_REMEMBERED: Final = 4096
_levels: Final[dict[bytes, int]] = {}
_UNSURE: Final = -1


class Criterion(Protocol):
    """Something that a line meets or does not."""

    def starts(self, data: bytes, /) -> Iterator[int]:
        """Give where the lines of a block begin that meet it, in order."""

    def count(self, data: bytes, /) -> int:
        """Give how many lines of a block meet it."""

    def meets(self, line: bytes, /) -> bool:
        """Tell whether one line meets it."""


class EveryLine:
    """All lines."""

    def starts(self, data: bytes) -> Iterator[int]:
        """Give where each line begins."""
        start = 0
        while start >= 0:
            yield start
            start = data.find(b"\n", start) + 1 or -1

    def count(self, data: bytes) -> int:
        """Give the number of lines."""
        return data.count(b"\n") + 1

    def meets(self, line: bytes) -> bool:
        """Every line does."""
        return True


@dataclass(frozen=True)
class MatchingLines:
    """Lines that a search finds.

    Attributes:
        query: what is looked for.
        among: what lines must meet besides; the rarer of the two goes first, which is the text.
    """

    query: Query
    among: Criterion

    def starts(self, data: bytes) -> Iterator[int]:
        """Give where the lines begin that match."""
        for start in self.query.candidates(data):
            line = data[start : line_end(data, start)]
            if self.query.matches(line) and self.among.meets(line):
                yield start

    def count(self, data: bytes) -> int:
        """Give how many match."""
        return sum(1 for _ in self.starts(data))

    def meets(self, line: bytes) -> bool:
        """Tell whether a line matches."""
        return self.query.matches(line) and self.among.meets(line)


class FilterLines:
    """Lines that a filter lets pass.

    A level is read from the bytes where they leave no doubt; targets, and tests of fields, from the line taken apart.

    Args:
        filter: what passes; of spans it knows what is on the line itself.
    """

    def __init__(self, filter: Filter) -> None:
        self._filter = filter
        directives = [each for each in filter.directives if each.level != OFF]
        self._lowest = min((each.level for each in directives), default=OFF)
        self._by_level = all(not each.target and each.scope is None for each in filter.directives)
        # Where nothing passes but under a target, a line that passes has its name in it.
        self._targets = tuple(each.target.encode() for each in directives) if all(d.target for d in directives) else ()

    def starts(self, data: bytes) -> Iterator[int]:
        """Give where the lines begin that pass."""
        if self._lowest == OFF or not self._named_in(data):
            return
        if self._lowest == TRACE and self._by_level:
            yield from EveryLine().starts(data)
            return
        # What `level_at` does, written out: a call for each of ten million lines would cost as much as all else here.
        find, rfind, known = data.find, data.rfind, _levels.get
        lowest, sure = self._lowest, self._by_level
        start, size = 0, len(data)
        while start <= size:
            end = find(b"\n", start)
            if end < 0:
                end = size
            mark = find(_MARK, start, end)
            level = known(data[mark + 8 : mark + 16]) if mark >= 0 and rfind(b"{", start, mark) == start else None
            if level is None:
                if self.meets(data[start:end]):
                    yield start
            elif level >= lowest and (sure or self._meets(data[start:end])):
                yield start
            start = end + 1

    def count(self, data: bytes) -> int:
        """Give how many pass."""
        if self._lowest == TRACE and self._by_level:
            return EveryLine().count(data)
        return sum(1 for _ in self.starts(data))

    def meets(self, line: bytes) -> bool:
        """Tell whether a line passes."""
        level = level_at(line, 0, len(line))
        if level == _UNSURE or (level >= self._lowest and not self._by_level):
            return self._meets(line)
        return level >= self._lowest

    def _meets(self, line: bytes) -> bool:
        return self._named_in(line) and passes(self._filter, line)

    def _named_in(self, data: bytes) -> bool:
        # One character is found ten times as fast as the two of an escaped letter.
        return not self._targets or any(target in data for target in self._targets) or b"\\" in data


def level_at(data: bytes, start: int, end: int) -> int:
    """Give the level of the line there by its number, -1 where its bytes alone don't tell.

    A quote inside a JSON string is escaped, so `"level":` is a key; before any further brace it is the record's own.
    """
    mark = data.find(_MARK, start, end)
    if mark < 0 or data.rfind(b"{", start, mark) != start:
        return _UNSURE
    spelled = data[mark + len(_MARK) : mark + len(_MARK) + _SLICE]
    level = _levels.get(spelled)
    if level is None:
        level = _read_level(spelled)
        if level != _UNSURE:
            if len(_levels) >= _REMEMBERED:
                _levels.clear()
            _levels[spelled] = level
    return level


def line_end(data: bytes, start: int) -> int:
    """Give where the line ends that begins there."""
    end = data.find(b"\n", start)
    return len(data) if end < 0 else end


def _read_level(spelled: bytes) -> int:
    found = _SPELLED.match(spelled)
    if found is None:
        return _UNSURE
    level = level_number(level_name((found[1] or found[2]).decode()))
    return _UNSURE if level is None else level
