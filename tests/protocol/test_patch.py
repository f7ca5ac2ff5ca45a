from __future__ import annotations

import contextlib
import datetime
from typing import Any

import msgspec
import pytest
from cbor2 import frozendict
from hypothesis import given
from hypothesis import strategies as st

from protocol.messages import PatchOp
from protocol.patch import PatchError, apply_patch, diff, key_token

NOON = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)


def ops(*operations: dict[str, Any]) -> list[PatchOp]:
    return msgspec.convert(list(operations), list[PatchOp])


# The examples of RFC 6902, appendix A, that are not about the syntax of JSON itself.
FITTING = {
    "A.1 add an object member": (
        {"foo": "bar"},
        [{"op": "add", "path": "/baz", "value": "qux"}],
        {"baz": "qux", "foo": "bar"},
    ),
    "A.2 add an array element": (
        {"foo": ["bar", "baz"]},
        [{"op": "add", "path": "/foo/1", "value": "qux"}],
        {"foo": ["bar", "qux", "baz"]},
    ),
    "A.3 remove an object member": ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    "A.4 remove an array element": (
        {"foo": ["bar", "qux", "baz"]},
        [{"op": "remove", "path": "/foo/1"}],
        {"foo": ["bar", "baz"]},
    ),
    "A.5 replace": (
        {"baz": "qux", "foo": "bar"},
        [{"op": "replace", "path": "/baz", "value": "boo"}],
        {"baz": "boo", "foo": "bar"},
    ),
    "A.6 move": (
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    "A.7 move an array element": (
        {"foo": ["all", "grass", "cows", "eat"]},
        [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    "A.8 test": (
        {"baz": "qux", "foo": ["a", 2, "c"]},
        [{"op": "test", "path": "/baz", "value": "qux"}, {"op": "test", "path": "/foo/1", "value": 2}],
        {"baz": "qux", "foo": ["a", 2, "c"]},
    ),
    "A.10 add a nested member": (
        {"foo": "bar"},
        [{"op": "add", "path": "/child", "value": {"grandchild": {}}}],
        {"foo": "bar", "child": {"grandchild": {}}},
    ),
    "A.14 escapes": ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
    "A.16 add an array": (
        {"foo": ["bar"]},
        [{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}],
        {"foo": ["bar", ["abc", "def"]]},
    ),
    "the whole": ({"foo": 1}, [{"op": "replace", "path": "", "value": [1]}], [1]),
    "add the whole": ({"foo": 1}, [{"op": "add", "path": "", "value": 2}], 2),
    "add replaces a member": ({"foo": 1}, [{"op": "add", "path": "/foo", "value": 2}], {"foo": 2}),
    "copy": (
        {"a": [1], "b": 2},
        [{"op": "copy", "from": "/a", "path": "/b"}, {"op": "add", "path": "/b/-", "value": 3}],
        {"a": [1], "b": [1, 3]},
    ),
    "a value of null": ({}, [{"op": "add", "path": "/a", "value": None}], {"a": None}),
    "a key that is a number": ({1: {"x": 2}}, [{"op": "replace", "path": "/1/x", "value": 3}], {1: {"x": 3}}),
    "a key that is true": ({True: 1}, [{"op": "replace", "path": "/true", "value": 2}], {True: 2}),
    "a key that is null": ({None: 1, "null": 2}, [{"op": "remove", "path": "/null"}], {None: 1}),
    "only a key that is null": ({None: 1}, [{"op": "add", "path": "/null", "value": 2}], {None: 2}),
    "keys of any kind": (
        {1.5: [0], b"\xff?\x00": 1, NOON: 2, (1, "a/"): 3, frozendict(): 4, 10**5000: 5},
        [
            {"op": "replace", "path": "/1.5/0", "value": 1},
            {"op": "replace", "path": '/{"$bytes":"~1z8A"}', "value": 2},
            {"op": "replace", "path": '/"2026-11-24T12:00:00Z"', "value": 3},
            {"op": "move", "from": '/[1,"a~1"]', "path": "/text"},
        ],
        {1.5: [1], b"\xff?\x00": 2, NOON: 3, frozendict(): 4, 10**5000: 5, "text": 3},
    ),
    "equal numbers": ({"a": 1}, [{"op": "test", "path": "/a", "value": 1.0}], {"a": 1}),
    "equal containers": (
        {"a": [{"b": 1}]},
        [{"op": "test", "path": "", "value": {"a": [{"b": 1}]}}],
        {"a": [{"b": 1}]},
    ),
    "move onto itself": ({"a": 1}, [{"op": "move", "from": "/a", "path": "/a"}], {"a": 1}),
}


@pytest.mark.parametrize(("value", "patch", "expected"), FITTING.values(), ids=FITTING)
def test_applies(value: Any, patch: list[dict[str, Any]], expected: Any) -> None:
    assert apply_patch(value, ops(*patch)) == expected


REFUSED = {
    "a key of Python's": ({True: 1, None: 2}, [{"op": "remove", "path": "/True"}]),
    "a key that no text means": ({frozendict(): 1}, [{"op": "remove", "path": "/{}"}]),
    "A.9 a test that fails": ({"baz": "qux"}, [{"op": "test", "path": "/baz", "value": "bar"}]),
    "A.12 no such parent": ({"foo": "bar"}, [{"op": "add", "path": "/baz/bat", "value": "qux"}]),
    "A.15 text and number": ({"/": 9}, [{"op": "test", "path": "/~1", "value": "9"}]),
    "true is not 1": ({"a": True}, [{"op": "test", "path": "/a", "value": 1}]),
    "replace what is not there": ({}, [{"op": "replace", "path": "/a", "value": 1}]),
    "remove what is not there": ({}, [{"op": "remove", "path": "/a"}]),
    "remove the whole": ({}, [{"op": "remove", "path": ""}]),
    "add without value": ({}, [{"op": "add", "path": "/a"}]),
    "copy without from": ({}, [{"op": "copy", "path": "/a"}]),
    "an index with a nought before": ([1, 2], [{"op": "replace", "path": "/01", "value": 1}]),
    "an index that is none": ([1, 2], [{"op": "replace", "path": "/x", "value": 1}]),
    "behind the end": ([1, 2], [{"op": "add", "path": "/3", "value": 1}]),
    "no element": ([1, 2], [{"op": "remove", "path": "/2"}]),
    "an endless index": ([1], [{"op": "remove", "path": "/" + "9" * 5000}]),
    "inside a number": ({"a": 1}, [{"op": "add", "path": "/a/b", "value": 1}]),
    "inside null": ({"a": None}, [{"op": "remove", "path": "/a/b"}]),
    "no slash": ({"a": 1}, [{"op": "remove", "path": "a"}]),
    "a lone tilde": ({"a~": 1}, [{"op": "remove", "path": "/a~"}]),
    "into itself": ({"a": {"b": 1}}, [{"op": "move", "from": "/a", "path": "/a/b"}]),
    "other lengths": ([[1]], [{"op": "test", "path": "", "value": [[1, 2]]}]),
}


@pytest.mark.parametrize(("value", "patch"), REFUSED.values(), ids=REFUSED)
def test_refuses_and_changes_nothing(value: Any, patch: list[dict[str, Any]]) -> None:
    before = repr(value)
    fits: dict[str, Any] = {"op": "test", "path": "", "value": value}
    with pytest.raises(PatchError) as caught:
        apply_patch(value, ops(fits, *patch))
    assert (caught.value.index, caught.value.path) == (1, patch[0]["path"])
    assert repr(value) == before


COPIES = {
    "the whole into itself, again and again": (
        {"a": "x" * 1000},
        [{"op": "copy", "from": "", "path": f"/{number}"} for number in range(40)],
        10,
    ),
    "much, often": ([[0] * 1000, {"key": b"x" * 100_000}], [{"op": "copy", "from": "", "path": "/0/0"}] * 12, 3),
}


@pytest.mark.parametrize(("value", "patch", "at_fault"), COPIES.values(), ids=COPIES)
def test_a_patch_cannot_fill_the_memory_with_copies(value: Any, patch: list[dict[str, Any]], at_fault: int) -> None:
    with pytest.raises(PatchError, match="copies too much") as caught:
        apply_patch(value, ops(*patch))
    assert caught.value.index == at_fault
    apply_patch(value, ops(*patch[:at_fault]))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([{"a": 1}], [{"a": 1.0}]),
        ([[True], 0], [[1], 0]),
        ([{1: "a"}], [{True: "a"}]),
        ([{"a": 1}], [{"b": 1}]),
        ([{"a": 1}], [{"a": 1, "b": 1}]),
        (0.0, -0.0),
        (
            datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC),
            datetime.datetime(2026, 1, 1, 13, tzinfo=datetime.timezone(datetime.timedelta(hours=1))),
        ),
    ],
    ids=repr,
)
def test_what_is_equal_to_python_alone_is_a_difference(old: Any, new: Any) -> None:
    assert repr(apply_patch(old, diff(old, new))) == repr(new)


def test_the_value_of_an_operation_is_not_shared() -> None:
    (operation,) = ops({"op": "add", "path": "/a", "value": []})
    first = apply_patch({}, [operation])
    first["a"].append(1)
    assert apply_patch({}, [operation]) == {"a": []}


def test_a_difference_names_what_changed() -> None:
    old = {"count": 1, "gone": True, "list": [1, 2, 3, 4], "deep": {"a/b": {"~": 1}}, "same": [1]}
    new = {"count": 2, "list": [1, 9, 4], "deep": {"a/b": {"~": 2}}, "same": [1], "new": None}
    assert msgspec.to_builtins(diff(old, new)) == [
        {"op": "remove", "path": "/gone"},
        {"op": "replace", "path": "/count", "value": 2},
        {"op": "replace", "path": "/list/1", "value": 9},
        {"op": "remove", "path": "/list/2"},
        {"op": "replace", "path": "/deep/a~1b/~0", "value": 2},
        {"op": "add", "path": "/new", "value": None},
    ]


def test_what_a_pointer_calls_a_key() -> None:
    keys = ["a/b", "", 1, True, None, b"\x00", NOON, (1, "a"), frozendict(), 10**5000]
    tokens = ["a/b", "", "1", "true", "null", '{"$bytes":"AA=="}', '"2026-11-24T12:00:00Z"', '[1,"a"]', None, None]
    assert [key_token(key) for key in keys] == tokens


def test_a_map_with_other_keys_is_replaced_whole() -> None:
    assert msgspec.to_builtins(diff({"m": {1: 2}}, {"m": {1: 3}})) == [{"op": "replace", "path": "/m", "value": {1: 3}}]
    assert diff({"m": {1: 2}}, {"m": {1: 2}}) == []


def test_a_number_that_becomes_another_type_is_a_difference() -> None:
    assert len(diff([1, True], [1.0, 1])) == 2


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=3)
    | st.binary(max_size=3)
    | st.datetimes(timezones=st.just(datetime.UTC)),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text("ab/~", max_size=3), inner, max_size=5),
    max_leaves=20,
)


@given(VALUES, VALUES)
def test_a_difference_applied_makes_the_new_value(old: Any, new: Any) -> None:
    patch = diff(old, new)
    assert repr(sort(apply_patch(old, patch))) == repr(sort(new))


def sort(value: Any) -> Any:
    """Order maps, whose order a patch does not keep."""
    if isinstance(value, dict):
        return {key: sort(value[key]) for key in sorted(value)}
    return [sort(item) for item in value] if isinstance(value, list) else value


@given(
    VALUES,
    st.lists(
        st.fixed_dictionaries(
            {
                "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
                "path": st.text("/-~01ab", max_size=4),
            },
            optional={"from": st.text("/-~01ab", max_size=4), "value": VALUES},
        ),
        max_size=4,
    ),
)
def test_any_patch_applies_or_is_refused(value: Any, patch: list[dict[str, Any]]) -> None:
    # Whatever else it raises fails the test.
    with contextlib.suppress(PatchError):
        apply_patch(value, ops(*patch))
