"""Forms from JSON Schema, and arguments from a command line."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.model.form import OMIT, FieldError, make_form, parse_arguments, parse_json


def field(schema: dict[str, Any], *, required: bool = True, defs: dict[str, Any] | None = None) -> Any:
    form = make_form({"properties": {"x": schema}, "required": ["x"] if required else [], "$defs": defs or {}})
    return form.fields[0]


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "integer"}, " 5 ", 5),
        ({"type": "integer"}, "-3", -3),
        ({"type": "number"}, "5", 5),
        ({"type": "number"}, "5.0", 5.0),
        ({"type": "number"}, "1e3", 1000.0),
        ({"type": "boolean"}, "yes", True),
        ({"type": "boolean"}, "False", False),
        ({"type": "string"}, "5", "5"),
        ({"type": "string"}, "", ""),
        ({"type": "string"}, "  ", "  "),
        ({"type": ["string", "null"]}, "null", None),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "null", None),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "4", 4),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, '"4"', "4"),
        ({"enum": ["a", "b"]}, "b", "b"),
        ({"enum": [1, 2]}, "2", 2),
        ({"const": "only"}, "only", "only"),
        ({"enum": ["a", None]}, "null", None),
        ({"type": "array"}, "[1, 2]", [1, 2]),
        ({"type": "object"}, '{"a": 1}', {"a": 1}),
        ({}, "true", True),
        ({"$ref": "#/$defs/Size", "default": 1}, "7", 7),
    ],
)
def test_what_is_typed_becomes_a_value(schema: dict[str, Any], text: str, value: Any) -> None:
    found = field(schema, defs={"Size": {"type": "integer"}}).parse(text)
    assert (type(value), value) == (type(found), found)


@pytest.mark.parametrize(
    ("schema", "text", "error"),
    [
        ({"type": "integer"}, "", "a value is wanted"),
        ({"type": "integer"}, "5.5", "a whole number is wanted"),
        ({"type": "number"}, "nan", "a number is wanted"),
        ({"type": "number"}, "many", "a number is wanted"),
        ({"type": "boolean"}, "perhaps", "true or false is wanted"),
        ({"enum": ["a", "b"]}, "c", 'one of "a", "b" is wanted'),
        ({"type": "integer", "minimum": 1}, "0", "at least 1 is wanted"),
        ({"type": "integer", "exclusiveMinimum": 1}, "1", "more than 1 is wanted"),
        ({"type": "number", "maximum": 1.5}, "2", "at most 1.5 is wanted"),
        ({"type": "number", "exclusiveMaximum": 2}, "2", "less than 2 is wanted"),
        ({"type": "string", "minLength": 2}, "a", "at least 2 characters is wanted"),
        ({"type": "string", "maxLength": 2}, "abc", "at most 2 characters is wanted"),
        ({"type": "array"}, "{}", "a JSON array is wanted"),
        ({"type": "object"}, "[]", "a JSON object is wanted"),
        ({"type": "array"}, "[1", "no JSON"),
        ({"type": "array"}, "[NaN]", "no JSON"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_field(schema: dict[str, Any], text: str, error: str) -> None:
    with pytest.raises(FieldError, match=error.replace("(", r"\(")) as caught:
        field(schema).parse(text)
    assert caught.value.field == "x"


def test_an_optional_field_left_empty_is_left_out() -> None:
    form = make_form(
        {"properties": {"a": {"type": "integer"}, "b": {"type": "integer", "default": 2}}, "required": ["a"]}
    )
    assert form.parse({"a": "1", "b": ""}) == {"a": 1}
    assert form.parse({"a": "1", "b": "3"}) == {"a": 1, "b": 3}
    assert [f.default for f in form.fields] == ["", "2"]
    assert form.fields[1].parse("") is OMIT


def test_arguments_fill_the_form_again() -> None:
    form = make_form({"properties": {"a": {"type": "integer"}, "b": {"type": "string"}, "c": {}}})
    assert form.fill({"a": 1, "b": "x y", "c": [1]}) == {"a": "1", "b": "x y", "c": "[1]"}
    assert form.fill([5]) == {"a": "5", "b": "", "c": ""}


def test_labels_tell_the_type() -> None:
    assert field({"type": "integer"}).label == "x  integer"
    assert field({"type": ["integer", "null"]}, required=False).label == "x  integer or null optional"
    assert field({"enum": ["a", 1]}).label == 'x  one of "a", 1'


def test_a_description_is_help_that_is_safe() -> None:
    assert field({"description": "how \x1b[31mmuch"}).help == "how ␛[31mmuch"
    assert field({"description": 5}).help == ""


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"properties": []},
        {"properties": {"x": 5}},
        {"properties": {5: {}}},
        {"properties": {"x": {"$ref": "#/nowhere/at/all"}}, "required": "x"},
        {"properties": {"x": {"$ref": "#/properties/x"}}},
        {"properties": {"x": {"anyOf": "y", "type": ["a", "b"]}}},
        {"properties": {"x": {"enum": {}}}},
    ],
)
def test_a_schema_that_makes_no_sense_still_makes_a_form(schema: dict[str, Any]) -> None:
    for one in make_form(schema).fields:
        assert one.parse("5") == 5


def test_a_form_of_a_thousand_fields_shows_some_and_says_so() -> None:
    form = make_form({"properties": {f"f{n}": {} for n in range(1000)}})
    assert (len(form.fields), form.more) == (64, 936)


class _Size(msgspec.Struct):
    width: int
    height: int = 2


class _Arguments(msgspec.Struct):
    size: _Size
    name: str = "box"
    tags: list[str] | None = None


def test_a_schema_as_msgspec_writes_it() -> None:
    schema = msgspec.json.schema(_Arguments)
    root = {**schema["$defs"]["_Arguments"], "$defs": schema["$defs"]}
    form = make_form(root)
    assert [(f.name, f.kind, f.required, f.nullable) for f in form.fields] == [
        ("size", "json", True, False),
        ("name", "string", False, False),
        ("tags", "json", False, True),
    ]
    assert form.parse({"size": '{"width": 1}', "name": "x", "tags": "null"}) == {
        "size": {"width": 1},
        "name": "x",
        "tags": None,
    }


@pytest.mark.parametrize(
    ("words", "args"),
    [
        ([], []),
        (["5", "a", "true", '"5"', "[1]"], [5, "a", True, "5", [1]]),
        (["amount=5", "note=hi there"], {"amount": 5, "note": "hi there"}),
        (["a=", "b=x=y"], {"a": "", "b": "x=y"}),
        (["1=2"], ["1=2"]),
        (["NaN"], ["NaN"]),
        (["[" * 100_000], ["[" * 100_000]),
    ],
)
def test_arguments_from_a_command_line(words: list[str], args: Any) -> None:
    assert args == parse_arguments(words)


@pytest.mark.parametrize(("words", "error"), [(["1", "a=2"], "not both"), (["a=1", "a=2"], "twice")])
def test_arguments_that_contradict_are_refused(words: list[str], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        parse_arguments(words)


@given(st.text())
def test_any_text_is_json_or_a_value_error(text: str) -> None:
    try:
        parse_json(text)
    except ValueError:
        return
