"""docs/filters.md says what the parser does, example by example. Its commands are typed by tests/test_readme.py."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from protocol.filters import FilterError, parse_filter
from protocol.filters.grammar import _LEVELS
from protocol.records import level_from_name

PAGE = (Path(__file__).parents[2] / "docs" / "filters.md").read_text(encoding="utf-8")


def block(language: str) -> list[str]:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)
    assert found is not None
    return found[1].splitlines()


def table(head: str) -> list[list[str]]:
    """The rows below a head, each without its bars."""
    lines = PAGE[PAGE.index(head) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def fields_of(text: str) -> dict[str, Any]:
    """`n=1,user=ann,message="a b"`, numbers as such."""
    pairs = re.findall(r'(\w+)=(?:"([^"]*)"|([^,]*))', text)
    return {name: quoted or (int(bare) if bare.isdigit() else bare) for name, quoted, bare in pairs}


def spans_of(text: str) -> list[dict[str, Any]]:
    return [{"name": name, **fields_of(fields)} for name, fields in re.findall(r"`(\w+)(?:\{([^}]*)\})?`", text)]


RECORDS = [
    (number, level_from_name(level), target.strip("`"), fields_of(fields.strip("`")), spans_of(spans))
    for number, level, target, spans, fields in table("| record |")
]
ROWS = table("| filter |")


def test_the_tables_are_found() -> None:
    assert (len(RECORDS), len(ROWS)) == (6, 15)
    assert RECORDS[4][3:] == (
        {"message": "slow answer", "ms": 820},
        [{"name": "action", "actor": "cart/7", "action": "add"}, {"name": "poll", "n": 3}],
    )


@pytest.mark.parametrize(("filter", "numbers"), ROWS)
def test_what_passes(filter: str, numbers: str) -> None:
    parsed = parse_filter(filter.strip("`"))
    passing = [
        number for number, level, target, fields, chain in RECORDS if parsed.passes(level, target, fields, chain)
    ]
    assert passing == numbers.split()


@pytest.mark.parametrize("line", block("filter"))
def test_the_examples_parse_as_they_stand(line: str) -> None:
    text = re.split(r" {2,}", line)[0]
    assert str(parse_filter(text)) == text


@pytest.mark.parametrize("row", table("| test |"))
def test_the_tests_parse(row: list[str]) -> None:
    for test in re.findall(r"`([^`]+)`", row[0]):
        assert str(parse_filter(f"[{{{test}}}]")) == f"[{{{test}}}]=trace"


@pytest.mark.parametrize("at", range(0, len(block("mistakes")), 2))
def test_the_mistakes_are_told_so(at: int) -> None:
    text, below = block("mistakes")[at : at + 2]
    mark, _, told = below.partition("^ ")
    with pytest.raises(FilterError) as caught:
        parse_filter(text)
    error = caught.value
    assert error.pointed(text) == f"{text}\n{mark}^"
    assert str(error).replace(f" (at character {error.position})", "") == told


def test_the_levels_are_listed() -> None:
    prose = " ".join(PAGE.split())
    words = re.findall(r"`(\w+)`", prose[prose.index("The levels are") : prose.index("in any case")])
    assert sorted(words, key=lambda word: -_LEVELS[word]) == words
    assert {_LEVELS[word] for word in words} == set(_LEVELS.values())
