"""JSON lines of other loggers: structlog, pino, bunyan, and whoever else names a time, a level and a message.

Each writes its own fields beside the keys that all have, under names of its own; a table says which is which.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

from msgspec import Raw

from tui.logs.levels import level_name
from tui.logs.pieces import (
    ABSENT,
    MAX_FIELDS,
    Row,
    exception_text,
    json_object,
    json_text,
    shown_fields,
    split_time,
)
from tui.logs.times import parse_time, show_epoch

__all__ = ("EXCEPTION_KEYS", "LEVEL_KEYS", "MESSAGE_KEYS", "TARGET_KEYS", "TIME_KEYS", "first_of", "foreign_row")

TIME_KEYS: Final = ("timestamp", "time", "ts", "@timestamp", "datetime", "date", "t")
LEVEL_KEYS: Final = ("level", "severity", "lvl", "levelname", "log.level", "loglevel", "log_level")
MESSAGE_KEYS: Final = ("message", "msg", "event", "@message", "text")
TARGET_KEYS: Final = ("target", "logger", "logger_name", "log.logger", "name", "module", "component")
EXCEPTION_KEYS: Final = ("err", "error", "exception", "exc_info")

_Value = TypeVar("_Value")


def first_of(keys: Iterable[str], record: Mapping[str, _Value]) -> str | None:
    """Give the first of these keys that a record has."""
    return next((key for key in keys if key in record), None)


def foreign_row(record: dict[str, Raw], max_value: int, max_message: int) -> Row:
    """Make the row of a record of another logger, from its values, each undecoded.

    What none of the tables names is a field. A level that is called otherwise here is shown as field too, for who
    looks for `fatal` must find it.
    """
    shown = dict(record)
    time = shown.pop(first_of(TIME_KEYS, shown) or "", ABSENT)
    level = json_text(shown.get(key := first_of(LEVEL_KEYS, shown) or "", ABSENT), 16)
    name = level_name(level) if level else ""
    if name == level.upper() or level.isdigit():
        shown.pop(key, None)
    message = json_text(shown.pop(first_of(MESSAGE_KEYS, shown) or "", ABSENT), max_message)
    target = json_text(shown.pop(first_of(TARGET_KEYS, shown) or "", ABSENT), 200)
    date, clock = _moment(time)
    exception = ""
    key = first_of(EXCEPTION_KEYS, shown) or ""
    if key and (exception := exception_text(Raw(shown[key]), max_message)) and "stack" not in json_object(shown[key]):
        del shown[key]
    return Row(
        kind="event",
        level=name,
        date=date,
        time=clock,
        target=target,
        message=message,
        fields=shown_fields(shown, max_value),
        more=max(0, len(shown) - MAX_FIELDS),
        exception=exception,
    )


def _moment(raw: Raw) -> tuple[str, str]:
    if raw and not bytes(raw).startswith(b'"'):
        moment = parse_time(json_text(raw, 40))
        if moment is not None:
            return show_epoch(moment)
    return split_time(raw)
