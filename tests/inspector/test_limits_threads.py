"""Threads that log at once, while readers and sinks come and go, filters change and secrets become known."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from inspector.tracing import Log, LogChunk, open_sink
from protocol.filters import parse_filter
from protocol.records import INFO
from tests.inspector.tracing.records import follow

WRITERS = 4
ROUNDS = 1000
FILTERS = [
    "info",
    "trace",
    "info,[work{n=7}]=off",
    "off,[work]=trace",
    "[{thread=1}]=debug",
    "warn,writer=info,[work{n<50}]=trace",
]


class Writers:
    """Threads that log, and others that disturb them until the first are done."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.done = threading.Event()
        self.failures: list[BaseException] = []
        self.start = threading.Barrier(WRITERS + 3)

    def run(self, *disturbing: object) -> None:
        writers = [threading.Thread(target=self._guarded, args=(self.write, n), daemon=True) for n in range(WRITERS)]
        others = [threading.Thread(target=self._guarded, args=(each,), daemon=True) for each in disturbing]
        for thread in (*writers, *others):
            thread.start()
        for thread in writers:
            thread.join(120)
        self.done.set()
        for thread in others:
            thread.join(120)
        assert not any(thread.is_alive() for thread in (*writers, *others))
        assert not self.failures

    def _guarded(self, work: object, *args: object) -> None:
        assert callable(work)
        self.start.wait(60)
        try:
            work(*args)
        except BaseException as error:
            self.failures.append(error)
            raise

    def write(self, thread: int) -> None:
        logger = self.log.logger(f"writer.{thread}")
        for number in range(ROUNDS):
            with logger.span("work", thread=thread, n=number):
                logger.info("inside", thread=thread, number=3 * number)
                logger.info("with a list", thread=thread, number=3 * number + 1, values=[number, {"a": "b"}])
            if number % 10:
                logger.event(INFO, None, "outside", thread=thread, number=3 * number + 2)
            else:
                logger.exception("bad", ValueError(number), INFO, thread=thread, number=3 * number + 2)


@pytest.fixture
def eager() -> Iterator[None]:
    """Let threads take turns far more often than they would."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-7)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager")
def test_records_are_whole_and_in_order(tmp_path: Path) -> None:
    log = Log(host_name="h", record="info", record_size=64 * 2**20)
    first = follow(log, "info")
    sink = open_sink(f"file:{tmp_path / 'x.jsonl'},filter=info")
    log.add_sink(sink)
    writers = Writers(log)
    chunks: list[list[LogChunk]] = []
    late: list[Path] = []

    def readers() -> None:
        turn = 0
        while not writers.done.is_set():
            turn += 1
            reader = follow(log, FILTERS[turn % len(FILTERS)], after_seq=max(0, log.next_seq - 50))
            read: list[LogChunk] = []
            for _ in range(3):
                chunk = reader.collect()
                if chunk is not None:
                    read.append(chunk)
                reader.set_filter(parse_filter(FILTERS[(turn + 1) % len(FILTERS)]))
            reader.close(float(turn % 2))
            chunks.append(read)

    def filters() -> None:
        turn = 0
        while not writers.done.is_set():
            turn += 1
            log.set_record_filter(parse_filter(("info", "debug", "trace", "info,writer.1=trace")[turn % 4]))
            log.span_records(["0" * 16])

    def sinks() -> None:
        for turn in range(5):
            path = tmp_path / f"{turn}.jsonl"
            late.append(path)
            log.add_sink(open_sink(f"file:{path},filter=info"))
            log.add_secret(f"geheim-{turn}")

    writers.run(readers, filters, sinks)
    log.set_record_filter(parse_filter("info"))
    assert log.close(60)

    lines: list[bytes] = []
    while (chunk := first.collect()) is not None:
        assert chunk.dropped == 0
        lines += chunk.lines.split(b"\n")
    records = [orjson.loads(line) for line in lines]
    assert all(one["seq"] < other["seq"] for one, other in pairwise(records))
    for thread in range(WRITERS):
        said = [r["fields"]["number"] for r in records if r["fields"].get("thread") == thread]
        assert said == [*range(3 * ROUNDS)]
    # No number was given twice, none left out: each is in the ring.
    assert [seq for seq, _ in numbered(log)] == [*range(1, log.next_seq)]
    # A sink has the same lines, one that came later a part of them without a hole.
    assert (tmp_path / "x.jsonl").read_bytes().splitlines() == lines
    for path in late:
        kept = path.read_bytes().splitlines()
        assert kept == lines[len(lines) - len(kept) :]
    assert chunks
    for read in chunks:
        assert all(one.next_seq == other.first_seq for one, other in pairwise(read))
        for chunk in read:
            for line in chunk.lines.splitlines():
                assert chunk.first_seq <= orjson.loads(line)["seq"] < chunk.next_seq


def numbered(log: Log) -> list[tuple[int, bytes]]:
    found = []
    for first, run in log.recorder.entries(0, log.next_seq):
        found += [(number, entry[0]) for number, entry in enumerate(run, first)]
    assert all(orjson.loads(line)["seq"] == number for number, line in found)
    return found
