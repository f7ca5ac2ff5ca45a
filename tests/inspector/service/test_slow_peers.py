"""Peers that are slow, silent, or read nothing: bounded, told, cut, and nobody else's business."""

from __future__ import annotations

import contextlib
import socket
import time

import pytest
import trio
from websockets.frames import Opcode

from inspector import Host
from protocol.dialects.cbor import CBOR
from protocol.messages import (
    ActionRequest,
    ActionResponse,
    ActorsRequest,
    ActorsResponse,
    LogsSubscribe,
    LogsSubscribeResponse,
    StateRequest,
    StateResponse,
    StateUpdated,
)
from tests.inspector.service.peer import Raw, raw
from tests.inspector.service.support import (
    Worker,
    attached,
    connection_tasks,
    connections_of,
    hosted,
    service_tasks,
    until,
)

__all__ = ()

pytestmark = pytest.mark.trio

MIB = 2**20


def recorded(host: Host, text: str) -> list[bytes]:
    """Return the records that hold a text."""
    recorder = host.registry.log.recorder
    return [e[0] for _, run in recorder.entries(0, recorder.next_seq) for e in run if text.encode() in e[0]]


def gate(host: Host) -> trio.Event:
    """Return what the worker's actions wait for."""
    actor = host.registry.get("worker/w").actor
    assert isinstance(actor, Worker)
    return actor.gate


async def cut_silently(host: Host) -> None:
    """Let a peer that answers no ping be cut: that many intervals have passed then, whatever the machine."""
    async with raw(host) as silent:
        await silent.open()
        while not silent.ended:
            await silent._fill()


# ---- keepalive ----


async def test_pings_are_answered() -> None:
    async with hosted() as host, raw(host) as peer:
        await peer.open()
        for data in (b"", b"x" * 125):
            await peer.send(peer.pack(Opcode.PING, data))
            pong = await peer.frame()
            assert (pong.opcode, bytes(pong.data)) == (Opcode.PONG, data)


async def test_a_silent_peer_is_pinged_and_then_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.service.connection.PING_INTERVAL", 0.02)
    async with hosted() as host, raw(host) as peer:
        await peer.open()
        while not peer.ended:
            await peer._fill()
        assert [frame.opcode for frame in peer.frames] == [Opcode.PING, Opcode.PING]
        await until(lambda: not service_tasks())
        assert recorded(host, "2 pings went unanswered")


async def test_a_peer_that_answers_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.service.connection.PING_INTERVAL", 0.02)
    async with hosted() as host, raw(host) as peer:
        await peer.open()
        for _ in range(10):
            ping = await peer.frame()
            assert ping.opcode is Opcode.PING
            await peer.send(peer.pack(Opcode.PONG, bytes(ping.data)))
        await peer.send(peer.request(ActorsRequest(id=1)))
        while (frame := await peer.frame()).opcode is Opcode.PING:
            pass
        assert isinstance(CBOR.decode_to_client(bytes(frame.data)), ActorsResponse)


async def test_a_peer_that_is_not_listened_to_is_not_called_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.service.connection.PING_INTERVAL", 0.02)
    monkeypatch.setattr("inspector.service.connection.MAX_IN_FLIGHT", 8)
    async with hosted() as host, raw(host) as peer:
        await peer.open()
        requests = [ActionRequest(id=rid, actor="worker/w", name="beside") for rid in range(20)]
        await peer.send(b"".join(map(peer.request, requests)))
        await until(lambda: len(host.registry.get("worker/w").running or ()) == 8)
        (connection,) = connections_of(host)
        await cut_silently(host)
        assert connection._session.waiting == 8
        assert not connection._wire.closed
        gate(host).set()
        answers: list[object] = []
        while len(answers) < 20:
            frame = await peer.frame()
            if frame.opcode is Opcode.BINARY:
                answers.append(CBOR.decode_to_client(bytes(frame.data)))
        assert sorted(answer.rid for answer in answers if isinstance(answer, ActionResponse)) == list(range(20))


async def test_a_peer_that_reads_slowly_is_not_called_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.service.connection.PING_INTERVAL", 0.02)
    async with hosted() as host, raw(host, receive_buffer=4096) as peer:
        await peer.open()
        await _clog(peer, host, answers=8)
        await cut_silently(host)
        await cut_silently(host)
        for rid in range(8):
            while (frame := await peer.frame()).opcode is Opcode.PING:
                pass
            answer = CBOR.decode_to_client(bytes(frame.data))
            assert isinstance(answer, ActionResponse)
            assert answer.rid == rid


async def test_a_peer_is_not_blamed_for_a_loop_that_was_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.service.connection.PING_INTERVAL", 0.05)
    async with hosted() as host, raw(host) as peer:
        await peer.open()
        for rid in range(3):
            await peer.send(peer.request(ActorsRequest(id=rid)))
            until_then = time.monotonic() + 0.3
            while time.monotonic() < until_then:
                pass
            while (frame := await peer.frame()).opcode is Opcode.PING:
                pass
            assert isinstance(CBOR.decode_to_client(bytes(frame.data)), ActorsResponse)


# ---- peers that do not read ----


async def _clog(peer: Raw, host: Host, answers: int = 20, size: int = 1_000_000) -> None:
    """Ask for more than the system's buffers take, and read none of it."""
    connection = connections_of(host)[-1]
    connection._wire._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    requests = [ActionRequest(id=rid, actor="box/a", name="big", args=[size]) for rid in range(answers)]
    await peer.send(b"".join(map(peer.request, requests)))
    await until(lambda: connection._wire.waiting)


async def test_requests_of_a_peer_that_never_reads_are_bounded_and_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hosted() as host, raw(host, receive_buffer=4096) as peer, attached(host) as other:
        await peer.open()
        monkeypatch.setattr("inspector.service.wire.STALL_TIMEOUT", 0.5)
        await _clog(peer, host, answers=200)
        connection = connections_of(host)[-1]
        most, rid = 0, 0
        while not connection._wire.closed:
            rid += 1
            # The others are served meanwhile.
            assert isinstance(await other.ask(ActorsRequest(id=rid), ActorsResponse), ActorsResponse)
            most = max(most, connection._wire.waiting)
        assert 2 * MIB < most < 4 * MIB
        assert host.registry.get("box/a").actions < 50
        # The reader waited for room that never came; it must not wait on.
        await until(lambda: connection_tasks() == 1)
        assert recorded(host, '"stalled":true')
        assert not recorded(host, '"level":"ERROR"')


async def test_pushes_to_a_peer_that_never_reads_are_bounded_and_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.service.pusher.PUSH_INTERVAL", 0.001)
    async with hosted() as host, raw(host, receive_buffer=4096) as peer, attached(host) as other:
        await peer.open()
        await peer.send(peer.request(LogsSubscribe(id=1, filter="trace")))
        assert isinstance(await peer.message(), LogsSubscribeResponse)
        monkeypatch.setattr("inspector.service.wire.STALL_TIMEOUT", 0.5)
        connection = connections_of(host)[-1]
        logger = host.registry.log.logger("shop")
        most, rid = 0, 0
        while not connection._wire.closed:
            for _ in range(100):
                logger.info("x" * 1000)
            rid += 1
            await other.call(rid, "add")
            most = max(most, connection._wire.waiting)
        assert most < 2 * MIB + 512 * 1024
        await until(lambda: connection_tasks() == 1)
        assert recorded(host, '"stalled":true')


async def test_pongs_to_a_peer_that_never_reads_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.service.connection.HIGH_WATER", 64 * 1024)
    async with hosted() as host, raw(host, receive_buffer=4096) as peer:
        await peer.open()
        pings = peer.pack(Opcode.PING, b"x" * 125) * 500
        (connection,) = connections_of(host)

        async def flood() -> None:
            while True:
                await peer.send(pings)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(flood)
            await until(lambda: not connection._listening)
            assert 64 * 1024 < connection._wire.waiting < 256 * 1024
            nursery.cancel_scope.cancel()
        # It begins to read after all.
        for _ in range(500):
            assert (await peer.frame()).opcode is Opcode.PONG


async def test_a_slow_reader_gets_the_newest_state_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.service.connection.HIGH_WATER", 1024)
    monkeypatch.setattr("inspector.service.pusher.PUSH_INTERVAL", 0.001)
    # Whole states, for patches are too small to fill a socket.
    monkeypatch.setattr("inspector.service.subscriptions.PATCH_FROM", 2**30)
    async with hosted() as host, raw(host, receive_buffer=4096) as peer, attached(host) as other:
        await peer.open()
        await peer.send(peer.request(StateRequest(id=1, actor="box/a", subscribe=True)))
        assert isinstance(await peer.message(), StateResponse)
        await other.call(1, "write", 900_000)
        (_, connection) = connections_of(host)
        rid = 1
        while not connection._wire.waiting:
            rid += 1
            await other.call(rid, "add")
        last, told = 0, rid
        while rid < told + 200:
            rid += 1
            last = await other.call(rid, "add")
        updates: list[StateUpdated] = []
        while not updates or updates[-1].state["count"] < last:
            update = await peer.message()
            assert isinstance(update, StateUpdated)
            updates.append(update)
        assert len(updates) < told + 100


async def test_requests_in_flight_are_bounded() -> None:
    async with hosted() as host, raw(host) as peer, attached(host) as other:
        await peer.open()
        requests = [ActionRequest(id=rid, actor="worker/w", name="beside") for rid in range(1500)]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.send, b"".join(map(peer.request, requests)))
            cell = host.registry.get("worker/w")
            await until(lambda: len(cell.running or ()) == 1024)
            for rid in range(1, 50):
                await other.call(rid, "add")
            assert len(cell.running or ()) == 1024
            gate(host).set()
            seen = set()
            for _ in range(1500):
                answer = await peer.message()
                assert isinstance(answer, ActionResponse)
                seen.add(answer.rid)
            assert seen == set(range(1500))


async def test_a_peer_that_goes_while_its_requests_are_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.service.connection.MAX_IN_FLIGHT", 8)
    async with hosted(drain_timeout=0.05) as host:
        async with raw(host) as peer:
            await peer.open()
            requests = [ActionRequest(id=rid, actor="worker/w", name="beside") for rid in range(20)]
            await peer.send(b"".join(map(peer.request, requests)))
            await until(lambda: len(host.registry.get("worker/w").running or ()) == 8)
        # Nobody listens to the socket, so its end is seen when there is room again.
        gate(host).set()
        await until(lambda: not service_tasks())


async def test_the_reason_for_the_end_stands_behind_what_was_kept() -> None:
    async with hosted() as host, raw(host, receive_buffer=4096) as peer:
        await peer.open()
        # More than the system takes at once, less than the mark at which nobody listens.
        await _clog(peer, host, answers=1)
        await peer.send(peer.pack(Opcode.CONT, b"misplaced"))
        (connection,) = connections_of(host)
        await until(lambda: connection._protocol.eof_sent)
        answer = await peer.message()
        assert isinstance(answer, ActionResponse)
        assert await peer.close_code() == 1002
        await peer.end()
        await until(lambda: not service_tasks())


async def test_a_peer_that_does_not_end_after_the_close_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.service.service.CLOSE_GRACE", 0.1)
    async with hosted() as host, raw(host) as peer:
        await peer.open()
        await peer.send(peer.pack(Opcode.TEXT, b"\xff"))
        assert await peer.close_code() == 1007
        # It goes on talking; the host hears it out for a moment, never for good.
        with contextlib.suppress(trio.BrokenResourceError):
            while service_tasks():
                await peer.send(peer.pack(Opcode.PING, b""))
        await until(lambda: not service_tasks())
