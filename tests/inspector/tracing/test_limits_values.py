"""Values that say nothing true of themselves, and those that end the process if they are not looked at first."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

import pytest

from inspector.tracing import Log
from tests.inspector.tracing.records import written

MILLION = "x" * 1_000_000


class Text(str):
    """Says nothing true of itself."""

    __slots__ = ()

    def __len__(self) -> int:
        return 3

    def __str__(self) -> str:
        raise ValueError

    def __getitem__(self, at: Any) -> NoReturn:
        raise ValueError

    def encode(self, *_: Any) -> NoReturn:
        raise ValueError


class Unhashable(str):
    __slots__ = ()

    def __hash__(self) -> int:
        raise ValueError


class Unequal(str):
    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        raise ValueError


class Growing(Mapping[Any, Any]):
    """Has no end, and is longer each time that it is asked."""

    size = 0

    def __len__(self) -> int:
        self.size += 1
        return self.size

    def __iter__(self) -> Iterator[int]:
        while True:
            yield len(self)

    def __getitem__(self, key: Any) -> Any:
        return self


class Endless(dict[str, Any]):
    def __iter__(self) -> Iterator[str]:
        while True:
            yield "again"

    def items(self) -> Any:
        raise ValueError

    def __len__(self) -> int:
        return 10**9


class Number(int):
    def bit_length(self) -> int:
        return 1

    def __int__(self) -> int:
        raise ValueError

    def __index__(self) -> int:
        raise ValueError

    def __str__(self) -> str:
        return MILLION

    __repr__ = __str__


class Bytes(bytes):
    def __len__(self) -> int:
        return 1

    def __bytes__(self) -> bytes:
        return b"x" * 10_000_000


class Claims:
    """Is what it is not."""

    @property  # type: ignore[misc]  # of what is meant to be wrong
    def __class__(self) -> Any:
        return str


class Refuses:
    @property  # type: ignore[misc]  # of what is meant to be wrong
    def __class__(self) -> Any:
        raise ValueError


class LongRepr:
    def __repr__(self) -> str:
        return Text(MILLION)


LIES: dict[str, Callable[[], Any]] = {
    # Made in the test: a runner of tests looks at what it is given.
    "text": lambda: Text("text"),
    "long text": lambda: Text(MILLION),
    "unhashable": lambda: Unhashable("text"),
    "unequal": lambda: Unequal("text"),
    "growing": lambda: Growing(),
    "endless": lambda: Endless(a=1),
    "number": lambda: Number(5),
    "huge number": lambda: Number(10**100),
    "number without text": lambda: Number(10**5000),
    "bytes": lambda: Bytes(b"abc"),
    "claims": lambda: Claims(),
    "refuses": lambda: Refuses(),
    "long repr": lambda: LongRepr(),
    "keys": lambda: {Text("key"): 1, Number(10**5000): 2, LongRepr(): 3},
    "deque": lambda: collections.deque([LongRepr()] * 100_000),
}


@pytest.mark.parametrize("kind", LIES)
def test_a_value_that_lies(kind: str) -> None:
    lie = LIES[kind]()

    def write(log: Log) -> None:
        logger = log.logger("t")
        # What is said a second time takes another way, and so does what is said with other values then.
        for value in (1, lie, 1, lie, lie, [lie], {"in": lie}, 1):
            logger.info("said", value=value, after=1)
        with log.start_span("span", {"value": 1}, target="t"):
            logger.info("inside")
        with log.start_span("span", {"value": lie, "after": 1}, target="t"):
            logger.info(lie, value=1)

    records = written(write)
    said = [record.fields for record in records if record.message == "said"]
    assert len(said) == 8
    assert {fields["after"] for fields in said} == {1}
    assert [fields["value"] for fields in said[::2][:2]] == [1, 1]
    assert said[1] == said[3] == said[4]
    assert records[-1].span["after"] == 1


@pytest.mark.parametrize("kind", [Unhashable, Unequal, Text])
def test_a_spans_name_that_lies(kind: type[str]) -> None:
    name = kind("name")

    def write(log: Log) -> None:
        for each in ("name", "name", name, name):
            log.start_span(each, {"n": 1}, target="t").end()

    assert [record.span for record in written(write)] == [{"name": "name", "n": 1}] * 8


# What has code of its own, and ends the process if orjson meets it: tried in another one.
VALUES = """
import dataclasses, datetime, enum
from inspector.tracing import Log
from protocol.filters import parse_filter

@dataclasses.dataclass(slots=True)
class Slots:
    there: int
    missing: int

slots = object.__new__(Slots)
slots.there = 1

class Zone(datetime.tzinfo):
    def utcoffset(self, when):
        raise ValueError

when = datetime.datetime(2026, 11, 24, tzinfo=Zone())

log = Log()
logger = log.logger("t")
for value in (1, VALUE, 1, [1], [VALUE], 1, 1, VALUE):
    logger.info("said", value=value)
    with logger.span("span", value=value):
        pass
reader = log.subscribe(parse_filter("info"), after_seq=0, wake=lambda: None)
print(reader.collect().lines.count(b"said"))
"""


@pytest.mark.parametrize("value", ["slots", "when"])
def test_what_orjson_does_not_survive(value: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", VALUES.replace("VALUE", value)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "8\n", "")


@dataclasses.dataclass
class Point:
    x: int


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Point(1), {"x": 1}),
        (Colour.RED, "red"),
        (datetime.datetime(2026, 11, 24, 1, 2, 3, 4, datetime.UTC), "2026-11-24T01:02:03.000004+00:00"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_such_values_are_written_alike_each_time(value: object, text: object) -> None:
    def write(log: Log) -> None:
        for each in (1, value, value, [value], 1, value):
            log.logger("t").info("said", value=each)

    assert [record.fields["value"] for record in written(write)] == [1, text, text, [text], 1, text]
