"""Patterns: the same answer as Python's `re` where both understand one, and never longer than the text is."""

from __future__ import annotations

import re
import sys
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.filters.pattern import MAX_NODES, Pattern, PatternError


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("", "", True),
        ("", "anything", True),
        ("card", "the card is accepted", True),
        ("card", "car", False),
        ("^card", "card", True),
        ("^card", "a card", False),
        ("card$", "a card", True),
        ("card$", "card\n", False),
        ("^$", "", True),
        ("^$", "x", False),
        ("a.c", "abc", True),
        ("a.c", "a\nc", False),
        ("a|b|", "", True),
        ("^(a|bc)*d$", "abcbcad", True),
        ("^(?:ab)+$", "abab", True),
        ("^(?:ab)+$", "aba", False),
        ("^a{2}$", "aa", True),
        ("^a{2}$", "aaa", False),
        ("^a{2,}$", "aaaaa", True),
        ("^a{2,}$", "a", False),
        ("^a{,2}$", "aa", True),
        ("^a{,2}$", "aaa", False),
        ("^a{1,3}b$", "aaab", True),
        ("^a{1,3}b$", "aaaab", False),
        ("^a{0}$", "", True),
        ("^a??b+?c*?$", "abbcc", True),
        ("a{x}", "a{x}", True),
        ("a{", "a{", True),
        ("a{,}", "a{,}", True),
        ("}]", "}]", True),
        (r"^\d+$", "0123", True),
        (r"^\d+$", "12a", False),
        (r"\D\S\W\s\w", "xx! x", True),
        (r"\D", "1", False),
        (r"\S", " ", False),
        (r"\W", "x_", False),
        (r"\bcard\b", "a card.", True),
        (r"\bcard\b", "discard", False),
        (r"\Bcard", "discard", True),
        (r"\Bcard", "card", False),
        (r"^\n\r\t\f\v\.\\\[$", "\n\r\t\f\v.\\[", True),
        ("^[abc]$", "b", True),
        ("^[^abc]$", "b", False),
        ("^[^abc]$", "\n", True),
        ("^[a-cx-z]+$", "abyz", True),
        ("^[a-cx-z]+$", "d", False),
        ("^[]a]+$", "]a", True),
        ("^[^]a]$", "]", False),
        ("^[a-]+$", "-a", True),
        (r"^[\d_\]\n-]+$", "1_]\n-", True),
        (r"^[^\d]$", "1", False),
        ("(?i)^CaRd[A-F]$", "cArDb", True),
        ("(?i)^ß$", "ß", True),
        ("CARD", "card", False),
        ("größe", "die größe", True),
    ],
)
def test_finds(pattern: str, text: str, found: bool) -> None:
    assert Pattern(pattern).found_in(text) is found


@pytest.mark.parametrize(
    ("pattern", "position", "message"),
    [
        ("*a", 0, "there is nothing for '*' to repeat"),
        ("a|+", 2, "there is nothing for '+' to repeat"),
        ("(?", 0, "of groups only"),
        ("a(?=b)", 1, "of groups only"),
        ("(?P<n>a)", 0, "of groups only"),
        ("a(?i)", 1, "of groups only"),
        ("(ab", 3, "a ')' is missing here"),
        ("ab)", 2, "there is no '(' for this ')'"),
        ("[ab", 3, "a ']' is missing here"),
        ("x[", 2, "a ']' is missing here"),
        ("[b-a]", 2, "this is no range of characters"),
        (r"[\d-z]", 3, "this is no range of characters"),
        (r"[a-\d]", 2, "this is no range of characters"),
        ("ab\\", 3, "there is nothing behind the backslash"),
        ("[\\", 2, "there is nothing behind the backslash"),
        (r"(a)\1", 3, "references to a group can't be matched in linear time"),
        (r"a\q", 1, "'\\q' is not understood"),
        (r"[\b]", 1, "'\\b' is not understood"),
        ("a**", 2, "a bound stands behind another"),
        ("a{2}{3}", 4, "a bound stands behind another"),
        ("a*+", 2, "'+' behind another bound can't be matched in linear time"),
        ("^*", 1, "a place can't be repeated"),
        ("a{3,1}", 1, "the bounds are the wrong way round"),
        ("a{1001}", 1, "nothing is repeated more than 1000 times"),
        ("a{99999999999999}", 1, "nothing is repeated more than 1000 times"),
        ("a{1000}", 0, "the pattern is too large"),
        ("((((a{9}){9}){9}){9}){9}", 0, "the pattern is too large"),
        ("(" * 60 + ")" * 60, 50, "groups lie more than 50 deep"),
    ],
)
def test_refuses_where_it_stands(pattern: str, position: int, message: str) -> None:
    with pytest.raises(PatternError, match=f"^{re.escape(message)}") as caught:
        Pattern(pattern)
    assert caught.value.position == position


def parsed(text: str) -> Pattern | PatternError:
    try:
        return Pattern(text)
    except PatternError as error:
        return error


PATTERNS = st.recursive(
    st.sampled_from(["a", "b", ".", "_", "\\d", "\\w", "[ab]", "[^a]", "[a-c]", "\\W", ""]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"(?:{pair[0]}|{pair[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "*?", "{2}", "{1,3}", "{,2}", "{1,}"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
        inner.map(lambda each: f"\\b{each}"),
        inner.map(lambda each: f"{each}\\B"),
        inner.map(lambda each: f"^{each}"),
    ),
    max_leaves=8,
)


@given(PATTERNS, st.lists(st.text(alphabet="ab_1- \n", max_size=12), min_size=1, max_size=4))
@example("(?:a|ab)(?:c|bcd)*", ["abcd"])
@example("\\B", [""])
@example("(?:^)*(?:^)+a", ["a", "ba"])
def test_finds_what_re_finds(pattern: str, texts: list[str]) -> None:
    ours = parsed(pattern)
    if isinstance(ours, PatternError):
        assert ours.message == "the pattern is too large"
        return
    for text in texts:
        # Python before 3.14 says that there is no \B in an empty text.
        if text or "\\B" not in pattern:
            assert ours.found_in(text) == bool(re.search(pattern, text)), (pattern, text)


@given(st.text() | st.text(alphabet="ab(|)*+?{}[]\\^$.,12-diw:="))
def test_no_text_makes_anything_but_a_pattern_or_its_error(text: str) -> None:
    found = parsed(text)
    assert found.text == text if isinstance(found, Pattern) else 0 <= found.position <= len(text)


class Counted(str):
    """A text that counts how many of its characters were looked at."""

    looked = 0

    def __iter__(self):  # type: ignore[no-untyped-def]  # str's own is private to typeshed
        for character in super().__iter__():
            type(self).looked += 1
            yield character


@pytest.mark.parametrize("pattern", ["(a|a)*b", "(a*)*b", "a*a*a*a*a*b", "(a|aa)+$x", "(.*)(.*)(.*)(.*)[^a]"])
def test_looks_at_each_character_once(pattern: str) -> None:
    # With `re` each of these takes for ever.
    Counted.looked = 0
    assert not Pattern(pattern).found_in(Counted("a" * 20_000))
    assert Counted.looked == 20_000


@pytest.mark.parametrize("size", [2, 20, 200])
def test_a_character_costs_as_few_steps_however_many_ways_are_open(size: int) -> None:
    pattern = Pattern(f"a.{{{size}}}c")
    chance = Random(1)
    calls = 0

    def count(frame: object, event: str, what: object) -> None:
        nonlocal calls
        calls += event == "call"

    # From each of these characters on another half of all nodes is on its way, and nothing is met twice.
    text = "".join(chance.choice("ab") for _ in range(3000))
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        assert not pattern.found_in(text)
    finally:
        sys.setprofile(before)
    assert calls <= 6 * len(text)


def test_what_it_remembers_is_bounded() -> None:
    pattern = Pattern("(?:.|x)*y.{9}z")
    texts = [
        "".join(chr(0x4E00 + number * 60 + each % 60) + "y" * (each % 3) for each in range(200))
        for number in range(100)
    ]
    assert [pattern.found_in(text) for text in texts] == [False] * 100
    assert len(pattern._known) <= 4096
    assert pattern.found_in("y123456789z")
    assert len(pattern._nodes) <= MAX_NODES


def test_shows_itself() -> None:
    assert repr(Pattern("a+")) == "<Pattern a+>"
