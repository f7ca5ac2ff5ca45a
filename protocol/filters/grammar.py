"""The one parser of log filters.

The grammar::

    filter    := directive ("," directive)*          blanks around anything are ignored
    directive := level | selector ["=" level]
    selector  := target [scope] | scope
    scope     := "[" [span] ["{" test ("," test)* "}"] "]"
    test      := field [("=" | "!=" | "<" | "<=" | ">" | ">=" | "~") value]     ~ is a regular expression
    level     := off | error | warn | info | debug | trace | 0..5               any case
    value     := bare word | "quoted, with \\" and \\\\ escapes"
    target, span, field := letters, digits, _ . -

It reads as `RUST_LOG` does (0 is off, 5 is trace) except where that has traps: a target matches whole dotted segments,
a word that is no level but was perhaps meant as one is refused, and so is a level right before a scope, where a comma
was forgotten. A bare word has no blanks and none of ``, " { } [ ]``.
"""

from __future__ import annotations

from typing import Final, NoReturn

from protocol.filters.errors import FilterError
from protocol.filters.fields import FieldTest, Operator, is_bare
from protocol.filters.model import Directive, Filter, Scope
from protocol.filters.pattern import PatternError
from protocol.records import DEBUG, ERROR, INFO, OFF, TRACE, WARN, propose_level

__all__ = ("MAX_LENGTH", "MAX_PATTERNS", "parse_filter")

MAX_LENGTH: Final = 4096
"""Characters of a filter."""
MAX_PATTERNS: Final = 1000
"""Nodes of all regular expressions of a filter together: a record may have to be searched for each of them."""

_WORDS: Final = {"trace": TRACE, "debug": DEBUG, "info": INFO, "warn": WARN, "error": ERROR, "off": OFF}
_DIGITS: Final = {"0": OFF, "1": ERROR, "2": WARN, "3": INFO, "4": DEBUG, "5": TRACE}
_LEVELS: Final = _WORDS | _DIGITS

_OPERATORS: Final[tuple[Operator, ...]] = ("!=", "<=", ">=", "=", "<", ">", "~")
# What other languages say, and what is said here. The longer ones first.
_FOREIGN: Final = {
    "===": "=",
    "!==": "!=",
    "==": "=",
    "=~": "~",
    "~=": "~",
    "=>": ">=",
    "=<": "<=",
    "<>": "!=",
    "!~": None,
    ":": "=",
}


def parse_filter(text: str) -> Filter:
    """Parse a filter.

    Raises:
        FilterError: it does not parse; nothing of it counts then.
    """
    if len(text) > MAX_LENGTH:
        raise FilterError(f"a filter has at most {MAX_LENGTH} characters", MAX_LENGTH)
    return Filter(_Parser(text).directives())


class _Parser:
    """A scanner with one character of look-ahead; positions are characters of the text as given."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.patterns = 0

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
        if not word and self.peek() != "[":
            self.missing("a directive")
        self.blanks()
        if self.peek() == "[":
            if word.lower() in _LEVELS:
                raise FilterError(f"{word!r} is a level, and a comma is missing behind it", self.at, ",[")
            if word:
                self.target(word, start)
            return self.scoped(word, start)
        if self.peek() == "=":
            self.at += 1
            self.target(word, start)
            return Directive(word, self.level(word))
        self.end()
        level = _LEVELS.get(word.lower())
        if level is not None:
            return Directive("", level)
        if word.isdecimal():
            raise FilterError(f"level {word} does not exist, levels are 0 (off) to 5 (trace)", start, "5")
        self.no_level(word, start, f"{word}=trace")
        self.target(word, start)
        return Directive(word, TRACE)

    def scoped(self, target: str, start: int) -> Directive:
        scope = self.scope()
        self.blanks()
        if self.peek() == "=":
            self.at += 1
            return Directive(target, self.level(target), scope)
        behind = self.at
        if self.word():
            raise FilterError("a '=' is missing here", behind, "=")
        self.end()
        self.no_level(target, start, f"{target}{scope}=trace")
        return Directive(target, TRACE, scope)

    def scope(self) -> Scope:
        self.at += 1
        self.blanks()
        span = self.word()
        self.blanks()
        tests: list[FieldTest] = []
        if self.peek() == "{":
            self.at += 1
            tests.append(self.test())
            while self.peek() == ",":
                self.at += 1
                tests.append(self.test())
            self.close("}")
            self.blanks()
        self.close("]")
        return Scope(span, tuple(tests))

    def test(self) -> FieldTest:
        self.blanks()
        field = self.word()
        if not field:
            self.missing("a field")
        self.blanks()
        operator = self.operator()
        if not operator:
            return FieldTest(field)
        self.blanks()
        value, places = self.value()
        self.blanks()
        if self.peek() and self.peek() not in ",}]":
            self.after_value()
        try:
            found = FieldTest(field, operator, value)
        except PatternError as error:
            raise FilterError(f"{error.message} (in a regular expression)", places[error.position]) from None
        self.patterns += found.size
        if self.patterns > MAX_PATTERNS:
            raise FilterError("the regular expressions of a filter are too large together", places[0])
        return found

    def operator(self) -> Operator:
        for foreign, ours in _FOREIGN.items():
            if self.text.startswith(foreign, self.at):
                raise FilterError(f"{foreign!r} is no comparison", self.at, ours)
        for each in _OPERATORS:
            if self.text.startswith(each, self.at):
                self.at += len(each)
                return each
        if self.peek() == "!":
            raise FilterError("'!' is no comparison", self.at, "!=")
        return ""

    def value(self) -> tuple[str, list[int]]:
        """Read a value; return with it where each of its characters stands, and its end."""
        if self.peek() == '"':
            return self.quoted()
        start = self.at
        while self.peek() and is_bare(self.text[start : self.at + 1]):
            self.at += 1
        if self.at == start:
            if self.peek() == "'":
                raise FilterError("a value is quoted by double quotes", self.at, '"')
            self.missing("a value")
        return self.text[start : self.at], [*range(start, self.at + 1)]

    def quoted(self) -> tuple[str, list[int]]:
        start = self.at
        self.at += 1
        characters: list[str] = []
        places: list[int] = []
        while self.peek() != '"':
            if not self.peek():
                raise FilterError(f"the value that begins at {start} has no closing quote", self.at, '"')
            places.append(self.at)
            # Any other backslash is itself, so that a regular expression needs no two.
            self.at += self.text.startswith(('\\"', "\\\\"), self.at)
            characters.append(self.peek())
            self.at += 1
        places.append(self.at)
        self.at += 1
        return "".join(characters), places

    def after_value(self) -> NoReturn:
        character = self.peek()
        if character in '"{[' and not self.text[self.at - 1].isspace():
            raise FilterError(f"a value with {character!r} in it stands in double quotes", self.at, '"')
        raise FilterError("a comma is missing here", self.at, ",")

    def level(self, target: str) -> int:
        self.blanks()
        start = self.at
        word = self.word()
        if not word:
            self.missing("a level")
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
        self.end()
        return level

    def no_level(self, word: str, start: int, explicit: str) -> None:
        """Refuse a target that was perhaps meant as a level, where nothing says that it was not."""
        proposal = propose_level(word) if word else None
        if proposal is not None:
            raise FilterError(f"{word!r} is not a level (for a target of that name write {explicit})", start, proposal)

    def target(self, word: str, start: int) -> None:
        """Refuse a target with an empty segment: nothing could ever match it."""
        at = 0
        for segment in word.split("."):
            if not segment:
                proposal = ".".join(filter(None, word.split("."))) or None
                raise FilterError(f"{word!r} has an empty segment", start + min(at, len(word) - 1), proposal)
            at += len(segment) + 1

    def close(self, bracket: str) -> None:
        if self.peek() != bracket:
            if self.peek() in ("", "=", ",", "]"):
                raise FilterError(f"a {bracket!r} is missing here", self.at, bracket)
            self.unexpected()
        self.at += 1

    def missing(self, what: str) -> NoReturn:
        if self.peek() in ("", ",", "}", "]"):
            raise FilterError(f"{what} is missing here", self.at)
        self.unexpected()

    def end(self) -> None:
        """Refuse anything but the end of a directive."""
        if self.peek() not in (",", ""):
            self.unexpected()

    def unexpected(self) -> NoReturn:
        character = self.peek()
        if self.text.startswith("::", self.at):
            raise FilterError("segments of a target are joined by a dot", self.at, ".")
        if character == "{":
            raise FilterError("tests stand in the brackets of a scope", self.at, "[{")
        raise FilterError(f"unexpected {character!r}", self.at)

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
