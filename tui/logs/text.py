"""Make text that somebody else wrote safe to put on a screen.

A host's strings are data. Nothing in them may move the cursor, change a colour, reorder a line or hide:
what a terminal would act on, or a reader could not see, is replaced by something visible.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = ("cut", "neutralise")

# A pile of combining marks takes no cell and yet draws over the rows above and below: three are enough for
# any script that a terminal can show.
_MARK: Final = r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_PILE: Final = re.compile(f"({_MARK}{{3}}){_MARK}+")
# Printable by Unicode's book, but drawn as nothing: fillers, and selectors on whose width terminals disagree.
_UNSEEN: Final = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_SPARE: Final = "…"


def cut(text: str, limit: int) -> str:
    """Shorten a text to a number of characters and say by how many it was longer.

    Args:
        text: any text, of any length.
        limit: the characters that may stay; the note about the rest comes on top.
    """
    if len(text) <= limit:
        return text
    return f"{text[:limit]}{_SPARE}+{len(text) - limit:,}"


def neutralise(text: str) -> str:
    """Replace what is not plainly printable by something that is.

    C0 controls become their pictures (U+2400 and on), a blank of any kind a space, and the rest (C1,
    bidirectional overrides, zero-width and private characters, lone surrogates) their code point in angle
    quotes. Text that is printable comes back as it is. The result is one line.
    """
    if text.isascii():
        return text if text.isprintable() else "".join(map(_shown, text))
    if not text.isprintable():
        text = "".join(map(_shown, text))
    return _PILE.sub(r"\1", _UNSEEN.sub(_coded, text))


def _coded(match: re.Match[str]) -> str:
    return f"⟨{ord(match[0]):04X}⟩"


def _shown(char: str) -> str:
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if unicodedata.category(char) == "Zs":
        return " "
    return f"⟨{code:04X}⟩"
