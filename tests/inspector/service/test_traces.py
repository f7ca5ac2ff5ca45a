"""The past over the wire: questions by pages, and a log that goes on from where it was left off, over a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from inspector import Host, Registry
from inspector.service.connection import HIGH_WATER
from inspector.store import Past, Playback, store_of
from protocol.messages import (
    ActionRequest,
    ActionResponse,
    LogBatch,
    LogsSubscribe,
    LogsSubscribeResponse,
    TraceQueryRequest,
    TraceQueryResponse,
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
    name_of,
    until,
)
from tests.inspector.store.kept import told_store

__all__ = ()

pytestmark = pytest.mark.trio


def small_ring(path: Path | None = None) -> Registry:
    """Return a registry whose ring holds some hundred records, kept in a directory without a pause."""
    registry = Registry([Box, Worker], name="test", record_size=100_000)
    if path is not None:
        registry.log.add_sink(told_store(path, size=2**26)[0])
    return registry


async def written(host: Host) -> int:
    """Wait until all that was recorded is on the disk; return the number behind it."""
    store = store_of(host.registry.log)
    assert store is not None
    end = host.registry.log.next_seq
    await until(lambda: store.written >= end)
    return end


async def every_page(client: Client, rid: int, **asked: Any) -> list[tuple[str, dict[str, Any]]]:
    """Ask until there is no cursor; return each record with its run."""
    found = []
    while True:
        page = await client.ask(TraceQueryRequest(id=rid, **asked), TraceQueryResponse)
        found += [(page.host, line) for line in lines_of(page)]
        if not isinstance(page.cursor, str):
            return found
        asked["cursor"] = page.cursor
        rid += 1


async def run_once(path: Path, says: int = 3) -> tuple[str, str, int]:
    """Serve once; return the run, the trace of an action, and the number behind the last record that a client saw."""
    async with hosted(record_to=path) as host, attached(host) as client:
        answer = await client.ask(ActionRequest(id=1, actor="box/a", name="say", args=["before", says]), ActionResponse)
        return host.registry.log.host_id, answer.trace_id, host.registry.log.next_seq


# ---- questions ----


async def test_a_trace_is_found_after_a_restart(tmp_path: Path) -> None:
    run, trace, _ = await run_once(tmp_path / "d")
    async with hosted(record_to=tmp_path / "d") as host, attached(host) as client:
        page = await client.ask(TraceQueryRequest(id=1, trace_id=trace), TraceQueryResponse)
        assert page.host == run != host.registry.log.host_id
        lines = lines_of(page)
        assert [line["kind"] for line in lines] == ["span_start", *["event"] * 3, "span_end"]
        assert {line["trace_id"] for line in lines} == {trace}
        # An actor that has not come again, and never did here.
        found = await every_page(client, 2, actor="box/a", filter="tests", limit=2)
        assert [(host_id, line["fields"]["number"]) for host_id, line in found] == [(run, 0), (run, 1), (run, 2)]
        nothing = await client.ask(TraceQueryRequest(id=9, actor="box/%7Bx"), TraceQueryResponse)
        assert nothing.lines == b""


async def test_an_answer_has_all_runs_one_after_the_other(tmp_path: Path) -> None:
    first, _, _ = await run_once(tmp_path / "d")
    second, _, _ = await run_once(tmp_path / "d")
    async with hosted(record_to=tmp_path / "d") as host, attached(host) as client:
        found = await every_page(client, 1, filter="tests")
        assert [run for run, _ in found] == [first] * 3 + [second] * 3
        found = await every_page(client, 10)
        runs = list(dict.fromkeys(run for run, _ in found))
        assert runs == [first, second, host.registry.log.host_id]
        for run in runs:
            numbers = [line["seq"] for each, line in found if each == run]
            assert numbers == list(range(1, len(numbers) + 1))


async def test_without_a_store_the_ring_answers() -> None:
    async with hosted() as host, attached(host) as client:
        await client.call(1, "say", "now", 3)
        found = await every_page(client, 2, filter="tests", limit=1)
        assert [line["fields"]["number"] for _, line in found] == [0, 1, 2]
        assert {run for run, _ in found} == {host.registry.log.host_id}


async def test_a_limit_has_bounds() -> None:
    async with hosted() as host, attached(host) as client:
        await client.call(1, "say", "now", 1100)
        for limit, lines in ((0, 1), (5, 5), (2**62, 1100)):
            page = await client.ask(TraceQueryRequest(id=2, filter="tests", limit=limit), TraceQueryResponse)
            found = lines_of(page)
            assert len(found) == lines or isinstance(page.cursor, str)
        page = await client.ask(TraceQueryRequest(id=2), TraceQueryResponse)
        assert len(lines_of(page)) <= 1000
        assert isinstance(page.cursor, str)


async def test_questions_hold_up_nothing_else() -> None:
    async with hosted() as host, attached(host) as client:
        await client.call(1, "say", "now", 500)
        for rid in range(2, 12):
            await client.send(TraceQueryRequest(id=rid, limit=1))
        await client.send(ActionRequest(id=20, actor="box/a", name="add", args=[1]))
        for rid in range(2, 12):
            await client.answer(rid, TraceQueryResponse)
        await client.answer(20, ActionResponse)


async def test_a_bug_is_an_internal_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def page(*_: object) -> None:
        raise ZeroDivisionError("as asked")

    async with hosted() as host, attached(host) as client:
        monkeypatch.setattr(Past, "page", page)
        error = await client.refused(TraceQueryRequest(id=1))
        assert name_of(error) == "inspector.internal_error"
        assert "as asked" not in error.message
        # The connection goes on.
        await client.call(2, "add", 1)


async def test_a_cursor_of_elsewhere_is_refused(tmp_path: Path) -> None:
    async with hosted() as host, attached(host) as client:
        await client.call(1, "say", "now", 3)
        page = await client.ask(TraceQueryRequest(id=2, limit=1), TraceQueryResponse)
    async with hosted() as host, attached(host) as client:
        assert isinstance(page.cursor, str)
        error = await client.refused(TraceQueryRequest(id=1, cursor=page.cursor))
        assert name_of(error) == "inspector.bad_cursor"
        error = await client.refused(TraceQueryRequest(id=1, cursor=""))
        assert name_of(error) == "inspector.bad_cursor"


async def test_who_reads_no_answers_gets_no_more(tmp_path: Path) -> None:
    async with hosted(record_to=tmp_path / "d") as host:
        async with attached(host) as client:
            for rid in range(3):
                await client.call(rid, "say", "x" * 2000, 200)
        async with raw(host, receive_buffer=4096) as peer:
            await peer.open()
            for rid in range(60):
                await peer.send(peer.request(TraceQueryRequest(id=rid, limit=10_000)))
            (connection,) = connections_of(host)
            await until(lambda: connection._wire.waiting > HIGH_WATER)
            for _ in range(2000):
                await trio.lowlevel.checkpoint()
            # One page more than what was too much.
            assert connection._wire.waiting <= HIGH_WATER + 2 * 300_000
            answered: set[int] = set()
            while len(answered) < 60:
                answer = await peer.message()
                assert isinstance(answer, TraceQueryResponse)
                answered.add(answer.rid)
            assert answered == set(range(60))


# ---- going on ----


async def follow(client: Client, sub: int, enough: int) -> list[LogBatch]:
    """Read batches until they have so many records, and check that those of one run join."""
    found: list[LogBatch] = []
    while sum(len(lines_of(batch)) for batch in found) < enough:
        batch = await client.pushed(LogBatch)
        assert batch.sub == sub
        if found and found[-1].host == batch.host:
            assert batch.first_seq == found[-1].next_seq
        elif found:
            assert batch.first_seq == 1
        found.append(batch)
    return found


async def test_a_log_goes_on_over_a_restart(tmp_path: Path) -> None:
    first, _, seen = await run_once(tmp_path / "d")
    second, _, _ = await run_once(tmp_path / "d", 5)
    async with hosted(record_to=tmp_path / "d") as host, attached(host) as client:
        await client.call(1, "say", "now", 2)
        opened = await client.ask(LogsSubscribe(id=2, filter="tests", after_seq=0, host=first), LogsSubscribeResponse)
        assert (opened.next_seq, opened.missed) == (1, 0)
        batches = await follow(client, 2, 3 + 5 + 2)
        runs = [(batch.host, line["fields"]["number"]) for batch in batches for line in lines_of(batch)]
        assert runs[:8] == [(first, number) for number in range(3)] + [(second, number) for number in range(5)]
        assert [number for _, number in runs[8:]] == [0, 1]
        assert not isinstance(runs[8][0], str)
        assert sum(batch.dropped for batch in batches) == 0
        # And then it is like any other.
        await client.call(3, "say", "later", 1)
        (later,) = [line for batch in await follow(client, 2, 1) for line in lines_of(batch)]
        assert later["fields"]["message"] == "later"
        # From where one had come: what the host said as it went.
        opened = await client.ask(
            LogsSubscribe(id=4, filter="info", after_seq=seen - 1, host=first), LogsSubscribeResponse
        )
        assert opened.next_seq == seen
        batch = await client.pushed(LogBatch)
        assert (batch.host, batch.first_seq) == (first, seen)
        assert [line["fields"]["message"] for line in lines_of(batch)][-1] == "inspector stopped"


async def test_of_a_run_that_is_not_kept_everything_came_after(tmp_path: Path) -> None:
    first, _, _ = await run_once(tmp_path / "d")
    async with hosted(record_to=tmp_path / "d") as host, attached(host) as client:
        opened = await client.ask(
            LogsSubscribe(id=1, filter="tests", after_seq=500, host="gone"), LogsSubscribeResponse
        )
        assert (opened.next_seq, opened.missed) == (1, 0)
        (batch, *_) = await follow(client, 1, 3)
        assert batch.host == first


async def test_without_a_store_another_run_begins_with_what_the_ring_has() -> None:
    async with hosted(registry=small_ring()) as host, attached(host) as client:
        await client.call(1, "say", "now", 500)
        opened = await client.ask(
            LogsSubscribe(id=2, filter="tests", actor="box/a", after_seq=7, host="gone"), LogsSubscribeResponse
        )
        assert opened.missed == opened.next_seq - 1 > 0
        # `host` means nothing without a number.
        opened = await client.ask(LogsSubscribe(id=3, filter="tests", host="gone"), LogsSubscribeResponse)
        assert opened.missed == 0


async def test_what_the_ring_has_lost_comes_from_the_disk(tmp_path: Path) -> None:
    async with hosted(registry=small_ring(tmp_path / "d")) as host, attached(host) as client:
        for rid in range(20):
            await client.call(rid, "say", "x" * 100, 50)
            await written(host)
        log = host.registry.log
        assert log.first_seq > 500
        opened = await client.ask(
            LogsSubscribe(id=50, filter="tests", actor="box/a", after_seq=0), LogsSubscribeResponse
        )
        assert (opened.next_seq, opened.missed) == (1, 0)
        batches = await follow(client, 50, 1000)
        numbers = [line["fields"]["number"] for batch in batches for line in lines_of(batch)]
        assert numbers == list(range(50)) * 20
        assert {(batch.dropped, isinstance(batch.host, str)) for batch in batches} == {(0, False)}


async def test_nothing_matches_and_the_stretch_is_told_for(tmp_path: Path) -> None:
    async with hosted(registry=small_ring(tmp_path / "d")) as host, attached(host) as client:
        for rid in range(20):
            await client.call(rid, "say", "x" * 100, 50)
            await written(host)
        await client.ask(LogsSubscribe(id=50, filter="error", after_seq=0), LogsSubscribeResponse)
        batch = await client.pushed(LogBatch)
        assert (batch.first_seq, batch.lines, batch.dropped) == (1, b"", 0)
        host.registry.log.logger("a").error("now")
        after = await client.pushed(LogBatch)
        assert after.first_seq == batch.next_seq
        assert [line["fields"]["message"] for line in lines_of(after)] == ["now"]


async def test_who_reads_nothing_keeps_the_disk_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0
    read = Playback.read

    def counted(self: Playback) -> object:
        nonlocal reads
        reads += 1
        return read(self)

    monkeypatch.setattr(Playback, "read", counted)
    async with hosted(registry=small_ring(tmp_path / "d")) as host:
        async with attached(host) as client:
            for rid in range(150):
                await client.call(rid, "say", "x" * 5000, 15)
                await written(host)
        async with raw(host, receive_buffer=4096) as peer:
            await peer.open()
            await peer.send(peer.request(LogsSubscribe(id=1, filter="tests", after_seq=0)))
            (connection,) = connections_of(host)
            await until(lambda: connection._wire.waiting > HIGH_WATER)
            before = reads
            for _ in range(2000):
                await trio.lowlevel.checkpoint()
            # One passage is at hand, and no more is read.
            assert reads <= before + 2
            assert connection._wire.waiting <= HIGH_WATER + 2 * 300_000
            assert isinstance(await peer.message(), LogsSubscribeResponse)
            count = 0
            while count < 150 * 15:
                batch = await peer.message()
                assert isinstance(batch, LogBatch)
                assert batch.dropped == 0
                count += batch.lines.count(b'"message":"xxx')


async def test_a_subscription_may_end_while_it_is_played(tmp_path: Path) -> None:
    first, _, _ = await run_once(tmp_path / "d", 1000)
    async with hosted(record_to=tmp_path / "d") as host, attached(host) as client:
        for rid in range(1, 20, 2):
            await client.send(LogsSubscribe(id=rid, filter="trace", after_seq=0, host=first))
            await client.send(Unsubscribe(id=rid + 1, sub=rid))
            await client.answer(rid + 1, UnsubscribeResponse)
        await client.call(50, "add", 1)
        assert host.registry.log.armed is not None


async def test_a_bug_ends_the_subscription_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _, _ = await run_once(tmp_path / "d")

    def read(self: Playback) -> None:
        raise ZeroDivisionError("as asked")

    monkeypatch.setattr(Playback, "read", read)
    async with hosted(record_to=tmp_path / "d") as host, attached(host) as client:
        await client.ask(LogsSubscribe(id=1, filter="tests", after_seq=0, host=first), LogsSubscribeResponse)
        while not client.others:
            client.others.append(await client.receive())
        (error,) = client.others
        assert name_of(error) == "inspector.internal_error"  # type: ignore[arg-type] # or else it has no code
        client.others.clear()
        await client.call(2, "add", 1)
