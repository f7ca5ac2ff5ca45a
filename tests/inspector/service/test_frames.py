"""Frames of every bad kind, by a peer that writes each byte itself; what is well-formed however it is cut."""

from __future__ import annotations

import itertools
import random
import socket
import struct
from typing import Any

import cbor2
import pytest
import trio
from websockets.frames import Close, Opcode

from inspector.service.connection import MAX_FRAME
from protocol.messages import (
    ActionRequest,
    ActionResponse,
    ActorsRequest,
    ActorsResponse,
    Error,
    StateRequest,
    StateResponse,
)
from tests.inspector.service.peer import Raw, raw, works
from tests.inspector.service.support import (
    connection_tasks,
    connections_of,
    count_of,
    errors_of,
    hosted,
    service_tasks,
    until,
)

__all__ = ()

pytestmark = pytest.mark.trio


# ---- sizes and fragments ----


async def test_the_largest_frame_and_one_byte_more() -> None:
    async with hosted() as host:
        async with raw(host) as peer:
            await peer.open()
            request = cbor2.dumps({"type": "ActorsRequest", "id": 1, "x": b""})[:-1]
            size = MAX_FRAME - len(request) - 5
            await peer.send(peer.pack(Opcode.BINARY, request + b"\x5a" + struct.pack(">I", size) + bytes(size)))
            assert isinstance(await peer.message(), ActorsResponse)
        async with raw(host) as peer:
            await peer.open()
            await peer.send(peer.pack(Opcode.BINARY, bytes(MAX_FRAME + 1))[:100])
            assert await peer.close_code() == 1009
        async with raw(host) as peer:
            await peer.open()
            await peer.send(peer.pack(Opcode.BINARY, bytes(MAX_FRAME), fin=False))
            await peer.send(peer.pack(Opcode.CONT, b"x"))
            assert await peer.close_code() == 1009
        await until(lambda: not service_tasks())


async def test_fragments_with_control_frames_between() -> None:
    async with hosted() as host, raw(host) as peer:
        await peer.open()
        request = cbor2.dumps({"type": "ActorsRequest", "id": 5})
        await peer.send(peer.pack(Opcode.BINARY, request[:3], fin=False))
        await peer.send(peer.pack(Opcode.PING, b"between"))
        pong = await peer.frame()
        assert (pong.opcode, bytes(pong.data)) == (Opcode.PONG, b"between")
        await peer.send(peer.pack(Opcode.CONT, b"", fin=False) + peer.pack(Opcode.PONG, b"unasked"))
        await peer.send(peer.pack(Opcode.CONT, request[3:]))
        answer = await peer.message()
        assert isinstance(answer, ActorsResponse)
        assert answer.rid == 5
        await peer.send(peer.pack(Opcode.TEXT, b"a", fin=False) + peer.pack(Opcode.CONT, b"b"))
        assert isinstance(await peer.message(), Error)
        await works(peer)


async def test_empty_fragments_cost_nothing() -> None:
    async with hosted() as host, raw(host) as peer:
        await peer.open()
        request = cbor2.dumps({"type": "ActorsRequest", "id": 5})
        await peer.send(peer.pack(Opcode.BINARY, b"", fin=False))
        for _ in range(20):
            await peer.send(peer.pack(Opcode.CONT, b"", fin=False) * 1000)
        await peer.send(peer.pack(Opcode.PING, b"read so far"))
        await peer.frame()
        (connection,) = connections_of(host)
        assert not connection._frames._fragments
        await peer.send(peer.pack(Opcode.CONT, request))
        assert isinstance(await peer.message(), ActorsResponse)


async def test_byte_by_byte() -> None:
    async with hosted() as host, raw(host) as peer:
        await peer.open()
        frames = peer.request(ActionRequest(id=1, actor="box/a", name="add")) + peer.request(ActorsRequest(id=2))
        for byte in frames:
            await peer.send(bytes([byte]))
        assert isinstance(await peer.message(), ActionResponse)
        assert isinstance(await peer.message(), ActorsResponse)


@pytest.mark.parametrize("seed", range(8))
async def test_answers_do_not_depend_on_how_the_stream_is_cut(seed: int) -> None:
    chance = random.Random(seed)
    async with hosted() as host, raw(host) as peer:
        await peer.open()
        stream = b""
        for rid in range(60):
            request = cbor2.dumps({"type": "ActionRequest", "id": rid, "actor": "box/a", "name": "add"})
            cuts = sorted(chance.choices(range(len(request)), k=chance.randrange(4)))
            pieces = [request[a:b] for a, b in itertools.pairwise([0, *cuts, len(request)])]
            for number, piece in enumerate(pieces):
                opcode = Opcode.CONT if number else Opcode.BINARY
                stream += peer.pack(opcode, piece, fin=number == len(pieces) - 1)
                if chance.random() < 0.3:
                    stream += peer.pack(Opcode.PONG, chance.randbytes(chance.randrange(125)))
        while stream:
            size = chance.choice([1, 2, 5, 14, 100, 1000])
            await peer.send(stream[:size])
            stream = stream[size:]
            if chance.random() < 0.5:
                await trio.lowlevel.checkpoint()
        for rid in range(60):
            answer = await peer.message()
            assert isinstance(answer, ActionResponse)
            assert (answer.rid, answer.output) == (rid, rid + 1)


async def test_many_frames_in_one_segment_are_answered_in_order() -> None:
    async with hosted() as host, raw(host) as peer:
        await peer.open()
        requests = [ActionRequest(id=rid, actor="box/a", name="add") for rid in range(500)]
        await peer.send(b"".join(map(peer.request, requests)))
        for rid in range(500):
            answer = await peer.message()
            assert isinstance(answer, ActionResponse)
            assert (answer.rid, answer.output) == (rid, rid + 1)


async def test_large_answers_to_many_requests_in_one_segment() -> None:
    async with hosted() as host, raw(host) as peer:
        await peer.open()
        await peer.send(peer.request(ActionRequest(id=1, actor="box/a", name="write", args=[900_000])))
        assert isinstance(await peer.message(), ActionResponse)
        requests = [StateRequest(id=rid, actor="box/a") for rid in range(40)]
        await peer.send(b"".join(map(peer.request, requests)))
        (connection,) = connections_of(host)
        await until(lambda: connection._wire.waiting)
        # Not one answer for each request that one read brought, but what stood at the mark, and a turn more.
        most = 0
        for rid in range(40):
            most = max(most, connection._wire.waiting)
            answer = await peer.message()
            assert isinstance(answer, StateResponse)
            assert answer.rid == rid
        assert 0 < most < 5 * 2**20


# ---- frames that break the websocket protocol ----


def header(first: int, second: int, rest: bytes = b"") -> bytes:
    """Write a frame's head and what follows as they are."""
    return bytes([first, second]) + rest


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (Raw.pack(Opcode.BINARY, b"\xa0", mask=False), 1002),
        (header(0x80 | 0x40 | 2, 0x80, bytes(4)), 1002),
        (header(0x80 | 0x10 | 2, 0x80, bytes(4)), 1002),
        (header(0x80 | 3, 0x80, bytes(4)), 1002),
        (header(0x80 | 0xB, 0x80, bytes(4)), 1002),
        (header(9, 0x80, bytes(4)), 1002),
        (header(0x80 | 9, 0x80 | 126, struct.pack(">H", 126) + bytes(4 + 126)), 1002),
        (Raw.pack(Opcode.CONT, b"x"), 1002),
        (Raw.pack(Opcode.BINARY, b"x", fin=False) + Raw.pack(Opcode.BINARY, b"y"), 1002),
        (Raw.pack(Opcode.BINARY, b"x", fin=False) + Raw.pack(Opcode.CLOSE, Close(1000, "").serialize()), 1002),
        (Raw.pack(Opcode.CLOSE, b"\x03"), 1002),
        (Raw.pack(Opcode.CLOSE, struct.pack(">H", 999)), 1002),
        (Raw.pack(Opcode.CLOSE, struct.pack(">H", 1000) + b"\xff"), 1007),
        (Raw.pack(Opcode.TEXT, b"\xff"), 1007),
        (Raw.pack(Opcode.TEXT, b"\xc3", fin=False) + Raw.pack(Opcode.CONT, b"("), 1007),
        (header(0x80 | 2, 0x80 | 127, struct.pack(">Q", 2**40) + bytes(4)), 1009),
        (header(0x80 | 2, 0x80 | 127, struct.pack(">Q", 2**63 - 1) + bytes(4)), 1009),
    ],
    ids=range(17),
)
async def test_broken_frames_end_the_connection_and_nothing_else(data: bytes, code: int) -> None:
    async with hosted() as host, raw(host) as peer, raw(host) as other:
        await peer.open()
        await other.open()
        before = peer.request(ActionRequest(id=1, actor="box/a", name="add"))
        behind = peer.request(ActionRequest(id=2, actor="box/a", name="add"))
        await peer.send(before + data + behind)
        assert await peer.close_code() == code
        await peer.end()
        # What came before the mistake was a request like any other; what came behind it was none.
        assert count_of(host) == 1
        await until(lambda: connection_tasks() == 1)
        await works(other)
        assert errors_of(host) == []


@pytest.mark.parametrize("close", [b"", Close(1000, "").serialize(), Close(3999, "bye").serialize()])
async def test_a_close_is_echoed(close: bytes) -> None:
    async with hosted() as host, raw(host) as peer:
        await peer.open()
        action = peer.request(ActionRequest(id=1, actor="box/a", name="add"))
        await peer.send(action + peer.pack(Opcode.CLOSE, close) + action)
        assert isinstance(await peer.message(), ActionResponse)
        frame = await peer.frame()
        assert (frame.opcode, bytes(frame.data)) == (Opcode.CLOSE, close)
        await peer.end()
        await until(lambda: not service_tasks())
        # Sent before the farewell, it is done; what comes after is none of ours.
        assert count_of(host) == 1


@pytest.mark.parametrize("beside", [False, True])
async def test_a_close_while_others_have_their_turn_is_the_last_that_is_looked_at(beside: bool) -> None:
    async with hosted() as host, raw(host) as peer, raw(host) as other:
        await peer.open()
        (connection,) = connections_of(host)
        if beside:
            await other.open()
        await peer.send(b"".join(peer.request(ActionRequest(id=rid, actor="box/a", name="add")) for rid in range(99)))
        await until(lambda: count_of(host))
        done = count_of(host)
        # It gives way after every frame beside one that has just come, after 32 alone. This task looks in time, or one
        # step late.
        assert done in ((1, 2) if beside else (32, 64))
        connection.close(1001, "enough")
        for rid in range(done):
            answer = await peer.message()
            assert isinstance(answer, ActionResponse)
            assert answer.rid == rid
        assert await peer.close_code() == 1001
        await peer.send(peer.pack(Opcode.CLOSE, Close(1001, "").serialize()))
        await peer.end()
        assert count_of(host) == done


async def test_a_half_closed_connection_ends() -> None:
    async with hosted() as host, raw(host) as peer:
        await peer.open()
        await peer.send(peer.request(ActionRequest(id=1, actor="box/a", name="add")))
        await peer.stream.send_eof()
        assert isinstance(await peer.message(), ActionResponse)
        await peer.end()
        await until(lambda: not service_tasks())


@pytest.mark.parametrize("cut", [1, 7, 20])
async def test_a_reset_in_the_middle_of_a_frame(cut: int) -> None:
    async with hosted() as host:
        async with raw(host) as peer:
            await peer.open()
            await peer.send(peer.request(ActionRequest(id=1, actor="box/a", name="add"))[:cut])
            peer.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await until(lambda: not service_tasks())
        assert count_of(host) == 0
        assert errors_of(host) == []


async def test_a_reset_while_answers_are_written() -> None:
    async with hosted() as host:
        async with raw(host, receive_buffer=4096) as peer:
            await peer.open()
            big: Any = ActionRequest(id=1, actor="box/a", name="big", args=[1_000_000])
            frames = []
            for rid in range(20):
                big.id = rid
                frames.append(peer.request(big))
            await peer.send(b"".join(frames))
            await until(lambda: host.registry.get("box/a").actions >= 1)
            peer.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await until(lambda: not service_tasks())
        assert errors_of(host) == []


async def test_noise_ends_its_own_connection_at_worst() -> None:
    chance = random.Random(7351)
    async with hosted() as host, raw(host) as other:
        await other.open()
        good = other.request(ActorsRequest(id=1))
        for _ in range(200):
            async with raw(host) as peer:
                if chance.random() < 0.2:
                    # In place of a request for a websocket.
                    await peer.send(chance.randbytes(chance.randrange(1, 300)) + b"\r\n\r\n")
                    continue
                await peer.open()
                at = chance.randrange(len(good))
                noise = chance.choice(
                    [
                        chance.randbytes(chance.randrange(1, 300)),
                        good[:at] + chance.randbytes(3) + good[at + 3 :],
                        good[:at],
                        peer.pack(Opcode.BINARY, chance.randbytes(chance.randrange(100))) + good,
                    ]
                )
                await peer.send(noise)
                if chance.random() < 0.5:
                    await peer.stream.send_eof()
                    await peer.end()
        await works(other)
        await until(lambda: connection_tasks() == 1)
        assert errors_of(host) == []
