"""The store as a sink: what it keeps, in time, and what a killed host, a full disk and an end leave behind."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import trio

from inspector.store import Store, StoreError, open_store, store_of
from inspector.store.blocks import read_block
from inspector.store.store import FLUSH
from inspector.tracing import Log
from protocol.filters import parse_filter
from tests.inspector.store.kept import ToldFolder, ask, kept_log, pages, say, seqs, told_store
from tests.inspector.tracing.records import make_log

__all__ = ()


def records_of(store: Store) -> list[dict[str, object]]:
    """Return all that is on the disk."""
    found = []
    for segment in store.segments:
        data = segment.path.read_bytes()
        for head in segment.read_heads():
            block = read_block(data[head.offset : head.offset + head.size], head.index_size)
            found += [orjson.loads(line) for line in block.lines]
    return found


def test_what_was_logged_before_and_after_is_kept_to_the_last_record(tmp_path: Path) -> None:
    store = open_store(tmp_path / "d")
    log = Log(host_name="h")
    say(log, 1)
    log.add_sink(store)
    assert store_of(log) is store
    log.open()
    say(log, 2)
    assert log.close()
    kept = records_of(store)
    assert [record["seq"] for record in kept] == list(range(1, log.next_seq))
    assert (kept[-1]["kind"], kept[-1]["span"]) == (
        "span_end",
        {"name": "host", "host_id": log.host_id, "host_name": "h"},
    )
    assert store.written == log.next_seq
    assert store_of(log) is None


def test_a_store_that_was_never_used_lets_go_of_its_directory(tmp_path: Path) -> None:
    store = open_store(tmp_path / "d")
    assert store.path == tmp_path / "d"
    assert store.close(0)
    open_store(tmp_path / "d").close(0)


def test_a_record_does_not_wait_for_others_for_ever(tmp_path: Path) -> None:
    log, folder = kept_log(tmp_path / "d", flush=FLUSH)
    log.logger("a").info("alone")
    folder.wait_for(log.next_seq)
    log.logger("a").info("and again")
    folder.wait_for(log.next_seq)
    log.close()


def test_many_records_need_not_wait(tmp_path: Path) -> None:
    # Longer than any test takes.
    log, folder = kept_log(tmp_path / "d", flush=10_000.0)
    say(log, 200)
    folder.wait_for(500)
    log.close()


def test_nothing_is_recorded_for_the_sake_of_the_store(tmp_path: Path) -> None:
    log, _ = kept_log(tmp_path / "d", record="warn")
    assert log.record_filter == parse_filter("warn")
    logger = log.logger("a")
    logger.info("not wanted")
    logger.warn("wanted")
    store = store_of(log)
    assert store is not None
    log.close()
    assert [record["fields"] for record in records_of(store)] == [{"message": "wanted"}]


def test_it_may_keep_less_than_the_ring(tmp_path: Path) -> None:
    store, _ = told_store(tmp_path / "d")
    store.set_filter(parse_filter("error"))
    log = make_log()
    log.add_sink(store)
    logger = log.logger("a")
    logger.info("not wanted")
    logger.error("wanted")
    store.set_filter(parse_filter("warn"))
    logger.warn("wanted now")
    assert store.filter == parse_filter("warn")
    log.close()
    assert [record["level"] for record in records_of(store)] == ["ERROR", "WARN"]


def test_what_the_ring_lost_is_counted(tmp_path: Path) -> None:
    log = Log(record_size=2000)
    say(log, 500)
    store = open_store(tmp_path / "d")
    log.add_sink(store)
    first = log.first_seq
    assert first > 1
    log.close()
    assert store.dropped == 0
    assert store.segments[0].first_seq == first


def test_a_disk_that_is_full_loses_nothing_while_the_ring_lasts_and_is_told_twice(tmp_path: Path) -> None:
    log, folder = kept_log(tmp_path / "d")
    log.logger("a").info("first")
    folder.wait_for(log.next_seq)
    with folder.changed:
        # One more than is tried at once, so that it is news.
        folder.failures = 3
    log.logger("a").info("second")
    with folder.changed:
        assert folder.changed.wait_for(lambda: folder.failed == 3, 30)
    log.logger("a").info("third")
    folder.wait_for(log.next_seq - 1)
    store = store_of(log)
    assert store is not None
    assert log.close(30)
    kept = records_of(store)
    assert [record["seq"] for record in kept] == list(range(1, log.next_seq))
    told = [record["fields"] for record in kept if record["target"] == "inspector.tracing.sinks"]
    assert [each["message"] for each in told] == ["log sink fails, and tries again", "log sink works again"]  # type: ignore[index] # they are events
    assert store.dropped == 0


def test_a_disk_that_stays_full_loses_what_comes_and_does_not_hold_up_the_end(tmp_path: Path) -> None:
    log, folder = kept_log(tmp_path / "d")
    with folder.changed:
        folder.failures = 10**9
    say(log, 10)
    store = store_of(log)
    assert store is not None
    assert not log.close(0.1)
    assert store.dropped == log.next_seq - 1
    # The directory is free again.
    ToldFolder(tmp_path / "d").close()


def test_a_cut_file_is_told_once(tmp_path: Path) -> None:
    log, folder = kept_log(tmp_path / "d")
    say(log, 10)
    folder.wait_for(log.next_seq)
    path = folder.segments[0].path
    data = path.read_bytes()
    log.close()
    for name in tmp_path.glob("d/*.records"):
        name.unlink()
    path.write_bytes(data + b"blk1 and no more")
    for told in (1, 0):
        log, _ = kept_log(tmp_path / "d")
        messages = [
            orjson.loads(entry[0])["fields"].get("bytes")
            for _, run in log.recorder.entries(1, log.next_seq)
            for entry in run
            if b"did not end in good order" in entry[0]
        ]
        assert messages == [16] * told
        log.close()


KILLED = """
import sys
from pathlib import Path
from inspector.store.store import FLUSH
from tests.inspector.store.kept import kept_log, say
log, folder = kept_log(Path(sys.argv[1]), flush=FLUSH)
say(log, 3000)
folder.wait_for(log.next_seq)
print(log.host_id, log.next_seq, flush=True)
while True:
    say(log, 100)
"""


def test_a_killed_host_loses_no_more_than_what_waited_to_be_flushed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / "d")], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        host, flushed = child.stdout.readline().decode().split()
        # In the midst of writing.
        child.kill()
    assert child.returncode == -9
    log, _ = kept_log(tmp_path / "d", record="off")
    found = seqs(trio.run(pages, log, ask(limit=10_000)))
    assert {run for run, _ in found} == {host}
    numbers = [number for _, number in found]
    assert numbers[: int(flushed) - 1] == list(range(1, int(flushed)))
    assert numbers == sorted(set(numbers))
    log.close()


LIMITED = """
import resource, sys
from pathlib import Path
from tests.inspector.store.kept import kept_log, say
from inspector.store import store_of
resource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384))
log, folder = kept_log(Path(sys.argv[1]))
for _ in range(40):
    say(log, 60)
    folder.wait_for(log.next_seq)
store = store_of(log)
print(log.close(30), store.dropped, len(store.segments) > 3, max(each.size for each in store.segments) <= 16384)
"""


def test_a_limit_of_one_files_size_begins_another_file(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "d")], stdout=subprocess.PIPE, timeout=120, check=True
    )
    assert done.stdout == b"True 0 True True\n"


def test_another_format_is_refused_when_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir(mode=0o700)
    (tmp_path / "d" / "00000001.records").write_bytes(b"inspector-records 9 {}\n")
    with pytest.raises(StoreError, match="version 9"):
        open_store(tmp_path / "d")


def test_nobody_waits_for_a_disk_that_hangs(tmp_path: Path) -> None:
    hangs = threading.Event()
    goes_on = threading.Event()

    class Hanging(ToldFolder):
        def append(self, block: bytes) -> None:
            hangs.set()
            assert goes_on.wait(30)
            super().append(block)

    store = Store(Hanging(tmp_path / "d"))
    log = Log(record_size=2**16)
    log.add_sink(store)
    log.open()
    assert hangs.wait(30)
    say(log, 500)
    assert not log.close(0.05)
    goes_on.set()
    store.close(30)
    ToldFolder(tmp_path / "d").close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, where this user may mount one."""
    folder = tmp_path / "small"
    folder.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k,mode=0700", "tmpfs", str(folder)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here; a limit of a file's size is tested all the same")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.trio
async def test_a_full_small_disk_is_survived(small_disk: Path) -> None:
    log, folder = kept_log(small_disk)
    ballast = small_disk / "ballast"
    log.logger("a").info("room")
    folder.wait_for(log.next_seq)
    with pytest.raises(OSError, match="No space"):
        ballast.write_bytes(b"x" * 2**20)
    traces = say(log, 1000)
    store = store_of(log)
    assert store is not None
    with trio.fail_after(60):
        while store.error is None:
            await trio.lowlevel.checkpoint()
    # What is asked is answered meanwhile, out of the ring.
    assert len(seqs(await pages(log, ask(trace_id=traces[500])))) == 3
    ballast.unlink()
    folder.wait_for(3000)
    assert log.close(30)
    assert store.dropped == 0
