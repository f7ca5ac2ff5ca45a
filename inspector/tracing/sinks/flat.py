"""A record as one flat JSON object, for what reads no nested ones."""

from __future__ import annotations

from typing import Any, Final

import orjson

__all__ = ("flat_line", "flat_value", "stack_text")

_HEAD: Final = ("seq", "timestamp", "level", "kind", "target")
_TAIL: Final = ("trace_id", "span_id", "parent_id", "duration_ns", "busy_ns", "status")
_EXCEPTION: Final = ("exception.type", "exception.message", "exception.stacktrace")
# Whether a given record has them or not: a user's name must not be one of these in one record and not in another.
_RESERVED: Final = frozenset((*_HEAD, *_TAIL, *_EXCEPTION, "message", "span", "spans", "fields", "exception"))

# Of Python's own traceback: how it joins an exception to the one that it came from.
_JOINTS: Final = {
    "cause": "The above exception was the direct cause of the following exception:",
    "context": "During handling of the above exception, another exception occurred:",
}


def flat_line(line: bytes) -> bytes:
    """Return a record's line with everything in it at the top.

    The span's name is `span` and its fields are `span.FIELD`; an exception is `exception.type`, `exception.message` and
    `exception.stacktrace`, as OpenTelemetry names them. An event's fields keep their names, with as many underscores
    behind as it takes not to be one of these or of the record's own; `span.` before one becomes `span_`. A value that
    is an object or an array is its JSON as a text.
    """
    record = orjson.loads(line)
    span = record["span"]
    fields = record.get("fields", {})
    flat: dict[str, Any] = {name: record[name] for name in _HEAD}
    if "message" in fields:
        flat["message"] = flat_value(fields.pop("message"))
    for name, value in fields.items():
        free = name.replace(".", "_", 1) if name.startswith("span.") else name
        while free in _RESERVED or free in flat:
            free += "_"
        flat[free] = flat_value(value)
    flat["span"] = span["name"]
    flat |= {f"span.{name}": flat_value(value) for name, value in span.items() if name != "name"}
    if "spans" in record:
        flat["spans"] = flat_value(record["spans"])
    if "exception" in record:
        exception = record["exception"]
        flat |= zip(_EXCEPTION, (exception["type"], exception["message"], stack_text(exception)), strict=True)
    flat |= {name: record[name] for name in _TAIL if name in record}
    return orjson.dumps(flat)


def flat_value(value: object) -> object:
    """Return a value of JSON as it is, or as its JSON text if it holds others."""
    return orjson.dumps(value).decode() if isinstance(value, (dict, list)) else value


def stack_text(exception: dict[str, Any]) -> str:
    """Return a record's `exception` as Python would print it, causes before what came of them."""
    return "\n".join(_stack(exception, ""))


def _stack(exception: dict[str, Any], margin: str) -> list[str]:
    lines: list[str] = []
    for relation, joint in _JOINTS.items():
        if relation in exception:
            lines += [*_stack(exception[relation], margin), margin, f"{margin}{joint}", margin]
    if exception["frames"]:
        lines.append(f"{margin}Traceback (most recent call last):")
    for frame in exception["frames"]:
        lines.append(f'{margin}  File "{frame["file"]}", line {frame["line"]}, in {frame["function"]}')
    if "frames_cut" in exception:
        lines.append(f"{margin}  ... {exception['frames_cut']} frames more")
    lines.append(f"{margin}{exception['type']}: {exception['message']}")
    for member in exception.get("exceptions", ()):
        lines += _stack(member, margin + "  | ")
    if "exceptions_cut" in exception:
        lines.append(f"{margin}  | ... {exception['exceptions_cut']} exceptions more")
    return lines
