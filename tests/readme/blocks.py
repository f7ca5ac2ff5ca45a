"""Read the code blocks of Markdown documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ("ROOT", "Block", "Command", "blocks", "commands", "fits")

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Block:
    """A fenced block: `language` and `title` are the words behind the fence, `line` is that of its first text."""

    document: str
    line: int
    language: str
    title: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.document}:{self.line}"

    def code_lines(self) -> list[str]:
        return [line for line in self.text.splitlines() if line.strip()]


@dataclass(frozen=True)
class Command:
    """A line behind `$` and the output shown under it, where any is."""

    place: str
    line: str
    output: tuple[str, ...]


def blocks(document: str, text: str | None = None) -> Iterator[Block]:
    """Yield a document's blocks in order.

    Raises:
        ValueError: one is not closed.
    """
    if text is None:
        text = (ROOT / document).read_text(encoding="utf-8")
    fence: tuple[str, str] | None = None
    begin, held = 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        if fence is not None and line == "```":
            yield Block(document, begin, *fence, "\n".join(held) + "\n")
            fence = None
        elif fence is not None:
            held.append(line)
        elif line.startswith("```"):
            language, _, title = line[3:].partition(" ")
            fence, begin, held = (language, title), number + 1, []
    if fence is not None:
        raise ValueError(f"{document}:{begin}: this block is not closed")


def commands(block: Block) -> Iterator[Command]:
    """Yield what a console block says to type.

    Raises:
        ValueError: it begins with something else.
    """
    found: list[tuple[int, str, list[str]]] = []
    for number, line in enumerate(block.text.splitlines(), block.line):
        if line.startswith("$ "):
            found.append((number, line[2:], []))
        elif not found:
            raise ValueError(f"{block.place}: output before the first command")
        else:
            found[-1][2].append(line)
    for number, line, output in found:
        yield Command(f"{block.document}:{number}", line, tuple(output))


def fits(shown: str, line: str) -> bool:
    """Tell whether a line is as shown; `…` stands for anything, but not for nothing."""
    return re.fullmatch(".+".join(map(re.escape, shown.split("…"))), line) is not None
