"""What every dialect does before it writes: a value becomes plain, no deeper than a reader takes, or is refused."""

from __future__ import annotations

import datetime
import re
from typing import Any, Final

import msgspec

from protocol.errors import InspectorError
from protocol.messages import (
    ActorsResponse,
    ActorsUpdated,
    ConnectionsResponse,
    ConnectionsUpdated,
    TasksResponse,
    TasksUpdated,
)

__all__ = ("BYTES", "PLAIN", "fits", "in_rfc3339", "to_plain", "unserializable")

BYTES: Final = (bytes, bytearray)
"""Types of byte strings, which a dialect has a form for."""

PLAIN: Final = frozenset(
    (ActorsResponse, ActorsUpdated, ConnectionsResponse, ConnectionsUpdated, TasksResponse, TasksUpdated)
)
"""Messages of texts, whole numbers and flat lists alone, up to a mebibyte of them: nothing in them needs a form, or a
look at how deep it goes."""

_KEPT: Final = (*BYTES, datetime.datetime)
_CONTAINERS: Final = frozenset((dict, list, tuple))
_MINUTE: Final = datetime.timedelta(minutes=1)


def to_plain(value: Any, max_depth: int) -> Any:
    """Turn a value that msgspec knows into builtin ones: Structs into maps, sets into arrays.

    What stays is dict, list, tuple, str, int of any size, any float, bool, None, bytes, bytearray and datetime;
    keys of a dict may be any of these.

    Raises:
        RecursionError: it has more than `max_depth` containers inside one another.
        Exception: whatever the value's own code raises, or msgspec about a type that it does not know.
    """
    plain = msgspec.to_builtins(value, builtin_types=_KEPT)
    # Most messages hold no container; they are seen through without a loop.
    flat = type(plain) is dict and _CONTAINERS.isdisjoint(map(type, plain.values()))
    if not flat and not fits((plain,), max_depth):
        raise RecursionError(f"more than {max_depth} containers inside one another")
    return plain


def fits(container: Any, below: int) -> bool:
    """Tell if there are at most `below` containers inside one another within this one."""
    for item in container.values() if type(container) is dict else container:
        if type(item) in _CONTAINERS and not (below and fits(item, below - 1)):
            return False
    return True


def in_rfc3339(value: datetime.datetime) -> datetime.datetime:
    """Return a time with an offset that RFC 3339 has a word for.

    That is one of whole minutes; zones before 1900 had others. Such a time is given in UTC.
    """
    offset = value.utcoffset()
    return value.astimezone(datetime.UTC) if offset is not None and offset % _MINUTE else value


def unserializable(exc: Exception) -> InspectorError:
    """Make the error for a value that has no form on the wire, from what was raised about it."""
    kind = _type_at_fault(exc)
    return InspectorError(
        "actor.unserializable",
        f"a value has no form on the wire: {str(exc)[:200]}",
        None if kind is None else {"type": kind},
    )


def _type_at_fault(exc: Exception) -> str | None:
    if isinstance(exc, UnicodeEncodeError):
        return "str"
    match = re.search(r"(?:objects of type |cannot encode type <class ')([\w.<>]+)", str(exc))
    return match[1] if match else None
