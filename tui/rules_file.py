"""The user's watch rules in a file: one a line, as they are typed; `off` before one that waits for nothing.

What is no rule, a comment or a line that does not parse, stays where it is when the file is written.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from tui.model.rule_grammar import parse_rule
from tui.model.rules import Rule, RuleError

__all__ = ("MAX_FILE", "Entry", "RulesFile", "rules_path")

MAX_FILE: Final = 1 << 20
"""Bytes of such a file at most."""
_OFF: Final = "off "


def rules_path() -> Path:
    """Give where this user's rules are kept."""
    return platformdirs.user_config_path("inspector-tui") / "rules"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: a rule, or with `rule` None whatever else stands there, and why if it was meant as one."""

    text: str
    rule: Rule | None = None
    enabled: bool = True
    fault: str = ""


def _read_line(line: str) -> Entry:
    text = line.strip()
    if not text or text.startswith("#"):
        return Entry(line)
    enabled = not text.startswith(_OFF)
    try:
        return Entry(line, parse_rule(text if enabled else text[len(_OFF) :]), enabled)
    except RuleError as error:
        return Entry(line, fault=str(error))


class RulesFile:
    """The file, as it was read last.

    Args:
        path: where it is; there need be none.

    Attributes:
        entries: its lines.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: list[Entry] = []

    def read(self) -> list[Entry]:
        """Read it; give the lines that are no rules and were meant as ones.

        Raises:
            OSError: it is there and can't be read.
            ValueError: it is no text, or too large.
        """
        self.entries = []
        try:
            with self.path.open("rb") as file:
                data = file.read(MAX_FILE + 1)
        except FileNotFoundError:
            return []
        if len(data) > MAX_FILE:
            raise ValueError(f"{self.path} has more than {MAX_FILE:,} bytes")
        self.entries = [_read_line(line) for line in data.decode("utf-8").split("\n")]
        if self.entries[-1].text == "":
            self.entries.pop()
        return [entry for entry in self.entries if entry.fault]

    def write(self, rules: Sequence[tuple[Entry | None, Rule, bool]]) -> list[Entry]:
        """Write rules, each with the line that it had and whether it is on, at once or not at all; gives their lines.

        A rule without a line comes last. The line of one that is missing here goes.

        Raises:
            OSError: it can't be written; the file is as before.
        """
        fresh = [_keep(*each) for each in rules]
        places = {id(entry): new for (entry, _, _), new in zip(rules, fresh, strict=True) if entry is not None}
        lines = [entry if entry.rule is None else places.get(id(entry)) for entry in self.entries]
        lines += [new for (entry, _, _), new in zip(rules, fresh, strict=True) if entry is None]
        kept = [entry for entry in lines if entry is not None]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # In the same directory, so that renaming it is one step; only its owner reads what commands are in it.
        descriptor, name = tempfile.mkstemp(prefix=".rules-", dir=self.path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.writelines(f"{entry.text}\n" for entry in kept)
            os.replace(name, self.path)
        except OSError:
            with suppress(OSError):
                os.unlink(name)
            raise
        self.entries = kept
        return fresh


def _keep(entry: Entry | None, rule: Rule, enabled: bool) -> Entry:
    if entry is not None and (entry.rule, entry.enabled) == (rule, enabled):
        # As somebody has typed it.
        return entry
    return Entry(f"{'' if enabled else _OFF}{rule}", rule, enabled)
