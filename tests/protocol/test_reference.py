"""docs/protocol.md says what the code does."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from protocol import handshake
from protocol.client import PUSH_TO, RESPONSE_TO
from protocol.dialects import CBOR, DIALECTS, JSON
from protocol.dialects.base import MAX_DEPTH, MAX_DEPTH_TO_CLIENT
from protocol.dialects.json import MAX_DIGITS, dump_text, load_text
from protocol.errors import TABLE
from protocol.messages import TO_CLIENT, TO_HOST, ActionRequest, ActionResponse
from protocol.server import MAX_MALFORMED

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
PROSE = " ".join(PAGE.split())


def frames() -> list[bytes]:
    """The annotated frames: what stands before `#` in a line is hexadecimal."""
    blocks = re.findall(r"^```cbor\n(.*?)^```", PAGE, re.M | re.S)
    return [bytes.fromhex("".join(line.partition("#")[0] for line in block.splitlines())) for block in blocks]


def example() -> tuple[ActionRequest, ActionResponse]:
    """The request and the response that the page shows in both dialects."""
    request = ActionRequest(id=12, actor="counter/default", name="increment", args=[2])
    response = ActionResponse(
        rid=12,
        output=42,
        trace_id="0af7651916cd43dd8448eb211c80319c",
        span_id="b7ad6b7169203331",
        duration_ns=81250,
    )
    return request, response


def test_the_example_is_what_is_sent() -> None:
    request, response = example()
    assert frames() == [CBOR.encode(request), CBOR.encode(response)]
    assert CBOR.decode_to_host(frames()[0]) == request
    assert CBOR.decode_to_client(frames()[1]) == response


def test_the_example_in_json_is_what_is_sent() -> None:
    block = re.search(r"^```json\n(.*?)^```", PAGE, re.M | re.S)
    assert block is not None
    assert block[1].splitlines() == [JSON.encode(message) for message in example()]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(b"\x00\x01", '{"$bytes": "AAE="}'), (math.nan, '{"$float": "NaN"}'), ({"$bytes": 1}, '{"$map": {"$bytes": 1}}')],
    ids=repr,
)
def test_the_forms_of_json_are_those_shown(value: object, shown: str) -> None:
    assert f"`{shown}`" in PAGE
    assert repr(load_text(shown)) == repr(value)
    assert json.loads(dump_text(value)) == json.loads(shown)


def test_the_notes_beside_the_bytes_are_true() -> None:
    noted = re.findall(r'^ +(?:[67]\S|78 \S\S) ((?:[0-9a-f]{2})+) +# "([^"]+)"', PAGE, re.M)
    assert len(noted) == 17
    for data, text in noted:
        assert text.startswith(bytes.fromhex(data).decode())


def test_every_request_is_listed_with_what_comes_of_it() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (?:`(\w+)` )?\|$", PAGE, re.M)
    assert rows == [
        (request.__name__, response.__name__, PUSH_TO[request].__name__ if request in PUSH_TO else "")
        for request, response in RESPONSE_TO.items()
    ]


def test_every_name_is_one_that_exists() -> None:
    messages = set(re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)+|Init|Unsubscribe)`", PAGE))
    assert messages <= {*TO_HOST, *TO_CLIENT}
    assert {*TO_HOST, *TO_CLIENT} - messages == {"Error"}
    errors = set(re.findall(r"`((?:inspector|actor|registry)\.[a-z_]+)`", PAGE))
    assert errors <= set(TABLE)
    assert set(re.findall(r"`(inspector\.\w+\.v\d)`", PAGE)) == set(DIALECTS)


@pytest.mark.parametrize(
    "says",
    [
        f"a websocket (RFC 6455, version 13) to `{handshake.CONNECT_PATH}`",
        f"more than {MAX_DEPTH} maps and arrays inside one another",
        f"up to {MAX_DEPTH_TO_CLIENT} maps and arrays",
        f"an integer of more than {MAX_DIGITS:,} digits",
        f"{MAX_MALFORMED} of them in a row end the connection with 1008",
        "a token is made of `A-Z a-z 0-9 . _ ~ -`",
    ],
)
def test_numbers_and_paths_are_those_of_the_code(says: str) -> None:
    assert says.lower() in PROSE.lower()


def test_the_handshake_shown_is_one_that_is_accepted() -> None:
    request = re.search(r"^```\nGET (\S+) HTTP/1\.1\n(.*?)^```", PAGE, re.M | re.S)
    assert request is not None
    headers = [(name, value) for name, value in re.findall(r"^([\w-]+): (.*)$", request[2], re.M)]
    door = handshake.Door(token="TOKEN", subprotocols=tuple(DIALECTS))
    assert handshake.check_handshake(request[1], headers, door) == handshake.Accept("inspector.cbor.v1")
    second = re.search(r"as a second subprotocol: `Sec-WebSocket-Protocol: ([^`]+)`", PROSE)
    assert second is not None
    without = [header for header in headers if header[0] not in ("Authorization", "Sec-WebSocket-Protocol")]
    both = ("Sec-WebSocket-Protocol", second[1])
    assert handshake.check_handshake(request[1], [*without, both], door) == handshake.Accept("inspector.cbor.v1")
