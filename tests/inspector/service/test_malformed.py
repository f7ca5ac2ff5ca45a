"""Messages that are none: each gets an error, and only too many in a row end the connection."""

from __future__ import annotations

import cbor2
import pytest
from websockets.frames import Opcode

from protocol.messages import (
    ActionRequest,
    ActorsResponse,
    Error,
)
from tests.inspector.service.peer import Raw, raw, works
from tests.inspector.service.support import count_of, errors_of, hosted, service_tasks, until

__all__ = ()

pytestmark = pytest.mark.trio

GARBAGE = b"\xff\xff"


async def bad(peer: Raw, data: bytes) -> Error:
    """Send a binary message that is none, and return what is said of it."""
    await peer.send(peer.pack(Opcode.BINARY, data))
    error = await peer.message()
    assert isinstance(error, Error)
    assert (error.group, error.code) == ("inspector", "bad_message")
    return error


def deep(levels: int) -> bytes:
    """Write a message with so many arrays inside one another."""
    return b"\xa3\x62id\x01\x64type\x6dActorsRequest\x61x" + b"\x81" * levels + b"\x00"


# ---- malformed messages ----


@pytest.mark.parametrize(
    ("data", "rid"),
    [
        (b"", None),
        (GARBAGE, None),
        (cbor2.dumps({"type": "ActorsRequest", "id": 1})[:-1], None),
        (cbor2.dumps({"type": "ActorsRequest", "id": 1}) + b"\x00", None),
        (b"\xa3\x62id\x01\x62id\x02\x64type\x6dActorsRequest", None),
        (deep(100), None),
        (deep(100_000), None),
        (b"\xd8\x1c\x81\xd8\x1d\x00", None),
        (b"\xa3\x62id\x01\x64type\x6dActorsRequest\x61x\xf7", None),
        (b"\xa3\x62id\x01\x64type\x6dActorsRequest\x61x\xc4\x82\x01\x02", None),
        (b"\xa3\x62id\x01\x64type\x6dActorsRequest\x61x\x62\xff\xfe", None),
        (b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff", None),
        (cbor2.dumps([]), None),
        (cbor2.dumps(None), None),
        (cbor2.dumps({"type": "ActorsRequest"}), None),
        (cbor2.dumps({"type": "ActorsRequest", "id": -1}), None),
        (cbor2.dumps({"type": "ActorsRequest", "id": 2**64}), None),
        (cbor2.dumps({"type": "ActorsRequest", "id": "1"}), None),
        (cbor2.dumps({"id": 3}), 3),
        (cbor2.dumps({"type": 1, "id": 2**64 - 1}), 2**64 - 1),
        (cbor2.dumps({"type": "ActorsRequest", "id": 3, "limit": "x"}), 3),
        (cbor2.dumps({"type": "StateRequest", "id": 3}), 3),
    ],
    ids=range(22),
)
async def test_a_malformed_message_gets_an_error_and_the_connection_goes_on(data: bytes, rid: int | None) -> None:
    async with hosted() as host, raw(host) as peer:
        await peer.open()
        assert (await bad(peer, data)).rid == rid
        await works(peer)
        assert errors_of(host) == []


async def test_text_to_a_binary_dialect() -> None:
    async with hosted() as host, raw(host) as peer:
        await peer.open()
        await peer.send(peer.pack(Opcode.TEXT, "é".encode()))
        error = await peer.message()
        assert isinstance(error, Error)
        assert (error.rid, error.code) == (None, "bad_message")
        await works(peer)


async def test_unknown_type_and_unknown_keys() -> None:
    async with hosted() as host, raw(host) as peer:
        await peer.open()
        await peer.send(peer.pack(Opcode.BINARY, cbor2.dumps({"type": "Init", "id": 2})))
        error = await peer.message()
        assert isinstance(error, Error)
        assert (error.rid, error.code) == (2, "unknown_type")
        await peer.send(peer.pack(Opcode.BINARY, cbor2.dumps({"type": "ActorsRequest", "id": 2, "new": {"a": [1]}})))
        assert isinstance(await peer.message(), ActorsResponse)


async def test_31_malformed_and_a_good_one_begin_anew() -> None:
    async with hosted() as host, raw(host) as peer:
        await peer.open()
        for _ in range(2):
            for _ in range(31):
                await bad(peer, GARBAGE)
            await works(peer)


async def test_32_malformed_in_a_row_end_the_connection() -> None:
    async with hosted() as host, raw(host) as peer:
        await peer.open()
        action = peer.request(ActionRequest(id=9, actor="box/a", name="add"))
        # What stands behind the last one, also in the same segment, is not looked at.
        await peer.send(peer.pack(Opcode.BINARY, GARBAGE) * 32 + action)
        for _ in range(32):
            assert isinstance(await peer.message(), Error)
        assert await peer.close_code() == 1008
        await peer.end()
        await until(lambda: not service_tasks())
        assert count_of(host) == 0
        assert errors_of(host) == []


async def test_a_well_formed_message_with_a_wrong_field_does_not_count() -> None:
    async with hosted() as host, raw(host) as peer:
        await peer.open()
        for _ in range(40):
            await bad(peer, cbor2.dumps({"type": "StateRequest", "id": 3}))
        await works(peer)
