"""What inspectors have a host record and show, and how it goes back."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from inspector.service.filters import MAX_FOR_MS, HeldFilters
from inspector.tracing import INFO, Log, Span, open_sink
from inspector.tracing.sinks import Sink
from protocol.errors import InspectorError
from protocol.filters import parse_filter
from protocol.messages import Error, LogFilterRequest, LogFilterResponse, LogsSubscribe, LogsSubscribeResponse
from protocol.records import Record, decode_record
from tests.inspector.service.support import attached, hosted, until

__all__ = ()

pytestmark = pytest.mark.trio


def shown_by(log: Log) -> Sink:
    sink = open_sink(stream=io.StringIO(), format="json")
    log.add_sink(sink)
    return sink


def told(log: Log) -> list[Record]:
    """Return the records of changes that the ring holds, and want nothing later."""
    reader = log.subscribe(parse_filter("inspector.service.filters"), after_seq=0, wake=lambda: None)
    chunk = reader.collect()
    reader.close()
    return [decode_record(line) for line in chunk.lines.split(b"\n")] if chunk is not None else []


class Asker:
    """One connection's part, without the connection."""

    def __init__(self, log: Log, nursery: trio.Nursery, name: str) -> None:
        self.span: Span = log.start_span("inspector", {"connection": name}, target="t")
        self.held = HeldFilters(log, nursery, self.span)
        self._id = 0

    def ask(
        self, record: str | None = "", log: str | None = "", for_ms: int | None = None
    ) -> tuple[str, str | None, bool]:
        """Ask for filters; what is empty is not said. Return what holds, and whether an end is told."""
        self._id += 1
        request = LogFilterRequest(id=self._id)
        if record != "":
            request.record = record
        if log != "":
            request.log = log
        if for_ms is not None:
            request.for_ms = for_ms
        response = self.held.answer(request)
        assert response.rid == self._id
        return response.record, response.log, isinstance(response.until, int)


@asynccontextmanager
async def askers(log: Log) -> AsyncIterator[tuple[Asker, Asker]]:
    async with trio.open_nursery() as nursery:
        yield Asker(log, nursery, "c1"), Asker(log, nursery, "c2")
        nursery.cancel_scope.cancel()


async def test_the_latest_asker_wins_and_what_was_before_comes_back() -> None:
    log = Log(record="info")
    async with askers(log) as (one, two):
        assert one.ask() == ("info", None, False)
        assert one.ask(record="trace") == ("trace", None, False)
        assert two.ask(record="debug") == ("debug", None, False)
        assert one.ask() == ("debug", None, False)
        two.held.end()
        assert one.ask() == ("trace", None, False)
        assert two.ask(record=None, log=None) == ("trace", None, False)
        assert two.ask(record="warn") == ("warn", None, False)
        assert one.ask(record="error") == ("error", None, False)
        assert one.ask(record=None) == ("warn", None, False)
        two.held.end()
        two.held.end()
        assert log.record_filter == parse_filter("info")


async def test_time_is_up(autojump_clock: trio.testing.MockClock) -> None:
    log = Log(record="info")
    sink = shown_by(log)
    async with askers(log) as (one, two):
        began = trio.current_time()
        assert one.ask(record="trace", for_ms=10_000) == ("trace", "info", True)
        assert one.ask(log="debug", for_ms=4_000) == ("trace", "debug", True)
        assert two.ask(record="debug", for_ms=2_000) == ("debug", "debug", True)
        await trio.sleep_until(began + 3)
        assert two.ask() == ("trace", "debug", False)
        await trio.sleep_until(began + 5)
        assert two.ask() == ("trace", "info", False)
        assert str(sink.filter) == "info"
        # What is asked for anew has the new time; without one, none.
        assert one.ask(record="warn", for_ms=20_000) == ("warn", "info", True)
        await trio.sleep_until(began + 15)
        assert two.ask() == ("warn", "info", False)
        assert one.ask(record="error") == ("error", "info", False)
        await trio.sleep_until(began + 1000)
        assert two.ask() == ("error", "info", False)
        assert one.ask(record="warn", for_ms=0) == ("warn", "info", True)
        await trio.testing.wait_all_tasks_blocked()
        assert two.ask() == ("info", "info", False)
    assert log.close()


async def test_until_is_the_first_end_of_ones_own(autojump_clock: trio.testing.MockClock) -> None:
    log = Log()
    async with askers(log) as (one, _):
        now = log.clock() // 1_000_000

        def left(request: LogFilterRequest) -> float:
            until = one.held.answer(request).until
            assert isinstance(until, int)
            return (until - now) / 1000

        assert 50 <= left(LogFilterRequest(id=1, record="trace", for_ms=50_000)) < 80
        assert 20 <= left(LogFilterRequest(id=2, log="trace", for_ms=20_000)) < 50
        assert 20 <= left(LogFilterRequest(id=3)) < 50
        # However long was asked for, it is a time that fits.
        longest = left(LogFilterRequest(id=4, record="trace", log=None, for_ms=2**63 - 1))
        assert MAX_FOR_MS / 1000 <= longest < MAX_FOR_MS / 1000 + 30


async def test_a_change_and_its_going_back_are_told_once_each(autojump_clock: trio.testing.MockClock) -> None:
    log = Log(record="info")
    sink = shown_by(log)
    async with askers(log) as (one, two):
        one.ask(record="debug", for_ms=1_000)
        await trio.sleep(2)
        two.ask(log="warn")
        # These change nothing.
        one.ask(record="info")
        one.ask(record=None)
        one.ask()
        two.held.end()
        two.held.end()
        records = told(log)
    assert [(record.level, record.span["connection"], record.fields) for record in records] == [
        ("INFO", name, {"message": "log filters changed", "why": why, "record": recorded, "log": shown})
        for name, why, recorded, shown in (
            ("c1", "asked for", "debug", "info"),
            ("c1", "the time is up", "info", "info"),
            ("c2", "asked for", "info", "warn"),
            ("c2", "the connection ended", "info", "info"),
        )
    ]
    assert str(sink.filter) == "info"
    log.close()


@pytest.mark.parametrize("first", ["off", "trace"])
async def test_a_log_that_falls_silent_or_begins_to_speak_says_why(first: str) -> None:
    log = Log(record=first)
    other = "trace" if first == "off" else "off"
    async with askers(log) as (one, _):
        one.ask(record=other)
        one.held.end()
        assert [record.fields["record"] for record in told(log)] == [other, first]


async def test_nothing_is_half_applied() -> None:
    log = Log(record="info")
    async with askers(log) as (one, _):
        one.ask(record="debug", for_ms=60_000)
        for request in (
            LogFilterRequest(id=1, record="trace", log="info,loud]"),
            LogFilterRequest(id=1, record="info,loud]", log="trace"),
        ):
            with pytest.raises(InspectorError) as caught:
                one.held.answer(request)
            field = "log" if request.record == "trace" else "record"
            assert caught.value.name == "inspector.bad_filter"
            assert caught.value.metadata == {"position": 9, "field": field}
        assert one.ask() == ("debug", None, True)


async def test_over_the_wire_it_ends_with_the_connection() -> None:
    async with hosted() as host:
        log = host.registry.log
        async with attached(host) as client:
            await client.ask(LogsSubscribe(id=1, filter="inspector.service.filters=info"), LogsSubscribeResponse)
            async with attached(host) as other:
                wanted = LogFilterRequest(id=1, record="trace,[action{actor=box/a}]=off", for_ms=60_000)
                response = await other.ask(wanted, LogFilterResponse)
                assert (response.record, response.log) == ("trace,[action{actor=box/a}]=off", None)
                refused = await other.refused(LogFilterRequest(id=2, record="[action{actor=box/a]"))
                assert isinstance(refused, Error)
                assert refused.metadata == {"position": 19, "proposal": "}", "field": "record"}
            await until(lambda: str(log.record_filter) == "debug")
            response = await client.ask(LogFilterRequest(id=2), LogFilterResponse)
            assert (response.record, isinstance(response.until, int)) == ("debug", False)
    assert [record.fields["why"] for record in told(log)] == ["asked for", "the connection ended"]
    assert len({record.span["connection"] for record in told(log)}) == 1
    assert log.wants(INFO, "x")
