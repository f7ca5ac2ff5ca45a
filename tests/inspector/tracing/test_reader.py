"""Readers: cursors, chunks that join, what was missed."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from inspector.tracing import LogChunk
from protocol.filters import parse_filter
from protocol.records import INFO, decode_record
from tests.inspector.tracing.records import all_lines, follow, make_log, messages


def test_chunks_join_without_holes() -> None:
    log = make_log()
    reader = follow(log, "warn")
    logger = log.logger("t")
    assert reader.collect() is None
    logger.info("1")
    assert reader.collect() is None
    logger.warn("2")
    logger.info("3")
    chunk = reader.collect()
    assert chunk is not None
    assert (chunk.first_seq, chunk.next_seq, chunk.dropped) == (1, 4, 0)
    assert decode_record(chunk.lines).message == "2"
    assert reader.next_seq == 4
    logger.info("4")
    assert reader.collect() is None
    logger.warn("5")
    chunk = reader.collect()
    assert chunk is not None
    assert (chunk.first_seq, chunk.next_seq) == (4, 6)


def test_chunks_are_bounded_in_bytes() -> None:
    log = make_log()
    reader = follow(log)
    for number in range(10):
        log.logger("t").info("x", n=number, pad="y" * 1000)
    chunks: list[LogChunk] = []
    while (chunk := reader.collect(3000)) is not None:
        chunks.append(chunk)
    assert all(0 < len(chunk.lines) <= 3000 for chunk in chunks)
    assert [chunk.first_seq for chunk in chunks] == [1, *(chunk.next_seq for chunk in chunks[:-1])]
    assert chunks[-1].next_seq == 11
    log.logger("t").info("x", pad="y" * 10_000)
    last = reader.collect(3000)
    assert last is not None
    assert len(last.lines) > 10_000


def test_it_is_not_woken_before_it_has_come_to_the_end() -> None:
    log = make_log()
    woken: list[int] = []
    reader = log.subscribe(parse_filter("info"), wake=lambda: woken.append(1))
    for _ in range(4):
        log.logger("t").info("x")
    assert len(woken) == 1
    assert reader.collect(10) is not None
    log.logger("t").info("x")
    assert len(woken) == 1
    assert len(all_lines(reader)) == 4
    log.logger("t").info("x")
    assert len(woken) == 2


def test_a_slow_reader_is_told_how_many_it_missed() -> None:
    log = make_log(record_size=16_384)
    reader, other = follow(log), follow(log)
    for number in range(500):
        log.logger("t").info(str(number))
        if number % 5 == 0:
            other.collect()
    other_left = messages(other)
    chunk = reader.collect()
    assert chunk is not None
    lines = chunk.lines.split(b"\n")
    assert (chunk.first_seq, chunk.next_seq) == (1, 501)
    assert chunk.dropped == log.first_seq - 1 == 500 - len(lines) > 400
    assert reader.total_dropped == chunk.dropped
    assert [decode_record(line).seq for line in lines] == [*range(log.first_seq, 501)]
    assert (other.total_dropped, other_left[-1]) == (0, "499")


def test_dropped_alone_is_told_too() -> None:
    log = make_log(record_size=16_384)
    reader = follow(log, "error")
    for number in range(500):
        log.logger("t").info(str(number))
    chunk = reader.collect()
    assert chunk is not None
    assert (chunk.first_seq, chunk.next_seq, chunk.lines) == (1, 501, b"")
    assert chunk.dropped == log.first_seq - 1
    assert reader.collect() is None


@pytest.mark.parametrize(
    ("places", "expected", "missed"),
    [
        ({}, [], 0),
        ({"after_seq": 0}, ["0", "1", "2", "3", "4", "5"], 0),
        ({"after_seq": 4}, ["4", "5"], 0),
        ({"after_seq": 6}, [], 0),
        ({"after_seq": 99}, [], 0),
        ({"backlog": 0}, [], 0),
        ({"backlog": 3}, ["3", "4", "5"], 0),
        ({"backlog": 99}, ["0", "1", "2", "3", "4", "5"], 0),
    ],
)
def test_places_to_begin(places: dict[str, Any], expected: list[str], missed: int) -> None:
    log = make_log()
    for number in range(6):
        log.logger("t").info(str(number))
    reader = follow(log, **places)
    assert reader.missed == missed
    log.logger("t").info("new")
    assert messages(reader) == [*expected, "new"]


def test_a_backlog_counts_what_matches() -> None:
    log = make_log()
    for number in range(100):
        log.logger("even" if number % 2 == 0 else "odd").info(str(number))
    assert messages(follow(log, "odd", backlog=3)) == ["95", "97", "99"]
    assert messages(follow(log, "absent", backlog=3)) == []


def test_what_is_no_longer_kept_is_missed() -> None:
    log = make_log(record_size=16_384)
    for number in range(500):
        log.logger("t").info(str(number))
    reader = follow(log, after_seq=10)
    assert reader.missed == log.first_seq - 11
    assert reader.next_seq == log.first_seq
    assert messages(reader) == [str(number) for number in range(log.first_seq - 1, 500)]
    assert reader.total_dropped == 0


@pytest.mark.parametrize("places", [{"after_seq": 1, "backlog": 1}, {"after_seq": -1}, {"backlog": -1}])
def test_places_that_are_none(places: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="after_seq"):
        follow(make_log(), **places)


def test_reading_while_others_write() -> None:
    log = make_log(record_size=64 * 1024)
    done = threading.Event()
    reader = follow(log)

    def write() -> None:
        logger = log.logger("t")
        for number in range(3000):
            logger.info("x", n=number)

    threads = [threading.Thread(target=write) for _ in range(3)]
    seqs: list[int] = []
    dropped = 0
    expected = 1

    def look() -> None:
        nonlocal dropped, expected
        while (chunk := reader.collect()) is not None:
            assert chunk.first_seq == expected
            expected = chunk.next_seq
            dropped += chunk.dropped
            if chunk.lines:
                seqs.extend(decode_record(line).seq for line in chunk.lines.split(b"\n"))

    def read_all() -> None:
        while not done.is_set():
            look()
        look()

    reading = threading.Thread(target=read_all)
    for thread in (reading, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    reading.join()
    assert expected == log.next_seq == 9001
    assert len(seqs) + dropped == 9000
    assert seqs == sorted(set(seqs))


class Followers(RuleBasedStateMachine):
    """A ring that turns over, and readers with filters and places of their own: each gets or is told everything."""

    def __init__(self) -> None:
        super().__init__()
        self.log = make_log(record_size=24_000, record="trace")
        self.levels: dict[int, str] = {}
        self.readers = [(follow(self.log, each), each, [1]) for each in ("trace", "warn", "off")]

    @rule(level=st.sampled_from(["trace", "info", "error"]), size=st.integers(0, 3000), times=st.integers(1, 5))
    def write(self, level: str, size: int, times: int) -> None:
        for _ in range(times):
            self.levels[self.log.next_seq] = level
            getattr(self.log.logger("t"), level)("x", pad="y" * size)

    @rule(index=st.integers(0, 2), max_bytes=st.integers(1, 10_000))
    def collect(self, index: int, max_bytes: int) -> None:
        reader, filter, place = self.readers[index]
        chunk = reader.collect(max_bytes)
        if chunk is None:
            return
        assert chunk.first_seq == place[0]
        place[0] = chunk.next_seq
        seqs = [decode_record(line).seq for line in chunk.lines.split(b"\n")] if chunk.lines else []
        passing = {"trace": ("trace", "info", "error"), "warn": ("error",), "off": ()}[filter]
        expected = [seq for seq in range(chunk.first_seq, chunk.next_seq) if self.levels[seq] in passing]
        assert seqs == [seq for seq in expected if not chunk.dropped or seq >= min(seqs, default=10**9)]
        assert len(expected) - len(seqs) <= chunk.dropped

    @invariant()
    def the_ring_is_bounded(self) -> None:
        runs = self.log.recorder.entries(0, self.log.next_seq)
        assert sum(len(entry[0]) for _, run in runs for entry in run) <= 24_000 + 4096


TestFollowers = Followers.TestCase
TestFollowers.settings = settings(max_examples=30, stateful_step_count=40)


def test_a_passive_reader_sees_what_is_recorded_anyway() -> None:
    log = make_log(record="warn")
    logger = log.logger("a")
    reader = follow(log, passive=True)
    logger.info("not wanted")
    assert not log.wants(INFO, "a")
    logger.warn("recorded")
    other = follow(log, "info")
    logger.info("for another's sake")
    other.close()
    logger.info("not wanted any more")
    assert messages(reader) == ["recorded", "for another's sake"]
    woken: list[int] = []
    waker = log.subscribe(parse_filter("trace"), passive=True, wake=lambda: woken.append(1))
    logger.warn("wakes")
    assert woken == [1]
    waker.close()
