"""Find rows by what they show, a little at a time.

A literal is looked for in the raw bytes of whole blocks first, which is fast and finds too much: keys, ids
and what JSON escapes are in the bytes and not on the screen. So each line found is a candidate, and only
parsing it decides. All work is done in steps of a few milliseconds; who asked may rest between two of them,
or never take the next.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from protocol.filters.pattern import PatternError
from protocol.filters.syntax import Characters, Repeat, Sequence, Tree, parse_pattern
from tui.logs.row import parse_row
from tui.logs.store import Block, Records

__all__ = (
    "BadQuery",
    "Found",
    "LevelQuery",
    "Query",
    "Searching",
    "SpanQuery",
    "TextQuery",
    "parse_query",
    "search",
    "span_of",
)

# A candidate costs some ten microseconds: this many are a step.
_CANDIDATES_A_STEP: Final = 200
# A backtracking regular expression cannot be interrupted, so what it may look at is bounded instead.
_REGEX_TEXT: Final = 4_096
_REGEX_CANDIDATES_A_STEP: Final = 50
# Beyond what a row shows: a value that a row cuts is found all the same.
_SEARCHED: Final = 64 << 10
_WORD: Final = re.compile(r"[A-Za-z0-9_]+")
# A row writes these itself (`3.1 ms` of 3100000): they need not be in the bytes.
_DERIVED: Final = re.compile(r"[0-9]{1,3}|[0-9]*[hmns][0-9hmns]*|bytes")
# How others than we spell a level, so that a row shows a word which is not in the bytes.
_SPELLED_SO: Final = {
    b"trace": (b'l":10', b'l": 10', b"verbose", b"finest", b"finer", b"silly"),
    b"debug": (b'l":20', b'l": 20', b"dbg", b"fine"),
    b"info": (b'l":30', b'l": 30', b"notice"),
    b"warn": (b'l":40', b'l": 40'),
    b"error": (
        *(b'l":50', b'l": 50', b'l":60', b'l": 60'),
        *(b"err", b"crit", b"fatal", b"severe", b"panic", b"alert", b"emerg", b"exception"),
    ),
}
_NUMBERED_TIME: Final = (b'e":1', b'e": 1', b's":1', b's": 1', b'p":1', b'p": 1', b"e=1", b"s=1", b"p=1")
# Any letter may be written as \uXXXX in JSON: a line that does so is always a candidate.
_ESCAPE: Final = b"\\u"


class BadQuery(ValueError):
    """A search that cannot be read.

    Args:
        message: what is wrong.
        position: the character of the query where, from 0.
    """

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


class Query(Protocol):
    """What a search looks for."""

    @property
    def step(self) -> int:
        """How many candidates may be checked in one step."""

    def candidates(self, data: bytes) -> Iterator[int]:
        """Give the offsets in a block's bytes of the lines that may match, in order."""

    def matches(self, line: bytes) -> bool:
        """Tell whether a line really matches."""


@dataclass(frozen=True, slots=True)
class TextQuery:
    """A literal or a regular expression, looked for in the text that a row shows.

    Attributes:
        source: the query as it was written.
        pattern: what must be in the row's text; it marks the matches on the screen too.
        words: ASCII words that the bytes of a matching line hold, each with what may stand there in its place; none
            if nothing is sure. In lower case unless `exact`.
        exact: whether case counts.
        regex: whether it was written as one.
        step: how many candidates may be checked in one step.
    """

    source: str
    pattern: re.Pattern[str]
    words: tuple[tuple[bytes, ...], ...] = ()
    exact: bool = False
    regex: bool = False
    step: int = _CANDIDATES_A_STEP

    def candidates(self, data: bytes) -> Iterator[int]:
        """Give the offsets of the lines that hold every word."""
        if not self.words:
            return _line_starts(data)
        lowered = data if self.exact else data.lower()
        starts = _lines_with(lowered, self.words[0])
        return (start for start in starts if self._may_match(lowered, start))

    def matches(self, line: bytes) -> bool:
        """Tell whether the text that the line shows matches."""
        text = parse_row(line, _SEARCHED, _SEARCHED).text
        return self.pattern.search(text, 0, _REGEX_TEXT if self.regex else len(text)) is not None

    def _may_match(self, data: bytes, start: int) -> bool:
        end = _line_end(data, start)
        if data.find(_ESCAPE, start, end) >= 0:
            return True
        return all(any(data.find(word, start, end) >= 0 for word in each) for each in self.words)


@dataclass(frozen=True, slots=True)
class LevelQuery:
    """Records of one level.

    Attributes:
        level: as the record spells it, in upper case.
        step: how many candidates may be checked in one step.
    """

    level: str
    step: int = _CANDIDATES_A_STEP

    def candidates(self, data: bytes) -> Iterator[int]:
        """Give the offsets of the lines that name the level in any way."""
        word = self.level.lower().encode()
        return _lines_with(data.lower(), (word, *_SPELLED_SO.get(word, ())))

    def matches(self, line: bytes) -> bool:
        """Tell whether the record is of the level."""
        return parse_row(line).level == self.level


@dataclass(frozen=True, slots=True)
class SpanQuery:
    """Records of one span, or said in it.

    Attributes:
        span_id: as the records have it.
        step: how many candidates may be checked in one step.
    """

    span_id: str
    step: int = _CANDIDATES_A_STEP

    def candidates(self, data: bytes) -> Iterator[int]:
        """Give the offsets of the lines that hold the id."""
        return _lines_with(data, (self.span_id.encode(),))

    def matches(self, line: bytes) -> bool:
        """Tell whether the record is the span's."""
        return span_of(line) == self.span_id


class _Spanned(msgspec.Struct):
    span_id: str


def span_of(line: bytes) -> str | None:
    """Give the span that a record is of or was said in; None for a line that is no record."""
    try:
        return msgspec.json.decode(line, type=_Spanned).span_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


@dataclass(frozen=True, slots=True)
class Searching:
    """A step that found nothing yet; the search has come to this row."""

    row: int


@dataclass(frozen=True, slots=True)
class Found:
    """The end of a search that found something.

    Attributes:
        row: the nearest row that matches.
        wrapped: whether the search came round an end of the store to it.
    """

    row: int
    wrapped: bool


def parse_query(text: str) -> TextQuery:
    """Read what a person typed: a literal, or a regular expression between slashes.

    Case is ignored as long as the query has no upper-case letter. A blank stands for any number of them.

    Raises:
        BadQuery: it is empty, or no regular expression.
    """
    if len(text) > 2 and text.startswith("/") and text.endswith("/"):
        expression = text[1:-1]
        # The capital of an escape such as \S is no capital that somebody looks for.
        flags = re.IGNORECASE if (bare := re.sub(r"\\.", "", expression)) == bare.lower() else re.NOFLAG
        try:
            pattern = re.compile(expression, flags)
        except (re.error, RecursionError, OverflowError) as error:
            position = getattr(error, "pos", None)
            raise BadQuery(getattr(error, "msg", None) or str(error), 1 + (position or 0)) from None
        exact = not pattern.flags & re.IGNORECASE
        words = _words(_literals(expression), exact)
        return TextQuery(text, pattern, words, exact, regex=True, step=_REGEX_CANDIDATES_A_STEP)
    if not text.strip():
        raise BadQuery("nothing to search for", 0)
    flags = re.IGNORECASE if text == text.lower() else re.NOFLAG
    pattern = re.compile(" +".join(map(re.escape, re.split(" +", text))), flags)
    return TextQuery(text, pattern, _words([text], exact=not flags), exact=not flags)


def search(records: Records, query: Query, start: int, *, forward: bool = True) -> Iterator[Searching | Found]:
    """Look for the nearest row that matches, from `start` on, then from the other end up to it.

    Args:
        records: what to search; it may grow and lose rows between two steps.
        query: what to look for.
        start: the first row to look at.
        forward: towards newer rows.

    Yields:
        `Searching` after each step; at last `Found`, or nothing more when no row matches.
    """
    first, end = records.first_row, records.end_row
    start = min(max(start, first), max(first, end - 1))
    legs = ((start, end), (first, start)) if forward else ((first, start + 1), (start + 1, end))
    for wrapped, (low, high) in enumerate(legs):
        for found in _leg(records, query, low, high, forward=forward):
            if isinstance(found, Found):
                yield Found(found.row, bool(wrapped))
                return
            yield found


def _leg(records: Records, query: Query, low: int, high: int, *, forward: bool) -> Iterator[Searching | Found]:
    """Look through the rows from `low` up to `high`, from the one end or the other."""
    row = low if forward else high - 1
    while True:
        # What was dropped meanwhile is passed over.
        row = max(row, records.first_row) if forward else row
        if not low <= row < high or (block := records.block_at(row)) is None:
            return
        rows = _candidate_rows(query, block, low, high)
        for checked, (number, line) in enumerate(rows if forward else reversed(list(rows)), 1):
            if query.matches(line):
                yield Found(number, wrapped=False)
                return
            if checked % query.step == 0:
                yield Searching(number)
        row = block.end_row if forward else block.first_row - 1
        yield Searching(row)


def _candidate_rows(query: Query, block: Block, low: int, high: int) -> Iterator[tuple[int, bytes]]:
    data, row, counted = block.data, block.first_row, 0
    for start in query.candidates(data):
        row += data.count(b"\n", counted, start)
        counted = start
        if row >= high:
            return
        if row >= low:
            yield row, data[start : _line_end(data, start)]


def _lines_with(data: bytes, words: Iterable[bytes]) -> Iterator[int]:
    """Give the start of each line that has one of the words in it, or may have it escaped, once, in order."""
    # One character is found ten times as fast as two, and most blocks have no escape at all.
    if b"\\" in data:
        words = (*words, _ESCAPE)
    nearest = {word: data.find(word) for word in words}
    while found := [place for place in nearest.values() if place >= 0]:
        place = min(found)
        start, end = data.rfind(b"\n", 0, place) + 1, _line_end(data, place)
        yield start
        for word, last in nearest.items():
            if 0 <= last < end:
                nearest[word] = data.find(word, end)


def _line_starts(data: bytes) -> Iterator[int]:
    start = 0
    while start >= 0:
        yield start
        start = data.find(b"\n", start) + 1 or -1


def _line_end(data: bytes, place: int) -> int:
    end = data.find(b"\n", place)
    return len(data) if end < 0 else end


def _words(texts: Iterable[str], exact: bool) -> tuple[tuple[bytes, ...], ...]:
    # A character that a row replaced by its code point in angle quotes is in the bytes as itself. Who looks for one
    # types a bracket: bare hexadecimal digits are far more often a number, whose search has to be fast.
    if any("⟨" in text or "⟩" in text for text in texts):
        return ()
    found = {word for text in texts for word in _WORD.findall(text) if not _DERIVED.fullmatch(word.lower())}
    words = found if exact else {word.lower() for word in found}
    ordered = sorted(words, key=lambda word: (-len(word), word))
    return tuple((word.encode(), *_instead_of(word.lower(), exact)) for word in ordered)


def _instead_of(word: str, exact: bool) -> Iterator[bytes]:
    """Give what a line may have where its row shows the word: a level by its number, a time since 1970."""
    for name, spelled in _SPELLED_SO.items():
        if word.encode() in name:
            yield from (name, *spelled)
            if exact:
                yield from (each.upper() for each in spelled)
    if 4 <= len(word) <= 6 and word.isdigit():
        yield from _NUMBERED_TIME


def _literals(expression: str) -> list[str]:
    """Give texts that whatever matches a regular expression has in it."""
    try:
        tree = parse_pattern(expression)
    except PatternError:
        return []
    found = [""]
    _gather(tree, found)
    return [text for text in found if text]


def _gather(tree: Tree, found: list[str]) -> None:
    """Put the literals of a part behind those that were found; one goes on as long as nothing comes between."""
    if isinstance(tree, Characters) and len(tree.single) == 1 and not (tree.ranges or tree.categories or tree.negated):
        found[-1] += next(iter(tree.single))
    elif isinstance(tree, Sequence):
        for part in tree.parts:
            _gather(part, found)
    else:
        found.append("")
        if isinstance(tree, Repeat) and tree.least > 0:
            _gather(tree.part, found)
            found.append("")
