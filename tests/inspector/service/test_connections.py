"""The roll of inspectors over real sockets: who is there, what each was sent, and when those who watch hear of it."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from websockets.typing import Subprotocol

from inspector import Registry
from inspector.service.connection import MAX_FRAME
from inspector.service.roll import MAX_ROWS
from protocol.dialects import DIALECTS
from protocol.messages import (
    ConnectionInfo,
    ConnectionsRequest,
    ConnectionsResponse,
    ConnectionsUpdated,
    LogsSubscribe,
    LogsSubscribeResponse,
    StateRequest,
    StateResponse,
    Unsubscribe,
    UnsubscribeResponse,
)
from tests.inspector.service.peer import raw
from tests.inspector.service.support import Box, Client, Worker, attached, connections_of, hosted, until

__all__ = ()

pytestmark = pytest.mark.trio
in_every_dialect = pytest.mark.parametrize("subprotocol", DIALECTS)


async def roll_of(client: Client, rid: int, *, subscribe: bool = False) -> list[ConnectionInfo]:
    """Ask for the roll."""
    return (await client.ask(ConnectionsRequest(id=rid, subscribe=subscribe), ConnectionsResponse)).connections


async def news_of(client: Client, clock: trio.testing.MockClock) -> list[ConnectionInfo]:
    """Wait for the next push of the roll, in a time that goes on as fast as the sockets allow."""
    with trio.CancelScope() as hurry:
        async with trio.open_nursery() as nursery:

            async def go_on() -> None:
                while True:
                    clock.jump(0.01)
                    await trio.testing.wait_all_tasks_blocked(0.001)

            nursery.start_soon(go_on)
            rows = (await client.pushed(ConnectionsUpdated)).connections
            hurry.cancel()
    return rows


async def pass_time(clock: trio.testing.MockClock, seconds: int) -> None:
    """Let time go by; whatever is pushed meanwhile has been sent then."""
    for _ in range(seconds * 10):
        clock.jump(0.1)
        await trio.testing.wait_all_tasks_blocked(0.001)


@in_every_dialect
async def test_everybody_is_listed_and_one_is_you(subprotocol: str) -> None:
    async with hosted() as host, attached(host) as first:
        async with attached(host, subprotocols=[Subprotocol(subprotocol)]) as second:
            one, two = await roll_of(second, 1)
            assert (one.id, one.you, one.protocol) == ("c1", False, "inspector.cbor.v1")
            assert (two.id, two.you, two.protocol) == ("c2", True, subprotocol)
            name, port = second.websocket.local_address[:2]
            assert two.peer == f"{name}:{port}"
            assert second.init.host.started_at <= one.since <= two.since <= second.init.now
            assert (one.subscriptions, one.dropped) == (0, 0)
            assert [row.you for row in await roll_of(first, 1)] == [True, False]
        await until(lambda: len(connections_of(host)) == 1)
        assert [row.id for row in await roll_of(first, 2)] == ["c1"]


async def test_bytes_of_messages_are_counted() -> None:
    async with hosted() as host, attached(host) as client, attached(host) as other:
        (_, before) = await roll_of(client, 1)
        assert before.sent == len(other.dialect.encode(other.init))
        answer = await other.ask(StateRequest(id=1, actor="box/a"), StateResponse)
        (me, after) = await roll_of(client, 2)
        assert after.sent - before.sent == len(other.dialect.encode(answer))
        assert me.sent > len(client.dialect.encode(client.init))


async def test_what_is_news_is_pushed(mock_clock: trio.testing.MockClock) -> None:
    async with hosted() as host, attached(host) as client:
        (me,) = await roll_of(client, 1, subscribe=True)
        assert (me.subscriptions, me.you) == (1, True)
        async with attached(host) as other:
            assert [row.id for row in await news_of(client, mock_clock)] == ["c1", "c2"]
            await other.ask(StateRequest(id=1, actor="box/a", subscribe=True), StateResponse)
            (_, row) = await news_of(client, mock_clock)
            assert row.subscriptions == 1
            await other.ask(Unsubscribe(id=2, sub=1), UnsubscribeResponse)
            (_, row) = await news_of(client, mock_clock)
            assert row.subscriptions == 0
            await other.call(3, "add")
            (_, later) = await news_of(client, mock_clock)
            assert later.sent > row.sent
        (me,) = await news_of(client, mock_clock)
        assert me.id == "c1"


async def test_telling_the_roll_is_no_news(mock_clock: trio.testing.MockClock) -> None:
    async with hosted() as host, attached(host) as one, attached(host) as two:
        await roll_of(one, 1, subscribe=True)
        await roll_of(two, 1, subscribe=True)
        await pass_time(mock_clock, 5)
        first, second = connections_of(host)
        told = first.pusher.told, second.pusher.told
        assert all(told)
        await pass_time(mock_clock, 12)
        assert (first.pusher.told, second.pusher.told) == told
        # Neither has gone deaf.
        before = await roll_of(one, 2)
        await pass_time(mock_clock, 5)
        assert first.pusher.told > told[0]
        assert second.pusher.told > told[1]
        assert [row.id for row in before] == ["c1", "c2"]


async def test_what_was_sent_is_told_once_a_second(mock_clock: trio.testing.MockClock) -> None:
    async with hosted() as host, attached(host) as one, attached(host) as two:
        await roll_of(one, 1, subscribe=True)
        (watcher, _) = connections_of(host)
        await pass_time(mock_clock, 3)
        size = watcher.pusher.told
        for rid in range(2, 102):
            await two.call(rid, "add")
            await pass_time(mock_clock, 0)
            mock_clock.jump(0.05)
        # Five seconds of constant change; a row has more than 100 bytes.
        await pass_time(mock_clock, 2)
        rows = await roll_of(one, 2)
        pushes = len([push for push in one.pushes if isinstance(push, ConnectionsUpdated)])
        assert 3 <= pushes <= 9
        assert watcher.pusher.told > size
        assert rows[1].sent > 1000


async def test_records_that_were_lost_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.service.connection.HIGH_WATER", 1024)
    registry = Registry([Box, Worker], record_size=256 * 1024)
    async with hosted(registry=registry) as host, raw(host, receive_buffer=4096) as peer, attached(host) as other:
        await peer.open()
        await peer.send(peer.request(LogsSubscribe(id=1, filter="info")))
        assert isinstance(await peer.message(), LogsSubscribeResponse)
        (_, slow) = connections_of(host)
        rid = 1
        # The peer reads nothing: what it loses is known before it can be told.
        while not slow.pusher.dropped:
            rid += 1
            assert await other.call(rid, "say", "x" * 200, 200) is None
        (me, row) = await roll_of(other, rid + 1)
        assert row.dropped == slow.pusher.dropped > 0
        assert me.dropped == 0


@in_every_dialect
async def test_the_longest_roll_fits_into_a_frame(subprotocol: str) -> None:
    row = ConnectionInfo(
        id=f"c{2**63}",
        peer="[1111:2222:3333:4444:5555:6666:7777:8888%wlan-interface0]:65535",
        protocol=max(DIALECTS, key=len),
        since=2**63 - 1,
        subscriptions=2**63 - 1,
        sent=2**63 - 1,
        dropped=2**63 - 1,
        you=False,
    )
    frame = DIALECTS[subprotocol].encode(ConnectionsUpdated(sub=2**63, connections=[row] * MAX_ROWS))
    assert len(frame) < MAX_FRAME


async def test_the_one_that_asks_is_on_a_roll_that_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.service.roll.MAX_ROWS", 2)
    async with hosted() as host, attached(host) as one, attached(host), attached(host) as three:
        assert [row.id for row in await roll_of(one, 1)] == ["c1", "c2"]
        assert [(row.id, row.you) for row in await roll_of(three, 1, subscribe=True)] == [("c1", False), ("c3", True)]


async def test_an_id_that_watches_can_be_used_again(mock_clock: trio.testing.MockClock) -> None:
    async with hosted() as host, attached(host) as client:
        await roll_of(client, 1, subscribe=True)
        await client.ask(Unsubscribe(id=2, sub=1), UnsubscribeResponse)
        async with attached(host):
            await pass_time(mock_clock, 2)
        (me,) = await roll_of(client, 1, subscribe=True)
        assert me.subscriptions == 1
        assert not client.pushes
