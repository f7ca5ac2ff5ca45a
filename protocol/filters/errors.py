"""What is wrong with a filter, and where."""

from __future__ import annotations

import unicodedata

__all__ = ("FilterError",)


class FilterError(ValueError):
    """A filter that does not parse.

    Attributes:
        message: what is wrong, in a sentence.
        position: the character at fault, counted from 0; the text's length when something is missing at
            its end.
        proposal: what was perhaps meant in place of the word there, or is missing; None if nothing comes near.
    """

    def __init__(self, message: str, position: int, proposal: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.position = position
        self.proposal = proposal

    def __str__(self) -> str:
        hint = f"; did you mean {self.proposal!r}?" if self.proposal is not None else ""
        return f"{self.message} (at character {self.position}){hint}"

    def pointed(self, text: str) -> str:
        """Return the filter's text as one line, and below it a mark under the character at fault."""
        line = "".join(each if each.isprintable() else " " for each in text)
        before = line[: self.position]
        columns = sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in before)
        return f"{line}\n{' ' * columns}^"
