"""The syntax of patterns: a text to a tree of what it matches. `protocol.filters.pattern` says what is understood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

__all__ = (
    "Assertion",
    "Characters",
    "Choice",
    "PatternError",
    "Repeat",
    "Sequence",
    "Tree",
    "parse_pattern",
)

_MAX_DEPTH: Final = 50
_MAX_REPEAT: Final = 1000
_CATEGORIES: Final[dict[str, Callable[[str], bool]]] = {
    "d": str.isdecimal,
    "D": lambda character: not character.isdecimal(),
    "s": str.isspace,
    "S": lambda character: not character.isspace(),
    "w": lambda character: character.isalnum() or character == "_",
    "W": lambda character: not (character.isalnum() or character == "_"),
}
_CONTROLS: Final = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v"}


class PatternError(ValueError):
    """A pattern that is not understood; `position` is the character at fault, at most the text's length."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


@dataclass(frozen=True, slots=True)
class Characters:
    """One character of those that are listed, or none of them."""

    single: frozenset[str]
    ranges: tuple[tuple[str, str], ...] = ()
    categories: tuple[Callable[[str], bool], ...] = ()
    negated: bool = False
    any_case: bool = False

    def holds(self, character: str) -> bool:
        """Tell if it may be this character."""
        cases = {character, character.lower(), character.upper()} if self.any_case else {character}
        return any(map(self._lists, cases)) is not self.negated

    def _lists(self, character: str) -> bool:
        return (
            character in self.single
            or any(first <= character <= last for first, last in self.ranges)
            or any(category(character) for category in self.categories)
        )


@dataclass(frozen=True, slots=True)
class Assertion:
    """A place: `^`, `$`, `b` for the edge of a word, `B` for no edge of one."""

    kind: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """One part behind the other."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the parts."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A part, so many times; `most` is None where there is no bound."""

    part: Tree
    least: int
    most: int | None


Tree: TypeAlias = Characters | Assertion | Sequence | Choice | Repeat


def parse_pattern(text: str) -> Tree:
    """Parse a pattern.

    Raises:
        PatternError: it is not understood.
    """
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.any_case = False

    def parse(self) -> Tree:
        if self.text.startswith("(?i)"):
            self.any_case = True
            self.at = 4
        tree = self.choice()
        if self.at < len(self.text):
            raise PatternError("there is no '(' for this ')'", self.at)
        return tree

    def choice(self) -> Tree:
        parts = [self.sequence()]
        while self.peek() == "|":
            self.at += 1
            parts.append(self.sequence())
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def sequence(self) -> Tree:
        parts: list[Tree] = []
        while self.peek() not in ("", "|", ")"):
            place = self.peek() != "("
            part = self.part()
            bounds = self.bounds()
            if bounds is not None:
                if place and isinstance(part, Assertion):
                    raise PatternError("a place can't be repeated", self.at - 1)
                self.follow_bounds()
                part = Repeat(part, *bounds)
            parts.append(part)
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def bounds(self) -> tuple[int, int | None] | None:
        """Read how often the part before is wanted, if that is said."""
        character = self.peek()
        if character in ("*", "+", "?"):
            self.at += 1
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[character]
        end = self.text.find("}", self.at)
        if character != "{" or end < 0:
            return None
        least, comma, most = self.text[self.at + 1 : end].partition(",")
        if not all(each == "" or (each.isascii() and each.isdecimal()) for each in (least, most)) or least + most == "":
            # As `re` has it: braces that hold no number are themselves.
            return None
        if max(len(least), len(most)) > 4 or max(int(least or 0), int(most or 0)) > _MAX_REPEAT:
            raise PatternError(f"nothing is repeated more than {_MAX_REPEAT} times", self.at)
        low = int(least or 0)
        high = low if not comma else int(most) if most else None
        if high is not None and high < low:
            raise PatternError("the bounds are the wrong way round", self.at)
        self.at = end + 1
        return low, high

    def follow_bounds(self) -> None:
        if self.peek() == "?":
            # As few as will do, not as many: whether there is a match is the same.
            self.at += 1
        elif self.peek() == "+":
            raise PatternError("'+' behind another bound can't be matched in linear time", self.at)
        before = self.at
        if self.bounds() is not None:
            raise PatternError("a bound stands behind another", before)

    def part(self) -> Tree:
        character = self.text[self.at]
        if character == "(":
            return self.group()
        self.at += 1
        if character == "[":
            return self.characters()
        if character == "\\":
            return self.escape()
        if character == ".":
            return Characters(frozenset("\n"), negated=True)
        if character in "^$":
            return Assertion(character)
        if character in "*+?":
            raise PatternError(f"there is nothing for {character!r} to repeat", self.at - 1)
        return self.literal(character)

    def group(self) -> Tree:
        start = self.at
        self.at += 1
        if self.peek() == "?":
            if not self.text.startswith("?:", self.at):
                raise PatternError("of groups only ( ) and (?: ) are understood, and (?i) in front of all", start)
            self.at += 2
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise PatternError(f"groups lie more than {_MAX_DEPTH} deep", start)
        tree = self.choice()
        self.depth -= 1
        if self.peek() != ")":
            raise PatternError("a ')' is missing here", self.at)
        self.at += 1
        return tree

    def escape(self) -> Tree:
        character = self.peek()
        self.at += 1
        if character in _CATEGORIES:
            return Characters(frozenset(), categories=(_CATEGORIES[character],))
        if character in ("b", "B"):
            return Assertion(character)
        return self.literal(self.escaped(character))

    def escaped(self, character: str) -> str:
        """Return what a character behind a backslash stands for, if for one character."""
        if character in _CONTROLS:
            return _CONTROLS[character]
        if not character:
            raise PatternError("there is nothing behind the backslash", len(self.text))
        if character.isdecimal():
            raise PatternError("references to a group can't be matched in linear time", self.at - 2)
        if character.isalpha():
            raise PatternError(f"'\\{character}' is not understood", self.at - 2)
        return character

    def literal(self, character: str) -> Characters:
        return Characters(frozenset(character), any_case=self.any_case)

    def characters(self) -> Characters:
        negated = self.peek() == "^"
        self.at += negated
        single: set[str] = set()
        ranges: list[tuple[str, str]] = []
        categories: list[Callable[[str], bool]] = []
        first = self.at
        while self.peek() != "]" or self.at == first:
            one = self.one()
            if self.peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                begin = self.at
                self.at += 1
                last = self.one()
                if callable(one) or callable(last) or last < one:
                    raise PatternError("this is no range of characters", begin)
                ranges.append((one, last))
            elif callable(one):
                categories.append(one)
            else:
                single.add(one)
        self.at += 1
        return Characters(frozenset(single), tuple(ranges), tuple(categories), negated, self.any_case)

    def one(self) -> str | Callable[[str], bool]:
        """Read one member of a class: a character, or a category of them."""
        character = self.peek()
        if not character:
            raise PatternError("a ']' is missing here", self.at)
        self.at += 1
        if character != "\\":
            return character
        character = self.peek()
        self.at += 1
        return _CATEGORIES.get(character) or self.escaped(character)

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]
