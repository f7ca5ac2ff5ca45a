"""The span log over the wire: filters, backlog, resume, what was missed and dropped, and that it comes to rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cbor2
import pytest
import trio
from trio.testing import wait_all_tasks_blocked
from websockets.frames import Opcode

from inspector import Registry
from inspector.tracing import TRACE, Log
from protocol.messages import (
    ActionRequest,
    ActionResponse,
    Error,
    LogBatch,
    LogsSubscribe,
    LogsSubscribeResponse,
    SpansRequest,
    SpansResponse,
    Unsubscribe,
    UnsubscribeResponse,
)
from tests.inspector.service.peer import raw
from tests.inspector.service.support import (
    Box,
    Client,
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


def messages_of(lines: list[dict[str, Any]]) -> list[str]:
    """Return what the events among records say."""
    return [line["fields"]["message"] for line in lines if line["kind"] == "event"]


async def follow(client: Client, enough: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """Read batches until the records suffice, and check that they join."""
    lines: list[dict[str, Any]] = []
    last: LogBatch | None = None
    while not enough(lines):
        batch = await client.pushed(LogBatch)
        assert last is None or batch.first_seq == last.next_seq
        found = lines_of(batch)
        assert all(batch.first_seq <= line["seq"] < batch.next_seq for line in found)
        assert len(batch.lines) <= client.init.limits.max_batch
        lines += found
        last = batch
    assert [line["seq"] for line in lines] == sorted({line["seq"] for line in lines})
    return lines


@pytest.mark.parametrize(
    ("text", "position", "proposal"),
    [("info,warning", 5, "warn"), ("", 0, None), ("shop=loud", 5, None), ("a b", 2, None), ("é,%", 2, None)],
)
async def test_bad_filters_say_where(text: str, position: int, proposal: str | None) -> None:
    async with hosted() as host, attached(host) as client:
        error = await client.refused(LogsSubscribe(id=1, filter=text))
        assert (error.group, error.code) == ("inspector", "bad_filter")
        assert error.metadata
        assert error.metadata["position"] == position
        if proposal is not None:
            assert error.metadata["proposal"] == proposal
        await client.ask(LogsSubscribe(id=1, filter="info"), LogsSubscribeResponse)


async def test_from_now_on() -> None:
    async with hosted() as host, attached(host) as client:
        await client.call(1, "say", "before")
        log = host.registry.log
        answer = await client.ask(LogsSubscribe(id=2, filter="info", actor="box/a"), LogsSubscribeResponse)
        assert answer.missed == 0
        assert answer.next_seq <= log.next_seq
        await client.call(3, "say", "after", 3)
        lines = await follow(client, lambda lines: len(lines) >= 3)
        assert messages_of(lines) == ["after"] * 3
        assert lines[0]["span"]["actor"] == "box/a"
        assert lines[0]["span"]["rid"] == 3


async def test_the_lines_are_the_rings_own_bytes() -> None:
    async with hosted() as host, attached(host) as client:
        await client.ask(LogsSubscribe(id=1, filter="info"), LogsSubscribeResponse)
        host.registry.log.logger("shop").info("é\n\x1b[31m", amount=1)
        batch = await client.pushed(LogBatch)
        recorder = host.registry.log.recorder
        kept = [entry[0] for _, run in recorder.entries(batch.first_seq, batch.next_seq) for entry in run]
        assert batch.lines in kept


async def test_backlog_counts_what_matches() -> None:
    async with hosted() as host, attached(host) as client:
        for rid in range(1, 11):
            await client.call(rid, "say", f"line {rid}")
        async with attached(host) as other:
            await other.ask(LogsSubscribe(id=1, filter="info", actor="box/a", backlog=3), LogsSubscribeResponse)
            lines = await follow(other, lambda lines: len(lines) >= 3)
            assert messages_of(lines) == ["line 8", "line 9", "line 10"]
        async with attached(host) as other:
            await other.ask(LogsSubscribe(id=1, filter="info", backlog=2**63 - 1), LogsSubscribeResponse)
            lines = await follow(other, lambda lines: len(lines) >= 11)
            assert messages_of(lines)[0] == "inspector listening"


async def test_both_after_seq_and_backlog_are_a_bad_message() -> None:
    async with hosted() as host, attached(host) as client:
        message = {"type": "LogsSubscribe", "id": 5, "filter": "info", "after_seq": 1, "backlog": 1}
        await client.websocket.send(cbor2.dumps(message))
        error = await client.answer(5, Error)
        assert (error.group, error.code) == ("inspector", "bad_message")
        await client.ask(LogsSubscribe(id=5, filter="info", after_seq=0), LogsSubscribeResponse)


async def test_the_response_comes_before_the_first_push() -> None:
    async with hosted() as host, raw(host) as peer:
        await peer.open()
        await peer.send(peer.request(LogsSubscribe(id=1, filter="trace", backlog=100)))
        assert isinstance(await peer.message(), LogsSubscribeResponse)
        batch = await peer.message()
        assert isinstance(batch, LogBatch)
        assert batch.sub == 1


async def test_unknown_actor() -> None:
    async with hosted() as host, attached(host) as client:
        error = await client.refused(LogsSubscribe(id=1, filter="info", actor="nobody"))
        assert (error.group, error.code) == ("actor", "not_found")


async def test_a_long_backlog_comes_whole_and_in_pieces() -> None:
    async with hosted() as host, attached(host) as client:
        logger = host.registry.log.logger("shop")
        for number in range(3000):
            logger.info("x" * 1000, number=number)
        await client.ask(LogsSubscribe(id=1, filter="shop=info", after_seq=0), LogsSubscribeResponse)
        lines = await follow(client, lambda lines: len(lines) >= 3000)
        assert [line["fields"]["number"] for line in lines] == list(range(3000))


async def test_missed_is_what_the_ring_no_longer_keeps() -> None:
    registry = Registry([Box, Worker], record_size=64 * 1024)
    async with hosted(registry=registry) as host, attached(host) as client:
        logger = host.registry.log.logger("shop")
        for number in range(2000):
            logger.info("x" * 100, number=number)
        answer = await client.ask(LogsSubscribe(id=1, filter="info", after_seq=10), LogsSubscribeResponse)
        first = host.registry.log.first_seq
        assert answer.missed == answer.next_seq - 11 > 1000
        assert answer.next_seq <= first
        batch = await client.pushed(LogBatch)
        assert batch.first_seq == answer.next_seq
        # A number that this host never gave out is another host's.
        answer = await client.ask(LogsSubscribe(id=2, filter="info", after_seq=10**12), LogsSubscribeResponse)
        assert answer.missed == 0
        assert answer.next_seq <= host.registry.log.next_seq


async def test_a_reader_too_slow_is_told_what_it_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.service.connection.HIGH_WATER", 64 * 1024)
    registry = Registry([Box, Worker], record_size=256 * 1024)
    async with hosted(registry=registry) as host, raw(host, receive_buffer=4096) as peer, attached(host) as other:
        await peer.open()
        await peer.send(peer.request(LogsSubscribe(id=1, filter="trace")))
        opened = await peer.message()
        assert isinstance(opened, LogsSubscribeResponse)
        logger = host.registry.log.logger("shop")
        # What the system's own buffers take is not known; the ring is smaller than this by far.
        for rid in range(1, 200):
            for number in range(200):
                logger.info("x" * 200, number=number)
            assert await other.call(rid, "add", 1) == rid
        last = host.registry.log.next_seq - 1
        end = opened.next_seq
        dropped = seen = 0
        while end <= last:
            batch = await peer.message()
            assert isinstance(batch, LogBatch)
            assert batch.first_seq == end
            lines = lines_of(batch)
            # Everything matches this filter, so nothing may be unaccounted for.
            assert len(lines) + batch.dropped == batch.next_seq - batch.first_seq
            end = batch.next_seq
            dropped += batch.dropped
            seen += len(lines)
        assert dropped > 0
        assert seen > 0
        assert dropped + seen == end - opened.next_seq


async def test_delivering_the_log_writes_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.service.pusher.PUSH_INTERVAL", 0.01)
    async with hosted() as host, attached(host) as client, trio.open_nursery() as nursery:
        await client.ask(LogsSubscribe(id=1, filter="trace", after_seq=0), LogsSubscribeResponse)
        batches: list[LogBatch] = []

        async def read() -> None:
            while True:
                batches.append(await client.pushed(LogBatch))

        nursery.start_soon(read)
        host.registry.log.logger("shop").trace("seen")
        await until(lambda: batches and batches[-1].next_seq == host.registry.log.next_seq)
        # Whoever wrote a record for each push would not let the tasks rest for ten rounds of pushes.
        before = host.registry.log.next_seq
        await wait_all_tasks_blocked(0.1)
        assert host.registry.log.next_seq == before
        assert "seen" in messages_of([line for batch in batches for line in lines_of(batch)])
        nursery.cancel_scope.cancel()


async def test_trace_records_of_the_hops_appear_only_when_wanted() -> None:
    async with hosted() as host, attached(host) as client:
        await client.ask(LogsSubscribe(id=1, filter="off,inspector.service=trace"), LogsSubscribeResponse)
        await client.call(2, "add")
        lines = await follow(client, lambda lines: len(lines) >= 2)
        assert messages_of(lines) == ["request decoded", "reply sent"]
        assert lines[0]["fields"] == {"message": "request decoded", "type": "ActionRequest", "rid": 2}
        assert lines[0]["span"]["name"] == "inspector"
        assert lines[0]["span"]["protocol"] == "inspector.cbor.v1"
        # What concerns the action stands in its span, which has the rest.
        assert lines[1]["fields"] == {"message": "reply sent"}
        assert (lines[1]["span"]["name"], lines[1]["span"]["rid"]) == ("action", 2)


async def test_a_client_that_is_gone_is_a_hop_too() -> None:
    async with hosted() as host, attached(host) as other:
        await other.ask(LogsSubscribe(id=1, filter="off,inspector.service=trace"), LogsSubscribeResponse)
        async with attached(host) as client:
            await client.send(ActionRequest(id=7, actor="worker/w", name="work"))
            await until(lambda: host.registry.get("worker/w").running)
        lines = await follow(other, lambda lines: "client gone" in messages_of(lines))
        (gone,) = [line for line in lines if line["kind"] == "event" and line["fields"]["message"] == "client gone"]
        assert (gone["span"]["actor"], gone["span"]["rid"]) == ("worker/w", 7)


async def test_resume_after_a_cut_has_no_hole() -> None:
    async with hosted() as host:
        logger = host.registry.log.logger("shop")
        async with attached(host) as client:
            await client.ask(LogsSubscribe(id=1, filter="shop=trace"), LogsSubscribeResponse)
            logger.trace("one")
            last = (await client.pushed(LogBatch)).next_seq - 1
            await trio.aclose_forcefully(client.websocket.stream)
        await until(lambda: not service_tasks())
        logger.trace("two")
        logger.debug("three")
        async with attached(host) as client:
            request = LogsSubscribe(id=1, filter="shop=trace", after_seq=last)
            assert (await client.ask(request, LogsSubscribeResponse)).missed == 0
            logger.trace("four")
            lines = await follow(client, lambda lines: len(lines) >= 3)
            assert messages_of(lines) == ["two", "three", "four"]


async def test_what_one_wanted_who_was_cut_is_recorded_for_a_while() -> None:
    now = [0]
    log = Log(host_name="test", monotonic=lambda: now[0])
    async with hosted(registry=Registry([Box, Worker], log=log)) as host:
        logger = log.logger("shop")
        async with attached(host) as client:
            await client.ask(LogsSubscribe(id=1, filter="shop=trace"), LogsSubscribeResponse)
            await trio.aclose_forcefully(client.websocket.stream)
        await until(lambda: not service_tasks())
        before = log.next_seq
        now[0] = 29 * 10**9
        logger.trace("kept")
        assert log.next_seq == before + 1
        now[0] = 31 * 10**9
        logger.trace("not kept")
        assert log.next_seq == before + 1


async def test_unsubscribing_leaves_nothing_behind() -> None:
    async with hosted() as host, attached(host) as client:
        log = host.registry.log
        assert not log.wants(TRACE, "shop")
        await client.ask(LogsSubscribe(id=1, filter="trace"), LogsSubscribeResponse)
        assert log.wants(TRACE, "shop")
        await client.ask(Unsubscribe(id=2, sub=1), UnsubscribeResponse)
        assert not log.wants(TRACE, "shop")
        log.logger("shop").info("unheard")
        await client.call(3, "add")
        assert not [push for push in client.pushes if lines_of(push) and "unheard" in str(push)]  # type: ignore[arg-type]  # no other kind was asked for


async def test_nothing_comes_behind_the_answer_to_unsubscribe() -> None:
    async with hosted() as host, raw(host) as peer:
        await peer.open()
        logger = host.registry.log.logger("shop")
        for number in range(5000):
            logger.info("x" * 1000, number=number)
        await peer.send(peer.request(LogsSubscribe(id=1, filter="info", after_seq=0)))
        assert isinstance(await peer.message(), LogsSubscribeResponse)
        assert isinstance(await peer.message(), LogBatch)
        await peer.send(peer.request(Unsubscribe(id=2, sub=1)))
        while not isinstance(message := await peer.message(), UnsubscribeResponse):
            assert isinstance(message, LogBatch)
        logger.info("unheard")
        (connection,) = connections_of(host)
        connection.close(1000, "all is said")
        assert (await peer.frame()).opcode is Opcode.CLOSE


async def test_spans() -> None:
    async with hosted() as host, attached(host) as client:
        answer = await client.ask(ActionRequest(id=1, actor="box/a", name="add"), ActionResponse)
        spans = await client.ask(SpansRequest(id=2, spans=[answer.span_id, "0" * 16]), SpansResponse)
        (record,) = lines_of(LogBatch(sub=0, first_seq=0, next_seq=0, dropped=0, lines=spans.lines))
        assert (record["kind"], record["span_id"], record["span"]["action"]) == ("span_start", answer.span_id, "add")
        assert (await client.ask(SpansRequest(id=3, spans=[]), SpansResponse)).lines == b""
        await client.ask(SpansRequest(id=4, spans=["0" * 16] * 1000), SpansResponse)
        error = await client.refused(SpansRequest(id=5, spans=["0" * 16] * 1001))
        assert (error.code, error.metadata) == ("bad_message", {"field": "spans"})
        error = await client.refused(SpansRequest(id=6, spans=["0" * 15]))
        assert error.code == "bad_message"
