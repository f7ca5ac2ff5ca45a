"""Edits of a state: typed, or written as a whole."""

from __future__ import annotations

import datetime
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.messages import PatchOp
from protocol.patch import apply_patch
from tui.model.edit import (
    MAX_TYPED,
    Change,
    Edit,
    describe,
    edit_value,
    edit_whole,
    read_json,
    typed_text,
    value_help,
    whole_text,
)
from tui.model.form import FieldError
from tui.model.values import Path, key_text

NOON = datetime.datetime(2026, 11, 24, 12, 0, tzinfo=datetime.UTC)
STATE: dict[str, Any] = {
    "name": "a",
    "count": 3,
    "share": 0.5,
    "open": True,
    "none": None,
    "at": NOON,
    "raw": b"\x00\x01",
    "list": [1, {"x/y~": 2}],
    "map": {7: "seven"},
}
SCHEMA = {
    "$ref": "#/$defs/State",
    "$defs": {
        "State": {
            "type": "object",
            "properties": {
                "count": {"type": "integer", "minimum": 0, "description": "how many"},
                "level": {"enum": ["low", "high"]},
                "list": {"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]},
                "pair": {"type": "array", "prefixItems": [{"type": "boolean"}], "items": {"type": "string"}},
                "map": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 6}},
                "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            },
        }
    },
}


def typed(path: Path, text: str, state: Any = STATE, schema: dict[str, Any] | None = None) -> Any:
    """Give what the state is after something was typed; None for no change."""
    edit = edit_value("a", 1, state, path, text, schema or {})
    return None if edit is None else apply_patch(state, edit.patch)


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        (("name",), "12", "12"),
        (("name",), "", ""),
        (("count",), " 12 ", 12),
        (("count",), "-1" + "0" * 30, -(10**30)),
        (("share",), "2", 2.0),
        (("share",), '{"$float": "Infinity"}', math.inf),
        (("open",), "False", False),
        (("none",), '{"a": [1]}', {"a": [1]}),
        (("at",), "2026-11-24T13:00:00+00:00", NOON.replace(hour=13)),
        (("raw",), '{"$bytes": "/w=="}', b"\xff"),
        (("list",), "[]", []),
        (("list", 1, "x/y~"), "5", 5),
        (("map", "7"), "eight", "eight"),
    ],
)
def test_a_value_keeps_its_type(path: Path, text: str, value: Any) -> None:
    after = typed(path, text)
    for step in path:
        after = after[7 if step == "7" else step]
    assert (type(after), after) == (type(value), value)


@pytest.mark.parametrize("key", [True, None, 1.5, -7, b"\x00/~", NOON, (1, "a/b")], ids=repr)
def test_a_key_of_any_kind_leads_to_its_value(key: Any) -> None:
    state = {"map": {key: 1, "other": 2}}
    step = key_text(key)
    assert typed(("map", step), "5", state) == {"map": {key: 5, "other": 2}}
    # As a whole too: only what was changed is sent.
    text = whole_text(state)
    assert json.loads(text) == {"map": {step: 1, "other": 2}}
    edit = edit_whole("a", 1, state, text.replace(": 1,", ": 5,"))
    assert edit is not None
    assert apply_patch(state, edit.patch) == {"map": {key: 5, "other": 2}}


@pytest.mark.parametrize("path", [(), *((name,) for name in STATE)])
def test_what_is_shown_to_type_changes_nothing(path: Path) -> None:
    value = STATE[str(path[0])] if path else {key: item for key, item in STATE.items() if key not in ("at", "map")}
    state = value if not path else STATE
    assert edit_value("a", 1, state, path, typed_text(value), {}) is None or path == ("map",)


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        (("count",), "x", "no JSON: Expecting value, line 1 column 1"),
        (("count",), "1.5", "a whole number is wanted"),
        (("count",), "true", "a whole number is wanted"),
        (("share",), '"x"', "a number is wanted"),
        (("open",), "1", "true or false is wanted"),
        (("at",), "noon", "a time is wanted"),
        (("raw",), '"x"', r'a JSON \{"\$bytes": base64\} is wanted'),
        (("list",), "{}", "a JSON array is wanted"),
        (("none",), '{"a": 1, "a": 2}', "no JSON: .*twice"),
    ],
)
def test_what_does_not_fit_is_said(path: Path, text: str, said: str) -> None:
    with pytest.raises(FieldError, match=said):
        typed(path, text)


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        (("count",), "-1", "at least 0"),
        (("count",), "", "a value is wanted"),
        (("level",), "mid", "one of"),
        (("list", 0), "x", "a whole number"),
        (("pair", 0), "maybe", "true or false"),
        (("map", "k"), "too long a text", "at most 6"),
    ],
)
def test_the_schema_has_a_say(path: Path, text: str, said: str) -> None:
    state = {"count": 1, "level": "low", "list": [1], "pair": [True, "x"], "map": {"k": "v"}, "note": "n"}
    with pytest.raises(FieldError, match=said):
        typed(path, text, state, SCHEMA)
    assert typed(("note",), "null", state, SCHEMA)["note"] is None
    assert typed(("level",), "high", state, SCHEMA)["level"] == "high"
    assert typed(("pair", 1), "y", state, SCHEMA)["pair"] == [True, "y"]


def test_help_says_type_and_description() -> None:
    assert value_help(1, SCHEMA, ("count",)) == "integer: how many"
    assert value_help("n", SCHEMA, ("note",)) == "string or null"
    assert value_help([1], {}, ("list",)) == "JSON array"
    assert value_help(None, {}, ("none",)) == "JSON"
    assert value_help(NOON, {}, ("at",)) == "time"
    # Nothing is known inside what the schema does not name.
    assert value_help(1, SCHEMA, ("other", 0, "deep")) == "whole number"


@pytest.mark.parametrize(
    ("value", "said"), [("a\nb", "line ends"), ("x" * (MAX_TYPED + 1), "too many"), ([10**5000], "no form")]
)
def test_what_one_line_can_not_hold(value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        typed_text(value)


# ---- the whole ----


def test_only_what_was_changed_is_sent() -> None:
    text = whole_text(STATE)
    assert edit_whole("a", 1, STATE, text) is None
    edit = edit_whole("a", 4, STATE, text.replace('"count": 3', '"count": 4').replace("seven", "eight"))
    assert edit is not None
    assert (edit.version, edit.path, edit.fits) == (4, None, True)
    assert edit.patch == [
        PatchOp(op="replace", path="/count", value=4),
        PatchOp(op="replace", path="/map/7", value="eight"),
    ]
    assert apply_patch(STATE, edit.patch) == {**STATE, "count": 4, "map": {7: "eight"}}


def test_times_and_bytes_stay_what_they_are() -> None:
    text = whole_text(STATE).replace("T12:00:00Z", "T13:00:00Z").replace("AAE=", "/w==")
    edit = edit_whole("a", 1, STATE, text)
    assert edit is not None
    assert apply_patch(STATE, edit.patch) == {**STATE, "at": NOON.replace(hour=13), "raw": b"\xff"}
    edit = edit_whole("a", 1, STATE, whole_text(STATE).replace("2026-11-24T12:00:00Z", "noon"))
    assert edit is not None
    assert edit.patch == [PatchOp(op="replace", path="/at", value="noon")]


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=3)
    | st.binary(max_size=3)
    | st.floats(allow_nan=False)
    | st.builds(lambda: {"$bytes": "AA=="}),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2) | st.just("$map"), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(_VALUES, _VALUES)
def test_whatever_is_written_is_what_the_state_becomes(old: Any, new: Any) -> None:
    edit = edit_whole("a", 1, old, whole_text(new))
    after = old if edit is None else apply_patch(old, edit.patch)
    assert after == new


def test_a_text_that_is_no_json_is_said_with_its_place() -> None:
    with pytest.raises(FieldError, match="line 2 column 3"):
        edit_whole("a", 1, {}, '{\n  x": 1\n}')
    with pytest.raises(FieldError, match="no JSON"):
        read_json("[" * 100_000)
    with pytest.raises(FieldError, match="no JSON"):
        read_json("9" * 6000)
    with pytest.raises(ValueError, match="no form"):
        whole_text({"a": 10**6000})


# ---- what it does ----


def test_operations_as_people_read_them() -> None:
    state = {"a": 1, "b": [1, 2], "c": {7: "x"}}
    patch = [
        PatchOp(op="replace", path="/a", value="\x1b[2J"),
        PatchOp(op="add", path="/b/0", value=0),
        PatchOp(op="remove", path="/b/1"),
        PatchOp(op="move", path="/d", from_="/a"),
        PatchOp(op="test", path="/c/7", value="x"),
        PatchOp(op="replace", path="", value=None),
        PatchOp(op="remove", path="/a/b/c"),
        PatchOp(op="remove", path="/b/9"),
        PatchOp(op="remove", path="/c/8"),
    ]
    assert describe(Edit("a", 1, state, patch, "")) == [
        Change("~", "/a", "1", '"\\u001b[2J"'),
        Change("+", "/b/0", "", "0"),
        Change("-", "/b/1", "2", ""),
        Change(">", "/d", "null", ""),
        Change("?", "/c/7", '"x"', '"x"'),
        Change("~", "(all)", '{a: 1, b: [1, 2], c: {7: "x"}}', "null"),
        Change("-", "/a/b/c", "null", ""),
        Change("-", "/b/9", "null", ""),
        Change("-", "/c/8", "null", ""),
    ]


def test_an_edit_for_another_version() -> None:
    edit = Edit("a", 1, {"a": 1}, [PatchOp(op="replace", path="/a", value=2)], "2", ("a",))
    assert edit.fits
    moved = edit.moved(5, {"b": 1})
    assert (moved.version, moved.base, moved.patch, moved.text, moved.path) == (5, {"b": 1}, edit.patch, "2", ("a",))
    assert not moved.fits
