"""Values of every kind that a program may return, for the dialects' tests, and strategies that make more."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from typing import Any

import msgspec
from hypothesis import strategies as st

from protocol.messages import ActionResponse

__all__ = (
    "ANYTHING",
    "CYCLE",
    "NAIVE",
    "NOW",
    "OFFSETS",
    "SCALARS",
    "VALUES",
    "BadZone",
    "Colour",
    "Item",
    "Opaque",
    "Point",
    "Stubborn",
    "nested",
    "returned",
)


def nested(depth: int) -> list[Any]:
    """Lists inside one another."""
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def returned(output: object) -> ActionResponse:
    """The message that carries what an action returned."""
    return ActionResponse(rid=1, output=output, trace_id="", span_id="", duration_ns=0)


class Colour(enum.Enum):
    """What has a plain value."""

    RED = "red"


class Opaque(enum.Enum):
    """What has none."""

    THING = object()


@dataclasses.dataclass
class Point:
    """A dataclass."""

    x: int
    y: float


class Item(msgspec.Struct):
    """A Struct."""

    name: str
    price: int | None = None


class BadZone(datetime.tzinfo):
    """A zone whose code raises."""

    def utcoffset(self, when: datetime.datetime | None) -> datetime.timedelta:
        raise LookupError("no such zone")

    def tzname(self, when: datetime.datetime | None) -> str:
        return "nowhere"

    def dst(self, when: datetime.datetime | None) -> None:
        return None


class Stubborn:
    """What has not even a repr."""

    def __repr__(self) -> str:
        raise RuntimeError("no words")


NAIVE = datetime.datetime(2026, 11, 23, 20, 27, 33, 139606)
NOW = NAIVE.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=2, minutes=30)))
CYCLE: list[Any] = [1]
CYCLE.append({"again": CYCLE})

# Offsets of their own, not zones: Python holds a time that a zone has twice for equal to none of another zone.
OFFSETS = st.timedeltas(datetime.timedelta(hours=-23, minutes=-59), datetime.timedelta(hours=23, minutes=59))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
    | st.datetimes(timezones=st.builds(datetime.timezone, OFFSETS))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])) | st.binary(), inner, max_size=5)
    ),
    max_leaves=20,
)
ANYTHING = st.recursive(
    SCALARS
    | st.text()
    | st.floats()
    | st.datetimes()
    | st.dates()
    | st.complex_numbers()
    | st.fractions()
    | st.decimals()
    | st.uuids()
    | st.just(object())
    | st.functions(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.frozensets(st.integers() | st.text(), max_size=3)
        | st.dictionaries(st.integers() | st.text() | st.booleans() | st.floats() | st.uuids(), inner, max_size=4)
        | st.builds(Point, inner, inner)
    ),
    max_leaves=15,
)
