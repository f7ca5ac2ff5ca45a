"""How inspectors are sent home, and what other threads and other runs have to do with a connection."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest
import trio
from websockets.frames import Opcode

from inspector import Host, Registry, serve
from inspector.service.connection import Connection
from protocol.messages import ActionRequest, ActionResponse, LogBatch, LogsSubscribe, LogsSubscribeResponse
from tests.inspector.service.peer import raw
from tests.inspector.service.support import (
    TOKEN,
    Box,
    Worker,
    attached,
    connections_of,
    hosted,
    lines_of,
    service_tasks,
    until,
)

__all__ = ()

pytestmark = pytest.mark.trio


async def test_inspectors_get_1001_behind_the_answers_in_flight() -> None:
    async with hosted(drain_timeout=30) as host, attached(host) as client, attached(host) as other:
        await client.send(ActionRequest(id=1, actor="worker/w", name="work", args=["last"]))
        await until(lambda: host.registry.get("worker/w").running)
        host.shutdown()
        worker = host.registry.get("worker/w").actor
        assert isinstance(worker, Worker)
        worker.gate.set()
        assert (await client.answer(1, ActionResponse)).output == "last"
        for each in (client, other):
            close = await each.closed()
            assert close
            assert close.code == 1001
        await host.wait_stopped()
        assert not service_tasks()


async def test_what_the_host_says_last_is_heard() -> None:
    async with hosted() as host, attached(host) as client:
        await client.ask(LogsSubscribe(id=1, filter="info"), LogsSubscribeResponse)
        await client.call(2, "add")
        host.shutdown()
        said = []
        while "actor stopped" not in said:
            said += [line["fields"]["message"] for line in lines_of(await client.pushed(LogBatch))]
        assert said[-2:] == ["inspector draining", "actor stopped"]


async def test_a_peer_that_does_not_answer_the_close_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.service.service.CLOSE_GRACE", 0.1)
    async with hosted() as host, raw(host) as peer, raw(host) as asking:
        await peer.open()
        await until(lambda: len(service_tasks()) >= 3)
        host.shutdown()
        assert await peer.close_code() == 1001
        # One that has not even asked yet is cut with the rest.
        assert await asking.stream.receive_some() == b""
        await host.wait_stopped()
        await peer.end()
        assert not service_tasks()


async def test_a_peer_that_reads_nothing_does_not_hold_the_host_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.service.service.CLOSE_GRACE", 0.1)
    async with hosted() as host, raw(host, receive_buffer=4096) as peer:
        await peer.open()
        frames = [peer.request(ActionRequest(id=rid, actor="box/a", name="big", args=[1_000_000])) for rid in range(50)]
        await peer.send(b"".join(frames))
        await until(lambda: connections_of(host)[0]._full())
        await host.shutdown_and_wait()
        assert not service_tasks()


async def test_who_asks_while_the_others_are_sent_home_is_refused() -> None:
    async with hosted() as host, raw(host) as peer, raw(host) as late:
        await peer.open()
        await until(lambda: len(service_tasks()) >= 3)
        host.shutdown()
        assert await peer.close_code() == 1001
        await late.send(late.upgrade())
        assert (await late.stream.receive_some()).startswith(b"HTTP/1.1 503 ")
        await peer.send(peer.pack(Opcode.CLOSE, b"\x03\xe9"))
        await peer.end()
        await host.wait_stopped()


async def test_requests_behind_the_hosts_farewell_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.service.service.CLOSE_GRACE", 5.0)
    async with hosted() as host, raw(host) as peer:
        await peer.open()
        host.shutdown()
        assert await peer.close_code() == 1001
        await peer.send(peer.request(ActionRequest(id=1, actor="box/a", name="add")))
        await peer.send(peer.pack(Opcode.CLOSE, b"\x03\xe9"))
        await peer.end()
        await host.wait_stopped()
        assert host.registry.get("box/a").actions == 0


async def test_a_host_that_is_cancelled_drops_its_inspectors_and_their_tasks() -> None:
    registry = Registry([Box, Worker])
    registry.get_or_create(Worker, "w")
    async with trio.open_nursery() as nursery:
        host: Host = await nursery.start(partial(serve, registry, token=TOKEN, runtime_file=False))
        async with raw(host) as peer, raw(host) as asking:
            await peer.open()
            await peer.send(peer.request(ActionRequest(id=1, actor="worker/w", name="work")))
            await until(lambda: registry.get("worker/w").running)
            with trio.CancelScope(shield=True):
                nursery.cancel_scope.cancel()
                await until(lambda: registry.state == "stopped")
                assert not service_tasks()
                with trio.fail_after(30):
                    await peer.end()
                    await asking.end()


async def test_closing_twice_says_it_once() -> None:
    async with hosted() as host, raw(host) as peer:
        await peer.open()
        (connection,) = connections_of(host)
        connection.close(1001, "once")
        connection.close(1008, "twice")
        assert await peer.close_code() == 1001


# ---- threads and runs ----


async def _heard(host: Host, say: Any) -> dict[str, Any]:
    async with attached(host) as client:
        await client.ask(LogsSubscribe(id=1, filter="shop=info"), LogsSubscribeResponse)
        await trio.to_thread.run_sync(say)
        (line,) = lines_of(await client.pushed(LogBatch))
        return line


async def test_a_record_of_another_thread_wakes_a_subscriber() -> None:
    async with hosted() as host:
        logger = host.registry.log.logger("shop")
        assert (await _heard(host, lambda: logger.info("from trio's thread")))["fields"]["message"]

        def in_a_thread() -> None:
            thread = threading.Thread(target=logger.info, args=("from a thread",))
            thread.start()
            thread.join()

        assert (await _heard(host, in_a_thread))["fields"]["message"] == "from a thread"


async def test_a_record_of_another_run_wakes_a_subscriber_and_their_logs_do_not_mix() -> None:
    async with hosted() as host:
        logger = host.registry.log.logger("shop")
        others: list[dict[str, Any]] = []

        async def another_run() -> None:
            registry = Registry([Box, Worker], name="other")
            async with hosted(registry=registry) as other, attached(other) as client:
                await client.ask(LogsSubscribe(id=1, filter="shop=info"), LogsSubscribeResponse)
                logger.info("for the first")
                registry.log.logger("shop").info("for the other")
                others.extend(lines_of(await client.pushed(LogBatch)))
                assert await client.call(2, "add", 5) == 5

        line = await _heard(host, lambda: trio.run(another_run))
        assert line["fields"]["message"] == "for the first"
        assert [other["fields"]["message"] for other in others] == ["for the other"]
        async with attached(host) as client:
            assert await client.call(1, "add", 1) == 1


async def test_nobody_is_left_to_wake_when_the_run_is_over() -> None:
    left: list[Connection] = []

    async def run() -> None:
        async with hosted() as host, attached(host):
            left.extend(connections_of(host))

    await trio.to_thread.run_sync(lambda: trio.run(run))
    (connection,) = left
    connection.pusher.wake()
