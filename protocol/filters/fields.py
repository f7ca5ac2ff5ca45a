"""Tests of a scope: what is wanted of one field, whatever kind of value it has."""

from __future__ import annotations

import dataclasses
import json
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from protocol.filters.pattern import Pattern

__all__ = ("FieldTest", "Operator", "is_bare", "spell_value")

Operator = Literal["", "=", "!=", "<", "<=", ">", ">=", "~"]
"""What is asked; "" that the field is there at all."""

_ORDERS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:(\.[0-9]+)?([eE][+-]?[0-9]+)?)")
# Python refuses to read integers of more than 4300 digits; nobody means a number by so many.
_NUMBER_LENGTH: Final = 400


@dataclasses.dataclass(frozen=True, slots=True)
class FieldTest:
    """One test, such as `amount>=10`.

    Numbers compare as numbers, and so do texts that read as one where an order is asked for; anything else compares as
    text: `true`, `null`, and of lists and objects their JSON.

    Raises:
        PatternError: the operator is `~`, and the value is no pattern that is understood.
    """

    field: str
    operator: Operator = ""
    value: str = ""
    holds: Callable[[Any], bool] = dataclasses.field(init=False, repr=False, compare=False)
    """Tells if a value is as wanted."""
    size: int = dataclasses.field(init=False, repr=False, compare=False)
    """Nodes of its regular expression: what each character of a value costs at worst."""

    def __post_init__(self) -> None:
        pattern = Pattern(self.value) if self.operator == "~" else None
        holds = _check(self.operator, self.value) if pattern is None else _search(pattern)
        object.__setattr__(self, "holds", holds)
        object.__setattr__(self, "size", 0 if pattern is None else pattern.size)

    def holds_in(self, fields: Mapping[str, Any]) -> bool:
        """Tell if the field is among these, and as wanted."""
        return self.field in fields and self.holds(fields[self.field])

    def __str__(self) -> str:
        return f"{self.field}{self.operator}{spell_value(self.value)}" if self.operator else self.field


def _search(pattern: Pattern) -> Callable[[Any], bool]:
    return lambda value: pattern.found_in(_text(value))


def _check(asked: str, wanted: str) -> Callable[[Any], bool]:
    number = _number(wanted)

    def equal(value: Any) -> bool:
        if number is not None and _is_number(value):
            return bool(value == number)
        return _text(value) == wanted

    if asked == "":
        return lambda value: True
    if asked == "=":
        return equal
    if asked == "!=":
        return lambda value: not equal(value)
    order = _ORDERS[asked]

    def in_order(value: Any) -> bool:
        if number is None:
            return isinstance(value, str) and order(value, wanted)
        found = value if _is_number(value) else _number(value) if isinstance(value, str) else None
        return found is not None and order(found, number)

    return in_order


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(text: str) -> int | float | None:
    found = _NUMBER.fullmatch(text) if len(text) <= _NUMBER_LENGTH else None
    if found is None:
        return None
    return float(text) if found[1] or found[2] else int(text)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def is_bare(text: str) -> bool:
    """Tell if a value may stand in a filter without quotes."""
    return bool(text) and text[0] not in "=<>~!'" and not any(each.isspace() or each in ',"{}[]' for each in text)


def spell_value(text: str) -> str:
    """Return a value as a filter spells it."""
    if is_bare(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
