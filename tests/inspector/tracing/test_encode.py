"""Fields as JSON: the fast way and the slow one must say the same."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.tracing.encode import EVENT_BYTES, SPAN_BYTES, FieldEncoder
from inspector.tracing.secrets import REDACTED, Secrets


def make(own: str = "message", limit: int = EVENT_BYTES) -> FieldEncoder:
    return FieldEncoder(own, limit, Secrets())


def encode(fields: dict[Any, Any], own: Any = "hello", encoder: FieldEncoder | None = None) -> dict[str, Any]:
    encoder = encoder or make()
    first = encoder.encode(own, fields)
    # The second time the names are known, and the fast way is taken where it can be.
    assert encoder.encode(own, fields) == first
    assert len(first) <= EVENT_BYTES
    pairs: list[tuple[str, Any]] = orjson.loads(first).items()
    found = dict(pairs)
    assert [*found][:1] == [encoder._own]
    return found


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"a": 1, "b": "x", "c": None, "d": True, "e": 1.5}, None),
        ({"a": "{[", "b": "]}"}, None),
        ({"a": ["x", {"b": (1, 2)}]}, {"a": ["x", {"b": [1, 2]}]}),
        ({"a": {"password": "x"}}, {"a": {"password": REDACTED}}),
        ({"a": [[[[[[[["deep"]]]]]]]]}, None),
        ({"password": "x", "n": 1}, {"password": REDACTED, "n": 1}),
        ({"token": None, "secret": False}, None),
        ({"message": 1}, {"message_": 1}),
        ({"message": 1, "message_": 2}, {"message__": 1, "message_": 2}),
        ({"n": 2**70}, {"n": str(2**70)}),
        ({"s": "\ud800"}, {"s": "\\ud800"}),
        ({"\ud800": 1}, {"\\ud800": 1}),
        ({"n": float("nan"), "i": float("inf")}, {"n": None, "i": None}),
        ({"b": b"x"}, {"b": {"$bytes": "eA=="}}),
        ({"set": {1}}, {"set": [1]}),
        ({7: 1, (1,): 2}, {"7": 1, "(1,)": 2}),
    ],
)
def test_fields(fields: dict[Any, Any], expected: dict[str, Any] | None) -> None:
    assert encode(fields) == {"message": "hello"} | (fields if expected is None else expected)


@pytest.mark.parametrize(("own", "text"), [(7, "7"), (None, "None"), ("\ud800", "\\ud800"), ([1], "[1]"), ("", "")])
def test_own_field_is_always_a_text(own: object, text: str) -> None:
    assert encode({"a": 1}, own) == {"message": text, "a": 1}


def test_a_key_whose_repr_raises() -> None:
    class Key:
        def __repr__(self) -> str:
            raise RuntimeError

    assert encode({Key(): 1}) == {"message": "hello", "<Key>": 1}


def test_subclasses_of_text_as_keys() -> None:
    class Name(str):
        __slots__ = ()

    assert encode({Name("a"): 1}) == {"message": "hello", "a": 1}


def test_a_span_has_a_name() -> None:
    assert encode({"name": 1, "message": 2}, "action", make("name", SPAN_BYTES)) == {
        "name": "action",
        "name_": 1,
        "message": 2,
    }


def test_a_long_field_is_cut_and_says_by_how_much() -> None:
    found = encode({"short": "x", "long": "y" * 1_000_000})
    assert found["short"] == "x"
    kept, rest = found["long"].split("…")
    assert rest == f" ({1_000_000 - len(kept)} more characters)"
    assert len(kept) >= 20_000


def test_a_long_message_is_cut() -> None:
    assert encode({}, "y" * 1_000_000)["message"].endswith("more characters)")


@pytest.mark.parametrize(
    "fields",
    [
        {"a": "\x00" * 100_000},
        {f"n{number}": "x" * 1000 for number in range(1000)},
        {"x" * 100_000: 1},
        {"a": [["x" * 1000] * 1000] * 1000},
        {"a": b"x" * 1_000_000},
    ],
)
def test_any_size_fits(fields: dict[str, Any]) -> None:
    assert len(encode(fields)) > 1


def test_too_many_fields_are_counted() -> None:
    found = encode({f"n{number:06}": number for number in range(100_000)})
    left = found.pop("…")
    assert left == f"{100_001 - len(found)} more fields"
    assert len(found) > 1000
    left = (found := encode({f"n{number:06}": number for number in range(2001)})).pop("…")
    assert left == f"{2002 - len(found)} more fields"


def test_what_is_shared_a_million_times_is_not_written_in_full() -> None:
    bush: list[object] = [1]
    for _ in range(14):
        bush = [bush] * 10
    assert encode({"bush": bush, "n": 1})["n"] == 1
    assert encode({"texts": ["x" * 10**6] * 1000, "n": 1})["n"] == 1


def test_a_secret_value_wherever_it_stands() -> None:
    secrets = Secrets()
    encoder = FieldEncoder("message", EVENT_BYTES, secrets)
    fields = {"url": "ws://x/?t=s3cr3t-XY", "n": 1, "s3cr3t-XY": 1, "list": ["s3cr3t-XY"], "bytes": b"s3cr3t-XY"}
    assert b"s3cr3t" in encoder.encode("s3cr3t-XY", {"a": 1})
    secrets.add_value("s3cr3t-XY")
    found = encode(fields, "with s3cr3t-XY", encoder)
    assert found["message"] == f"with {REDACTED}"
    assert (found["url"], found[REDACTED], found["list"]) == (f"ws://x/?t={REDACTED}", 1, [REDACTED])


def test_a_secret_that_looks_like_json_breaks_nothing() -> None:
    for value in ('"', ":", "1", "message", "{", "a"):
        secrets = Secrets()
        secrets.add_value(value)
        encoder = FieldEncoder("message", EVENT_BYTES, secrets)
        assert encode({"n": 21, "t": f"x{value}y"}, "b", encoder)["t"] == f"x{REDACTED}y"


def test_remembers_a_bounded_number_of_names() -> None:
    encoder = make()
    for number in range(10_000):
        encoder.encode("x", {f"n{number}": 1})
    assert len(encoder.harmless) <= 4096


SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
NAMES = TEXTS.filter(lambda name: not Secrets().is_secret(name) and name != "message")
VALUES = st.recursive(
    SCALARS | TEXTS, lambda each: st.lists(each, max_size=5) | st.dictionaries(NAMES, each, max_size=5)
)


@given(TEXTS, st.dictionaries(NAMES, VALUES, max_size=10))
def test_what_json_has_words_for_is_written_as_it_is(message: str, fields: dict[str, Any]) -> None:
    assert encode(fields, message) == {"message": message} | orjson.loads(orjson.dumps(fields))
