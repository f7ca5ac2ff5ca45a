"""docs/watch.md: its rules and mistakes are read by the parser, its tables are whole, and its commands are typed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.readme.blocks import ROOT, blocks, commands
from tests.readme.session import Session
from tui.model.rule_grammar import parse_rule
from tui.model.rules import ACTIONS, COUNTERS, METRICS, STATUSES, RuleError

PAGE = "docs/watch.md"
TEXT = (ROOT / PAGE).read_text(encoding="utf-8")


def block(language: str) -> list[str]:
    (found,) = (block for block in blocks(PAGE) if block.language == language)
    return found.text.splitlines()


def test_the_rules_are_rules() -> None:
    rules = [re.split(r"  +", line)[0] for line in block("rule")]
    assert len(rules) == 13
    for rule in rules:
        assert parse_rule(str(parse_rule(rule))) == parse_rule(rule)


def test_mistakes_are_told_as_shown() -> None:
    lines = block("mistakes")
    for text, shown in zip(lines[::2], lines[1::2], strict=True):
        with pytest.raises(RuleError) as caught:
            parse_rule(text)
        error = caught.value
        hint = f"; did you mean {error.proposal!r}?" if error.proposal else ""
        assert shown == f"{' ' * error.position}^ {error.message}{hint}"


@pytest.mark.parametrize("word", [*STATUSES, *METRICS, *COUNTERS, *ACTIONS, "exists", "changes"])
def test_each_word_is_told_of(word: str) -> None:
    assert re.search(rf"`[^`]*\b{word}\b[^`]*`", TEXT)


def test_the_commands_do_what_is_shown(tmp_path: Path) -> None:
    session = Session(tmp_path)
    with session.demo():
        for found in blocks(PAGE):
            if found.language == "console":
                for command in commands(found):
                    session.play(command)
    assert (tmp_path / "fired.json").exists()
