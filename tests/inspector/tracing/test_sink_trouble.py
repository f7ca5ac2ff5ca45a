"""Places that fail for a while: what is lost is counted and told, nobody waits, and it goes on when they work again."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from inspector.tracing import Log, PullingSink, inside_sink, open_sink
from inspector.tracing.reader import Portion
from inspector.tracing.sinks.lines import take_written
from inspector.tracing.sinks.pulling import RefusedError
from protocol.filters import parse_filter
from tests.inspector.tracing.records import Clock, Told, make_log

FAILS = "log sink fails, and tries again"
WORKS = "log sink works again"


class Shelf(PullingSink[int]):
    """Keeps the numbers of records, as long as it is told to."""

    def __init__(self, log: Log, filter: str = "t=info") -> None:
        super().__init__("shelf", parse_filter(filter))
        self.kept: list[int] = []
        self.problem: Exception | None = None
        self.tried = threading.Semaphore(0)
        self.inside: list[bool] = []
        self.ended = False
        log.add_sink(self)

    def prepare(self, portion: Portion, gap: bytes | None) -> list[int]:
        told = [] if gap is None else [-orjson.loads(gap)["fields"]["dropped"]]
        return told + [orjson.loads(line)["fields"].get("n", 0) for line, _, _ in portion.entries]

    def write(self, batch: list[int]) -> bool:
        self.inside.append(inside_sink())
        try:
            if self.giving_up.is_set():
                return False
            if isinstance(self.problem, RefusedError):
                batch.clear()
            if self.problem is not None:
                raise self.problem
            self.kept += batch
            batch.clear()
            return True
        finally:
            self.tried.release()

    def is_final(self, error: OSError) -> bool:
        return error.errno == errno.EPIPE

    def end(self) -> None:
        self.ended = True


def test_it_is_tried_again_until_it_works() -> None:
    log = make_log()
    told = Told(log)
    shelf = Shelf(log)
    shelf.problem = OSError("the disk is full")
    log.logger("t").info("x", n=1)
    record = told.next()
    assert (record.message, record.level) == (FAILS, "WARN")
    assert (
        record.fields | {"message": FAILS}
        == record.fields
        == {
            "message": FAILS,
            "sink": "shelf",
            "dropped": 0,
            "error": "the disk is full",
        }
    )
    log.logger("t").info("x", n=2)
    for _ in range(3):
        shelf.tried.acquire()
    assert (shelf.kept, str(shelf.error), shelf.dropped) == ([], "the disk is full", 0)
    assert not shelf.flush(0)
    shelf.problem = None
    record = told.next()
    assert (record.message, record.fields["dropped"]) == (WORKS, 0)
    assert shelf.flush(60)
    assert (shelf.kept, shelf.error, shelf.dropped) == ([1, 2], None, 0)
    assert told.rest() == []
    assert log.close()
    assert shelf.ended
    assert shelf.inside == [True] * len(shelf.inside)
    assert not inside_sink()


def test_what_the_ring_drops_meanwhile_is_counted_and_told() -> None:
    log = make_log(record_size=16_384)
    told = Told(log)
    shelf = Shelf(log)
    shelf.problem = OSError(errno.ENOSPC, "no space")
    log.logger("t").info("x", n=0)
    assert told.next().message == FAILS
    # A thousand are more than the ring holds, and nobody waits.
    for number in range(1, 1000):
        log.logger("t").info("x", n=number)
    shelf.problem = None
    record = told.next()
    first, gap, *rest = shelf.kept
    assert (first, rest) == (0, [*range(1000 - len(rest), 1000)])
    assert record.message == WORKS
    # Those that were lost, the record that said so among them.
    assert -gap == shelf.dropped == record.fields["dropped"] == 1000 - len(rest)
    assert not log.close()


def test_a_place_that_comes_and_goes_is_no_news_each_time() -> None:
    clock = Clock(0)
    log = make_log(monotonic=clock)
    told = Told(log)
    shelf = Shelf(log)
    for number in range(4):
        shelf.problem = OSError("gone")
        log.logger("t").info("x", n=number)
        shelf.tried.acquire()
        shelf.problem = None
        assert shelf.flush(60)
        while shelf.tried.acquire(blocking=False):
            pass
        clock.now += 8 * 10**9
    assert [told.next().message, told.next().message] == [FAILS, WORKS]
    assert told.rest() == []
    shelf.problem = OSError("gone")
    log.logger("t").info("x", n=4)
    assert told.next().message == FAILS
    shelf.problem = None
    assert told.next().message == WORKS
    assert shelf.kept == [0, 1, 2, 3, 4]
    assert log.close()


def test_trouble_in_silence_that_lasts_is_told() -> None:
    clock = Clock(0)
    log = make_log(monotonic=clock)
    told = Told(log)
    shelf = Shelf(log)
    for _ in range(2):
        shelf.problem = OSError("gone")
        log.logger("t").info("x")
        shelf.tried.acquire()
        if clock.now == 0:
            assert told.next().message == FAILS
            shelf.problem = None
            assert told.next().message == WORKS
            while shelf.tried.acquire(blocking=False):
                pass
        clock.now += 10**9
    assert told.rest() == []
    clock.now += 30 * 10**9
    assert told.next().message == FAILS
    shelf.problem = None
    assert told.next().message == WORKS
    assert log.close()


def test_what_is_refused_is_lost_and_the_rest_goes_on() -> None:
    log = make_log()
    told = Told(log)
    shelf = Shelf(log)
    shelf.problem = RefusedError("not here", 2)
    log.logger("t").info("x", n=1)
    log.logger("t").info("x", n=2)
    record = told.next()
    assert record.message == "log sink is refused what it writes, and goes on without"
    assert record.fields["error"] == "not here"
    shelf.tried.acquire()
    # As long as it is refused everything it does not work.
    assert shelf.flush(60)
    assert told.rest() == []
    shelf.problem = None
    log.logger("t").info("x", n=3)
    lost = shelf.dropped
    record = told.next()
    assert (record.message, record.fields["dropped"]) == (WORKS, lost)
    assert shelf.kept == [-lost, 3]
    assert not log.close()


@pytest.mark.parametrize("problem", [BrokenPipeError(errno.EPIPE, "broken"), ZeroDivisionError("a mistake of ours")])
def test_the_end_of_a_sink_is_told_too(problem: Exception) -> None:
    log = make_log(record="off")
    told = Told(log)
    shelf = Shelf(log)
    shelf.problem = problem
    log.logger("t").info("x", n=1)
    record = told.next()
    assert (record.message, record.fields["dropped"]) == ("log sink has ended, its place failed", 1)
    assert shelf.error is problem
    # Nothing is recorded for it any more.
    assert not log.wants(2, "t")
    assert not shelf.flush(60)
    assert not log.close()


def test_nobody_waits_for_long_at_the_end() -> None:
    log = make_log()
    told = Told(log)
    shelf = Shelf(log)
    shelf.problem = OSError("gone")
    for number in range(3):
        log.logger("t").info("x", n=number)
    assert told.next().message == FAILS
    assert not log.close(0)
    assert shelf.dropped == 3
    assert not shelf._thread.is_alive()


def test_a_sink_that_takes_its_time_at_the_end_does_not_take_the_others() -> None:
    log = make_log()
    told = Told(log)
    shelf = Shelf(log)

    class Other(Shelf):
        def end(self) -> None:
            shelf.problem = None

    other = Other(log)
    shelf.problem = OSError("gone")
    log.logger("t").info("x", n=1)
    assert told.next().message == FAILS
    assert log.close(60)
    assert (shelf.kept, other.kept) == ([1], [1])


def test_a_place_that_works_again_at_the_end() -> None:
    log = make_log()
    told = Told(log)
    shelf = Shelf(log)
    shelf.problem = OSError("gone")
    log.logger("t").info("x", n=1)
    assert told.next().message == FAILS
    shelf.finish()
    while shelf.tried.acquire(blocking=False):
        pass
    shelf.tried.acquire()
    shelf.problem = None
    assert log.close(60)
    assert shelf.kept == [1]


def test_bytes_that_are_written() -> None:
    for written, left in [(0, [b"ab\n", b"c\n"]), (2, [b"\n", b"c\n"]), (3, [b"c\n"]), (4, [b"\n"]), (5, [])]:
        batch = [b"ab\n", b"c\n"]
        take_written(batch, written)
        assert batch == left


# ---- real places ----


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], check=False).returncode
    ):
        pytest.skip("only root may mount a disk; test_a_limit_on_files does the same without")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def whole_records(path: Path) -> list[dict[str, Any]]:
    data = path.read_bytes()
    assert data.endswith(b"\n")
    return [orjson.loads(line) for line in data.splitlines()]


@pytest.mark.parametrize("place", ["file", "stdout"])
def test_a_full_disk(small_disk: Path, place: str) -> None:
    log = make_log()
    told = Told(log)
    path = small_disk / "x.jsonl"
    rest = small_disk / "rest"
    rest.write_bytes(bytes(49_152))
    with path.open("ab") as stream:
        sink = (
            open_sink(f"file:{path}", filter="t=info")
            if place == "file"
            else open_sink(stream=stream, format="json", filter="t=info")
        )
        log.add_sink(sink)
        for number in range(100):
            log.logger("t").info("x", n=number, pad="y" * 200)
        record = told.next()
        assert (record.message, record.fields["sink"]) == (FAILS, sink.name)
        assert "No space left on device" in record.fields["error"]
        assert path.stat().st_size <= 16_384
        if place == "file":
            assert len(whole_records(path)) >= 1
        rest.unlink()
        record = told.next()
        assert (record.message, record.fields["dropped"]) == (WORKS, 0)
        assert log.close(60)
    assert [record["fields"]["n"] for record in whole_records(path)] == [*range(100)]


def test_a_folder_that_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    log = make_log()
    told = Told(log)
    log.add_sink(open_sink(f"file:{folder}/x", filter="t=info"))
    (folder / "x").unlink()
    folder.rmdir()
    log.logger("t").info("x", n=1)
    assert "No such file" in told.next().fields["error"]
    folder.mkdir()
    assert told.next().message == WORKS
    assert log.close()
    assert [record["fields"]["n"] for record in whole_records(folder / "x")] == [1]


def test_something_else_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "x"
    log = make_log()
    told = Told(log)
    log.add_sink(open_sink(f"file:{path}", filter="t=info"))
    path.unlink()
    os.mkfifo(path)
    with open(os.open(path, os.O_RDWR), "rb"):
        log.logger("t").info("x", n=1)
        assert "is no regular file" in told.next().fields["error"]
        path.unlink()
        assert told.next().message == WORKS
    assert log.close()
    assert [record["fields"]["n"] for record in whole_records(path)] == [1]


LIMITED = """
import resource, sys
from inspector.tracing import Log, open_sink
from tests.inspector.tracing.records import Told

log = Log()
told = Told(log)
path = sys.argv[1]
log.add_sink(open_sink(f"file:{path}", filter="t=info"))
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
for number in range(100):
    log.logger("t").info("x", n=number, pad="y" * 200)
print(told.next().message, flush=True)
print(open(path, "rb").read().endswith(b"\\n"), flush=True)
print(told.next().message, flush=True)
print(log.close(60), flush=True)
# What measures coverage writes a file as well.
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""


@pytest.mark.parametrize("remedy", ["rotated", "allowed"])
def test_a_limit_on_files(tmp_path: Path, remedy: str) -> None:
    path = tmp_path / "x"
    moved = 0
    with subprocess.Popen([sys.executable, "-c", LIMITED, path], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert [child.stdout.readline(), child.stdout.readline()] == [f"{FAILS}\n", "True\n"]
        if remedy == "allowed":
            resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        while remedy == "rotated" and child.poll() is None:
            # Each time that it is nearly full.
            if path.exists() and path.stat().st_size > 7_000:
                path.rename(tmp_path / f"x.{moved}")
                moved += 1
        assert [child.stdout.readline(), child.stdout.readline()] == [f"{WORKS}\n", "True\n"]
    files = [*(tmp_path / f"x.{number}" for number in range(moved)), path]
    found = [record for each in files if each.exists() for record in whole_records(each)]
    assert [record["fields"]["n"] for record in found] == [*range(100)]
