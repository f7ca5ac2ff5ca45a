"""How a sink is spelt: its place, and its options behind commas.

::

    sinks  := sink (blank+ sink)*
    sink   := place ("," option)*
    place  := stdout | stderr | "file:" value | otlp [":" value]
    option := name ["=" value]               a name alone is yes
    value  := bare | "quoted, with \\" and \\\\"
    bare   := one or more characters, none of them a blank, a comma, " or \\

So a value with a comma or a blank in it, a filter of several directives for instance, stands in quotes.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

__all__ = ("SinkError", "Spelling", "Value", "parse_flag", "parse_sink", "parse_size", "split_sinks")

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_BARE: Final = re.compile(r'[^\s,"\\]+')
_BLANKS: Final = re.compile(r"\s*")

_NUMBER: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)")
_SIZES: Final = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
}
_FLAGS: Final = {"": True, "yes": True, "true": True, "on": True, "1": True} | dict.fromkeys(
    ("no", "false", "off", "0"), False
)

Meaning = TypeVar("Meaning")


class SinkError(ValueError):
    """A sink that can't be had as it is spelt.

    Attributes:
        message: what is wrong, in a sentence.
        position: the character at fault, counted from 0; the text's length when something is missing at its end.
        proposal: what was perhaps meant in place of the word there, None if nothing comes near.
    """

    def __init__(self, message: str, position: int = 0, proposal: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.position = position
        self.proposal = proposal

    def __str__(self) -> str:
        hint = f"; did you mean {self.proposal!r}?" if self.proposal is not None else ""
        return f"{self.message} (at character {self.position}){hint}"


@dataclass(frozen=True, slots=True)
class Value:
    """A value, and where in the spelling each of its characters stands; the last place is that of its end."""

    text: str
    places: tuple[int, ...]

    def read(self, parse: Callable[[str], Meaning]) -> Meaning:
        """Return what the value means.

        Args:
            parse: raises ValueError, whose `position` and `proposal` are taken over if it has them.

        Raises:
            SinkError: it means nothing.
        """
        try:
            return parse(self.text)
        except ValueError as error:
            at: int = getattr(error, "position", 0)
            proposal: str | None = getattr(error, "proposal", None)
            message: str = getattr(error, "message", str(error))
            raise SinkError(message, self.places[min(at, len(self.text))], proposal) from error


@dataclass(frozen=True, slots=True)
class Spelling:
    """A sink as it is spelt.

    Attributes:
        kind: the word that its place begins with.
        place: what stands behind the colon, None without.
        options: by their names, each once.
        starts: where each option's name stands.
    """

    kind: str
    place: Value | None
    options: dict[str, Value]
    starts: dict[str, int]

    def check(self, known: Iterable[str]) -> None:
        """Refuse an option that this kind of sink has not.

        Raises:
            SinkError: there is one.
        """
        names = tuple(known)
        for name, start in self.starts.items():
            if name not in names:
                raise _unknown(name, start, self.kind, names)


def parse_sink(text: str) -> Spelling:
    """Read one sink.

    Raises:
        SinkError: it does not parse.
    """
    parser = _Parser(text)
    parser.blanks()
    spelling = parser.sink()
    parser.blanks()
    if parser.at < len(text):
        raise SinkError("a comma belongs before an option, and a value with a blank in it into quotes", parser.at)
    return spelling


def split_sinks(text: str) -> list[str]:
    """Cut a text into sinks, at blanks and newlines that are not in quotes.

    Raises:
        SinkError: one does not parse.
    """
    return [text[start:end] for start, end in _Parser(text).sinks()]


def parse_size(text: str) -> int:
    """Read a number of bytes: `10MB`, `64KiB`, `500`.

    Raises:
        ValueError: it is none, or less than one.
    """
    size = int(_number(text, _SIZES, "a size is a number and kB, MB, GB, KiB, MiB or GiB"))
    if size < 1:
        raise ValueError("a size is at least one byte")
    return size


def parse_flag(text: str) -> bool:
    """Read a yes or no.

    Raises:
        ValueError: it is neither.
    """
    try:
        return _FLAGS[text.lower()]
    except KeyError:
        raise ValueError("it is yes or no") from None


def _number(text: str, units: dict[str, int], rule: str) -> float:
    match = _NUMBER.fullmatch(text.strip())
    factor = units.get(match[2].lower()) if match else None
    if match is None or factor is None:
        raise ValueError(rule)
    return float(match[1]) * factor


def _unknown(name: str, at: int, kind: str, names: tuple[str, ...]) -> SinkError:
    near = difflib.get_close_matches(name, names, 1)
    message = f"{kind} has no option {name!r}, there are {', '.join(sorted(names))}"
    if not near and "filter" in names:
        message += '; a filter with a comma in it stands in quotes: filter="info,shop=debug"'
    return SinkError(message, at, near[0] if near else None)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def sinks(self) -> Iterator[tuple[int, int]]:
        self.blanks()
        while self.at < len(self.text):
            start = self.at
            self.sink()
            yield start, self.at
            if not self.blanks() and self.at < len(self.text):
                raise SinkError(f"unexpected {self.text[self.at]!r}", self.at)

    def sink(self) -> Spelling:
        kind = self.name("a place is missing here: stdout, stderr, file:PATH or otlp:URL").lower()
        place = None
        if self.take(":"):
            place = self.value("a place is missing here")
        options: dict[str, Value] = {}
        starts: dict[str, int] = {}
        while self.take(","):
            start = self.at
            name = self.name("an option is missing here").replace("-", "_")
            if name in options:
                raise SinkError(f"{name} is given twice", start)
            starts[name] = start
            options[name] = self.value("a value is missing here") if self.take("=") else Value("", (self.at,))
        return Spelling(kind, place, options, starts)

    def name(self, missing: str) -> str:
        match = _NAME.match(self.text, self.at)
        if match is None:
            rest = self.text[self.at : self.at + 1]
            raise SinkError(f"unexpected {rest!r}" if rest and rest != "," else missing, self.at)
        self.at = match.end()
        return match[0]

    def value(self, missing: str) -> Value:
        if self.take('"'):
            return self.quoted()
        match = _BARE.match(self.text, self.at)
        if match is None:
            raise SinkError(missing, self.at)
        self.at = match.end()
        if self.text[self.at : self.at + 1] in ('"', "\\"):
            raise SinkError('a value with " or \\ in it stands in quotes as a whole, with a \\ before each', self.at)
        return Value(match[0], tuple(range(match.start(), match.end() + 1)))

    def quoted(self) -> Value:
        opened = self.at - 1
        characters: list[str] = []
        places: list[int] = []
        while self.at < len(self.text):
            start = self.at
            character = self.text[start]
            self.at += 1
            if character == '"':
                return Value("".join(characters), (*places, start))
            if character == "\\" and self.text[self.at : self.at + 1] in ('"', "\\"):
                character = self.text[self.at]
                self.at += 1
            characters.append(character)
            places.append(start)
        raise SinkError("this quote is not closed", opened)

    def take(self, character: str) -> bool:
        found = self.text.startswith(character, self.at)
        self.at += found
        return found

    def blanks(self) -> bool:
        start, match = self.at, _BLANKS.match(self.text, self.at)
        self.at = match.end() if match else start
        return self.at > start
