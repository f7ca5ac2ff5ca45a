"""The one parser of log filters, and the decisions that a filter makes.

The grammar, of which this version takes the levels and the targets::

    filter    := directive ("," directive)*          blanks around anything are ignored
    directive := level | selector ["=" level]
    selector  := target [scope] | scope
    scope     := "[" [span] ["{" test ("," test)* "}"] "]"
    level     := off | error | warn | info | debug | trace | 0..5               any case
    target    := letters, digits, _ . -

A scope is refused where it stands. It reads as `RUST_LOG` does (0 is off, 5 is trace) except where that has
traps: a target matches whole dotted segments, and a word that is no level but was perhaps meant as one is
refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocol.filters.errors import FilterError
from protocol.records import DEBUG, ERROR, INFO, LEVEL_NAMES, OFF, TRACE, WARN, propose_level

__all__ = ("Directive", "Filter", "parse_filter")

_WORDS: Final = {"trace": TRACE, "debug": DEBUG, "info": INFO, "warn": WARN, "error": ERROR, "off": OFF}
_DIGITS: Final = {"0": OFF, "1": ERROR, "2": WARN, "3": INFO, "4": DEBUG, "5": TRACE}
_LEVELS: Final = _WORDS | _DIGITS
_NAMES: Final = (*(name.lower() for name in LEVEL_NAMES), "off")

# A filter remembers what it decided for this many targets, then forgets all: programs have some hundred
# targets, but a target made from data must not make a filter grow for ever.
_CACHE_SIZE: Final = 4096


@dataclass(frozen=True, slots=True)
class Directive:
    """One rule: records of `target` ("" is every one) and below it pass from `level` on; OFF lets none pass."""

    target: str
    level: int

    def __str__(self) -> str:
        name = _NAMES[self.level]
        return f"{self.target}={name}" if self.target else name


class Filter:
    """A parsed filter: immutable, compared by what it says, good for any number of readers and threads."""

    __slots__ = ("_cache", "_levels", "directives")

    def __init__(self, directives: tuple[Directive, ...]) -> None:
        """Take directives in any order; of equal selectors the last one counts."""
        self._levels = {directive.target: directive.level for directive in directives}
        self.directives: Final = tuple(Directive(target, level) for target, level in sorted(self._levels.items()))
        self._cache: dict[str, int] = {}

    def level_for(self, target: str) -> int:
        """Return the lowest level that passes for a target; OFF when none does."""
        level = self._cache.get(target)
        if level is None:
            level = self._decide(target)
            if len(self._cache) >= _CACHE_SIZE:
                self._cache.clear()
            self._cache[target] = level
        return level

    def _decide(self, target: str) -> int:
        levels = self._levels
        selector = target
        while selector:
            if selector in levels:
                return levels[selector]
            selector = selector.rpartition(".")[0]
        return levels.get("", OFF)

    def enabled(self, level: int, target: str) -> bool:
        """Tell if a record of this level and target passes."""
        return level >= self.level_for(target)

    @property
    def lowest_level(self) -> int:
        """The lowest level that passes for any target: nothing below it is ever of use; OFF when nothing is."""
        return min((directive.level for directive in self.directives), default=OFF)

    def __str__(self) -> str:
        return ",".join(map(str, self.directives))

    def __repr__(self) -> str:
        return f"<Filter {self}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Filter) and self.directives == other.directives

    def __hash__(self) -> int:
        return hash(self.directives)


def parse_filter(text: str) -> Filter:
    """Parse a filter.

    Raises:
        FilterError: it does not parse; nothing of it counts then.
    """
    return Filter(tuple(_Parser(text).directives()))


class _Parser:
    """A scanner with one character of look-ahead; positions are characters of the text as given."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def directives(self) -> list[Directive]:
        found = [self.directive()]
        while self.peek() == ",":
            self.at += 1
            found.append(self.directive())
        # A directive ends at a comma or at the end: nothing is left.
        return found

    def directive(self) -> Directive:
        self.blanks()
        start = self.at
        word = self.word()
        if not word:
            if self.peek() == "[":
                raise self.scope()
            if self.peek() in (",", ""):
                raise FilterError("a directive is missing here", self.at)
            raise self.unexpected()
        self.blanks()
        if self.peek() == "[":
            raise self.scope()
        if self.peek() == "=":
            self.at += 1
            self.target(word, start)
            return Directive(word, self.level(word))
        if self.peek() not in (",", ""):
            raise self.unexpected()
        level = _LEVELS.get(word.lower())
        if level is not None:
            return Directive("", level)
        if word.isdecimal():
            raise FilterError(f"level {word} does not exist, levels are 0 (off) to 5 (trace)", start, "5")
        proposal = propose_level(word)
        if proposal is not None:
            raise FilterError(
                f"{word!r} is not a level (for a target of that name write {word}=trace)", start, proposal
            )
        self.target(word, start)
        return Directive(word, TRACE)

    def level(self, target: str) -> int:
        self.blanks()
        start = self.at
        word = self.word()
        if not word:
            if self.peek() in (",", ""):
                raise FilterError("a level is missing here", self.at)
            raise self.unexpected()
        level = _LEVELS.get(word.lower())
        if level is None:
            if word.isdecimal():
                raise FilterError(f"level {word} does not exist, levels are 0 (off) to 5 (trace)", start, "5")
            if target.lower() in _LEVELS:
                raise FilterError(
                    f"{word!r} is not a level; a target stands before its level", start, f"{word}={target}"
                )
            raise FilterError(f"{word!r} is not a level", start, propose_level(word))
        self.blanks()
        if self.peek() not in (",", ""):
            raise self.unexpected()
        return level

    def target(self, word: str, start: int) -> None:
        """Refuse a target with an empty segment: nothing could ever match it."""
        at = 0
        for segment in word.split("."):
            if not segment:
                proposal = ".".join(filter(None, word.split("."))) or None
                raise FilterError(f"{word!r} has an empty segment", start + min(at, len(word) - 1), proposal)
            at += len(segment) + 1

    def scope(self) -> FilterError:
        return FilterError("span scopes in [ ] are not understood by this version", self.at)

    def unexpected(self) -> FilterError:
        character = self.text[self.at]
        if self.text.startswith("::", self.at):
            return FilterError("segments of a target are joined by a dot", self.at, ".")
        return FilterError(f"unexpected {character!r}", self.at)

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def blanks(self) -> None:
        while self.peek().isspace():
            self.at += 1

    def word(self) -> str:
        start = self.at
        while (character := self.peek()).isalnum() or (character and character in "_.-"):
            self.at += 1
        return self.text[start : self.at]
