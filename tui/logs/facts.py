"""What a filter and a merge ask of a line, whoever wrote it: its level, its target, its fields, its time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from protocol.filters import Filter
from protocol.records import INFO
from tui.logs.foreign import LEVEL_KEYS, MESSAGE_KEYS, TARGET_KEYS, TIME_KEYS, first_of
from tui.logs.levels import level_name, level_number
from tui.logs.lines import parse_logfmt, text_head
from tui.logs.times import parse_time

__all__ = ("Facts", "facts_of", "passes", "time_of")

# The time of nearly every JSON logger is a plain value among the first keys. Behind a second brace it may be a field's.
_EARLY_TIME: Final = re.compile(
    rb'\s*\{[^{}]{0,300}?"(?:timestamp|time|ts|@timestamp)":\s*(?:"([^"\\]{1,40})"|([0-9.]{1,30})[,}\s])'
)
# A key in a string would be behind a quote that is escaped.
_ESCAPE: Final = b"\\"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a line.

    Attributes:
        level: by its number; what names none counts as INFO.
        target: the dotted module, or empty.
        fields: an event's, with `message`.
        chain: the span that it speaks of behind those of its ancestors that the line has; a line without spans has
            one that is empty, so that tests of a filter look at its fields.
        at: nanoseconds since 1970, None where it says none.
    """

    level: int = INFO
    target: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    chain: Sequence[Mapping[str, Any]] = ({},)
    at: int | None = None


def facts_of(line: bytes) -> Facts:
    """Take a line apart for a filter."""
    if line.lstrip().startswith(b"{"):
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            return Facts()
        return _of_record(record)
    pairs = parse_logfmt(line)
    if pairs is not None:
        return _of_foreign(pairs)
    head = text_head(line)
    message = line.decode("utf-8", "replace")
    return Facts(_level(head.level), fields={"message": message}, at=head.at)


def passes(filter: Filter, line: bytes) -> bool:
    """Tell if a filter lets a line pass."""
    facts = facts_of(line)
    return filter.passes(facts.level, facts.target, facts.fields, facts.chain)


def time_of(line: bytes) -> int | None:
    """Give when a line was written, in nanoseconds since 1970; None where it says none."""
    found = _EARLY_TIME.match(line)
    if found is not None and _ESCAPE not in found[0]:
        at = parse_time((found[1] or found[2]).decode("ascii", "replace"))
        if at is not None:
            return at
    return facts_of(line).at


def _of_record(record: Mapping[str, Any]) -> Facts:
    fields, span, spans = record.get("fields"), record.get("span"), record.get("spans")
    if not ("kind" in record or fields is not None or span is not None):
        return _of_foreign(record)
    chain = [each for each in spans if isinstance(each, dict)] if isinstance(spans, list) else []
    chain.append(span if isinstance(span, dict) else {})
    return Facts(
        _level(record.get("level")),
        str(record.get("target") or ""),
        fields if isinstance(fields, dict) else {},
        chain,
        parse_time(str(record.get("timestamp"))),
    )


def _of_foreign(record: Mapping[str, Any]) -> Facts:
    fields = dict(record)
    time = fields.pop(first_of(TIME_KEYS, fields) or "", None)
    level = fields.pop(first_of(LEVEL_KEYS, fields) or "", None)
    message = fields.pop(first_of(MESSAGE_KEYS, fields) or "", None)
    target = fields.pop(first_of(TARGET_KEYS, fields) or "", None)
    if message is not None:
        fields["message"] = message
    return Facts(_level(level), "" if target is None else str(target), fields, ({},), parse_time(str(time)))


def _level(value: object) -> int:
    number = level_number(level_name(str(value)[:16]))
    return INFO if number is None else number
