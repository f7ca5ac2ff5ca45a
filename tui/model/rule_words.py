"""The words that watch rules are made of, read one by one from a line, with their places."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final, NoReturn

from protocol.durations import parse_duration
from tui.model.rules import ACTIONS, Bound, RuleError

__all__ = ("Words", "closest")

_BARE: Final = re.compile(r"""[^\s"<>=!~]+""")
_WHOLE: Final = re.compile(r"\S+")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")
_COMPARISONS: Final = ("!=", "<=", ">=", "=", "<", ">")
_FOREIGN: Final = {"==": "=", "=>": ">=", "=<": "<=", "<>": "!=", "=~": "~", "!~": None}


def closest(word: str, known: Sequence[str]) -> str | None:
    """Give the word that was perhaps meant, None if none comes near."""
    found = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return found[0] if found else None


class Words:
    """A scanner; positions are characters of the text as given. What does not fit raises RuleError."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def held(self) -> float:
        """Take `for` and its time, if they stand here; no time otherwise."""
        return self.time() if self.keyword("for") else 0.0

    def comparison(self) -> str:
        """Take a comparison."""
        start = self.more_or("a comparison")
        for foreign, ours in _FOREIGN.items():
            if self.text.startswith(foreign, start):
                raise RuleError(f"{foreign!r} is no comparison", start, ours)
        for each in _COMPARISONS:
            if self.text.startswith(each, start):
                self.at += len(each)
                return each
        raise RuleError("a comparison is missing here", start, ">")

    def number(self, what: str) -> float:
        """Take a number."""
        start = self.more_or(what)
        found = _NUMBER.match(self.text, start)
        if found is None or self.text[found.end() : found.end() + 1] not in ("", " ", "/"):
            raise RuleError(f"{what} is missing here", start)
        value = float(found[0])
        if not math.isfinite(value):
            raise RuleError("nothing is as large as that", start)
        self.at = found.end()
        return value

    def time_bound(self) -> Bound:
        """Take a comparison with a time."""
        return Bound(self.comparison(), self.time())

    def time(self) -> float:
        """Take a time, in seconds."""
        start = self.more_or("a time")
        found = _WHOLE.match(self.text, start)
        assert found is not None
        self.at = found.end()
        try:
            return parse_duration(found[0])
        except ValueError as error:
            proposal = f"{found[0]}s" if found[0].isdecimal() and int(found[0]) else None
            raise RuleError(str(error), start, proposal) from None

    def pattern(self) -> str:
        """Take a word or a quoted text."""
        start = self.more_or("a pattern")
        if self.text[start] == '"':
            return self.quoted()
        return self.word() or self.unexpected()

    def quoted(self) -> str:
        """Take the text in quotes that begins here."""
        start = self.at
        self.at += 1
        characters: list[str] = []
        while self.text[self.at : self.at + 1] != '"':
            # Any other backslash is itself, so that a regular expression needs no two.
            self.at += self.text.startswith(('\\"', "\\\\"), self.at)
            if self.at >= len(self.text):
                raise RuleError(f"the quote that begins at {start} has no end", len(self.text), '"')
            characters.append(self.text[self.at])
            self.at += 1
        self.at += 1
        return "".join(characters)

    def word(self) -> str:
        """Take what stands here up to a blank, a quote or a comparison; empty if that is nothing."""
        found = _BARE.match(self.text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found[0]

    def whole(self, what: str) -> str:
        """Take what stands here up to a blank."""
        found = _WHOLE.match(self.text, self.more_or(what))
        assert found is not None
        self.at = found.end()
        return found[0]

    def keyword(self, word: str) -> bool:
        """Take a word, if it is the next one."""
        found = _WHOLE.match(self.text, self.at) if self.more() else None
        if found is None or found[0] != word:
            return False
        self.at = found.end()
        return True

    def more(self) -> bool:
        """Go over blanks; tell whether anything is left."""
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1
        return self.at < len(self.text)

    def place(self) -> int:
        """Go over blanks; give where the next word stands, or would."""
        self.more()
        return self.at

    def more_or(self, what: str) -> int:
        """Go over blanks to what has to be there; give its place."""
        if not self.more() or self.text.startswith("->", self.at):
            raise RuleError(f"{what} is missing here", self.at)
        return self.at

    def unexpected(self) -> NoReturn:
        """Refuse what stands here."""
        found = _WHOLE.match(self.text, self.at)
        word = found[0] if found else ""
        proposal = "->" if word in ACTIONS else closest(word, ("for", "over", "in", "every", "->"))
        raise RuleError(f"unexpected {word!r}", self.at, f"-> {word}" if proposal == "->" else proposal)
