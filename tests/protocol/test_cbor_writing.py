"""Writing CBOR: whatever a program returns becomes what the other side can read, or a typed error."""

from __future__ import annotations

import datetime
import math
import subprocess
import sys
import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import cbor2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.dialects import CBOR
from protocol.dialects.base import MAX_DEPTH, MAX_DEPTH_TO_CLIENT, MAX_UINT
from protocol.dialects.cbor import dump_value, load_value
from protocol.errors import InspectorError
from protocol.messages import ActionRequest, ActionResponse
from tests.protocol.values import (
    ANYTHING,
    CYCLE,
    NAIVE,
    NOW,
    VALUES,
    BadZone,
    Colour,
    Item,
    Opaque,
    Point,
    Stubborn,
    nested,
    returned,
)

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (Point(1, 2.5), {"x": 1, "y": 2.5}),
        (Item("tea"), {"name": "tea", "price": None}),
        ([Colour.RED], ["red"]),
        ((1, (2,)), [1, [2]]),
        ({1, 2}, [1, 2]),
        (frozenset(["a"]), ["a"]),
        (bytearray(b"ab"), b"ab"),
        ({1: "a", "b": None, None: 2}, {1: "a", "b": None, None: 2}),
        ({(1, 2): 3}, {(1, 2): 3}),
        (NOW, NOW),
        (NAIVE, "2026-11-23T20:27:33.139606"),
        ([NAIVE, b"a", Point(1, 2)], ["2026-11-23T20:27:33.139606", b"a", {"x": 1, "y": 2}]),
        (NAIVE.date(), "2026-11-23"),
        (Decimal("1.50"), "1.50"),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (2**200, 2**200),
        (-(2**200), -(2**200)),
        (math.inf, math.inf),
    ],
    ids=repr,
)
def test_what_an_action_returns_has_a_form(value: object, read: object) -> None:
    message = CBOR.decode_to_client(CBOR.encode(returned(value)))
    assert isinstance(message, ActionResponse)
    assert message.output == read
    assert type(message.output) is type(read)
    assert load_value(dump_value(value), trusted=True) == read


@pytest.mark.parametrize("offset", [1e-6, 1, -1, 3723, -3723, 86_399])
def test_an_offset_with_seconds_is_written_in_utc(offset: float) -> None:
    for naive in (NAIVE, NAIVE.replace(microsecond=0)):
        odd = naive.replace(tzinfo=datetime.timezone(datetime.timedelta(seconds=offset)))
        read = load_value(dump_value({"times": [NOW, odd]}))["times"]
        assert read == [NOW, odd]
        assert [time.tzinfo for time in read] == [NOW.tzinfo, datetime.UTC]


def test_bytes_that_look_like_such_a_time_stay_as_they_are() -> None:
    looks = b"\xc0x\x1f2026-11-23T20:27:33+00:00:01"
    assert load_value(dump_value([looks, NOW])) == [looks, NOW]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (object(), "object"),
        ({"a": [len]}, "builtin_function_or_method"),
        (ValueError("x"), "ValueError"),
        (1j, "complex"),
        (range(3), "range"),
        (int, "type"),
        (Stubborn(), "Stubborn"),
        ([NAIVE, Stubborn()], "Stubborn"),
        ({Stubborn(): 1}, "Stubborn"),
        (Opaque.THING, "object"),
        ("\ud800", "str"),
        ({"\ud800": 1}, "str"),
        (cbor2.undefined, "cbor2.UndefinedType"),
        (cbor2.CBORSimpleValue(5), "cbor2.CBORSimpleValue"),
        (cbor2.CBORTag(28, []), "cbor2.CBORTag"),
        (msgspec.UNSET, "msgspec.UnsetType"),
        (CYCLE, None),
        (nested(5000), None),
        (NAIVE.replace(tzinfo=BadZone()), None),
        (
            NAIVE.replace(year=1, month=1, day=1, tzinfo=datetime.timezone(datetime.timedelta(hours=23, seconds=1))),
            None,
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_form_is_told_with_its_type(value: object, kind: str | None) -> None:
    for whole in (value, returned([value])):
        with pytest.raises(InspectorError) as caught:
            dump_value(whole)
        assert caught.value.name == "actor.unserializable"
        assert caught.value.metadata == ({} if kind is None else {"type": kind})
        assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    "wrap", [lambda depth: nested(depth), lambda depth: {"a": nested(depth - 1)}, lambda depth: (nested(depth - 1),)]
)
def test_nothing_deeper_is_written_than_is_read(wrap: Any) -> None:
    # The message's own map is one.
    deepest = wrap(MAX_DEPTH_TO_CLIENT - 1)
    message = CBOR.decode_to_client(CBOR.encode(returned(deepest)))
    assert isinstance(message, ActionResponse)
    assert dump_value(message.output) == dump_value(deepest)
    with pytest.raises(InspectorError, match="more than 256 containers"):
        CBOR.encode(returned(wrap(MAX_DEPTH_TO_CLIENT)))
    request = ActionRequest(id=1, actor="a", name="b", args=[wrap(MAX_DEPTH - 2)])
    assert dump_value(CBOR.decode_to_host(CBOR.encode(request))) == dump_value(request)
    with pytest.raises(InspectorError, match="more than 64 containers"):
        CBOR.encode(ActionRequest(id=1, actor="a", name="b", args=[wrap(MAX_DEPTH - 1)]))


def test_a_deep_value_does_not_end_a_process_that_raised_its_recursion_limit() -> None:
    # In a process of its own: what this guards against is no exception but a crash.
    program = """
import sys
sys.setrecursionlimit(10**6)
from protocol.dialects.cbor import dump_value
from protocol.errors import InspectorError
value = []
for _ in range(20_000):
    value = [value]
try:
    dump_value({"output": value})
except InspectorError as exc:
    print(exc.name)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "actor.unserializable\n", "")


def outcome(encode: Callable[[Any], bytes], message: ActionResponse) -> bytes | tuple[str, object]:
    """Return the frame, or what was wrong with the message."""
    try:
        return encode(message)
    except InspectorError as exc:
        return str(exc), exc.metadata


@given(VALUES)
def test_what_the_encoder_writes_both_sides_read(value: object) -> None:
    frame = dump_value(value)
    assert load_value(frame) == value
    assert load_value(frame, trusted=True) == value


@given(VALUES, VALUES)
def test_arguments_and_results_come_through_a_message(first: object, second: object) -> None:
    request = ActionRequest(id=1, actor="a", name="b", args=[first, second])
    assert CBOR.decode_to_host(CBOR.encode(request)) == request
    response = returned({"first": first, "second": second})
    assert CBOR.decode_to_client(CBOR.encode(response)) == response


@given(
    st.integers(0, MAX_UINT),
    ANYTHING,
    *[st.text("0123456789abcdefé\ud800", max_size=70)] * 2,
    st.integers(0, 2**63 - 1),
)
def test_an_answer_is_written_as_any_message(rid: int, output: object, trace: str, span: str, duration: int) -> None:
    answer = ActionResponse(rid=rid, output=output, trace_id=trace, span_id=span, duration_ns=duration)
    assert outcome(CBOR.encode, answer) == outcome(dump_value, answer)


@pytest.mark.parametrize("number", [0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, MAX_UINT])
def test_the_numbers_of_an_answer(number: int) -> None:
    answer = ActionResponse(rid=number, output=None, trace_id="a" * 32, span_id="b" * 16, duration_ns=number // 2)
    assert CBOR.encode(answer) == dump_value(answer)


@pytest.mark.parametrize("depth", [MAX_DEPTH_TO_CLIENT - 1, MAX_DEPTH_TO_CLIENT])
def test_the_depth_of_an_answer(depth: int) -> None:
    output: object = 1
    for _ in range(depth):
        output = [output]
    answer = ActionResponse(rid=1, output=output, trace_id="a" * 32, span_id="b" * 16, duration_ns=1)
    assert isinstance(outcome(CBOR.encode, answer), bytes) == (depth < MAX_DEPTH_TO_CLIENT)
    assert outcome(CBOR.encode, answer) == outcome(dump_value, answer)


@given(ANYTHING)
def test_anything_is_written_so_that_it_can_be_read_or_is_unserialisable(value: object) -> None:
    try:
        frame = dump_value(value)
    except InspectorError as exc:
        error = exc
    else:
        load_value(frame, trusted=True)
        return
    assert error.name == "actor.unserializable"
