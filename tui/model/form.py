"""A form for an action, from the JSON Schema of its arguments.

A field that a form can hold (text, number, yes or no, a choice) has a kind of its own; anything nested is
typed as JSON. What is typed is checked here as far as the schema says it plainly; the host has the last word.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from tui.logs.text import cut, neutralise
from tui.model.values import Path, brief, to_json

__all__ = (
    "OMIT",
    "Field",
    "FieldError",
    "Form",
    "Kind",
    "field_at",
    "make_form",
    "parse_arguments",
    "parse_json",
)

Kind = Literal["string", "integer", "number", "boolean", "choice", "json"]

OMIT: Final = object()
"""What a field gives that was left empty and may be: the host's own default holds."""

_MAX_FIELDS: Final = 64
_MAX_REFS: Final = 16


class FieldError(ValueError):
    """What was typed does not fit. `field` is the name of the field, empty for the whole."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Field:
    """One argument.

    Attributes:
        name: as the host spells it; not safe for a screen.
        kind: what is typed for it.
        required: it has no default.
        nullable: null is one of its values.
        default: the text that the form begins with.
        choices: for `choice`, the values that it may have.
        help: its description, safe for a screen.
        schema: its JSON Schema, references resolved.
    """

    name: str
    kind: Kind
    required: bool
    nullable: bool
    default: str
    choices: tuple[Any, ...]
    help: str
    schema: Mapping[str, Any]

    @property
    def label(self) -> str:
        """Give the name and the type, safe for a screen."""
        kind = "one of " + ", ".join(brief(c, 20) for c in self.choices[:6]) if self.kind == "choice" else self.kind
        notes = [kind, *(["or null"] if self.nullable else []), *([] if self.required else ["optional"])]
        return f"{neutralise(cut(self.name, 60))}  {' '.join(notes)}"

    def parse(self, text: str) -> Any:
        """Turn what was typed into a value; OMIT for an optional field left empty.

        Raises:
            FieldError: it does not fit the schema.
        """
        if not text.strip() and not (self.kind == "string" and text):
            return self._empty()
        if self.nullable and text.strip() == "null":
            return None
        return self._check(self._read(text))

    def _empty(self) -> Any:
        if not self.required:
            return OMIT
        if self.kind == "string":
            return self._check("")
        raise FieldError("a value is wanted", self.name)

    def _read(self, text: str) -> Any:
        match self.kind:
            case "string":
                return text
            case "integer":
                try:
                    return int(text)
                except ValueError:
                    raise FieldError("a whole number is wanted", self.name) from None
            case "number":
                try:
                    value = float(text)
                except ValueError:
                    value = math.nan
                if not math.isfinite(value):
                    raise FieldError("a number is wanted", self.name)
                return int(value) if value.is_integer() and "." not in text and "e" not in text.lower() else value
            case "boolean":
                if text.strip().lower() in ("true", "yes", "y", "1"):
                    return True
                if text.strip().lower() in ("false", "no", "n", "0"):
                    return False
                raise FieldError("true or false is wanted", self.name)
            case "choice":
                for choice in self.choices:
                    if text == (choice if isinstance(choice, str) else to_json(choice)):
                        return choice
                raise FieldError(f"one of {', '.join(brief(c, 30) for c in self.choices[:12])} is wanted", self.name)
            case "json":
                try:
                    return parse_json(text)
                except ValueError as exc:
                    raise FieldError(f"no JSON: {exc}", self.name) from None

    def _check(self, value: Any) -> Any:
        schema = self.schema
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            _bound(schema, "minimum", self.name, lambda least: value < least, "at least")
            _bound(schema, "exclusiveMinimum", self.name, lambda least: value <= least, "more than")
            _bound(schema, "maximum", self.name, lambda most: value > most, "at most")
            _bound(schema, "exclusiveMaximum", self.name, lambda most: value >= most, "less than")
        if isinstance(value, str):
            _bound(schema, "minLength", self.name, lambda least: len(value) < least, "at least", " characters")
            _bound(schema, "maxLength", self.name, lambda most: len(value) > most, "at most", " characters")
        wanted = {"array": list, "object": dict}.get(str(schema.get("type")))
        if self.kind == "json" and wanted is not None and not isinstance(value, wanted):
            raise FieldError(f"a JSON {schema['type']} is wanted", self.name)
        return value


def _bound(schema: Mapping[str, Any], key: str, field: str, fails: Any, words: str, unit: str = "") -> None:
    limit = schema.get(key)
    if isinstance(limit, (int, float)) and not isinstance(limit, bool) and fails(limit):
        raise FieldError(f"{words} {limit:g}{unit} is wanted", field)


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of an action's arguments.

    `more` of them are left to the raw form, for there are too many.
    """

    fields: tuple[Field, ...]
    more: int = 0

    def parse(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """Turn what was typed, by field name, into arguments.

        Raises:
            FieldError: the first field that does not fit.
        """
        values = {field.name: field.parse(texts.get(field.name, "")) for field in self.fields}
        return {name: value for name, value in values.items() if value is not OMIT}

    def fill(self, args: Mapping[str, Any] | list[Any]) -> dict[str, str]:
        """Write arguments as they would be typed, by field name; those that are missing become empty."""
        named = dict(zip((f.name for f in self.fields), args, strict=False)) if isinstance(args, list) else args
        return {f.name: _typed(named[f.name], f.kind) if f.name in named else "" for f in self.fields}


def _typed(value: Any, kind: Kind) -> str:
    return value if isinstance(value, str) and kind in ("string", "choice") else to_json(value)


def make_form(schema: Mapping[str, Any]) -> Form:
    """Make the form of an action. A schema that makes no sense gives fields that take any JSON, or none."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return Form(())
    required = schema.get("required")
    names = {name for name in required if isinstance(name, str)} if isinstance(required, list) else set()
    fields = [
        _field(name, item if isinstance(item, dict) else {}, name in names, schema)
        for name, item in list(properties.items())[:_MAX_FIELDS]
        if isinstance(name, str)
    ]
    return Form(tuple(fields), max(0, len(properties) - _MAX_FIELDS))


def _field(name: str, given: Mapping[str, Any], required: bool, root: Mapping[str, Any]) -> Field:
    schema = _resolve(given, root)
    nullable = False
    for word in ("anyOf", "oneOf"):
        options = schema.get(word)
        if isinstance(options, list):
            others = [option for option in options if isinstance(option, dict) and option.get("type") != "null"]
            nullable = len(others) < len(options)
            if len(others) == 1:
                schema = {**_resolve(others[0], root), **{k: v for k, v in schema.items() if k != word}}
    kinds = schema.get("type")
    if isinstance(kinds, list):
        nullable = nullable or "null" in kinds
        others = [kind for kind in kinds if kind != "null"]
        kinds = others[0] if len(others) == 1 else None
    choices: tuple[Any, ...] = ()
    enum = schema.get("enum") or ([schema["const"]] if "const" in schema else None)
    kind: Kind = kinds if kinds in ("string", "integer", "number", "boolean") else "json"
    if isinstance(enum, list):
        kind = "choice"
        nullable = nullable or None in enum
        choices = tuple(choice for choice in enum if choice is not None)
    default = (
        _typed(given.get("default", schema.get("default")), kind) if "default" in schema or "default" in given else ""
    )
    help = given.get("description") or schema.get("description") or ""
    return Field(
        name=name,
        kind=kind,
        required=required,
        nullable=nullable,
        default=default,
        choices=choices,
        help=neutralise(cut(help, 300)) if isinstance(help, str) else "",
        schema=schema,
    )


def field_at(schema: Mapping[str, Any], path: Path) -> Field:
    """Make the field of a place inside a value; where the schema says nothing of it, any JSON may be typed.

    Args:
        schema: of the whole value.
        path: the place.
    """
    here: Mapping[str, Any] = schema
    for step in path:
        here = _inside(_plain_schema(here, schema), step)
    return _field(str(path[-1]) if path else "", here, True, schema)


def _plain_schema(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Resolve references, and see past `or null`."""
    schema = _resolve(schema, root)
    for word in ("anyOf", "oneOf"):
        options = schema.get(word)
        if isinstance(options, list):
            others = [option for option in options if isinstance(option, dict) and option.get("type") != "null"]
            if len(others) == 1:
                return _resolve(others[0], root)
    return schema


def _inside(schema: Mapping[str, Any], step: str | int) -> Mapping[str, Any]:
    found: Any = None
    if isinstance(step, int):
        fixed = schema.get("prefixItems")
        found = fixed[step] if isinstance(fixed, list) and step < len(fixed) else schema.get("items")
    else:
        named = schema.get("properties")
        found = named.get(step) if isinstance(named, dict) else None
        found = schema.get("additionalProperties") if found is None else found
    return found if isinstance(found, dict) else {}


def _resolve(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow references into the schema's own definitions; one that leads nowhere gives a schema that says
    nothing.
    """
    for _ in range(_MAX_REFS):
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return schema
        found: Any = root
        for step in reference[2:].split("/"):
            found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
        if not isinstance(found, dict):
            return {}
        schema = {**found, **{key: value for key, value in schema.items() if key != "$ref"}}
    return {}


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def parse_json(text: str) -> Any:
    """Read JSON as its standard has it: no NaN.

    Raises:
        ValueError: it is none; the message says where, for people.
    """
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as exc:
        raise ValueError(f"{exc.msg} at character {exc.pos}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def parse_arguments(words: Iterable[str]) -> list[Any] | dict[str, Any]:
    """Read an action's arguments from a command line: JSON values by position, or NAME=VALUE by name.

    A word that is no JSON is a string.

    Raises:
        ValueError: both forms are mixed, or a name comes twice.
    """
    named: dict[str, Any] = {}
    placed: list[Any] = []
    for word in words:
        name, equals, value = word.partition("=")
        if equals and name.isidentifier():
            if name in named:
                raise ValueError(f"the argument {name!r} is given twice")
            named[name] = _word(value)
        else:
            placed.append(_word(word))
    if named and placed:
        raise ValueError("arguments are given by position or by name, not both")
    return named or placed


def _word(text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError:
        return text
