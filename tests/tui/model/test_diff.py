"""What changed between two states."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.model.diff import changes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=15,
)


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (1, 1, {}),
        (1, 2, {(): "changed"}),
        (1, True, {(): "changed"}),
        (1, 1.0, {(): "changed"}),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, {("b",): "changed"}),
        ({"a": 1}, {"b": 1}, {("b",): "added", ("a",): "removed"}),
        ({1: 1}, {1: 2}, {("1",): "changed"}),
        ([1, 2], [1, 3, 4], {(1,): "changed", (2,): "added"}),
        ([1, 2, 3], [1], {(1,): "removed", (2,): "removed"}),
        ({"a": [1]}, {"a": {"x": 1}}, {("a",): "changed"}),
        ({"a": {"b": [{"c": 1}]}}, {"a": {"b": [{"c": 2}]}}, {("a", "b", 0, "c"): "changed"}),
    ],
)
def test_changes(old: Any, new: Any, found: dict[Any, str]) -> None:
    assert found == changes(old, new)


@given(JSON)
def test_a_value_does_not_differ_from_itself(value: Any) -> None:
    assert changes(value, value) == {}


@given(JSON, JSON)
def test_something_is_told_exactly_when_something_differs(old: Any, new: Any) -> None:
    assert bool(changes(old, new)) == (repr(_sorted(old)) != repr(_sorted(new)))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    # 0.0 and -0.0 are the same number.
    return (
        [_sorted(item) for item in value]
        if isinstance(value, list)
        else value + 0.0
        if isinstance(value, float)
        else value
    )


def test_it_is_bounded() -> None:
    assert len(changes([0] * 5000, [1] * 5000, limit=10)) == 10
    assert len(changes([], list(range(5000)), limit=10)) == 10
    assert len(changes({}, {str(n): n for n in range(5000)}, limit=10)) == 10
