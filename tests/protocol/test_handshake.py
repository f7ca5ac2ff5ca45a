"""Who gets in: every refusal, which of several is said, and both ways of bringing the token."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.handshake import CONNECT_PATH, Accept, Answer, Door, Refuse, check_handshake, check_token, host_name

TOKEN = "s3cret.Token_~-"
DOOR = Door(token=TOKEN, subprotocols=("inspector.cbor.v1", "inspector.json.v1"))
OPEN = Door(
    token=TOKEN,
    subprotocols=("inspector.cbor.v1",),
    hosts=frozenset({"inspect.example", "fe80::1"}),
    origins=frozenset({"https://tools.example", "null"}),
)
Header = tuple[str, str]

HOST = ("Host", "127.0.0.1:6420")
BEARER = ("Authorization", f"Bearer {TOKEN}")
CBOR = ("Sec-WebSocket-Protocol", "inspector.cbor.v1")
UPGRADE = ("Upgrade", "websocket")


def ask(*headers: Header, target: str = CONNECT_PATH, door: Door = DOOR) -> Accept | Answer | Refuse:
    return check_handshake(target, headers, door)


def status(answer: Accept | Answer | Refuse) -> int:
    assert isinstance(answer, Refuse)
    assert answer.body.endswith("\n")
    assert TOKEN not in answer.body
    assert TOKEN not in str(answer.headers)
    return answer.status


@pytest.mark.parametrize(
    "headers",
    [
        [HOST, BEARER, CBOR, UPGRADE],
        [HOST, ("Sec-WebSocket-Protocol", f"inspector.cbor.v1, inspector_token.{TOKEN}")],
        [HOST, ("Sec-WebSocket-Protocol", f"inspector_token.{TOKEN},inspector.cbor.v1")],
        [HOST, CBOR, ("Sec-WebSocket-Protocol", f"inspector_token.{TOKEN}")],
        [
            ("HOST", "LocalHost"),
            ("authorization", f"bearer {TOKEN}"),
            ("sec-websocket-protocol", " inspector.cbor.v1 "),
        ],
        [HOST, ("Authorization", f"BEARER   {TOKEN}  "), CBOR],
        [HOST, ("Authorization", "Basic eDp5"), BEARER, CBOR],
        [HOST, BEARER, ("Sec-WebSocket-Protocol", "inspector.cbor.v1, inspector_token.wrong")],
        [HOST, BEARER, ("Sec-WebSocket-Protocol", "chat, inspector.cbor.v1")],
        [HOST, BEARER, ("Sec-WebSocket-Protocol", "inspector.json.v1, inspector.cbor.v1")],
    ],
    ids=repr,
)
def test_a_client_with_a_token_gets_in(headers: list[Header]) -> None:
    # The token is never among what is answered, and the host's preference decides.
    assert ask(*headers) == Accept("inspector.cbor.v1")


def test_a_client_may_speak_the_second_dialect_alone() -> None:
    assert ask(HOST, BEARER, ("Sec-WebSocket-Protocol", "inspector.json.v1")) == Accept("inspector.json.v1")


def test_a_path_may_have_a_query() -> None:
    assert ask(HOST, BEARER, CBOR, target=CONNECT_PATH + "?from=here") == Accept("inspector.cbor.v1")


# ---- Host ----


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("localhost", "localhost"),
        ("LOCALHOST:6420", "localhost"),
        ("localhost:", "localhost"),
        ("localhost:1", "localhost"),
        ("localhost:65535", "localhost"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[::1]", "::1"),
        ("[::1]:6420", "::1"),
        ("[FE80::1]:6420", "fe80::1"),
        ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1"),
        ("my_host.example.", "my_host.example."),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_a_host_has_a_name_and_perhaps_a_port(value: str, name: str) -> None:
    assert host_name(value) == name


NO_HOSTS = [
    "",
    " ",
    ":80",
    "localhost:0",
    "localhost:65536",
    "localhost:99999",
    "localhost:000080",
    "localhost:-1",
    "localhost:+80",
    "localhost:8 0",
    "localhost:80:80",
    "localhost:http",
    "localhost:٨٠",
    "user@localhost",
    "@localhost",
    "localhost/path",
    "localhost?query",
    "localhost#fragment",
    "localhost\\",
    "localhost, evil.example",
    "local\thost",
    "localhost\n",
    "::1",
    "[::1",
    "::1]",
    "[]",
    "[localhost]",
    "[::1]80",
    "[::1%25eth0]",
    "http://localhost",
    "löcalhost",
    "local%68ost",
]


@pytest.mark.parametrize("value", NO_HOSTS)
def test_what_is_no_host_is_400(value: str) -> None:
    assert host_name(value) is None
    assert status(ask(("Host", value), BEARER, CBOR)) == 400


@pytest.mark.parametrize(
    "value",
    [
        "evil.example",
        "localhost.evil.example",
        "localhost.",
        "127.0.0.2",
        "0.0.0.0",
        "[::2]:80",
        "127.0.0.1.evil.example:80",
        "127.1",
    ],
)
def test_a_name_that_is_not_the_hosts_is_403(value: str) -> None:
    assert status(ask(("Host", value), BEARER, CBOR)) == 403


@pytest.mark.parametrize("value", ["localhost", "localhost:6420", "127.0.0.1", "[::1]:6420"])
def test_loopback_names_are_the_hosts(value: str) -> None:
    assert ask(("Host", value), BEARER, CBOR) == Accept("inspector.cbor.v1")


def test_other_names_can_be_allowed_and_then_loopback_is_none() -> None:
    for value in ("inspect.example:443", "Inspect.Example", "[fe80::1]"):
        assert ask(("Host", value), BEARER, CBOR, door=OPEN) == Accept("inspector.cbor.v1")
    assert status(ask(HOST, BEARER, CBOR, door=OPEN)) == 403


@pytest.mark.parametrize("hosts", [[], [HOST, HOST], [HOST, ("host", "evil.example")]], ids=repr)
def test_one_host_header_is_wanted(hosts: list[Header]) -> None:
    answer = ask(*hosts, BEARER, CBOR)
    assert status(answer) == 400
    assert isinstance(answer, Refuse)
    assert str(len(hosts)) in answer.body


# ---- Origin ----


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "", "http://127.0.0.1:6420", "https://tools.example"]
)
def test_a_browsers_page_is_403(origin: str) -> None:
    assert status(ask(HOST, ("Origin", origin), BEARER, CBOR)) == 403


def test_pages_of_an_origin_can_be_allowed() -> None:
    host = ("Host", "inspect.example")
    for origin in ("https://tools.example", "null"):
        assert ask(host, ("Origin", origin), BEARER, CBOR, door=OPEN) == Accept("inspector.cbor.v1")
    for origin in ("https://tools.example.evil", "http://tools.example", "https://tools.example:444"):
        assert status(ask(host, ("Origin", origin), BEARER, CBOR, door=OPEN)) == 403
    twice = [("Origin", "https://tools.example")] * 2
    assert status(ask(host, *twice, BEARER, CBOR, door=OPEN)) == 403


# ---- token ----


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "")],
        [("Authorization", "Bearer")],
        [("Authorization", "Bearer ")],
        [("Authorization", TOKEN)],
        [("Authorization", f"Basic {TOKEN}")],
        [("Authorization", f"Bearer{TOKEN}")],
        [("Authorization", f"Bearer {TOKEN}x")],
        [("Authorization", f"Bearer {TOKEN[:-1]}")],
        [("Authorization", f"Bearer {TOKEN.upper()}")],
        [("Authorization", "Bearer tökèn\udcff")],
        [("Authorization", "Bearer wrong"), ("Authorization", "Bearer also")],
        [("Sec-WebSocket-Protocol", "inspector_token.")],
        [("Sec-WebSocket-Protocol", "inspector_token.wrong")],
        [("Sec-WebSocket-Protocol", f"Inspector_Token.{TOKEN}")],
        [("Sec-WebSocket-Protocol", TOKEN)],
        [("Cookie", f"token={TOKEN}")],
    ],
    ids=repr,
)
def test_a_missing_or_wrong_token_is_401(headers: list[Header]) -> None:
    answer = ask(HOST, CBOR, *headers)
    assert status(answer) == 401
    assert isinstance(answer, Refuse)
    assert answer.headers == {"WWW-Authenticate": 'Bearer realm="inspector"'}


def test_a_token_in_the_query_is_none() -> None:
    assert status(ask(HOST, CBOR, target=f"{CONNECT_PATH}?token={TOKEN}")) == 401


@pytest.mark.parametrize("token", ["a", "A-Z.a_z~0", "x" * 500, "--", "."])
def test_a_token_that_fits_everywhere(token: str) -> None:
    assert check_token(token) == token
    door = Door(token=token, subprotocols=("inspector.cbor.v1",))
    both = ("Sec-WebSocket-Protocol", f"inspector.cbor.v1, inspector_token.{token}")
    assert check_handshake(CONNECT_PATH, [HOST, both], door) == Accept("inspector.cbor.v1")


@pytest.mark.parametrize("token", ["", " ", "a b", "a,b", "a=", "a/b", "a+b", "tökén", "a\n", "a\x00", '"a"', "٣"])
def test_a_token_that_would_not_fit_is_refused_without_being_shown(token: str) -> None:
    for use in (check_token, lambda token: Door(token=token, subprotocols=())):
        with pytest.raises(ValueError, match=r"^a token is one or more of A-Z a-z 0-9 \. _ ~ -$"):
            use(token)


# ---- path, subprotocol, plain requests ----


@pytest.mark.parametrize(
    "target", ["/", "", "/inspector", "/inspector/connect/", "/Inspector/Connect", "//health", "/metadata/"]
)
def test_an_unknown_path_is_404(target: str) -> None:
    answer = ask(HOST, BEARER, CBOR, target=target)
    assert status(answer) == 404
    assert isinstance(answer, Refuse)
    assert CONNECT_PATH in answer.body


@pytest.mark.parametrize(
    "offered", [[], ["chat"], ["inspector.cbor.v2"], ["INSPECTOR.CBOR.V1"], [""], ["inspector.cbor", "v1"]], ids=repr
)
def test_no_known_subprotocol_is_400_with_the_list(offered: list[str]) -> None:
    answer = ask(HOST, BEARER, UPGRADE, *(("Sec-WebSocket-Protocol", item) for item in offered))
    assert answer == Refuse(400, "Offer one of these subprotocols: inspector.cbor.v1, inspector.json.v1\n")


def test_a_plain_request_for_the_websocket_is_426() -> None:
    answer = ask(HOST, BEARER)
    assert status(answer) == 426
    assert isinstance(answer, Refuse)
    assert answer.headers == {"Upgrade": "websocket"}


@pytest.mark.parametrize("target", ["/health", "/health?verbose"])
def test_health_wants_no_token(target: str) -> None:
    assert ask(HOST, target=target) == Answer("health")
    assert status(ask(("Host", "evil.example"), target=target)) == 403
    assert status(ask(HOST, ("Origin", "http://evil.example"), target=target)) == 403
    assert status(ask(target=target)) == 400


def test_metadata_wants_a_token() -> None:
    assert ask(HOST, BEARER, target="/metadata") == Answer("metadata")
    assert status(ask(HOST, target="/metadata")) == 401


def test_the_first_reason_is_the_one_that_is_said() -> None:
    # Everything is wrong at first; each step mends what was said.
    wrong: dict[str, Any] = {"host": [HOST, HOST], "origin": [("Origin", "null")], "token": [], "path": "/", "sub": []}
    steps = [
        (400, "host", [("Host", "evil.example")]),
        (403, "host", [HOST]),
        (403, "origin", []),
        (401, "token", [BEARER]),
        (404, "path", CONNECT_PATH),
        (426, "sub", [UPGRADE]),
        (400, "sub", [UPGRADE, CBOR]),
    ]
    for expected, mend, right in steps:
        answer = ask(*wrong["host"], *wrong["origin"], *wrong["token"], *wrong["sub"], target=wrong["path"])
        assert status(answer) == expected
        wrong[mend] = right
    assert ask(*wrong["host"], *wrong["token"], *wrong["sub"], target=wrong["path"]) == Accept("inspector.cbor.v1")
