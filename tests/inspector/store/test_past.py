"""Questions to the past: from the ring, from the disk, over restarts; each record once, in bounded pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from inspector.store import Cursor, CursorError, Past
from inspector.store.query import MAX_PAGE
from inspector.tracing import Log
from tests.inspector.store.kept import ask, kept_log, pages, say, seqs, told_store
from tests.inspector.tracing.records import START, Clock, make_log

__all__ = ()

pytestmark = pytest.mark.trio

SMALL = 40_000
"""Bytes of a ring that holds some dozen records."""


def records(found: list[Any]) -> list[dict[str, Any]]:
    """Return the records of pages."""
    return [orjson.loads(line) for page in found if page.lines for line in page.lines.split(b"\n")]


# ---- the ring alone ----


async def test_the_ring_answers_with_all_that_it_has() -> None:
    log = make_log()
    say(log, 3)
    (page,) = await pages(log, ask())
    assert (page.host, page.cursor) == ("1", None)
    assert [line["seq"] for line in records([page])] == list(range(1, 10))


async def test_nothing_is_an_answer_too() -> None:
    (page,) = await pages(make_log(), ask())
    assert (page.host, page.lines, page.cursor) == ("1", b"", None)


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"actor": "cart/8"}, {4, 5, 6}),
        ({"filter": "shop.cart"}, {2, 5, 8}),
        ({"filter": "info"}, {2, 5, 8}),
        ({"filter": "[action{actor=cart/8}]"}, {4, 5, 6}),
        ({"filter": "[{number=0}]"}, {2, 5, 8}),
        ({"filter": "[{rid=0,number=0}]", "actor": "cart/9"}, {8}),
        ({"filter": "off"}, set()),
        ({"actor": "cart/10"}, set()),
        ({"actor": "cart/8", "filter": "warn"}, set()),
        ({"start_ms": START // 10**6 + 1000}, {4, 5, 6, 7, 8, 9}),
        ({"start_ms": START // 10**6 + 1001}, {7, 8, 9}),
        ({"end_ms": START // 10**6 + 1000}, {1, 2, 3}),
        ({"start_ms": START // 10**6 + 1000, "end_ms": START // 10**6 + 2000}, {4, 5, 6}),
        ({"start_ms": START // 10**6 + 2000, "end_ms": START // 10**6}, set()),
    ],
)
@pytest.mark.parametrize("kept", [False, True], ids=["ring", "disk"])
async def test_all_that_is_asked_must_fit(
    settings: dict[str, Any], wanted: set[int], kept: bool, tmp_path: Path
) -> None:
    clock = Clock(START)
    log = Log(host_name="h", host_id="1", clock=clock)
    if kept:
        log.add_sink(told_store(tmp_path / "d")[0])
    for number in range(3):
        clock.now = START + number * 10**9
        say(log, 1, actor=f"cart/{7 + number}")
    if kept:
        log.close()
        log, _ = kept_log(tmp_path / "d", record="off")
    found = await pages(log, ask(**settings))
    # What a host says when it starts is of another time than this clock's.
    assert {seq for host, seq in seqs(found) if host == "1"} - {10} == wanted
    log.close()


@pytest.mark.parametrize("kept", [False, True], ids=["ring", "disk"])
async def test_a_trace_is_found_whole_and_nothing_that_looks_like_it(kept: bool, tmp_path: Path) -> None:
    log = Log(host_name="h", host_id="1")
    if kept:
        log.add_sink(told_store(tmp_path / "d")[0])
    say(log, 50)
    logger = log.logger("a")
    with logger.span("outer", actor="cart/7") as outer:
        with logger.span("inner", actor="pay/eu"):
            log.logger("pay").error("declined")
        say(log, 1, other=outer.trace_id)
    logger.info("no part of it", trace_id=outer.trace_id, nested={"trace_id": outer.trace_id})
    say(log, 50)
    if kept:
        log.close()
        log, _ = kept_log(tmp_path / "d", record="off")
    found = await pages(log, ask(trace_id=outer.trace_id))
    assert seqs(found) == [("1", number) for number in (151, 152, 153, 154, 158)]
    assert {line["trace_id"] for line in records(found)} == {outer.trace_id}
    assert seqs(await pages(log, ask(trace_id=outer.trace_id, filter="error"))) == [("1", 153)]
    assert seqs(await pages(log, ask(trace_id="0" * 32))) == []
    log.close()


@pytest.mark.parametrize("limit", [1, 7, 1000])
async def test_pages_join(limit: int) -> None:
    log = make_log()
    say(log, 20)
    found = await pages(log, ask(limit=limit))
    assert [number for _, number in seqs(found)] == list(range(1, 61))
    assert all(page.lines.count(b"\n") < limit for page in found)
    assert len(found) == -(-60 // limit)


async def test_pages_are_bounded_in_bytes() -> None:
    log = make_log()
    for _ in range(30):
        log.logger("a").info("x" * 20_000)
    found = await pages(log, ask(limit=10_000))
    assert [number for _, number in seqs(found)] == list(range(1, 31))
    assert len(found) == 3
    assert all(len(page.lines) <= MAX_PAGE for page in found)


async def test_what_is_logged_meanwhile_is_on_a_later_page_or_on_none() -> None:
    log = make_log()
    say(log, 2)
    first = await Past(log).page(ask(limit=4), None)
    say(log, 1)
    assert first.cursor is not None
    second = await Past(log).page(ask(limit=4), first.cursor)
    assert [number for _, number in seqs([first, second])] == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_a_cursor_of_a_run_that_nothing_is_kept_of_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CursorError, match="nothing is kept of the run 'gone'"):
        await Past(make_log()).page(ask(), Cursor(0, "gone", 5))
    log, _ = kept_log(tmp_path / "d")
    with pytest.raises(CursorError, match="nothing is kept of the run 'gone'"):
        await Past(log).page(ask(), Cursor(7, "gone", 5))
    log.close()


async def test_a_cursor_beyond_the_end_brings_nothing() -> None:
    page = await Past(make_log()).page(ask(), Cursor(0, "1", 10**9))
    assert (page.lines, page.cursor) == (b"", None)


# ---- the disk ----


async def test_what_the_ring_has_lost_comes_from_the_disk_and_nothing_twice(tmp_path: Path) -> None:
    log, folder = kept_log(tmp_path / "d", record_size=SMALL)
    for _ in range(20):
        say(log, 10)
        folder.wait_for(log.next_seq)
    assert log.first_seq > 300
    found = await pages(log, ask(limit=100))
    assert [number for _, number in seqs(found)] == list(range(1, log.next_seq))
    log.close()


async def test_the_ring_may_turn_over_between_two_pages_and_within_one(tmp_path: Path) -> None:
    log, folder = kept_log(tmp_path / "d", record_size=SMALL)
    say(log, 10)
    folder.wait_for(log.next_seq)
    past = Past(log)
    first = await past.page(ask(limit=5), None)
    assert first.cursor is not None
    assert first.cursor.segment == 0
    for _ in range(20):
        say(log, 10)
        folder.wait_for(log.next_seq)
    rest = []
    cursor: Cursor | None = first.cursor
    while cursor is not None:
        rest.append(await past.page(ask(limit=50), cursor))
        cursor = rest[-1].cursor
    assert [number for _, number in seqs([first, *rest])] == list(range(1, log.next_seq))
    log.close()


async def test_runs_come_one_after_the_other_and_never_on_one_page(tmp_path: Path) -> None:
    runs: list[tuple[str, int]] = []
    for count in (5, 1, 3):
        log, folder = kept_log(tmp_path / "d")
        say(log, count)
        end = log.next_seq
        if count == 3:
            folder.wait_for(end)
            break
        log.close()
        runs += [(log.host_id, number) for number in range(1, log.next_seq)]
    runs += [(log.host_id, number) for number in range(1, end)]
    for limit in (1, 4, 1000):
        found = await pages(log, ask(limit=limit))
        assert seqs(found) == runs
    assert len(found) == 3
    # Each says whose it is by the span of its host, too.
    assert [line["span"]["host_id"] for line in records(found) if line["span"]["name"] == "host"] == [
        runs[0][0],
        runs[0][0],
        runs[15 + 2][0],
        runs[15 + 2][0],
        log.host_id,
    ]
    log.close()


async def test_a_cursor_whose_file_has_gone_goes_on_with_what_is_left(tmp_path: Path) -> None:
    log, _ = kept_log(tmp_path / "d")
    say(log, 20)
    log.close()
    gone = log.host_id
    log, _ = kept_log(tmp_path / "d")
    say(log, 1)
    past = Past(log)
    first = await past.page(ask(limit=5), None)
    assert first.cursor is not None
    assert (first.host, first.cursor.host, first.cursor.segment) == (gone, gone, 1)
    log.close()
    own = log.host_id
    (tmp_path / "d" / "00000001.records").unlink()
    log, _ = kept_log(tmp_path / "d", record="off")
    page = await Past(log).page(ask(), first.cursor)
    assert page.host == own
    assert len(seqs([page])) == 5
    log.close()


async def test_a_page_reads_no_more_than_its_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, folder = kept_log(tmp_path / "d", record_size=SMALL)
    for _ in range(10):
        say(log, 10)
        folder.wait_for(log.next_seq)
    monkeypatch.setattr("inspector.store.past.BUDGET", 1)
    say(log, 1, actor="cart/8")
    found = await pages(log, ask(actor="cart/7", filter="[{number=9}]"))
    # Pages may be empty on the way; what matches is there in the end.
    assert len(found) > 5
    assert [line["fields"]["number"] for line in records(found)] == [9] * 10
    # What the index excludes is not even read.
    assert len(await pages(log, ask(actor="cart/9"))) == 1
    log.close()


async def test_what_cannot_be_read_is_told_and_left_out(tmp_path: Path) -> None:
    log, folder = kept_log(tmp_path / "d")
    for _ in range(2):
        say(log, 5)
        folder.wait_for(log.next_seq)
    log.close()
    path = folder.segments[0].path
    data = bytearray(path.read_bytes())
    head = folder.segments[0].read_heads()[0]
    data[head.offset + head.size - 1] ^= 1
    path.write_bytes(data)
    log, _ = kept_log(tmp_path / "d")
    found = seqs(await pages(log, ask()))
    assert found[0][1] == head.next_seq
    told = records(await pages(log, ask("warn")))
    assert [line["fields"]["message"] for line in told][:1] == ["records on the disk can't be read"]
    assert (told[0]["fields"]["file"], told[0]["fields"]["offset"]) == (str(path), head.offset)
    # The index of the whole file.
    data[-100] ^= 1
    path.write_bytes(data)
    assert {host for host, _ in seqs(await pages(log, ask()))} == {log.host_id}
    path.unlink()
    before = log.next_seq
    assert {host for host, _ in seqs(await pages(log, ask()))} == {log.host_id}
    assert log.next_seq == before
    log.close()
