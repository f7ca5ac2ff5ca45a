"""The ring: numbers without holes, bounds, and appends that cross."""

from __future__ import annotations

import gc
import itertools
import threading
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from inspector.tracing import Log
from inspector.tracing.recorder import Parts, Recorder, Segment, line_of, numbered
from tests.inspector.tracing.records import START, Clock, all_lines, follow, make_log


class Crossing(dict[int, Parts]):
    """Slots into which somebody else puts a record whenever one looks how many there are."""

    def __init__(self, cross: Any) -> None:
        super().__init__()
        self.cross = cross

    def setdefault(self, seq: int, parts: Any = None, /) -> Any:
        if self.cross is not None:
            cross, self.cross = self.cross, None
            cross()
        return super().setdefault(seq, parts)


def append(recorder: Recorder, size: int = 100) -> int:
    log = make_log()
    return recorder.append(log.host_span.site, log.host_span, START, b'"', b"x" * size, b"}")


def seqs(recorder: Recorder) -> list[int]:
    return [first + at for first, run in recorder.entries(0, recorder.next_seq) for at in range(len(run))]


def test_numbers_begin_at_one() -> None:
    recorder = Recorder(2**20, 1000)
    assert (recorder.first_seq, recorder.next_seq) == (1, 1)
    assert [append(recorder) for _ in range(5)] == [1, 2, 3, 4, 5]
    assert (recorder.first_seq, recorder.next_seq) == (1, 6)


@pytest.mark.parametrize("size", [0, 100, 5000, 60_000])
def test_bytes_are_bounded(size: int) -> None:
    recorder = Recorder(2**20, 10**6)
    log = make_log()
    for number in range(5000):
        recorder.append(log.host_span.site, log.host_span, START, b'"', b"x" * size, b"}")
        if number % 100 == 99:
            runs = recorder.entries(0, recorder.next_seq)
            held = sum(len(entry[0]) + 256 for _, run in runs for entry in run)
            assert held <= 2**20 + 60_000
    assert held > 2**19
    assert seqs(recorder) == [*range(recorder.first_seq, 5001)]


def test_records_are_bounded() -> None:
    recorder = Recorder(2**20, 100)
    for _ in range(5000):
        append(recorder, 10)
    assert recorder.next_seq - recorder.first_seq <= 100 + 2**20 // 32 // 256


@pytest.mark.parametrize("size", [1, 100, 1000])
def test_a_tiny_ring_keeps_the_last_record(size: int) -> None:
    recorder = Recorder(size, 10)
    for number in range(1, 100):
        append(recorder)
        assert number in seqs(recorder)
        assert recorder.next_seq == number + 1


def test_entries_between() -> None:
    recorder = Recorder(16_384, 1000)
    for _ in range(20):
        append(recorder)
    assert len({id(segment) for segment in recorder._segments}) > 3
    found = [first + at for first, run in recorder.entries(5, 9) for at in range(len(run))]
    assert found == [5, 6, 7, 8]
    assert [*recorder.entries(21, 21)] == []
    assert [*itertools.islice(recorder.backwards(10, lambda entry: True), 3)] == [9, 8, 7]
    assert [*recorder.backwards(10, lambda entry: False)] == []


def same(log: Log, number: int) -> None:
    log.logger("t").info("the same", n=number)


def ever_others(log: Log, number: int) -> None:
    for _ in range(2):
        log.logger("t").info(f"{number}" * 30, n=number)


def spans(log: Log, number: int) -> None:
    with log.logger("t").span("s", n=number, text="x" * 1000):
        log.logger("t").info("the same", n=number)


def seldom(log: Log, number: int) -> None:
    assert isinstance(log.clock, Clock)
    log.clock.now += 10**9
    same(log, number)


@pytest.mark.parametrize("write", [same, ever_others, spans, seldom])
def test_the_ring_takes_no_more_memory_than_it_was_given(write: Callable[[Log, int], None]) -> None:
    log = make_log(record_size=2**20)
    write(log, 0)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(8000):
            write(log, number)
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert log.first_seq > 1
    assert 2**18 < taken <= 2**20


def test_numbers_are_written_in_blocks() -> None:
    log = make_log()
    site, span = log.host_span.site, log.host_span
    parts = (b"3", site, span, b"0", b"1", b"2", b"4")
    for first, count in [(1, 0), (1, 3), (98, 5), (899, 202), (999, 2), (1000, 1), (1999, 3), (1_234_567, 900)]:
        lines = [
            b"".join((head, number, b"01234"))
            for head, numbers, block in numbered(first, [parts] * count)
            for number, _ in zip(numbers, block, strict=True)
        ]
        assert lines == [line_of(seq, parts) for seq in range(first, first + count)]
    assert line_of(7, parts) == b'{"seq":701234'


def test_an_append_that_interrupts_another() -> None:
    recorder = Recorder(2**20, 1000)
    recorder.tail.slots = Crossing(lambda: append(recorder))
    assert append(recorder) == 2
    assert seqs(recorder) == [1, 2]
    lines = [entry[0] for _, run in recorder.entries(0, 3) for entry in run]
    assert [line[:8] for line in lines] == [b'{"seq":1', b'{"seq":2']


def test_an_append_that_was_interrupted_fills_a_segment() -> None:
    recorder = Recorder(32 * 600, 1000)
    full = recorder.tail
    full.slots = Crossing(lambda: append(recorder))
    assert append(recorder) == 2
    assert recorder.tail is not full
    assert (append(recorder), seqs(recorder)) == (3, [1, 2, 3])


def test_an_append_that_begins_a_segment_in_the_midst_of_another() -> None:
    recorder = Recorder(2**20, 1000)

    def cross() -> None:
        append(recorder)
        recorder.roll(recorder.tail)

    full = recorder.tail
    full.slots = Crossing(cross)
    assert append(recorder) == 2
    assert recorder.tail is not full
    assert (full.next_seq(), len(full.entries())) == (2, 1)
    assert seqs(recorder) == [1, 2]


def test_a_segment_that_was_closed_but_not_followed() -> None:
    # As a KeyboardInterrupt leaves it that comes between the two.
    recorder = Recorder(2**20, 1000)
    append(recorder)
    segment = recorder.tail
    segment.slots.setdefault(2, ())  # type: ignore[arg-type]  # the mark of a closed segment is no entry
    assert recorder.next_seq == 2
    assert append(recorder) == 2
    assert recorder.tail is not segment
    assert seqs(recorder) == [1, 2]


def test_a_hint_that_a_slower_thread_has_set_back() -> None:
    recorder = Recorder(2**20, 1000)
    for _ in range(3):
        append(recorder)
    recorder.tail.next = 1
    assert append(recorder) == 4
    recorder.tail.next = 2
    recorder.roll(recorder.tail)
    assert (recorder.tail.first_seq, append(recorder)) == (5, 5)
    assert seqs(recorder) == [1, 2, 3, 4, 5]


def test_a_segment_is_followed_once() -> None:
    recorder = Recorder(2**20, 1000)
    append(recorder)
    full = recorder.tail
    recorder.roll(full)
    after = recorder.tail
    append(recorder)
    recorder.roll(full)
    assert recorder.tail is after
    assert seqs(recorder) == [1, 2]


def test_an_empty_segment_says_where_it_ends() -> None:
    assert Segment(7).next_seq() == 7
    assert Segment(7).entries() == []


def test_the_short_way_gives_in_to_another_append() -> None:
    log = make_log()
    reader = follow(log)
    logger = log.logger("t")
    with logger.span("x"):
        logger.info("known", n=0)
        logger.info("known", n=1)
        log.recorder.tail.slots = crossing = Crossing(None)
        crossing.update({1: (b"", log.host_span.site, log.host_span, b"", b"", b"", b"")})
        before = log.next_seq
        crossing.cross = lambda: logger.info("known", n=2)
        logger.info("known", n=3)
        assert log.next_seq == before + 2
    assert len(all_lines(reader)) > 2


def test_threads_log_at_once() -> None:
    log = make_log(record_size=64 * 2**20)
    reader = follow(log)

    def write(name: str) -> None:
        logger = log.logger(name)
        for number in range(2000):
            if number % 10 == 0:
                with logger.span("work", n=number):
                    logger.info("in a span", n=number)
            logger.info("hello", n=number, thread=name)

    threads = [threading.Thread(target=write, args=(f"t{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = all_lines(reader)
    assert len(lines) == 4 * (2000 + 3 * 200) == log.next_seq - 1
    assert [int(line[7 : line.index(b",")]) for line in lines] == [*range(1, log.next_seq)]
