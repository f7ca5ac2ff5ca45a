"""Texts of so many cells of a terminal."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

__all__ = ("fit",)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Make a text exactly `width` cells wide: filled up with blanks, or cut with a `…` at its end."""
    have = cell_len(text)
    if have <= width:
        return " " * (width - have) + text if right else text + " " * (width - have)
    return set_cell_size(text, width - 1) + "…" if width > 0 else ""
