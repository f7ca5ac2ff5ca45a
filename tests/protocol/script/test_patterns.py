"""What fits a pattern, what it captures, and how a difference is shown."""

from __future__ import annotations

import datetime
from typing import Any

import cbor2
import pytest

from protocol.script.difference import difference, distance, write, write_node
from protocol.script.notation import Reader
from protocol.script.patterns import Anything, Node, Rest, Tagged, as_records, fill, fits, same

__all__ = ()

NOON = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)


def pattern(text: str) -> Node:
    return Reader("x", text).pattern()


@pytest.mark.parametrize(
    ("text", "value", "captured"),
    [
        ("_", {"a": 1}, {}),
        ("1", 1, {}),
        ("1", 1.0, None),
        ("1", True, None),
        ("0.0", -0.0, None),
        ("NaN", float("nan"), {}),
        ("null", None, {}),
        ('"a"', b"a", None),
        ("$a", 1, {"a": 1}),
        ("[$a, $a]", [1, 1], {"a": 1}),
        ("[$a, $a]", [1, True], None),
        ("[]", [], {}),
        ("[]", [1], None),
        ("[1]", [], None),
        ("[1]", {1: 1}, None),
        ("[1]", (1,), {}),
        ("[...]", [1, 2], {}),
        ("[..., 2, ...]", [1, 2, 3], {}),
        ("[..., 4, ...]", [1, 2, 3], None),
        ("[1, ..., $last]", [1, 2, 3], {"last": 3}),
        ("[..., [$k, 2], ...]", [[1, 1], [5, 2]], {"k": 5}),
        ('{"a": 1}', {"a": 1}, {}),
        ('{"a": 1}', {"a": 1, "b": 2}, None),
        ('{"a": 1, ...}', {"a": 1, "b": 2}, {}),
        ('{"a": 1, ...}', {"b": 2, "c": 3}, None),
        ('{"a": 1}', {}, None),
        ('{"a": 1}', [1], None),
        ("{1: _}", {True: 2}, None),
        ("{[1, 2]: $x}", {(1, 2): 3}, {"x": 3}),
        ('0("2026-11-24T13:00:00+01:00")', NOON, {}),
        ('0("2026-11-24T12:00:00Z")', "2026-11-24T12:00:00+00:00", {}),
        ('0("2026-11-24T12:00:00Z")', "noon", None),
        ("2(h'01')", 1, {}),
        ('[{"a": $a, ...}, ...]', b'{"a": 1, "b": 2}\n{}', {"a": 1}),
        ("[]", b"", {}),
        ("[1]", b"no record", None),
    ],
)
def test_fits(text: str, value: Any, captured: dict[str, Any] | None) -> None:
    assert fits(pattern(text), value, {}) == captured


def test_a_capture_must_be_equal_later() -> None:
    known = {"a": {"x": [1.5, NOON]}}
    assert fits(pattern("$a"), {"x": (1.5, "2026-11-24T12:00:00Z")}, known) == known
    assert fits(pattern("$a"), {"x": [1.5]}, known) is None
    assert fits(pattern("$a"), {"y": [1.5]}, known) is None
    assert same("2026-11-24T12:00:00Z", NOON)
    assert not same([], {})


def test_lines_are_records() -> None:
    assert as_records(b'{"a":1}\n[]') == [{"a": 1}, []]
    assert as_records("text") == "text"


def test_holes_stand_where_they_may() -> None:
    with pytest.raises(AssertionError, match="in an array"):
        fits(Rest(), 1, {})
    with pytest.raises(AssertionError, match="wildcard"):
        fill(Anything(), {}, tags=True)


def diff(text: str, value: Any, **known: Any) -> str:
    return "\n".join(difference(pattern(text), value, known))


def test_a_difference_in_a_map() -> None:
    shown = diff('{"a": 1, "b": [1, $k, 3], "c": {"d": _}, "e": 0}', {"a": 1, "b": [1, 2, 4], "c": {}, "f": 9}, k=2)
    assert shown.split("\n") == [
        "  {",
        '    "a": 1',
        '    "b": [',
        "      1",
        "      2",
        "-     3",
        "+     4",
        "    ]",
        '    "c": {',
        '-     "d": _',
        "    }",
        '-   "e": 0',
        '+   "f": 9',
        "  }",
    ]


def test_a_difference_in_an_array() -> None:
    assert diff("[1, 2, 3]", [1, 2]) == "  [\n    1\n    2\n-   3\n  ]"
    assert diff("[1]", [1, 2]) == "  [\n    1\n+   2\n  ]"
    assert diff("[..., 3]", [1, 2]) == "- [..., 3]\n+ [1, 2]"
    assert diff("[3]", b"[1]\n[2]") == "  [\n-   3\n+   [1]\n+   [2]\n  ]"
    assert diff("[3]", 1) == "- [3]\n+ 1"
    assert diff('{"a": 1, ...}', {"a": 2, "b": 3}) == '  {\n-   "a": 1\n+   "a": 2\n    "b": 3\n  }'


def test_a_difference_after_a_capture() -> None:
    assert diff("$a", 2, a=1) == "- $a = 1\n+ 2"
    assert diff("[$a, $a]", [1, 2]) == "  [\n    1\n-   $a = 1\n+   2\n  ]"
    assert write_node(pattern("{$a: 1}".replace("$a", "1")), {}) == "{1: 1}"
    assert write_node(Tagged(1, 5), {}) == "1(5)"


def test_what_is_long_is_cut() -> None:
    (_, line) = difference(pattern("1"), "x" * 1000, {})
    assert len(line) < 340
    assert line.endswith("characters more)")


def test_nothing_reaches_a_terminal() -> None:
    shown = write("a\x1b[2J\x9b\u202e")
    assert shown == '"a\\u001b[2J\\u009b\\u202e"'


def test_values_that_only_scripts_send() -> None:
    assert write(cbor2.CBORTag(37, b"\0")) == "37(h'00')"
    assert write(cbor2.undefined) == "undefined"
    assert write({1}) == "{1}"
    assert write(2**20000).startswith("0x1000")


def test_the_nearest_has_the_type() -> None:
    wanted = pattern('{"type": "A", "x": 1, "y": 2}')
    near = {"type": "A", "x": 2, "y": 3}
    assert distance(wanted, near, {}) < distance(wanted, {"type": "B", "x": 1, "y": 2}, {})
    assert distance(pattern("1"), 2, {}) == 2
