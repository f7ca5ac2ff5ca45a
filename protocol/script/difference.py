"""Show people what was expected and what came, both in diagnostic notation."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import cbor2
from msgspec import UNSET

from protocol.script.patterns import (
    Anything,
    Capture,
    Captures,
    Entries,
    Items,
    Node,
    Rest,
    Tagged,
    as_records,
    fits,
    key_of,
)

__all__ = ("difference", "distance", "write", "write_node")

_LONGEST: Final = 300
"""Characters of a line; what is longer is cut, and says so."""
_INDENT: Final = "  "


def write(value: Any) -> str:
    """Write a value in diagnostic notation, on one line and without a character that a terminal obeys."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            if math.isfinite(value):
                return repr(value)
            return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
        case int():
            # Python writes no decimal number of more than 4300 digits.
            return str(value) if value.bit_length() < 10_000 else hex(value)
        case str():
            return _quote(value)
        case bytes():
            return f"h'{value.hex()}'"
        case datetime.datetime():
            return f"0({_quote(value.isoformat().replace('+00:00', 'Z'))})"
        case cbor2.CBORTag():
            return f"{value.tag}({write(value.value)})"
        case Mapping():
            return "{" + ", ".join(f"{write(key)}: {write(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(write, value)) + "]"
        case _:
            return "undefined" if value is cbor2.undefined else ascii(value)


def _quote(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return quoted if quoted.isprintable() else json.dumps(text)


def write_node(node: Node, known: Captures) -> str:
    """Write a pattern as a script has it; a capture that is known with its value behind it."""
    match node:
        case Anything():
            return "_"
        case Rest():
            return "..."
        case Capture(name=name):
            return f"${name} = {write(known[name])}" if name in known else f"${name}"
        case Tagged(tag=tag, content=content):
            return f"{tag}({write(content)})"
        case Items(nodes=nodes):
            return "[" + ", ".join(write_node(item, known) for item in nodes) + "]"
        case Entries(nodes=entries, rest=rest):
            inside = [f"{write(key)}: {write_node(item, known)}" for key, item in entries]
            return "{" + ", ".join([*inside, *(["..."] if rest else [])]) + "}"
        case _:
            return write(node.value)


def difference(node: Node, value: Any, known: Captures) -> list[str]:
    """Give the lines of a diff: `-` is expected, `+` is what came, a blank is both.

    Args:
        node: a pattern that `value` does not fit.
        value: as the dialect decoded it.
        known: the captures from before.
    """
    return [
        line if len(line) <= _LONGEST else f"{line[:_LONGEST]}… ({len(line) - _LONGEST:,} characters more)"
        for line in _lines(node, value, known, "", "")
    ]


def distance(node: Node, value: Any, known: Captures) -> int:
    """Count in how many lines a value differs from a pattern, a wrong message `type` before all."""
    wrong_type = 0
    if isinstance(node, Entries) and isinstance(value, Mapping):
        wanted = dict(entry for entry in node.nodes if isinstance(entry[0], str)).get("type", Anything())
        wrong_type = 0 if fits(wanted, value.get("type"), known) is not None else 1_000_000
    return wrong_type + sum(line[0] != " " for line in _lines(node, value, known, "", ""))


def _lines(node: Node, value: Any, known: Captures, indent: str, before: str) -> Iterator[str]:
    """Write the diff of a value that stands behind `before`, a key."""
    if fits(node, value, known) is not None:
        yield f"  {indent}{before}{write(value)}"
    elif isinstance(node, Entries) and isinstance(value, Mapping):
        yield f"  {indent}{before}{{"
        yield from _map_lines(node, value, known, indent + _INDENT)
        yield f"  {indent}}}"
    elif (
        isinstance(node, Items)
        and isinstance(items := as_records(value), list | tuple)
        and not any(isinstance(item, Rest) for item in node.nodes)
    ):
        yield f"  {indent}{before}["
        yield from _array_lines(node, items, known, indent + _INDENT)
        yield f"  {indent}]"
    else:
        yield f"- {indent}{before}{write_node(node, known)}"
        yield f"+ {indent}{before}{write(as_records(value) if isinstance(node, Items) else value)}"


def _map_lines(node: Entries, value: Mapping[Any, Any], known: Captures, indent: str) -> Iterator[str]:
    others = {key_of(key): (key, item) for key, item in value.items()}
    for key, wanted in node.nodes:
        _, item = others.pop(key_of(key), (key, UNSET))
        if item is UNSET:
            yield f"- {indent}{write(key)}: {write_node(wanted, known)}"
            continue
        yield from _lines(wanted, item, known, indent, f"{write(key)}: ")
        known = fits(wanted, item, known) or known
    for key, item in others.values():
        yield f"{' ' if node.rest else '+'} {indent}{write(key)}: {write(item)}"


def _array_lines(node: Items, values: list[Any] | tuple[Any, ...], known: Captures, indent: str) -> Iterator[str]:
    for place, wanted in enumerate(node.nodes):
        if place >= len(values):
            yield f"- {indent}{write_node(wanted, known)}"
            continue
        yield from _lines(wanted, values[place], known, indent, "")
        known = fits(wanted, values[place], known) or known
    for item in values[len(node.nodes) :]:
        yield f"+ {indent}{write(item)}"
