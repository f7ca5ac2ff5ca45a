"""Reading CBOR: strict, bounded, and by typed errors alone."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.dialects import CBOR, DIALECTS, JSON
from protocol.dialects.base import MAX_DEPTH, MAX_DEPTH_TO_CLIENT
from protocol.dialects.cbor import load_value
from protocol.errors import BadMessage, InspectorError
from protocol.messages import Message, Request
from tests.protocol.samples import TO_CLIENT_SAMPLES, TO_HOST_SAMPLES

UTC = datetime.UTC
REQUEST = {"type": "ActionRequest", "id": 7, "actor": "a", "name": "b"}


def test_the_dialects_are_found_by_their_subprotocols_the_preferred_first() -> None:
    assert list(DIALECTS.items()) == [("inspector.cbor.v1", CBOR), ("inspector.json.v1", JSON)]


@pytest.mark.parametrize("sample", [*TO_HOST_SAMPLES, *TO_CLIENT_SAMPLES], ids=repr)
def test_every_prefix_of_a_frame_is_refused(sample: Message) -> None:
    frame = CBOR.encode(sample)
    for end in range(len(frame)):
        with pytest.raises(BadMessage) as caught:
            (CBOR.decode_to_host if isinstance(sample, Request) else CBOR.decode_to_client)(frame[:end])
        assert (caught.value.rid, caught.value.malformed) == (None, True)


@pytest.mark.parametrize("tail", [b"\x00", b"\xf6", b"\xff", b"\x80", b"\x50" + bytes(16), b"\x41"], ids=bytes.hex)
@pytest.mark.parametrize("trusted", [False, True])
def test_bytes_behind_the_value_are_refused(tail: bytes, trusted: bool) -> None:
    with pytest.raises(BadMessage):
        load_value(cbor2.dumps(REQUEST) + tail, trusted=trusted)


@pytest.mark.parametrize(
    "frame",
    [
        "00 50 00000000000000000000000000000000",
        "00 50",
        "00 51",
        "00 5f 50",
        "00 81",
        "00 c2",
        "00 d9d9f7",
        "82 00",
        "9f 00",
        "a1 00",
        "50",
        "5f",
        "c0",
    ],
)
def test_what_is_appended_to_find_the_end_cannot_be_swallowed_or_forged(frame: str) -> None:
    with pytest.raises(BadMessage):
        load_value(bytes.fromhex(frame))


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        ("", "ends before its value does"),
        # Lengths that nobody could send, of an array, a map, bytes and a text.
        ("9b ffffffffffffffff", "ends before"),
        ("bb ffffffffffffffff", "ends before"),
        ("5b ffffffffffffffff", "ends before"),
        ("7b ffffffffffffffff", "ends before"),
        ("9b 0000000100000000", "ends before"),
        ("5b 7fffffffffffffff 00", "ends before"),
        ("c2 5b 0000000100000000", "ends before"),
        # Indefinite lengths that never end, or hold another kind.
        ("9f", "ends before"),
        ("bf 6161 ff", "missing value"),
        ("5f 6161 ff", "non-byte string"),
        ("7f 4161 ff", "non-text string"),
        # Duplicate keys, however they are spelt.
        ("a2 6161 00 6161 01", "Duplicate map key"),
        ("bf 6161 00 6161 00 ff", "Duplicate map key"),
        ("a2 6161 00 7f 6161 ff 00", "Duplicate map key"),
        ("a2 6161 00 7801 61 00", "Duplicate map key"),
        ("a2 4161 00 5f 4161 ff 00", "Duplicate map key"),
        ("82 00 a1 6161 a2 6162 00 6162 00", "Duplicate map key"),
        # Keys that are neither text nor bytes.
        ("a1 00 00", "must be a text string"),
        ("a1 f6 00", "must be a text string"),
        ("a1 f5 00", "must be a text string"),
        ("a1 80 00", "must be a text string"),
        ("a1 a0 00", "must be a text string"),
        ("a1 fb 3ff0000000000000 00", "must be a text string"),
        ("a1 c2 4101 00", "must be a text string"),
        ("a1 c1 00 00", "must be a text string"),
        # Tags: shared references and cycles, sets, decimals, regular expressions, unknown ones, self-description.
        ("d81c 80", "a tag that"),
        ("d81c 81 d81d 00", "a tag that"),
        ("d81d 00", "a tag that"),
        ("82 d81c 81 00 d81d 00", "a tag that"),
        ("d90100 81 00", "a tag that"),
        ("d90102 80", "a tag that"),
        ("c4 82 00 01", "a tag that"),
        ("c5 82 1b 7fffffffffffffff 01", "a tag that"),
        ("d81e 82 01 02", "a tag that"),
        ("d823 63282e2a", "a tag that"),
        ("d825 50 00000000000000000000000000000000", "a tag that"),
        ("d818 4100", "a tag that"),
        ("d9d9f7 00", "a tag that"),
        ("d8ff 00", "a tag that"),
        ("db ffffffffffffffff 00", "a tag that"),
        ("a1 d81c 6161 00", "a tag that"),
        # Simple values and `undefined`.
        ("f7", "`undefined`"),
        ("e0", "`undefined`"),
        ("f3", "`undefined`"),
        ("f8 20", "`undefined`"),
        ("f8 ff", "`undefined`"),
        ("f8 14", "invalid two-byte sequence"),
        ("a1 6161 81 82 00 f7", "`undefined`"),
        ("a1 6161 a1 6162 e5", "`undefined`"),
        # Text that is no UTF-8, as a value, as a key, in pieces, a surrogate.
        ("61 ff", "utf-8"),
        ("a1 61 ff 00", "utf-8"),
        ("7f 61 c3 61 bc ff", "utf-8"),
        ("63 eda080", "utf-8"),
        # Times that are none.
        ("c0 00", "expected string"),
        ("c0 f6", "expected string"),
        ("c0 6161", "isoformat"),
        ("c1 f97e00", "NaN"),
        ("c1 fb 7ff0000000000000", "out of range"),
        ("c1 fb fff0000000000000", "out of range"),
        ("c1 fb 7fefffffffffffff", "out of range"),
        ("c1 6131", "no CBOR of this protocol"),
        ("c1 f6", "no CBOR of this protocol"),
        ("c1 c1 00", "no CBOR of this protocol"),
        ("c1 c2 49 ffffffffffffffffff", "no CBOR of this protocol"),
        ("c1 1b 7fffffffffffffff", "no CBOR of this protocol"),
        # Big integers that are none.
        ("c2 00", "bignum"),
        ("c2 f6", "bignum"),
        ("c3 6161", "bignum"),
        # Bytes that begin no value.
        ("1c", "subtype"),
        ("1f", "indefinite length"),
        ("3e", "subtype"),
        ("5d", "subtype"),
        ("fc", "reserved"),
        ("ff", "break code"),
        ("81 ff", "break code"),
    ],
)
def test_a_frame_that_breaks_a_rule_is_malformed(frame: str, says: str) -> None:
    with pytest.raises(BadMessage) as caught:
        load_value(bytes.fromhex(frame))
    assert says in caught.value.message
    assert len(caught.value.message) < 300
    assert (caught.value.rid, caught.value.malformed) == (None, True)


@pytest.mark.parametrize(
    ("frame", "value"),
    [
        ("c0 74 323031332d30332d32315432303a30343a30305a", datetime.datetime(2013, 3, 21, 20, 4, tzinfo=UTC)),
        ("c1 1a 514b67b0", datetime.datetime(2013, 3, 21, 20, 4, tzinfo=UTC)),
        ("c1 fb 41d452d9ec200000", datetime.datetime(2013, 3, 21, 20, 4, 0, 500_000, tzinfo=UTC)),
        ("c2 49 010000000000000000", 2**64),
        ("c3 49 010000000000000000", -(2**64) - 1),
        ("3b ffffffffffffffff", -(2**64)),
        ("9f 01 5f 4161 4162 ff 7f 61 61 ff ff", [1, b"ab", "a"]),
        ("a2 6161 00 4161 01", {"a": 0, b"a": 1}),
        ("82 a1 6161 00 a1 6161 00", [{"a": 0}, {"a": 0}]),
        ("83 f4 f5 f6", [False, True, None]),
        # Bytes of a text and of a number that look like simple values.
        ("82 65 477269c3bc 18 f7", ["Griü", 0xF7]),
        ("63 e697a5", "日"),
    ],
)
def test_what_the_protocol_knows_is_read(frame: str, value: object) -> None:
    assert load_value(bytes.fromhex(frame)) == value


def test_a_number_that_is_none_is_a_float() -> None:
    assert math.isnan(load_value(bytes.fromhex("f97e00")))


@pytest.mark.parametrize("head", [b"\x81", b"\xa1\x61\x61", b"\x9f", b"\xbf\x61\x61"], ids=bytes.hex)
@pytest.mark.parametrize(("trusted", "limit"), [(False, MAX_DEPTH), (True, MAX_DEPTH_TO_CLIENT)])
def test_nesting_is_bounded(head: bytes, trusted: bool, limit: int) -> None:
    def frame(depth: int) -> bytes:
        breaks = b"\xff" * (depth - 1) if head[0] in (0x9F, 0xBF) else b""
        return head * (depth - 1) + b"\x80" + breaks

    load_value(frame(limit), trusted=trusted)
    for depth in (limit + 1, 100_000):
        with pytest.raises(BadMessage, match="nesting depth"):
            load_value(frame(depth), trusted=trusted)


def test_a_client_reads_any_key_but_no_simple_value_in_one() -> None:
    assert load_value(bytes.fromhex("a3 00 01 f6 02 82 0102 03"), trusted=True) == {0: 1, None: 2, (1, 2): 3}
    for frame in ("a1 82 00 f7 00", "a1 a1 00 f7 00", "a1 e0 00", "a1 00 f7"):
        with pytest.raises(BadMessage, match="`undefined`"):
            load_value(bytes.fromhex(frame), trusted=True)


@pytest.mark.parametrize("decode", [CBOR.decode_to_host, CBOR.decode_to_client])
@pytest.mark.parametrize("frame", ["", "{}", '{"type":"Init"}'])
def test_a_text_frame_is_of_the_other_kind(decode: Any, frame: str) -> None:
    with pytest.raises(BadMessage, match="binary frames") as caught:
        decode(frame)
    assert (caught.value.rid, caught.value.malformed) == (None, True)


@pytest.mark.parametrize(
    ("decoded", "says", "rid"),
    [
        (None, "a map, not nothing", None),
        ([], "a map, not a list", None),
        ("a", "a map, not a str", None),
        (12, "a map, not a int", None),
        ({}, "wants an `id`", None),
        ({"type": "Init"}, "wants an `id`", None),
        ({**REQUEST, "id": -1}, "wants an `id`", None),
        ({**REQUEST, "id": 2**64}, "wants an `id`", None),
        ({**REQUEST, "id": 1.0}, "wants an `id`", None),
        ({**REQUEST, "id": True}, "wants an `id`", None),
        ({**REQUEST, "id": "7"}, "wants an `id`", None),
        ({**REQUEST, "id": None}, "wants an `id`", None),
        ({b"id": 1, "type": "Unsubscribe"}, "wants an `id`", None),
        ({"id": 7}, "wants a `type`", 7),
        ({"id": 7, "type": None}, "wants a `type`", 7),
        ({"id": 7, "type": b"Unsubscribe"}, "wants a `type`", 7),
        ({"id": 7, "type": ["Unsubscribe"]}, "wants a `type`", 7),
    ],
)
def test_a_request_without_type_or_id_is_malformed(decoded: object, says: str, rid: int | None) -> None:
    with pytest.raises(BadMessage) as caught:
        CBOR.decode_to_host(cbor2.dumps(decoded))
    assert says in caught.value.message
    assert (caught.value.rid, caught.value.malformed) == (rid, True)


@pytest.mark.parametrize("kind", ["", "Init", "ActionResponse", "actionrequest", "QueueRequest", "x" * 100_000])
def test_an_unknown_request_is_well_formed(kind: str) -> None:
    with pytest.raises(InspectorError) as caught:
        CBOR.decode_to_host(cbor2.dumps({"type": kind, "id": 7}))
    assert caught.value.name == "inspector.unknown_type"
    assert caught.value.metadata == {"type": kind[:64], "id": 7}
    assert len(caught.value.message) < 100


@pytest.mark.parametrize(
    ("decoded", "says"), [(None, "nothing"), ([1], "a list"), ({}, "`type`"), ({"type": 1}, "`type`")], ids=repr
)
def test_a_clients_frame_is_a_map_with_a_type(decoded: object, says: str) -> None:
    with pytest.raises(BadMessage, match=says):
        CBOR.decode_to_client(cbor2.dumps(decoded))


def test_a_client_passes_over_what_a_newer_host_says() -> None:
    assert CBOR.decode_to_client(cbor2.dumps({"type": "QueueUpdated", "sub": 1})) is None
    assert CBOR.decode_to_client(cbor2.dumps({"type": "ActionRequest", "id": 1})) is None


def outcome(decode: Callable[[bytes], Message | None], frame: bytes) -> str:
    try:
        decode(frame)
    except InspectorError as exc:
        return exc.name
    return "message"


@given(st.binary(max_size=200))
@example(b"\xa2\x62id\x00\x64type\x60")
def test_no_frame_raises_anything_but_a_typed_error(frame: bytes) -> None:
    for decode in (CBOR.decode_to_host, CBOR.decode_to_client):
        assert outcome(decode, frame) in ("message", "inspector.bad_message", "inspector.unknown_type")


@given(st.data())
def test_no_damaged_frame_raises_anything_but_a_typed_error(data: st.DataObject) -> None:
    frame = bytearray(CBOR.encode(data.draw(st.sampled_from([*TO_HOST_SAMPLES, *TO_CLIENT_SAMPLES]))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(frame) - 1))
        frame[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
        frame = frame or bytearray(b"\x00")
    for decode in (CBOR.decode_to_host, CBOR.decode_to_client):
        assert outcome(decode, bytes(frame)) in ("message", "inspector.bad_message", "inspector.unknown_type")
