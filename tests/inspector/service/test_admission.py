"""Floods of sockets: the newest is let in, the oldest that says nothing goes, and those who are in notice nothing."""

from __future__ import annotations

import contextlib
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from inspector import Host
from inspector.service.admission import DESCRIPTORS_KEPT, MAX_STRANGERS, Strangers, capacity
from inspector.service.wire import SocketWire
from tests.inspector.service.peer import address_of, http, raw, works
from tests.inspector.service.support import attached, connection_tasks, errors_of, hosted, until

__all__ = ()

pytestmark = pytest.mark.trio

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


# ---- how many ----


@pytest.mark.parametrize(
    ("wanted", "descriptors", "expected"),
    [
        (1024, resource.RLIM_INFINITY, (1024, MAX_STRANGERS)),
        (1024, 4096, (1024, MAX_STRANGERS)),
        (1024, 1024, (1024 - DESCRIPTORS_KEPT - MAX_STRANGERS, MAX_STRANGERS)),
        (10, 1024, (10, MAX_STRANGERS)),
        (1024, 256, (96, 32)),
        (1024, 64, (1, 1)),
    ],
)
async def test_capacity(wanted: int, descriptors: int, expected: tuple[int, int]) -> None:
    assert capacity(wanted, descriptors) == expected


@asynccontextmanager
async def wires(count: int) -> AsyncIterator[list[SocketWire]]:
    """Make wires on sockets of their own."""
    async with trio.open_nursery() as nursery:
        made = [SocketWire(socket.socket(), nursery, lambda: None) for _ in range(count)]
        yield made
        for wire in made:
            wire.close()


async def test_the_oldest_of_the_address_that_has_most_is_cut() -> None:
    async with wires(8) as (a, b, c, d, e, f, g, h):
        strangers = Strangers(3)
        assert [strangers.enter(wire, address) for wire, address in ((a, "10.0.0.1"), (b, "10.0.0.2"))] == [None, None]
        assert strangers.enter(c, "10.0.0.2") is None
        # Its own flood costs the second address its oldest, not the first address anything.
        assert strangers.enter(d, "10.0.0.2") is b
        assert strangers.enter(e, "10.0.0.3") is c
        assert (b.closed, c.closed, a.closed) == (True, True, False)
        # All have one: then the oldest address goes.
        assert strangers.enter(f, "10.0.0.4") is a
        assert len(strangers) == 3
        for wire, address in ((b, "10.0.0.2"), (e, "10.0.0.3"), (f, "10.0.0.4"), (f, "10.0.0.4"), (d, "10.0.0.2")):
            strangers.leave(wire, address)
        assert len(strangers) == 0
        assert [strangers.enter(wire, "?") for wire in (d, e, g)] == [None, None, None]
        assert strangers.enter(h, "?") is d


async def test_a_network_of_one_machine_counts_as_one_address() -> None:
    async with wires(5) as (a, b, c, d, e):
        strangers = Strangers(3)
        strangers.enter(a, "::ffff:10.0.0.1")
        strangers.enter(b, "2001:db8::1")
        strangers.enter(c, "2001:db8::2%eth0")
        assert strangers.enter(d, "10.0.0.1") is b
        assert strangers.enter(e, "10.0.0.9") is a


# ---- floods ----


async def silent(host: Host) -> trio.SocketStream:
    return await trio.open_tcp_stream(*address_of(host))


async def test_sockets_that_say_nothing_keep_nobody_out() -> None:
    async with hosted() as host, attached(host) as client:
        streams = [await silent(host) for _ in range(3 * MAX_STRANGERS)]
        try:
            await until(lambda: connection_tasks() == MAX_STRANGERS + 1)
            # The oldest are gone, the newest wait.
            for stream in streams[:MAX_STRANGERS]:
                assert await stream.receive_some() == b""
            async with attached(host) as other:
                assert await other.call(1, "add") == 1
            assert (await http(host, HEALTH))[0] == 200
            assert await client.call(1, "add") == 2
            await streams[-1].send_all(HEALTH)
            assert (await streams[-1].receive_some()).startswith(b"HTTP/1.1 200 ")
        finally:
            for stream in streams:
                await trio.aclose_forcefully(stream)
        await until(lambda: connection_tasks() == 1)
        assert errors_of(host) == []


@pytest.mark.parametrize("said", [b"", b"GET /inspector/connect HTTP/1.1\r\n", HEALTH, b"GET / HTTP/1.1\r\n\r\n"])
async def test_one_that_opens_sockets_as_fast_as_it_can_stops_nobody(said: bytes) -> None:
    opened = 0

    async def flood() -> None:
        nonlocal opened
        while True:
            stream = await silent(host)
            opened += 1
            held.append(stream)
            # The host may have closed it by now.
            with contextlib.suppress(trio.BrokenResourceError):
                await stream.send_all(said)
            if len(held) > 2 * MAX_STRANGERS:
                await trio.aclose_forcefully(held.pop(0))

    held: list[trio.SocketStream] = []
    async with hosted() as host, attached(host) as client:
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(flood)
            await until(lambda: opened > 2 * MAX_STRANGERS)
            for rid in range(1, 200):
                assert await client.call(rid, "add") == rid
                assert connection_tasks() <= 2 * MAX_STRANGERS
            for _ in range(10):
                # Newcomers get in too: the flood needs a while to make them the oldest.
                async with raw(host) as peer:
                    await peer.open()
                    await works(peer)
            nursery.cancel_scope.cancel()
        for stream in held:
            await trio.aclose_forcefully(stream)
        await until(lambda: connection_tasks() <= 1)
        assert errors_of(host) == []
