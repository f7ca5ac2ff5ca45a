"""The notation: what it reads, and where it says that it can't."""

from __future__ import annotations

import datetime
import math
from contextlib import suppress
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.script.difference import write, write_node
from protocol.script.notation import MAX_NESTING, Reader, ScriptError
from protocol.script.patterns import Anything, Capture, Entries, Items, Literal, Rest, fill, fits, same

__all__ = ()

UTC = datetime.UTC


def value_of(text: str, *, tags: bool = False) -> Any:
    reader = Reader("x", text)
    value = fill(reader.value(), {}, tags=tags)
    assert reader.position == len(text)
    return value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("true", True),
        ("false", False),
        ("0", 0),
        ("-17", -17),
        ("18446744073709551616", 2**64),
        ("0x1F", 31),
        ("-0xff", -255),
        ("0b101", 5),
        ("0o17", 15),
        ("007", 7),
        ("1.5", 1.5),
        ("1.", 1.0),
        ("-0.0", -0.0),
        ("1e3", 1000.0),
        ("1.5E-3", 0.0015),
        ("NaN", math.nan),
        ("Infinity", math.inf),
        ("-Infinity", -math.inf),
        ('""', ""),
        ('"a\\n\\"\\u00fc\\ud83d\\ude00 ü"', 'a\n"ü😀 ü'),
        ("h''", b""),
        ("h'00 fF\n'", b"\x00\xff"),
        ("b64'AAE='", b"\x00\x01"),
        ("b64'_-8'", b"\xff\xef"),
        ("'it\\'s \"x\" \\n ü'", 'it\'s "x" \n ü'.encode()),
        ("[]", []),
        ("[1, [2,],]", [1, [2]]),
        ("{}", {}),
        ("{\"a\": 1, 2: h'', h'00': {}, [1, [2]]: 3, null: 4,}", {"a": 1, 2: b"", b"\0": {}, (1, (2,)): 3, None: 4}),
        ("{1: 2, 1.0: 3, true: 4} ".strip(), None),
        ('{ # a comment\n  "a" : # another\n  1\n}', {"a": 1}),
        ('0("2026-11-24T08:00:00Z")', datetime.datetime(2026, 11, 24, 8, tzinfo=UTC)),
        ("1(0)", datetime.datetime(1970, 1, 1, tzinfo=UTC)),
        ("2( h'0100' )", 256),
        ("3(h'0100')", -257),
    ],
)
def test_values(text: str, value: Any) -> None:
    read = value_of(text)
    if text.startswith("{1: 2, 1.0"):
        # To Python these keys are one; nobody wants to send such a map otherwise than raw.
        assert list(read.values()) == [4]
    else:
        assert same(read, value)


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ('0("yesterday")', cbor2.CBORTag(0, "yesterday")),
        ('0("2026-11-24T08:00:00")', cbor2.CBORTag(0, "2026-11-24T08:00:00")),
        ("1(1e300)", cbor2.CBORTag(1, 1e300)),
        ("1(12)", cbor2.CBORTag(1, 12)),
        ("2([])", cbor2.CBORTag(2, [])),
        ('37({"a": [1]})', cbor2.CBORTag(37, {"a": [1]})),
    ],
)
def test_tags_are_sent_as_they_stand(text: str, tag: cbor2.CBORTag) -> None:
    sent = value_of(text, tags=True)
    assert (sent.tag, sent.value) == (tag.tag, tag.value)


def test_undefined_is_sent_on_purpose() -> None:
    assert value_of("undefined") is cbor2.undefined


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("", 1, "a value is wanted, not the end of the script"),
        ("\n", 1, "a value is wanted, not the end of the line"),
        ("nil", 1, "a value is wanted, not 'nil'"),
        ("[1 2]", 4, "`,` or `]` is wanted, not '2'"),
        ("[1", 3, "`,` or `]` is wanted, not the end of the script"),
        ('{"a" 1}', 6, "`:` is wanted, not '1'"),
        ('{"a": 1, "a": 2}', 10, "the key stands twice"),
        ("{$a: 1}", 2, "nothing was captured as $a before"),
        ("{{}: 1}", 2, "a key is a plain value"),
        ("{[{}]: 1}", 2, "a key is a plain value"),
        ("{1(2): 1}", 2, "a key is a plain value"),
        ('"a', 1, "the text does not end on its line"),
        ('"\\x"', 1, "no text"),
        ('"\\ud800"', 1, "half a surrogate pair"),
        ("h'0'", 1, "no byte string"),
        ("h'zz'", 1, "no byte string"),
        ("b64'!'", 1, "no byte string"),
        ("h'00", 1, "the byte string does not end"),
        ("'00", 1, "the byte string does not end"),
        ("1_2", 2, "an encoding indicator is no value"),
        ("NaN_1", 4, "an encoding indicator is no value"),
        ("1.5_2", 4, "an encoding indicator is no value"),
        ("_", 1, "`_` stands for anything in a pattern"),
        ("[_ 1]", 2, "`_` stands for anything in a pattern"),
        ("[...]", 2, "`...` stands for the rest"),
        ("$", 2, "a name is wanted"),
        ("$a", 1, "nothing was captured as $a before"),
        ("-1(2)", 1, "a tag has at most 64 bits"),
        ("18446744073709551616(2)", 1, "a tag has at most 64 bits"),
        ("1(2", 4, "`)` is wanted"),
        ("9" * 5000, 1, "a number of more than 4000 digits"),
        ("[" * (MAX_NESTING + 2), MAX_NESTING + 2, "more than 128 inside one another"),
    ],
)
def test_what_is_no_value(text: str, column: int, said: str) -> None:
    with pytest.raises(ScriptError) as caught:
        Reader("f.cbs", text).value()
    assert str(caught.value).startswith(f"f.cbs:1:{column}: ")
    assert caught.value.message.startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("undefined", "no message holds `undefined`"),
        ("37(h'')", "no message holds such a tag"),
        ('0("yesterday")', "no message holds such a tag"),
        ("...", "`...` stands for the rest"),
        ("_a", "`_` stands for anything"),
        ("1(_)", "a tag's content has no captures"),
        ("1([_])", "a tag's content has no captures"),
        ('1({"a": $b})', "a tag's content has no captures"),
        ("1({...})", "a tag's content has no captures"),
        ("{_: 1}", "a key is a plain value"),
        ("nil", "a pattern is wanted"),
    ],
)
def test_what_is_no_pattern(text: str, said: str) -> None:
    with pytest.raises(ScriptError) as caught:
        Reader("f.cbs", text).pattern()
    assert caught.value.message.startswith(said)


def test_a_line_and_a_column() -> None:
    reader = Reader("f.cbs", '{\n  "a": ?\n}')
    with pytest.raises(ScriptError) as caught:
        reader.value()
    assert (caught.value.name, caught.value.line, caught.value.column) == ("f.cbs", 2, 8)


def test_patterns() -> None:
    read = Reader("x", '{"a": _, "b": [1, ..., $c], ...}').pattern()
    items = Items((Literal(1), Rest(), Capture("c")))
    assert read == Entries((("a", Anything()), ("b", items)), rest=True)
    assert write_node(read, {}) == '{"a": _, "b": [1, ..., $c], ...}'


def test_captures_can_be_sent() -> None:
    reader = Reader("x", "$a[$a]")
    reader.pattern()
    assert fill(reader.value(), {"a": 1}, tags=True) == [1]


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.datetimes(timezones=st.just(UTC), min_value=datetime.datetime(1, 1, 2))
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(min_value=2) | st.binary(), inner)
)


@given(VALUES)
def test_what_is_written_is_read_again_and_fits(value: Any) -> None:
    text = write(value)
    assert text.isprintable()
    assert same(value_of(text), value)
    assert fits(Reader("x", text).pattern(), value, {}) == {}


@given(st.text(alphabet="{}[]():,._$\"'h0129aex-# \n\\\ud83d", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (Reader("x", text).value, Reader("x", text).pattern):
        with suppress(ScriptError):
            read()
