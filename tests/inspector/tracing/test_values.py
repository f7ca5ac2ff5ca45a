"""Any value, safely and bounded."""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import pathlib
import uuid
from collections import OrderedDict, deque, namedtuple
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.tracing.secrets import REDACTED, Secrets
from inspector.tracing.values import Limits, Plain
from tests.inspector.tracing.records import make_log


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Card:
    owner: str
    password: str


class Point(msgspec.Struct):
    x: int
    token: str


class Silent:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Endless:
    def __repr__(self) -> str:
        return repr(self)


class Lying(list[int]):
    def __len__(self) -> int:
        return 10**9

    def __iter__(self) -> Any:
        while True:
            yield 1


class LyingDict(dict[str, int]):
    def items(self) -> Any:
        raise RuntimeError("no")


class LyingText(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("no")


class NoClass:
    @property
    def __class__(self) -> Any:
        raise RuntimeError("no")

    @__class__.setter
    def __class__(self, value: Any) -> None:
        raise RuntimeError("no")


Pair = namedtuple("Pair", "a b")


def plain(value: object, text: int = 100, entries: int = 10, values: int = 1000) -> Any:
    found = Plain(Secrets(), Limits(text, entries, values)).value(value)
    # It has words in JSON, for a strict reader too.
    json.loads(orjson.dumps(found), parse_constant=pytest.fail)
    return found


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (2**64 - 1, 2**64 - 1),
        (-(2**63), -(2**63)),
        (2**64, "18446744073709551616"),
        (-(2**63) - 1, "-9223372036854775809"),
        (1 << 5000, "<int of 5001 bits>"),
        (1.5, 1.5),
        ("x", "x"),
        (LyingText("x"), "x"),
        ("\ud800", "\\ud800"),
        ("x" * 101, "x" * 100 + "… (1 more characters)"),
        (b"ab", {"$bytes": "YWI="}),
        (bytearray(b"ab"), {"$bytes": "YWI="}),
        (memoryview(b"ab"), {"$bytes": "YWI="}),
        (b"x" * 100, {"$bytes": "eHh4" * 25, "…": "25 more bytes"}),
        (Colour.RED, "red"),
        (Card("ada", "x"), {"owner": "ada", "password": REDACTED}),
        (Point(1, "x"), {"x": 1, "token": REDACTED}),
        (Card, "Card"),
        ([1, [2]], [1, [2]]),
        ((1, 2), [1, 2]),
        (Pair(1, 2), [1, 2]),
        (deque([1]), [1]),
        ({1}, [1]),
        (frozenset({1}), [1]),
        (list(range(12)), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, "… 2 more entries"]),
        ({n: n for n in range(12)}, {str(n): n for n in range(10)} | {"…": "2 more entries"}),
        (
            {"a": {"password": "x", "Cookie": ["y"], "token": None}},
            {"a": {"password": REDACTED, "Cookie": REDACTED, "token": None}},
        ),
        (OrderedDict(a=1), {"a": 1}),
        ({(1, 2): 3}, {"[1, 2]": 3}),
        (ValueError("bad"), {"type": "ValueError", "message": "bad"}),
        (datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC), "2026-01-02T03:04:05+00:00"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.time(1, 2), "01:02:00"),
        (datetime.timedelta(seconds=90), "0:01:30"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (decimal.Decimal("1.50"), "1.50"),
        (pathlib.PurePosixPath("/a/b"), "/a/b"),
        (range(3), "range(0, 3)"),
        (Silent(), "<unprintable Silent: RuntimeError>"),
        (Endless(), "<unprintable Endless: RecursionError>"),
        (Lying([1, 2]), [1, 2]),
        (LyingDict(a=1), {"a": 1}),
    ],
)
def test_values(value: object, expected: object) -> None:
    assert plain(value) == expected


def test_a_value_that_hides_its_class() -> None:
    assert plain(NoClass()) == "<unprintable NoClass: RuntimeError>"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_written_as_null(value: float) -> None:
    assert orjson.dumps(plain(value)) == b"null"


def test_cycles() -> None:
    loop: list[object] = [1]
    loop.append(loop)
    ring: dict[str, object] = {}
    ring["ring"] = {"again": ring}
    assert plain(loop) == [1, "<list: within itself>"]
    assert plain(ring) == {"ring": {"again": "<dict: within itself>"}}
    # The same thing twice is no cycle.
    twice = [1]
    assert plain([twice, twice]) == [[1], [1]]


def test_depth_and_the_number_of_values_are_bounded() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert orjson.dumps(plain(deep)).count(b"[") == 16
    bush: list[object] = [1]
    for _ in range(12):
        bush = [bush] * 10
    assert len(orjson.dumps(plain(bush))) < 100_000
    assert plain({str(n): n for n in range(8)}, values=4) == {"0": 0, "1": 1, "2": 2, "…": "5 more entries"}
    assert plain([*range(8)], values=4) == [0, 1, 2, "… 5 more entries"]


def test_a_repr_that_logs_itself_ends() -> None:
    log = make_log()
    logger = log.logger("a")

    class Chatty:
        def __repr__(self) -> str:
            logger.info("my repr", me=self)
            return "chatty"

    logger.info("hello", chatty=Chatty())
    assert log.next_seq == 4


def test_secret_values_within_values() -> None:
    secrets = Secrets()
    secrets.add_value("s3cr3t")
    found = Plain(secrets, Limits(100, 10)).value({"s3cr3t": ["as3cr3tb", b"s3cr3t"], "error": ValueError("s3cr3t")})
    assert b"s3cr3t" not in orjson.dumps(found)
    assert found[REDACTED][0] == f"a{REDACTED}b"
    assert found["error"]["message"] == REDACTED


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.builds(Silent)
    | st.characters(categories=["Cs"]),
    lambda children: (
        st.lists(children)
        | st.dictionaries(st.text() | st.integers() | st.none(), children)
        | st.tuples(children, children)
    ),
    max_leaves=30,
)


@given(ANYTHING)
def test_anything_has_words(value: object) -> None:
    plain(value)
