"""Names and values that must not be written."""

from __future__ import annotations

import pytest

from inspector.tracing.secrets import REDACTED, Secrets


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "PASSWORD",
        "user_password",
        "password_hash",
        "userPassword",
        "mypassword",
        "token",
        "authToken",
        "accesstoken",
        "access-token",
        "X-Api-Key",
        "apikey",
        "api_key",
        "APIKey",
        "Authorization",
        "proxy.authorization",
        "Set-Cookie",
        "client_secret",
        "private_key",
        "credentials",
    ],
)
def test_names_that_look_secret(name: str) -> None:
    assert Secrets().is_secret(name)


@pytest.mark.parametrize(
    "name", ["", "user", "tokens", "max_tokens", "tokenizer", "cookies_eaten", "key", "author", "pass", "…"]
)
def test_names_that_do_not(name: str) -> None:
    assert not Secrets().is_secret(name)


def test_names_can_be_added() -> None:
    secrets = Secrets(["iban"])
    secrets.is_secret("pin_code")
    secrets.add_name("pin code")
    assert [secrets.is_secret(each) for each in ("iban", "customerIban", "pin_code", "pin", "code")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    with pytest.raises(ValueError, match="no name"):
        secrets.add_name("--")


def test_values() -> None:
    secrets = Secrets()
    assert secrets.hide("plain") == "plain"
    secrets.add_value("abc")
    secrets.add_value('abc"def')
    secrets.add_value("abc")
    assert secrets.hide('1abc2abc"def3') == f"1{REDACTED}2{REDACTED}3"
    assert secrets.hide_bytes(b"\xffabc") == b"\xff" + REDACTED.encode()
    assert secrets.within(rb'{"a":"abc\"def"}')
    assert not secrets.within(b'{"a":"ab"}')
    with pytest.raises(ValueError, match="empty"):
        secrets.add_value("")


def test_a_value_without_utf8() -> None:
    secrets = Secrets()
    secrets.add_value("\ud800x")
    assert secrets.needles == ()
    assert secrets.hide("a\ud800xb") == f"a{REDACTED}b"


def test_a_value_of_rare_characters_is_found() -> None:
    secrets = Secrets()
    secrets.add_value("ab~é")
    assert secrets.within('{"x":"ab~é"}'.encode())


def test_remembers_a_bounded_number_of_names() -> None:
    secrets = Secrets()
    for number in range(10_000):
        secrets.is_secret(f"n{number}")
    assert len(secrets._known) <= 4096
