"""What a script says of a message: the values that it sends, and the patterns that what it gets must fit.

A node is a value with holes. In a pattern the holes are `Anything`, `Rest` and `Capture`; in a value that is sent a
capture alone, and there `fill` puts what was captured.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import cbor2
from msgspec import UNSET, Struct

__all__ = (
    "Anything",
    "Capture",
    "Captures",
    "Entries",
    "Items",
    "Literal",
    "Node",
    "Rest",
    "Tagged",
    "as_records",
    "fill",
    "fits",
    "key_of",
    "same",
)

Captures: TypeAlias = Mapping[str, Any]
"""What has been captured so far, by name."""


class Anything(Struct, frozen=True):
    """``_``: any value."""


class Rest(Struct, frozen=True):
    """``...`` in an array: any number of elements."""


class Capture(Struct, frozen=True):
    """``$name``: any value the first time, later one that is the same."""

    name: str


class Literal(Struct, frozen=True):
    """A value that is no container."""

    value: Any


class Tagged(Struct, frozen=True):
    """A tag of CBOR, as it is written; `value` is what it means, where it means something to this protocol."""

    tag: int
    content: Any
    value: Any = UNSET


class Items(Struct, frozen=True):
    """An array."""

    nodes: tuple[Node, ...]


class Entries(Struct, frozen=True):
    """A map; with `rest` it may have other keys too."""

    nodes: tuple[tuple[Any, Node], ...]
    rest: bool = False


Node: TypeAlias = Anything | Rest | Capture | Literal | Tagged | Items | Entries


def key_of(key: Any) -> Any:
    """Make of a map's key what only the same key equals: to Python 1, 1.0 and true are one."""
    return (tuple, *map(key_of, key)) if isinstance(key, tuple) else (type(key), key)


def same(left: Any, right: Any) -> bool:
    """Tell whether two values are the same on the wire: type by type, and NaN is NaN.

    A time is the same as the text that says it: one of the dialects has no times.
    """
    if isinstance(left, datetime.datetime) and isinstance(right, str):
        return _is_time(right, left)
    if isinstance(right, datetime.datetime) and isinstance(left, str):
        return _is_time(left, right)
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        ours, theirs = _by_key(left), _by_key(right)
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return (math.isnan(left) and math.isnan(right)) or (
            left == right and math.copysign(1, left) == math.copysign(1, right)
        )
    return bool(left == right)


def _is_time(text: str, time: datetime.datetime) -> bool:
    try:
        return datetime.datetime.fromisoformat(text) == time
    except ValueError:
        return False


def _by_key(value: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key_of(key): item for key, item in value.items()}


def as_records(value: Any) -> Any:
    """Read log lines, which are bytes in one dialect, as the array of records that they are in the other.

    What is no such bytes comes back as it is.
    """
    if not isinstance(value, bytes):
        return value
    try:
        return [json.loads(line) for line in value.split(b"\n")] if value else []
    except ValueError:
        return value


def fits(node: Node, value: Any, known: Captures) -> Captures | None:
    """Match a value against a pattern.

    Args:
        node: the pattern.
        value: as the dialect decoded it.
        known: the captures so far.

    Returns:
        The captures afterwards, or None where the value does not fit.
    """
    match node:
        case Anything():
            return known
        case Capture(name=name):
            if name not in known:
                return {**known, name: value}
            return known if same(known[name], value) else None
        case Literal(value=wanted) | Tagged(value=wanted):
            return known if same(wanted, value) else None
        case Items(nodes=nodes):
            value = as_records(value)
            return _fit_items(nodes, value, 0, known) if isinstance(value, list | tuple) else None
        case Entries(nodes=nodes, rest=rest):
            return _fit_entries(nodes, rest, value, known) if isinstance(value, Mapping) else None
        case _:
            raise AssertionError("the rest of an array stands in an array")


def _fit_items(nodes: Sequence[Node], values: Sequence[Any], start: int, known: Captures) -> Captures | None:
    for place, node in enumerate(nodes):
        if isinstance(node, Rest):
            behind = nodes[place + 1 :]
            for begin in range(start, len(values) + 1):
                found = _fit_items(behind, values, begin, known)
                if found is not None:
                    return found
            return None
        fitting = fits(node, values[start], known) if start < len(values) else None
        if fitting is None:
            return None
        known = fitting
        start += 1
    return known if start == len(values) else None


def _fit_entries(
    nodes: Sequence[tuple[Any, Node]], rest: bool, value: Mapping[Any, Any], known: Captures
) -> Captures | None:
    if len(value) < len(nodes) or (len(value) > len(nodes) and not rest):
        return None
    values = _by_key(value)
    for key, node in nodes:
        key = key_of(key)
        fitting = fits(node, values[key], known) if key in values else None
        if fitting is None:
            return None
        known = fitting
    return known


def fill(node: Node, known: Captures, *, tags: bool) -> Any:
    """Make the value that is sent.

    Args:
        node: without `Anything` and `Rest`.
        known: every capture that it names.
        tags: write each tag of CBOR as it stands; else what it means.
    """
    match node:
        case Capture(name=name):
            return known[name]
        case Tagged(tag=tag, content=content, value=value):
            return cbor2.CBORTag(tag, content) if tags or value is UNSET else value
        case Items(nodes=nodes):
            return [fill(item, known, tags=tags) for item in nodes]
        case Entries(nodes=entries):
            return {key: fill(item, known, tags=tags) for key, item in entries}
        case Literal(value=value):
            return value
        case _:
            raise AssertionError("a value that is sent has no wildcard")
