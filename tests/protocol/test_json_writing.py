"""Writing JSON: what CBOR carries comes back equal, or is refused by name."""

from __future__ import annotations

import datetime
import json
import math
import subprocess
import sys
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import cbor2
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.dialects.base import MAX_DEPTH, MAX_DEPTH_TO_CLIENT, frame_size
from protocol.dialects.cbor import dump_value, load_value
from protocol.dialects.json import JSON, MAX_DIGITS, dump_text, load_text
from protocol.errors import InspectorError
from protocol.messages import ActionRequest, ActionResponse, LogBatch, SpansResponse
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
    ("value", "text"),
    [
        (Point(1, 2.5), '{"x":1,"y":2.5}'),
        (Item("tea"), '{"name":"tea","price":null}'),
        ([Colour.RED], '["red"]'),
        ((1, (2,)), "[1,[2]]"),
        ({1, 2}, "[1,2]"),
        ("Grüße 😀\0\x7f", '"Grüße 😀\\u0000\x7f"'),
        (b"\x00\xff\xbf", '{"$bytes":"AP+/"}'),
        (bytearray(b""), '{"$bytes":""}'),
        ([math.nan, math.inf, -math.inf], '[{"$float":"NaN"},{"$float":"Infinity"},{"$float":"-Infinity"}]'),
        (1.0, "1.0"),
        (-0.0, "-0.0"),
        (2**64 - 1, "18446744073709551615"),
        (2**64, "18446744073709551616"),
        ([-(2**63), -(2**63) - 1], "[-9223372036854775808,-9223372036854775809]"),
        ({"ü": [2**64, None, True]}, '{"ü":[18446744073709551616,null,true]}'),
        (NOW, '"2026-11-23T20:27:33.139606+02:30"'),
        (NAIVE, '"2026-11-23T20:27:33.139606"'),
        (NAIVE.replace(microsecond=0, tzinfo=datetime.UTC), '"2026-11-23T20:27:33Z"'),
        (NAIVE.date(), '"2026-11-23"'),
        (Decimal("1.50"), '"1.50"'),
        (uuid.UUID(int=5), '"00000000-0000-0000-0000-000000000005"'),
        # Maps that look like a form, and those that do not.
        ({"$bytes": "AA=="}, '{"$map":{"$bytes":"AA=="}}'),
        ({"$float": None}, '{"$map":{"$float":null}}'),
        ({"$map": {"a": 1}}, '{"$map":{"$map":{"a":1}}}'),
        ({"$map": {"$map": {}}}, '{"$map":{"$map":{"$map":{"$map":{}}}}}'),
        ({"$bytes": b"a"}, '{"$map":{"$bytes":{"$bytes":"YQ=="}}}'),
        ({"$bytes": 1, "a": 2}, '{"$bytes":1,"a":2}'),
        ({"$ref": "#/$defs/Item"}, '{"$ref":"#/$defs/Item"}'),
        ({"a": {"$": {"$Map": {"$$map": 1}}}}, '{"a":{"$":{"$Map":{"$$map":1}}}}'),
        ("null", '"null"'),
        ({"null": '{"$'}, '{"null":"{\\"$"}'),
    ],
    ids=repr,
)
def test_what_an_action_returns_has_a_form(value: object, text: str) -> None:
    assert dump_text(value) == text
    assert JSON.encode(returned(value)) == (
        f'{{"type":"ActionResponse","rid":1,"output":{text},"trace_id":"","span_id":"","duration_ns":0}}'
    )


@pytest.mark.parametrize("offset", [1e-6, 1, -1, 3723, -3723, 86_399])
def test_an_offset_with_seconds_is_written_in_utc(offset: float) -> None:
    odd = NAIVE.replace(tzinfo=datetime.timezone(datetime.timedelta(seconds=offset)))
    text = load_text(dump_text(odd))
    assert text.endswith("Z")
    assert datetime.datetime.fromisoformat(text) == odd


@pytest.mark.parametrize("more", [None, 2**64], ids=repr)
@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (object(), "object"),
        ({"a": [len]}, "builtin_function_or_method"),
        (1j, "complex"),
        (range(3), "range"),
        (Stubborn(), "Stubborn"),
        ({Stubborn(): 1}, "Stubborn"),
        (Opaque.THING, "object"),
        (cbor2.undefined, "cbor2.UndefinedType"),
        (msgspec.UNSET, "msgspec.UnsetType"),
        ("\ud800", "str"),
        ({"\ud800": 1}, "str"),
        # Keys that are no text: JSON would change what they are.
        ({1: "a"}, "int"),
        ({"a": 1, None: 2}, "NoneType"),
        ({True: 1}, "bool"),
        ({1.5: 1}, "float"),
        ({b"a": 1}, "bytes"),
        ({b"$bytes": 1}, "bytes"),
        ({(1, 2): 3}, "tuple"),
        ([{"a": {NOW: 1}}], "datetime"),
        (10**MAX_DIGITS, "int"),
        ([-(10**MAX_DIGITS)], "int"),
        (1 << 10_000_000, "int"),
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
def test_what_has_no_form_is_told_with_its_type(value: object, kind: str | None, more: object) -> None:
    for whole in (value, returned([more, value])):
        with pytest.raises(InspectorError) as caught:
            dump_text(whole)
        assert caught.value.name == "actor.unserializable"
        assert caught.value.metadata == ({} if kind is None else {"type": kind})
        assert len(caught.value.message) < 300


def test_an_integer_may_have_so_many_digits() -> None:
    for value in (10**MAX_DIGITS - 1, 1 - 10**MAX_DIGITS):
        assert load_text(dump_text([value])) == [value]


def test_a_smaller_limit_of_the_interpreter_is_told_as_well() -> None:
    program = """
from protocol.dialects.json import dump_text, load_text
from protocol.errors import InspectorError
for use in (lambda: dump_text(10**1000), lambda: load_text("1" * 1000)):
    try:
        use()
    except InspectorError as exc:
        print(exc.name)
"""
    command = [sys.executable, "-X", "int_max_str_digits=640", "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("actor.unserializable\ninspector.bad_message\n", "")


@pytest.mark.parametrize("inside", [[], [2**64], [{"$map": b""}]], ids=repr)
@pytest.mark.parametrize("wrap", [lambda item: [item], lambda item: {"a": item}, lambda item: {"$bytes": item}])
def test_nothing_deeper_is_written_than_is_read(wrap: Any, inside: list[Any]) -> None:
    def deep(depth: int) -> Any:
        value: Any = inside
        for _ in range(depth - (2 if inside == [{"$map": b""}] else 1)):
            value = wrap(value)
        return value

    # The message's own map is one.
    response = returned(deep(MAX_DEPTH_TO_CLIENT - 1))
    assert dump_text(JSON.decode_to_client(JSON.encode(response))) == dump_text(response)
    with pytest.raises(InspectorError, match="more than 256 containers"):
        JSON.encode(returned(deep(MAX_DEPTH_TO_CLIENT)))
    request = ActionRequest(id=1, actor="a", name="b", args=[deep(MAX_DEPTH - 2)])
    assert JSON.decode_to_host(JSON.encode(request)) == request
    with pytest.raises(InspectorError, match="more than 64 containers"):
        JSON.encode(ActionRequest(id=1, actor="a", name="b", args=[deep(MAX_DEPTH - 1)]))


def test_records_are_spliced_in_as_they_are() -> None:
    lines = '{"a":1.50, "b":1E2,"n":123456789012345678901234567890,"$bytes":"ü\\n"}\n{"$map":1}'.encode()
    batch = LogBatch(sub=1, first_seq=2, next_seq=4, dropped=3, lines=lines)
    array = lines.decode().replace("}\n{", "},{")
    assert JSON.encode(batch) == (
        f'{{"type":"LogBatch","sub":1,"first_seq":2,"next_seq":4,"dropped":3,"lines":[{array}]}}'
    )
    assert JSON.decode_to_client(JSON.encode(batch)) == batch
    assert JSON.encode(SpansResponse(rid=1, lines=b"")) == '{"type":"SpansResponse","rid":1,"lines":[]}'
    assert JSON.encode(SpansResponse(rid=1, lines=b"{}\n{}")) == '{"type":"SpansResponse","rid":1,"lines":[{},{}]}'


def test_lines_that_are_no_text_are_refused() -> None:
    with pytest.raises(InspectorError) as caught:
        JSON.encode(SpansResponse(rid=1, lines=b'{"a":"\xff"}'))
    assert caught.value.name == "actor.unserializable"


def test_a_frames_size_is_that_of_its_bytes() -> None:
    for frame in ("", "abc", "Grüße", "日😀", b"", b"\xff\x00"):
        assert frame_size(frame) == len(frame.encode() if isinstance(frame, str) else frame)


def in_json(value: Any) -> Any:
    """What becomes of a value that CBOR carries: times are text, and keys must be."""
    if isinstance(value, datetime.datetime):
        return ("time", value)
    if isinstance(value, list):
        return [in_json(item) for item in value]
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("a key that is no text")
        return {key: in_json(item) for key, item in value.items()}
    return value


def same(read: Any, wanted: Any) -> bool:
    """Compare so that NaN is itself, True is not 1, and a time's text is that time."""
    match wanted:
        case ("time", time):
            return isinstance(read, str) and datetime.datetime.fromisoformat(read) == time
        case float():
            return type(read) is float and (read == wanted or (math.isnan(read) and math.isnan(wanted)))
        case list():
            return type(read) is list and len(read) == len(wanted) and all(map(same, read, wanted))
        case dict():
            return type(read) is dict and read.keys() == wanted.keys() and all(same(read[k], wanted[k]) for k in wanted)
        case _:
            return type(read) is type(wanted) and bool(read == wanted)


KEYS = st.sampled_from(["$bytes", "$float", "$map", "$", "a", "null"])
ODD = st.recursive(
    VALUES | st.floats() | st.integers(2**62, 2**66) | st.just("YQ==") | st.just("NaN"),
    lambda inner: st.dictionaries(KEYS, inner, max_size=2) | st.lists(inner, max_size=3),
    max_leaves=12,
)


@given(ODD)
@example({"$map": {"$bytes": {"$float": math.nan}}})
@example([{"a": 1}, {b"a": 1}])
def test_what_cbor_carries_comes_back_equal_or_is_refused_by_name(value: object) -> None:
    carried = load_value(dump_value(value))
    try:
        wanted = in_json(carried)
    except TypeError:
        with pytest.raises(InspectorError, match="keys are text in JSON") as caught:
            dump_text(carried)
        assert caught.value.metadata == {"type": "bytes"}
        return
    assert same(load_text(dump_text(carried)), wanted)
    # A second way through changes nothing more.
    assert dump_text(load_text(dump_text(carried))) == dump_text(carried)


@given(ODD, ODD)
def test_arguments_and_results_come_through_a_message(first: object, second: object) -> None:
    request = ActionRequest(id=1, actor="a", name="b", args=[first, second])
    response = returned({"first": first, "second": second})
    try:
        wanted = in_json([first, second])
    except TypeError:
        for message in (request, response):
            with pytest.raises(InspectorError, match="keys are text in JSON"):
                JSON.encode(message)
        return
    read = JSON.decode_to_host(JSON.encode(request))
    assert isinstance(read, ActionRequest)
    assert same(read.args, wanted)
    answer = JSON.decode_to_client(JSON.encode(response))
    assert isinstance(answer, ActionResponse)
    assert same(answer.output, {"first": wanted[0], "second": wanted[1]})


@given(ANYTHING)
def test_anything_is_written_so_that_it_can_be_read_or_is_unserialisable(value: object) -> None:
    try:
        text = dump_text(value)
    except InspectorError as exc:
        error = exc
    else:
        load_text(text, MAX_DEPTH_TO_CLIENT)
        # Readers that know nothing of the forms take it too.
        json.loads(text)
        return
    assert error.name == "actor.unserializable"
