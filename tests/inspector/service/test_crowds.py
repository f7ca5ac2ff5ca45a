"""A thousand inspectors at once: each is served and hears what it watches, whoever floods the door meanwhile.

The clock stands still but where a test moves it: how long it takes to make so many depends on the machine.
"""

from __future__ import annotations

import contextlib
import resource
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from inspector import Host
from inspector.service.admission import DESCRIPTORS_KEPT, MAX_STRANGERS
from inspector.service.pusher import PUSH_INTERVAL
from protocol.messages import (
    ActionRequest,
    ActionResponse,
    ConnectionsRequest,
    ConnectionsResponse,
    StateRequest,
    StateResponse,
    StateUpdated,
)
from tests.inspector.service.peer import Raw, address_of, raw, works
from tests.inspector.service.support import attached, connection_tasks, errors_of, hosted, service_tasks, until

__all__ = ()

pytestmark = pytest.mark.trio

CROWD = 1000
# Both ends of each connection are here, and so are those of the flood.
DESCRIPTORS = 2 * (CROWD + 4 * MAX_STRANGERS) + 2 * DESCRIPTORS_KEPT


@pytest.fixture(autouse=True)
def enough_descriptors() -> Iterator[None]:
    """Let this process have so many files open; skip where it may not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
        pytest.skip(f"this process may have {hard} files open, and {CROWD} connections within it take {DESCRIPTORS}")
    wanted = soft if soft == resource.RLIM_INFINITY else max(soft, DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@asynccontextmanager
async def crowd(host: Host) -> AsyncIterator[list[Raw]]:
    """Attach a thousand peers, half as many at a time as may ask at a time."""
    async with contextlib.AsyncExitStack() as stack:
        peers: list[Raw] = []
        limiter = trio.CapacityLimiter(MAX_STRANGERS // 2)

        async def join() -> None:
            async with limiter:
                peer = await stack.enter_async_context(raw(host))
                await peer.open()
                peers.append(peer)

        async with trio.open_nursery() as nursery:
            for _ in range(CROWD):
                nursery.start_soon(join)
        yield peers


async def each(peers: list[Raw], what: Callable[[Raw], Awaitable[object]]) -> None:
    """Do something with all of them at the same time."""
    async with trio.open_nursery() as nursery:
        for peer in peers:
            nursery.start_soon(what, peer)


async def flood(host: Host, opened: list[int]) -> None:
    """Open sockets as fast as can be, and say nothing on them."""
    held: list[trio.SocketStream] = []
    try:
        while True:
            held.append(await trio.open_tcp_stream(*address_of(host)))
            opened[0] += 1
            if len(held) > MAX_STRANGERS:
                await trio.aclose_forcefully(held.pop(0))
    finally:
        for stream in held:
            stream.socket.close()


async def test_a_thousand_at_once_work_beside_one_that_opens_sockets_as_fast_as_it_can(
    mock_clock: trio.testing.MockClock,
) -> None:
    opened = [0]
    async with hosted() as host:
        async with crowd(host) as peers, trio.open_nursery() as nursery:
            assert connection_tasks() == CROWD
            for _ in range(2):
                nursery.start_soon(flood, host, opened)
            await until(lambda: opened[0] > 2 * MAX_STRANGERS)
            before = opened[0]
            await each(peers, works)
            for _ in range(10):
                async with raw(host) as newcomer:
                    await newcomer.open()
                    await works(newcomer)
            # All that while it went on, and it has room of its own and no more.
            assert opened[0] > before
            assert connection_tasks() <= CROWD + 2 * MAX_STRANGERS
            nursery.cancel_scope.cancel()
        await until(lambda: not service_tasks())
        assert errors_of(host) == []


async def test_a_thousand_hear_of_what_one_does(mock_clock: trio.testing.MockClock) -> None:
    async with hosted() as host, crowd(host) as peers:

        async def watch(peer: Raw) -> None:
            await peer.send(peer.request(StateRequest(id=1, actor="box/a", subscribe=True)))
            assert isinstance(await peer.message(), StateResponse)

        async def hear(peer: Raw) -> None:
            update = await peer.message()
            assert isinstance(update, StateUpdated)
            assert (update.sub, update.state) == (1, {"count": 1, "text": "", "odd": None})

        await each(peers[1:], watch)
        await peers[0].send(peers[0].request(ActionRequest(id=1, actor="box/a", name="add")))
        assert isinstance(await peers[0].message(), ActionResponse)
        for _ in range(20):
            # A pause between two rounds of pushes is taken in slices.
            mock_clock.jump(PUSH_INTERVAL)
            await trio.testing.wait_all_tasks_blocked()
        await each(peers[1:], hear)
        async with attached(host) as client:
            roll = await client.ask(ConnectionsRequest(id=1), ConnectionsResponse)
            assert len(roll.connections) == CROWD + 1
        assert errors_of(host) == []
