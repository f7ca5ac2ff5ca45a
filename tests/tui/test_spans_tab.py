"""The Spans tab, and the screen of one trace: found, drawn, growing, and across to the log and back."""

from __future__ import annotations

import asyncio
import time

import pytest

from protocol.errors import InspectorError
from protocol.messages import LogsSubscribe, Request, TraceQueryRequest
from tests.tui.driving import Driver, drive
from tests.tui.host import TRACE, Client, ScriptedHost, record, span_id, span_record
from tui.screens.record import RecordScreen
from tui.screens.trace import TraceScreen
from tui.widgets.log_view import LogView
from tui.widgets.span_pane import SpanPane, TraceList
from tui.widgets.waterfall import Waterfall

SECOND = 1_000_000_000


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())


def two_traces(host: ScriptedHost) -> None:
    """One request that is over, in three actors, and one that runs."""
    host.ring += [
        span_record(6, "checkout", actor="cart/7", action="checkout"),
        span_record(7, "reserve", parent="checkout", actor="stock/eu", action="reserve"),
        record(8, "short of stock", "WARN").replace(b'0123456789abcdef"}', span_id("reserve").encode() + b'"}'),
        span_record(9, "reserve", ended=SECOND // 4, parent="checkout", actor="stock/eu", action="reserve"),
        span_record(
            10,
            "charge",
            ended=SECOND // 2,
            parent="checkout",
            status="error",
            at="2026-11-23T20:27:00.900000Z",
            actor="pay/eu",
            action="charge",
        ),
        span_record(11, "checkout", ended=SECOND, actor="cart/7", action="checkout"),
        span_record(12, "job", trace="f" * 32, at=now(), task="job 1"),
    ]


def across(driver: Driver) -> TraceScreen:
    screen = driver.app.screen
    assert isinstance(screen, TraceScreen)
    return screen


def test_traces_are_listed_as_they_come() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("4")
        await driver.sees("2 traces", "✓ cart/7 checkout", "… job", "1.00 s")
        text = driver.text()
        row = next(line for line in text.splitlines() if "cart/7 checkout" in line)
        assert row.split()[-4:] == ["1", "2", "1.00", "s"], row
        assert "enter trace" in text
        await driver.host.log(span_record(13, "new", ended=5, trace="e" * 32))
        await driver.sees("3 traces", "✓ new")
        await driver.press("o")
        await driver.sees("1 open")
        await driver.sees_no_more("✓ new")
        await driver.host.log(span_record(14, "job", ended=5, trace="f" * 32, at=now()))
        await driver.sees("no span is open")
        await driver.press("o")
        await driver.sees("3 traces")

    drive(test, prepare=two_traces)


def test_the_host_is_asked_only_while_somebody_looks() -> None:
    async def test(driver: Driver) -> None:
        def asked() -> list[LogsSubscribe]:
            return [each for each in driver.host.asked_for(LogsSubscribe) if each.filter == "debug"]

        assert asked() == []
        await driver.press("4")
        await driver.sees("2 traces")
        assert len(asked()) == 1
        await driver.press("1")
        pane = driver.main.query_one(SpanPane)
        await driver.until(lambda: pane.feed is None, "left")
        await driver.host.log(span_record(13, "unseen", trace="e" * 32))
        await driver.press("4")
        await driver.sees("3 traces", "unseen")
        await driver.press("a")
        await driver.sees("only counter/default")
        assert driver.main.query_one(TraceList).why == "waiting for the first span of counter/default"
        assert asked()[-1].actor == "counter/default"
        await driver.press("tab", "j")
        await driver.sees("only orders/1042")
        await driver.press("tab", "a")
        await driver.sees("debug  all actors")

    drive(test, prepare=two_traces)


def test_a_trace_is_a_waterfall_above_its_log() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("4")
        await driver.sees("2 traces")
        await driver.press("g", "enter")
        await driver.sees(f"trace {TRACE}", "✓ ok", "3 spans", "2 problems", "short of stock", "▾ ✓ cart/7 checkout")
        lines = driver.lines()
        place = next(i for i, line in enumerate(lines) if "▾ ✓ cart/7 checkout" in line)
        assert "✓ stock/eu reserve !1" in lines[place + 1]
        assert "✗ pay/eu charge" in lines[place + 2]
        bars = [len(line.split(" ms" if " ms" in line else " s")[1].strip()) for line in lines[place : place + 3]]
        assert bars[0] > bars[2] > bars[1]
        await driver.press("space")
        await driver.sees_no_more("reserve !1")
        await driver.press("right")
        await driver.sees("reserve !1")
        await driver.press("j", "left")
        assert across(driver).query_one(Waterfall).cursor == 0
        await driver.press("left", "left")
        await driver.sees("▸ ✓ cart/7")
        await driver.press("right", "right", "j", "enter")
        await driver.until(lambda: isinstance(driver.app.screen, RecordScreen), "the span's record")
        await driver.sees('"span_end"')
        await driver.press("escape", "escape")
        await driver.sees("2 traces")

    drive(test, prepare=two_traces)


def test_one_key_across_each_way() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("4")
        await driver.sees("2 traces")
        await driver.press("g", "enter")
        await driver.sees("short of stock", "reserve")
        await driver.press("j", "s")
        view = across(driver).query_one(LogView)
        await driver.until(lambda: view.cursor is not None, "a record marked")
        assert view.cursor is not None
        assert span_id("reserve").encode() in (view.line(view.cursor) or b"")
        assert view.has_focus
        await driver.press("G", "k", "s")
        waterfall = across(driver).query_one(Waterfall)
        assert waterfall.has_focus
        assert waterfall.span is not None
        assert waterfall.span.id == span_id("charge")
        await driver.press("tab")
        assert view.has_focus
        await driver.press("tab")
        assert waterfall.has_focus
        await driver.press("escape")
        await driver.sees("2 traces")

    drive(test, prepare=two_traces)


def test_a_trace_grows_while_it_runs() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("4")
        await driver.sees("2 traces")
        await driver.press("t")
        await driver.sees("… job", "… open", "1 span ")
        await driver.host.log(span_record(13, "part", trace="f" * 32, parent="job", at=now()))
        await driver.sees("… part", "2 spans")
        await driver.host.log(
            span_record(14, "part", ended=5, trace="f" * 32, parent="job", at=now()),
            span_record(15, "job", ended=3 * SECOND, trace="f" * 32, at=now(), task="job 1"),
        )
        await driver.sees("✓ part", "✓ ok  3.00 s")

    drive(test, prepare=two_traces)


def test_a_record_marks_its_span() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("w", "t")
        await driver.sees("reserve !1")
        waterfall = across(driver).query_one(Waterfall)
        await driver.until(lambda: waterfall.span is not None and waterfall.span.id == span_id("reserve"), "marked")

    drive(test, prepare=two_traces)


def test_the_past_comes_by_pages_and_each_record_once() -> None:
    def prepare(host: ScriptedHost) -> None:
        two_traces(host)
        host.page = 4
        host.past = [record(0, f"old {n}") for n in range(10)]

    async def test(driver: Driver) -> None:
        answered = asyncio.Event()

        async def interfere(client: Client, request: Request) -> bool:
            if isinstance(request, TraceQueryRequest) and not answered.is_set():
                # What is logged meanwhile comes before the past has been told.
                answered.set()
                await driver.host.log(record(13, "meanwhile"))
            return False

        driver.host.interfere = interfere
        await driver.press("4")
        await driver.sees("2 traces")
        await driver.press("g", "enter")
        await driver.sees("meanwhile", "old 9")
        await driver.host.say("after")
        await driver.sees("after")
        view = across(driver).query_one(LogView)
        lines = [view.line(row) or b"" for row in range(view.counts.rows)]
        assert sum(b'"meanwhile"' in line for line in lines) == 1
        assert sum(b'"old ' in line for line in lines) == 10
        assert len(driver.host.asked_for(TraceQueryRequest)) > 3

    drive(test, prepare=prepare)


def test_a_host_that_tells_nothing_of_the_past() -> None:
    async def test(driver: Driver) -> None:
        async def interfere(client: Client, request: Request) -> bool:
            if isinstance(request, TraceQueryRequest):
                await client.send(client.session.refuse(request.id, InspectorError("inspector.bad_message", "no such")))
                return True
            return False

        driver.host.interfere = interfere
        await driver.press("k", "t")
        await driver.sees("no such")
        await driver.host.say("still heard")
        await driver.sees("still heard")

    drive(test)


def test_a_trace_of_which_nothing_is_kept() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("k", "t")
        driver.host.ring.clear()
        await driver.sees("trace ")

    drive(test)


def test_another_run_of_the_host_ends_what_was_open() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("4")
        await driver.sees("… job")
        await driver.press("enter")
        await driver.sees("… open")
        await driver.host.stop()
        await driver.sees(" not connected  trace ")
        driver.host.id = "run-2"
        await driver.host.start()
        await driver.sees("? lost", "another run")
        await driver.sees_no_more("not connected")
        await driver.press("escape")
        await driver.sees("2 traces")

    drive(test, prepare=two_traces)


def test_a_filter_that_is_refused_is_said() -> None:
    async def test(driver: Driver) -> None:
        driver.host.filters_refused["debug"] = 0
        await driver.press("4")
        await driver.sees("is no level")
        await driver.press("enter", "t")
        assert driver.app.screen is driver.main

    drive(test)


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (200, 50), (20, 5)])
def test_it_fits_any_screen(size: tuple[int, int]) -> None:
    async def test(driver: Driver) -> None:
        await driver.press("4")
        traces = driver.main.query_one(TraceList)
        await driver.until(lambda: traces.count() == 2, "traces")
        await driver.press("g", "enter")
        await driver.until(lambda: isinstance(driver.app.screen, TraceScreen), "the trace")
        waterfall = across(driver).query_one(Waterfall)
        await driver.until(lambda: waterfall.count() == 3, "spans")
        assert all(len(line) <= size[0] for line in driver.lines())

    async def run() -> None:
        from tests.tui.driving import driving
        from tests.tui.host import running_host

        async with running_host() as host:
            two_traces(host)
            async with driving(host, size) as driver:
                await driver.until(lambda: driver.app.main is not None and driver.main.actors.count() == 3, "attached")
                await test(driver)

    asyncio.run(run())
