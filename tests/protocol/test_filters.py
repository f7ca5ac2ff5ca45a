"""The filter grammar: what it takes, what it refuses and where, and what a filter decides."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.filters import Directive, Filter, FilterError, parse_filter
from protocol.records import DEBUG, ERROR, INFO, OFF, TRACE, WARN


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("info", "info"),
        ("INFO", "info"),
        ("  Warn  ", "warn"),
        ("off", "off"),
        ("0", "off"),
        ("1", "error"),
        ("2", "warn"),
        ("3", "info"),
        ("4", "debug"),
        ("5", "trace"),
        ("shop", "shop=trace"),
        ("shop.cart=debug", "shop.cart=debug"),
        (" info ,\tshop . cart = debug ".replace(" . ", "."), "info,shop.cart=debug"),
        ("shop=1,warn", "warn,shop=error"),
        ("info,debug", "debug"),
        ("shop=info,shop=debug", "shop=debug"),
        ("info=debug", "info=debug"),
        ("warning=debug", "warning=debug"),
        ("a-b_c.d9", "a-b_c.d9=trace"),
        ("größe=warn", "größe=warn"),
    ],
)
def test_parses(text: str, canonical: str) -> None:
    parsed = parse_filter(text)
    assert str(parsed) == canonical
    assert parse_filter(canonical) == parsed
    assert hash(parse_filter(canonical)) == hash(parsed)


@pytest.mark.parametrize(
    ("text", "position", "proposal"),
    [
        ("", 0, None),
        ("   ", 3, None),
        (",info", 0, None),
        ("info,", 5, None),
        ("info,,warn", 5, None),
        ("info, ,warn", 6, None),
        ("warning", 0, "warn"),
        ("info,WARNING", 5, "warn"),
        ("shop=warning", 5, "warn"),
        ("shop= warning", 6, "warn"),
        ("critical", 0, "error"),
        ("err", 0, "error"),
        ("verbose", 0, "trace"),
        ("none", 0, "off"),
        ("inof", 0, "info"),
        ("infos", 0, "info"),
        ("debg", 0, "debug"),
        ("debugg", 0, "debug"),
        ("tracw", 0, "trace"),
        ("of", 0, "off"),
        ("offf", 0, "off"),
        ("6", 0, "5"),
        ("42", 0, "5"),
        ("shop=9", 5, "5"),
        ("shop=", 5, None),
        ("shop= ,info", 6, None),
        ("shop==info", 5, None),
        ("shop=loud", 5, None),
        ("=info", 0, None),
        ("debug=shop", 6, "shop=debug"),
        ("shop::cart", 4, "."),
        ("shop cart", 5, None),
        ("shop=info debug", 10, None),
        ("shop/cart", 4, None),
        ("shop;info", 4, None),
        ("shop..cart", 5, "shop.cart"),
        (".shop=info", 0, "shop"),
        ("info,shop.", 9, "shop"),
        ("...", 0, None),
        ("[poll]=off", 0, None),
        ("info,shop[poll{n=1}]=off", 9, None),
        ("shop=[x]", 5, None),
        ("info]", 4, None),
        ('"info"', 0, None),
    ],
)
def test_refuses_where_it_stands(text: str, position: int, proposal: str | None) -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter(text)
    assert (caught.value.position, caught.value.proposal) == (position, proposal)


def test_error_says_where_and_what_was_meant() -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter("info,shop=warning")
    assert str(caught.value) == "'warning' is not a level (at character 10); did you mean 'warn'?"
    with pytest.raises(FilterError) as caught:
        parse_filter("info;")
    assert str(caught.value) == "unexpected ';' (at character 4)"


@pytest.mark.parametrize(
    ("text", "target", "level"),
    [
        ("info", "shop.cart", INFO),
        ("shop=debug", "shop", DEBUG),
        ("shop=debug", "shop.cart", DEBUG),
        ("shop=debug", "shopping", OFF),
        ("shop=debug", "my.shop", OFF),
        ("shop=debug", "Shop", OFF),
        ("info,shop=debug,shop.cart=error", "shop.cart.items", ERROR),
        ("info,shop=debug,shop.cart=error", "shop.till", DEBUG),
        ("info,shop=debug,shop.cart=error", "bank", INFO),
        ("shop.cart=trace,shop=off,warn", "shop.cart", TRACE),
        ("shop.cart=trace,shop=off,warn", "shop.x", OFF),
        ("off", "shop", OFF),
        ("warn", "", WARN),
    ],
)
def test_most_specific_target_decides(text: str, target: str, level: int) -> None:
    parsed = parse_filter(text)
    for _ in range(2):
        assert parsed.level_for(target) == level
    assert [parsed.enabled(each, target) for each in range(OFF)] == [each >= level for each in range(OFF)]


def test_lowest_level() -> None:
    assert parse_filter("warn,shop=debug,bank=off").lowest_level == DEBUG
    assert parse_filter("off").lowest_level == OFF
    assert Filter(()).lowest_level == OFF


def test_remembers_a_bounded_number_of_targets() -> None:
    parsed = parse_filter("info,t1=debug")
    for number in range(10_000):
        parsed.level_for(f"t{number}")
    assert parsed.level_for("t1") == DEBUG
    assert len(parsed._cache) <= 4096


def test_compares_by_what_it_says() -> None:
    assert parse_filter("warn,shop=1") == Filter((Directive("shop", ERROR), Directive("", WARN)))
    assert parse_filter("warn") != parse_filter("info")
    assert parse_filter("warn") != "warn"
    assert repr(parse_filter("WARN")) == "<Filter warn>"


def parsed_or_refused(text: str) -> Filter | FilterError:
    try:
        return parse_filter(text)
    except FilterError as error:
        return error


LIKELY = st.text(alphabet='infodebugwarntcl.-_=,[]{}"~ 0569:shop', max_size=40)


@given(st.text() | LIKELY)
@example("\x00")
@example("info" + "\u00a0" + ",²")
def test_no_text_makes_anything_but_a_filter_or_its_error(text: str) -> None:
    found = parsed_or_refused(text)
    if isinstance(found, FilterError):
        assert 0 <= found.position <= len(text)
        assert found.message in str(found)
    else:
        assert parse_filter(str(found)) == found


TARGETS = st.lists(st.sampled_from(["a", "b", "ab", "c"]), min_size=1, max_size=4).map(".".join)


@given(st.dictionaries(TARGETS, st.integers(TRACE, OFF)), st.integers(TRACE, OFF), TARGETS)
def test_decides_as_the_longest_prefix_of_segments(levels: dict[str, int], default: int, target: str) -> None:
    parsed = Filter((Directive("", default), *(Directive(name, level) for name, level in levels.items())))
    matching = [name for name in levels if f"{target}.".startswith(f"{name}.")]
    expected = levels[max(matching, key=len)] if matching else default
    assert parsed.level_for(target) == expected
    assert parse_filter(str(parsed)).level_for(target) == expected
