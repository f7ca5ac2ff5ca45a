"""Reading JSON: strict, bounded, exact, and by typed errors alone."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.dialects.base import MAX_DEPTH, MAX_DEPTH_TO_CLIENT
from protocol.dialects.json import JSON, MAX_DIGITS, load_text
from protocol.errors import BadMessage, InspectorError
from protocol.messages import ActionRequest, LogBatch, Message, Request, SpansResponse
from tests.protocol.samples import TO_CLIENT_SAMPLES, TO_HOST_SAMPLES

ROOT = Path(__file__).parents[2]
LONG = "1" + "0" * 30


@pytest.mark.parametrize("sample", [*TO_HOST_SAMPLES, *TO_CLIENT_SAMPLES], ids=repr)
def test_every_prefix_of_a_frame_is_refused(sample: Message) -> None:
    frame = JSON.encode(sample)
    for end in range(len(frame)):
        with pytest.raises(BadMessage) as caught:
            (JSON.decode_to_host if isinstance(sample, Request) else JSON.decode_to_client)(frame[:end])
        assert (caught.value.rid, caught.value.malformed) == (None, True)


# Each text once more with a number that only the exact reader takes.
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", ""),
        (" ", ""),
        ("[", ""),
        ('{"a"', ""),
        ('"a', ""),
        ('"a\\', ""),
        # What stands behind.
        ("[] []", ""),
        ("{}x", ""),
        ("1\x00", ""),
        ("null,", ""),
        # No JSON, though JavaScript or Python take it.
        ("NaN", ""),
        ("Infinity", ""),
        ("-Infinity", ""),
        ("undefined", ""),
        ("True", ""),
        ("'a'", ""),
        ("[1,]", ""),
        ('{"a":1,}', ""),
        ("{a:1}", ""),
        ("{1:1}", ""),
        ("// no\n1", ""),
        ("01", ""),
        ("-01", ""),
        ("+1", ""),
        (".5", ""),
        ("5.", ""),
        ("1e", ""),
        ("0x10", ""),
        ("1_000", ""),
        ("\u0661", ""),
        ("\ufeff1", ""),
        ("\u00a01", ""),
        ('"a\nb"', ""),
        ('"a\x00b"', ""),
        ('"\\x41"', ""),
        ('"\\u12"', ""),
        # Lone surrogates, as escapes and as they are.
        ('"\\ud800"', ""),
        ('"\\udc00"', ""),
        ('"\\ud800\\ud800"', ""),
        ('"\\udc00\\ud800"', ""),
        ('"\\ud800x"', ""),
        ('{"\\ud800":1}', ""),
        ('"\ud800"', ""),
        # Beyond a double, and not an integer.
        ("1e400", ""),
        ("-1e400", ""),
        ("1.5e309", ""),
        ("1e" + LONG, ""),
        (LONG * 11 + ".5", "beyond what a double holds"),
        # Duplicate keys, however they are spelt.
        ('{"a":1,"a":1}', "a key stands twice"),
        ('{"a":1,"b":2,"a":3}', "a key stands twice"),
        ('{"a":1,"\\u0061":2}', "a key stands twice"),
        ('{"":1,"":2}', "a key stands twice"),
        ('[{"b":{"a":1,"a":2}}]', "a key stands twice"),
        ('{"$bytes":"","$bytes":""}', "a key stands twice"),
        ('{"$map":{"a":1,"a":2}}', "a key stands twice"),
        # Bytes that are none.
        ('{"$bytes":null}', "`$bytes` wants base64"),
        ('{"$bytes":5}', "`$bytes` wants base64"),
        ('{"$bytes":["YQ=="]}', "`$bytes` wants base64"),
        ('{"$bytes":{"$bytes":"YQ=="}}', "`$bytes` wants base64"),
        ('{"$bytes":"YQ"}', ""),
        ('{"$bytes":"YQ="}', ""),
        ('{"$bytes":"YQ==="}', ""),
        ('{"$bytes":"Y"}', ""),
        ('{"$bytes":"YQ==YQ=="}', ""),
        ('{"$bytes":"YR=="}', "`$bytes` wants base64"),
        ('{"$bytes":"YWJ="}', "`$bytes` wants base64"),
        ('{"$bytes":"Y Q=="}', ""),
        ('{"$bytes":"YQ==\\n"}', ""),
        ('{"$bytes":"_-8="}', ""),
        ('{"$bytes":"ü"}', ""),
        ('{"\\u0024bytes":"!"}', ""),
        # Numbers that are none, and the escape.
        ('{"$float":"nan"}', "`$float` wants"),
        ('{"$float":"1.5"}', "`$float` wants"),
        ('{"$float":1.5}', "`$float` wants"),
        ('{"$float":["NaN"]}', "`$float` wants"),
        ('{"$map":1}', "`$map` wants a map"),
        ('{"$map":[]}', "`$map` wants a map"),
        ('{"$map":{"$map":{"$map":1}}}', "`$map` wants a map"),
    ],
)
def test_a_frame_that_breaks_a_rule_is_malformed(text: str, says: str, exact: bool) -> None:
    with pytest.raises(BadMessage, match="no JSON of this protocol") as caught:
        load_text(f"[{LONG},{text}]" if exact else text)
    assert says in caught.value.message
    assert len(caught.value.message) < 300
    assert (caught.value.rid, caught.value.malformed) == (None, True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[true,false,null]", [True, False, None]),
        (' \t\r\n{ "a" : 1 } ', {"a": 1}),
        ('{"a:b":"::"}', {"a:b": "::"}),
        ('[{"a":1},{"a":1}]', [{"a": 1}, {"a": 1}]),
        ('["\\ud83d\\ude00","\\u65e5","\\u0000","\\"\\\\\\/\\b\\f\\n\\r\\t"]', ["😀", "日", "\0", '"\\/\b\f\n\r\t']),
        ("日", None),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", 2**63),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", 2**64),
        ("-9223372036854775808", -(2**63)),
        ("-9223372036854775809", -(2**63) - 1),
        ("9999999999999999999", 10**19 - 1),
        ("-9999999999999999999", 1 - 10**19),
        (str(10**400), 10**400),
        (str(-(10**400)), -(10**400)),
        ("-0", 0),
        ("0.1", 0.1),
        ("1E2", 100.0),
        ("1e-400", 0.0),
        ("123456789012345678901234567890.5", 123456789012345678901234567890.5),
        ("0.30000000000000000000000000000000000004", 0.3),
        # Long runs of digits in texts, one of them behind an escape.
        ('["\\u0031234567890123456789012","12345678901234567890"]', ["1234567890123456789012", "12345678901234567890"]),
        ('["\\ud83d\\ude0012345678901234567890"]', ["😀12345678901234567890"]),
        ('{"12345678901234567890":1,"12345678901234567891":2}', {"12345678901234567890": 1, "12345678901234567891": 2}),
        ('{"$bytes":""}', b""),
        ('{"$bytes":"AP+/"}', b"\x00\xff\xbf"),
        ('{"\\u0024bytes":"YQ=="}', b"a"),
        ('[{"$float":"Infinity"},{"$float":"-Infinity"}]', [math.inf, -math.inf]),
        ('{"$map":{"$bytes":"YQ=="}}', {"$bytes": "YQ=="}),
        ('{"$map":{"$bytes":{"$bytes":"YQ=="}}}', {"$bytes": b"a"}),
        ('{"$map":{"$map":5}}', {"$map": 5}),
        ('{"$map":{"$map":{"$map":{"$float":1}}}}', {"$map": {"$float": 1}}),
        # Written inside `$map` without need.
        ('{"$map":{}}', {}),
        ('{"$map":{"a":1,"$bytes":2}}', {"a": 1, "$bytes": 2}),
        # Only a map's only key is looked at, and only three of them.
        ('{"$bytes":1,"a":2}', {"$bytes": 1, "a": 2}),
        ('{"$ref":"#/$defs/Item"}', {"$ref": "#/$defs/Item"}),
        ('{"$":{"$$bytes":{"$Bytes":1}}}', {"$": {"$$bytes": {"$Bytes": 1}}}),
    ],
)
def test_what_the_protocol_knows_is_read(text: str, value: object) -> None:
    if value is None:
        text, value = f'"{text}"', text
    for read, wanted in ((load_text(text), value), (load_text(f"[{text},{LONG}]"), [value, 10**30])):
        assert read == wanted
        assert repr(read) == repr(wanted)


def test_what_is_no_number_has_a_form() -> None:
    assert math.isnan(load_text('{"$float":"NaN"}'))
    assert math.copysign(1, load_text("-0.0")) == -1


@pytest.mark.parametrize("sign", ["", "-"])
def test_an_integer_has_so_many_digits_at_most(sign: str) -> None:
    longest = sign + "9" * MAX_DIGITS
    assert str(load_text(longest)) == longest
    for digits in (MAX_DIGITS + 1, 1_000_000):
        with pytest.raises(BadMessage, match="more than 4300 digits"):
            load_text(sign + "9" * digits)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    ("head", "tail"), [("[", "]"), ('{"a":', "}"), ('{"$map":{"$map":', "}}"), ('{"$map":{"b":1,"a":', "}}")]
)
@pytest.mark.parametrize("limit", [MAX_DEPTH, MAX_DEPTH_TO_CLIENT])
def test_nesting_is_bounded(head: str, tail: str, limit: int, exact: bool) -> None:
    def text(depth: int) -> str:
        inside = f"[{LONG}]" if exact else '[{"$bytes":""},{"$float":"NaN"}]'
        return head * (depth - 1) + inside + tail * (depth - 1)

    load_text(text(limit), limit)
    for depth in (limit + 1, 520, 100_000):
        with pytest.raises(BadMessage):
            load_text(text(depth), limit)
        with pytest.raises(BadMessage):
            load_text(head * depth, limit)


@pytest.mark.parametrize("rest", ["", LONG, '"a":1', '"'])
def test_a_deep_text_does_not_end_a_process_that_raised_its_recursion_limit(rest: str) -> None:
    # In a process of its own: what this guards against is no exception but a crash.
    program = """
import sys
sys.setrecursionlimit(10**6)
from protocol.dialects.json import load_text
from protocol.errors import InspectorError
for head in ("[", '{"a":', '{"$map":{"$map":', '[{"a":1,"a":'):
    for text in (head * 200_000 + sys.argv[1], "[" + sys.argv[1] + head * 200_000):
        try:
            load_text(text)
        except InspectorError as exc:
            print(exc.name)
"""
    done = subprocess.run([sys.executable, "-c", program, rest], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "inspector.bad_message\n" * 8, "")


@pytest.mark.parametrize("decode", [JSON.decode_to_host, JSON.decode_to_client])
@pytest.mark.parametrize("frame", [b"", b"{}", b'{"type":"Unsubscribe","id":1,"sub":1}'])
def test_a_binary_frame_is_of_the_other_kind(decode: Any, frame: bytes) -> None:
    with pytest.raises(BadMessage, match="text frames") as caught:
        decode(frame)
    assert (caught.value.rid, caught.value.malformed) == (None, True)


@pytest.mark.parametrize(
    ("frame", "says", "rid"),
    [
        ("null", "a map, not nothing", None),
        ("[]", "a map, not a list", None),
        ('{"$bytes":""}', "a map, not a bytes", None),
        ("{}", "wants an `id`", None),
        ('{"type":"Unsubscribe","id":-1}', "wants an `id`", None),
        ('{"type":"Unsubscribe","id":18446744073709551616}', "wants an `id`", None),
        ('{"type":"Unsubscribe","id":1.0}', "wants an `id`", None),
        ('{"type":"Unsubscribe","id":"1"}', "wants an `id`", None),
        ('{"type":"Unsubscribe","id":true}', "wants an `id`", None),
        ('{"id":18446744073709551615}', "wants a `type`", 2**64 - 1),
        ('{"id":7,"type":["Unsubscribe"]}', "wants a `type`", 7),
        ('{"id":7,"type":{"$bytes":"YQ=="}}', "wants a `type`", 7),
    ],
)
def test_a_request_without_type_or_id_is_malformed(frame: str, says: str, rid: int | None) -> None:
    with pytest.raises(BadMessage) as caught:
        JSON.decode_to_host(frame)
    assert says in caught.value.message
    assert (caught.value.rid, caught.value.malformed) == (rid, True)


def test_an_unknown_request_is_well_formed() -> None:
    with pytest.raises(InspectorError) as caught:
        JSON.decode_to_host('{"type":"Init","id":7}')
    assert caught.value.name == "inspector.unknown_type"
    assert caught.value.metadata == {"type": "Init", "id": 7}


def test_a_client_passes_over_what_a_newer_host_says() -> None:
    assert JSON.decode_to_client('{"type":"QueueUpdated","sub":1,"lines":5}') is None


@pytest.mark.parametrize("frame", ["[]", '{"type":["LogBatch"],"lines":[]}', '{"$map":{"lines":[]}}', "{"])
def test_a_clients_frame_is_a_map_with_a_type(frame: str) -> None:
    with pytest.raises(BadMessage) as caught:
        JSON.decode_to_client(frame)
    assert caught.value.malformed


def test_arguments_keep_what_they_are() -> None:
    request = JSON.decode_to_host(
        '{"type":"ActionRequest","id":1,"actor":"a","name":"b","args":'
        '{"data":{"$bytes":"AAE="},"big":-18446744073709551617,"odd":{"$map":{"$bytes":{"$float":"-Infinity"}}}}}'
    )
    assert request == ActionRequest(
        id=1, actor="a", name="b", args={"data": b"\x00\x01", "big": -(2**64) - 1, "odd": {"$bytes": -math.inf}}
    )


# ---- records ----


def batch(lines: str, key: str = "lines") -> str:
    return f'{{"type":"LogBatch","sub":6,"first_seq":1,"next_seq":9,"dropped":0,"{key}":{lines}}}'


@pytest.mark.parametrize(
    ("array", "lines"),
    [
        ("[]", b""),
        ("[{}]", b"{}"),
        ('[{"a":1},{"a":1}]', b'{"a":1}\n{"a":1}'),
        # Byte by byte, whatever a reader would make of it.
        ('[{"a":1.50,"b":1E2,"c":"\\u00fc"}]', b'{"a":1.50,"b":1E2,"c":"\\u00fc"}'),
        ('[{"a":12345678901234567890123,"t":"12:30:01"}]', b'{"a":12345678901234567890123,"t":"12:30:01"}'),
        ('[ {"a": "ü\\n"} ,\n{ } ]', '{"a": "ü\\n"}\n{ }'.encode()),
        ('[{"a":\n1,\r\n"b":2}]', b'{"a": 1,\r "b":2}'),
        # The forms of other values mean nothing in there.
        ('[{"$bytes":5},{"$map":1}]', b'{"$bytes":5}\n{"$map":1}'),
    ],
)
def test_records_come_as_they_stand(array: str, lines: bytes) -> None:
    for key in ("lines", "l\\u0069nes"):
        message = JSON.decode_to_client(batch(array, key))
        assert message == LogBatch(sub=6, first_seq=1, next_seq=9, dropped=0, lines=lines)
    spans = JSON.decode_to_client(f'{{"lines":{array},"type":"SpansResponse","rid":1}}')
    assert spans == SpansResponse(rid=1, lines=lines)


@pytest.mark.parametrize("array", ["null", '"{}"', "{}", '{"$bytes":"e30="}', "[1]", "[{},[]]", '["{}"]', "[null]"])
def test_lines_are_an_array_of_maps(array: str) -> None:
    with pytest.raises(BadMessage, match="`lines` wants an array of maps") as caught:
        JSON.decode_to_client(batch(array))
    assert (caught.value.malformed, caught.value.metadata) == (False, {"field": "lines"})


def test_records_are_read_as_strictly() -> None:
    for array in ('[{"a":1,"a":2}]', "[{]", '[{"a":"\\ud800"}]', "[{},]", '[],"lines":[]', '[],"x":{"$float":0}'):
        with pytest.raises(BadMessage) as caught:
            JSON.decode_to_client(batch(array))
        assert caught.value.malformed


def test_nesting_in_records_is_bounded() -> None:
    def array(depth: int) -> str:
        return "[" + '{"a":' * (depth - 1) + "{}" + "}" * (depth - 1) + "]"

    # The message and the array are two.
    JSON.decode_to_client(batch(array(MAX_DEPTH_TO_CLIENT - 2)))
    for depth in (MAX_DEPTH_TO_CLIENT - 1, 900, 100_000):
        with pytest.raises(BadMessage):
            JSON.decode_to_client(batch(array(depth)))


# ---- anything ----


def outcome(decode: Callable[[str], Message | None], frame: str) -> str:
    try:
        decode(frame)
    except InspectorError as exc:
        return exc.name
    return "message"


OUTCOMES = ("message", "inspector.bad_message", "inspector.unknown_type")
# Pieces from which JSON is made, and from which it is made wrongly.
_PIECES = (
    *'[]{},:"\\.-01\né',
    *("e9", LONG, "null", "NaN", '"a"', '"YQ=="', '"id":1', '"lines":', '"type":"LogBatch"', "\\ud800"),
    *('{"$bytes":', '{"$map":', '{"$float":'),
)
PIECES = st.lists(st.sampled_from(_PIECES), max_size=30).map("".join)


@given(st.text(max_size=100) | PIECES)
@example('{"type":[],"lines":[]}')
def test_no_text_raises_anything_but_a_typed_error(frame: str) -> None:
    for decode in (JSON.decode_to_host, JSON.decode_to_client):
        assert outcome(decode, frame) in OUTCOMES


@given(st.data())
def test_no_damaged_frame_raises_anything_but_a_typed_error(data: st.DataObject) -> None:
    frame = JSON.encode(data.draw(st.sampled_from([*TO_HOST_SAMPLES, *TO_CLIENT_SAMPLES])))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(frame)))
        frame = frame[:at] + data.draw(PIECES) + frame[at + data.draw(st.integers(0, 2)) :]
    for decode in (JSON.decode_to_host, JSON.decode_to_client):
        assert outcome(decode, frame) in OUTCOMES


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
OTHERS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS.filter(lambda key: not key.startswith("$")), inner),
)


@given(OTHERS)
def test_every_json_of_others_is_read_as_others_read_it(value: object) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=1, ensure_ascii=False)):
        read = load_text(text)
        assert read == json.loads(text)
        assert repr(read) == repr(value)
