"""A host's values as text: whatever they are, and safe."""

from __future__ import annotations

import datetime
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.model.values import brief, plain, to_json, tree, write_path

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.datetimes(timezones=st.just(datetime.UTC))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text() | st.integers() | st.booleans(), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(VALUES)
def test_any_value_becomes_json_that_holds_nothing_a_terminal_acts_on(value: Any) -> None:
    text = to_json(value)
    assert json.loads(text) == json.loads(json.dumps(plain(value)))
    assert text.isprintable()
    text.encode()


@given(VALUES)
def test_any_value_fits_on_a_line(value: Any) -> None:
    text = brief(value, 80)
    assert text.isprintable()
    # Control characters are spelt out after the cut, at up to seven characters each.
    assert len(text) <= 80 * 8


@given(VALUES)
def test_any_value_becomes_lines_that_are_safe(value: Any) -> None:
    lines = list(tree(value, set(), {}))
    assert lines[0].path == ()
    assert all((line.key + line.text).isprintable() for line in lines)
    closed = list(tree(value, {()}, {}))
    assert len(closed) == 1


def test_what_json_has_no_word_for() -> None:
    moment = datetime.datetime(2026, 11, 23, 20, 27, tzinfo=datetime.UTC)
    assert plain(b"\x00\xff") == {"$bytes": "AP8="}
    assert plain(moment) == "2026-11-23T20:27:00+00:00"
    assert plain([math.nan, math.inf]) == ["nan", "inf"]
    assert plain({1: "a", None: "b", (1, 2): "c"}) == {"1": "a", "null": "b", "[1,2]": "c"}
    assert plain({2}) == [2]
    assert plain(10**5000).startswith("0x")
    assert plain(object).startswith("<class")


def test_what_is_nested_without_end_ends() -> None:
    value: Any = 1
    for _ in range(5_000):
        value = [value]
    assert "…" in to_json(value)
    assert len(brief(value)) < 100
    assert len(list(tree(value, set(), {}))) < 300


def test_escapes_are_json_escapes() -> None:
    assert to_json("\x1b[31m") == '"\\u001b[31m"'
    assert to_json("a\x7fb") == '"a\\u007fb"'
    assert to_json("é\u202e") == '"é\\u202e"'
    assert to_json("\U000e0001é") == '"\\udb40\\udc01é"'
    assert to_json({"a": [1]}, indent=2) == '{\n  "a": [\n    1\n  ]\n}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": 1, 2: True}, "{a: 1, 2: true}"),
        ([None, 1.5], "[null, 1.5]"),
        (b"\x01\x02", "h'0102'"),
        (10**3000, "0x"),
        ([[[[[1]]]]], "[[[[[…]]]]]"),
        ({"a": {"b": {"c": {"d": {"e": 1}}}}}, "{a: {b: {c: {d: {…}}}}}"),
        ("x" * 300, '"xx'),
        (list(range(30)), "…]"),
        ({str(n): n for n in range(30)}, "…}"),
        (b"x" * 300, "…"),
    ],
)
def test_short_forms(value: Any, text: str) -> None:
    assert text in brief(value)


def test_containers_come_by_pages() -> None:
    value = {"items": list(range(1000))}
    lines = list(tree(value, set(), {}, page=10))
    assert len(lines) == 2 + 10 + 1
    assert lines[-1].more == 990
    assert lines[-1].path == ("items",)
    more = list(tree(value, set(), {("items",): 500}, page=10))
    assert len(more) == 2 + 510 + 1
    assert [line.kind for line in more[:3]] == ["object", "array", "number"]


def test_kinds() -> None:
    lines = list(tree([1, "a", None, b"", {}, [], {1}], set(), {}))
    assert [line.kind for line in lines] == [
        "array",
        "number",
        "string",
        "word",
        "other",
        "object",
        "array",
        "array",
        "number",
    ]


def test_paths_are_written_as_people_read_them() -> None:
    assert write_path(("items", 3, "name")) == "items[3].name"
    assert write_path((0, "a")) == "[0].a"
    assert write_path(()) == "(all)"
    assert "\x1b" not in write_path(("\x1b[31m",))
