"""What is kept on the disk when spans are odd, and when the clock steps back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from inspector.store import Page, store_of
from inspector.tracing import Log
from tests.inspector.store.kept import ask, kept_log, pages, seqs
from tests.inspector.tracing.records import START, Clock

HOUR = 3600 * 10**9


def numbers(found: list[Page]) -> list[int]:
    lines = [line for page in found if page.lines for line in page.lines.split(b"\n")]
    return [orjson.loads(line)["fields"]["number"] for line in lines]


def flushed(log: Log) -> None:
    """Wait until all is on the disk."""
    store = store_of(log)
    assert store is not None
    assert store.flush(60)
    assert store.error is None


ACTORS: dict[str, Any] = {
    "a list": ["x"],
    "a map": {"a": 1},
    "a number": 5,
    "an object": object(),
    "no utf8": "cart/\ud800",
    "a text of its own": type("Own", (str,), {"__str__": lambda self: 5})("cart/7"),
    "long": "x" * 1_000_000,
}


@pytest.mark.trio
@pytest.mark.parametrize("kind", ACTORS)
async def test_a_field_called_actor_may_be_anything(tmp_path: Path, kind: str) -> None:
    log, _ = kept_log(tmp_path / "store")
    # One who looks at actors, beside.
    reader = log.subscribe(log.record_filter, actor="cart/7", wake=lambda: None)
    with (
        log.start_span("above", {"actor": "cart/8"}, target="t") as above,
        log.start_span("odd", {"actor": ACTORS[kind]}, target="t", parent=above) as odd,
    ):
        log.logger("t").info("x")
    assert type(odd.actor) is str
    flushed(log)
    assert seqs(await pages(log, ask())) == [(log.host_id, number) for number in range(1, log.next_seq)]
    reader.collect()
    assert log.close()


@pytest.mark.trio
@pytest.mark.parametrize("ring", [2**20, 2**16])
async def test_a_clock_that_steps_back(tmp_path: Path, ring: int) -> None:
    """The order is that of numbers; what is asked by time is found wherever it lies."""
    clock = Clock(START)
    log, folder = kept_log(tmp_path / "store", clock=clock, record_size=ring)
    logger = log.logger("t")
    times: list[int] = []
    for step in (0, HOUR, -HOUR, 5 * HOUR, -24 * HOUR, -2 * HOUR, START, HOUR):
        clock.now = START + step if step != START else 0
        for _ in range(50):
            clock.now += 1_000_000
            logger.info("x", number=len(times))
            times.append(clock.now)
        # Each step is a block of its own, at least.
        flushed(log)
    folder.wait_for(log.next_seq)
    # Some of it is on the disk alone.
    assert (log.first_seq > 1) is (ring < 2**20)
    assert numbers(await pages(log, ask("info"))) == [*range(len(times))]
    for begin, end in (
        (START, START + HOUR),
        (START - 2 * HOUR, START),
        (START - 48 * HOUR, START - 23 * HOUR),
        (START + 5 * HOUR, START + 6 * HOUR),
        (0, HOUR),
        (START + 6 * HOUR, START + 9 * HOUR),
    ):
        asked = ask("info", start_ms=begin // 1_000_000, end_ms=end // 1_000_000)
        expected = [number for number, time in enumerate(times) if begin <= time < end // 1_000_000 * 1_000_000]
        assert numbers(await pages(log, asked)) == expected
    assert log.close()


def test_a_clock_that_steps_back_throws_nothing_away(tmp_path: Path) -> None:
    clock = Clock(START + 100 * HOUR)
    log, folder = kept_log(tmp_path / "store", clock=clock)
    folder._age = HOUR
    folder._clock = clock
    for now in (START + 100 * HOUR, START, 0, START):
        clock.now = now
        log.logger("t").info("x")
        flushed(log)
        folder.sweep()
    assert sum(segment.next_seq - segment.first_seq for segment in folder.segments) >= 3
    assert log.close()


def test_the_log_is_a_log_of_one_host(tmp_path: Path) -> None:
    log: Log
    log, folder = kept_log(tmp_path / "store")
    # Deeper than Python's own stack, had it no bound: each record has its ancestors on the disk.
    span = log.start_span("link", {}, target="t")
    for _ in range(3000):
        span = log.start_span("link", {}, target="t", parent=span)
    flushed(log)
    folder.wait_for(3000)
    assert log.close()
