"""Addresses are written one way, read generously, and give back what was written."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import addresses
from protocol.addresses import decode_address, encode_address
from protocol.errors import AddressError

SEGMENTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(SEGMENTS, st.lists(SEGMENTS))
def test_reading_undoes_writing(name: str, key: list[str]) -> None:
    address = encode_address(name, key)
    assert decode_address(address) == (name, tuple(key))
    assert address.count("/") == len(key)
    assert re.fullmatch(r"[A-Za-z0-9._:@+!$'()*,;=&%~/-]+", address)


@given(st.text())
def test_a_text_is_an_address_of_which_one_spelling_is_the_hosts_or_it_is_refused(text: str) -> None:
    try:
        name, key = decode_address(text)
    except AddressError:
        return
    assert decode_address(encode_address(name, key)) == (name, key)


@pytest.mark.parametrize(
    ("name", "key", "address"),
    [
        ("counter", ["default"], "counter/default"),
        ("counter", [], "counter"),
        ("", [], "~"),
        ("a", ["", "b", ""], "a/~/b/~"),
        ("~", ["~~"], "%7E/%7E%7E"),
        ("a/b", ["c/d"], "a%2Fb/c%2Fd"),
        ("100%", [], "100%25"),
        ("Grüße", ["日本"], "Gr%C3%BC%C3%9Fe/%E6%97%A5%E6%9C%AC"),
        ("a b", ["\x00\n"], "a%20b/%00%0A"),
        (".", ["..", "a.b_c:d@e+f!g$h'i(j)k*l,m;n=o&p-q"], "./../a.b_c:d@e+f!g$h'i(j)k*l,m;n=o&p-q"),
        ('"<>?#[]^`{|}\\', [], "%22%3C%3E%3F%23%5B%5D%5E%60%7B%7C%7D%5C"),
    ],
)
def test_the_one_spelling(name: str, key: list[str], address: str) -> None:
    assert encode_address(name, key) == address
    assert decode_address(address) == (name, tuple(key))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Grüße/日本", ("Grüße", ("日本",))),
        ("a%2fb", ("a/b", ())),
        ("%61%7e", ("a~", ())),
        ("a~b/~~", ("a~b", ("~~",))),
        ("a b/c?d#e", ("a b", ("c?d#e",))),
        ("ü%C3%BC", ("üü", ())),
    ],
)
def test_people_may_spell_otherwise(typed: str, meant: tuple[str, tuple[str, ...]]) -> None:
    assert decode_address(typed) == meant


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "an empty segment is written ~"),
        ("/a", "an empty segment is written ~"),
        ("a/", "an empty segment is written ~"),
        ("a//b", "an empty segment is written ~"),
        ("a%", "a % wants two hex digits"),
        ("a/%4", "a % wants two hex digits"),
        ("%zz", "a % wants two hex digits"),
        ("%%41", "a % wants two hex digits"),
        ("%FF", "is no UTF-8"),
        ("a/%C3", "is no UTF-8"),
        ("%ED%A0%80", "is no UTF-8"),
        ("\ud800", "is no UTF-8"),
    ],
)
def test_what_is_no_address_is_told(text: str, says: str) -> None:
    with pytest.raises(AddressError, match=re.escape(says)):
        decode_address(text)


def test_a_lone_surrogate_has_no_address() -> None:
    with pytest.raises(AddressError, match="surrogates not allowed"):
        encode_address("a", ["\udcff"])


def test_an_address_error_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="no address"):
        decode_address("")


def test_long_addresses_are_read_but_not_kept() -> None:
    long = "a/" + "b" * 100_000
    before = addresses._decode_short.cache_info()
    assert decode_address(long) == ("a", ("b" * 100_000,))
    assert addresses._decode_short.cache_info() == before


def test_an_error_shows_the_beginning_of_a_long_address() -> None:
    with pytest.raises(AddressError) as caught:
        decode_address("b" * 100_000 + "%")
    assert str(caught.value) == "'" + "b" * 80 + "'… is no address: a % wants two hex digits"
