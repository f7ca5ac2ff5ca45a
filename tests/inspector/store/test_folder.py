"""The store's directory: who may use it, what is in it, what goes and when, and what is mended."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from inspector.store import StoreError
from inspector.store.folder import MIN_SIZE, Folder
from inspector.store.segments import file_head, open_segment
from inspector.tracing import Log
from tests.inspector.store.kept import SIZE, ToldFolder, block_of, portion, say
from tests.inspector.tracing.records import START, Clock, make_log

__all__ = ()

HOUR = 3600 * 10**9


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with nothing in it."""
    path = tmp_path / "store"
    path.mkdir(mode=0o700)
    return path


def blocks(log: Log, count: int, records: int = 10) -> list[bytes]:
    """Return so many blocks of a log."""
    found = []
    after = log.next_seq - 1
    for _ in range(count):
        say(log, records)
        taken = portion(log, after)
        after = taken.next_seq - 1
        found.append(block_of(taken))
    return found


def spans_of(folder: Folder) -> list[tuple[str, int, int]]:
    """Return what each segment speaks for."""
    return [(each.host, each.first_seq, each.next_seq) for each in folder.segments]


def test_a_directory_is_made_for_its_owner_alone(directory: Path) -> None:
    before = os.umask(0)
    try:
        folder = ToldFolder(directory / "a" / "b")
        folder.name("h1", "h")
        folder.append(blocks(make_log(), 1)[0])
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in folder.path.iterdir()} == {0o600}
    folder.close()


@pytest.mark.parametrize("mode", [0o770, 0o702])
def test_a_directory_that_others_write_to_is_refused(directory: Path, mode: int) -> None:
    path = directory / "a"
    path.mkdir()
    path.chmod(mode)
    with pytest.raises(StoreError, match="can be written to by other users: chmod go-w"):
        ToldFolder(path)


def test_a_directory_of_somebody_else_is_refused(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(StoreError, match="belongs to another user"):
        ToldFolder(directory)


def test_a_path_that_is_no_directory_is_refused(directory: Path) -> None:
    path = directory / "file"
    path.write_text("")
    with pytest.raises(StoreError, match="can't be used"):
        ToldFolder(path)


def test_a_lock_that_is_a_link_is_not_followed(directory: Path) -> None:
    (directory / "lock").symlink_to(directory / "elsewhere")
    with pytest.raises(StoreError, match="can't be used"):
        ToldFolder(directory)
    assert not (directory / "elsewhere").exists()


def test_a_size_that_is_too_small_is_refused(directory: Path) -> None:
    with pytest.raises(StoreError, match=f"{MIN_SIZE} bytes at least"):
        ToldFolder(directory, size=MIN_SIZE - 1)


def test_two_hosts_never_share_a_directory(directory: Path) -> None:
    first = ToldFolder(directory)
    with pytest.raises(StoreError, match=f"in use by another host, process {os.getpid()}"):
        ToldFolder(directory)
    first.close()
    ToldFolder(directory).close()


def test_what_cannot_be_locked_is_refused(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(descriptor: int, how: int) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(StoreError, match="Function not implemented"):
        ToldFolder(directory)


def test_a_forked_child_does_not_keep_the_directory_locked(directory: Path) -> None:
    code = f"""
import os, sys
from pathlib import Path
from inspector.store.folder import Folder
folder = Folder(Path({str(directory)!r}), size=2**20, age=None, clock=lambda: 0)
reader, writer = os.pipe()
if os.fork() == 0:
    os.close(writer)
    print("forked", flush=True)
    os.read(0, 1)
    os._exit(0)
os.close(1)
os._exit(0)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"forked\n"
        child.wait(30)
        # The parent is gone, its child is still there.
        ToldFolder(directory).close()


def test_blocks_come_back_when_the_directory_is_opened_again(directory: Path) -> None:
    log = make_log()
    written = blocks(log, 3)
    folder = ToldFolder(directory)
    folder.name("h1", "h")
    for block in written:
        folder.append(block)
    assert spans_of(folder) == [("h1", 1, 91)]
    folder.close()
    again = ToldFolder(directory)
    assert spans_of(again) == [("h1", 1, 91)]
    (segment,) = again.segments
    assert (segment.count, segment.dropped, segment.heads) == (90, 0, None)
    assert segment.size == segment.path.stat().st_size
    data = segment.path.read_bytes()
    heads = segment.read_heads()
    assert [data[head.offset : head.offset + head.size] for head in heads] == written
    assert again.torn == 0
    again.name("h2", "h")
    again.append(blocks(make_log(), 1)[0])
    assert spans_of(again) == [("h1", 1, 91), ("h2", 1, 31)]
    assert [each.path.name for each in again.segments] == ["00000001.records", "00000002.records"]
    again.close()


def test_a_file_is_cut_behind_its_last_whole_block_wherever_it_was_torn(directory: Path) -> None:
    folder = ToldFolder(directory)
    folder.name("h1", "h")
    first, second = blocks(make_log(), 2, records=2)
    folder.append(first)
    folder.append(second)
    path = folder.segments[0].path
    # As a kill leaves it: no footer.
    whole = path.read_bytes()
    folder.close()
    begin = len(file_head("h1", "h"))
    one, two = begin + len(first), begin + len(first) + len(second)
    assert two == len(whole)
    for end in {1, begin - 1, begin, begin + 1, one - 1, one, one + 1, two - 1, two} | set(range(1, two, 97)):
        path.write_bytes(whole[:end])
        again = ToldFolder(directory)
        if end < one:
            assert (spans_of(again), again.torn, path.exists()) == ([], 0, False)
            again.close()
            continue
        kept, ends = (one, [7]) if end < two else (two, [7, 13])
        assert spans_of(again) == [("h1", 1, ends[-1])]
        assert again.torn == end - kept
        assert [head.next_seq for head in again.segments[0].read_heads()] == ends
        again.close()
        # It was mended, and is closed now.
        opened = open_segment(1, path)
        assert opened is not None
        assert opened[1]


def test_what_stands_behind_a_torn_block_is_not_read(directory: Path) -> None:
    folder = ToldFolder(directory)
    folder.name("h1", "h")
    first, second = blocks(make_log(), 2, records=2)
    folder.append(first)
    folder.append(second)
    path = folder.segments[0].path
    data = bytearray(path.read_bytes())
    folder.close()
    data[len(file_head("h1", "h")) + len(first) - 1] ^= 1
    path.write_bytes(data)
    again = ToldFolder(directory)
    assert spans_of(again) == []
    again.close()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"inspector-records 2 {}\n", "has version 2 of the format, this host knows 1 alone"),
        (b"inspector-records x {}\n", "is no file of records"),
        (b"something else\n", "is no file of records"),
        (b"x" * 100_000, "is no file of records"),
        (b"inspector-records 1 {}\n", "does not say what host"),
        (b"inspector-records 1 []\n", "does not say what host"),
        (b'inspector-records 1 {"host": 1}\n', "does not say what host"),
        (b"inspector-records 1 {\n", "does not say what host"),
    ],
)
def test_what_is_not_understood_is_refused_and_left_as_it_is(directory: Path, content: bytes, why: str) -> None:
    folder = ToldFolder(directory)
    folder.name("h1", "h")
    folder.append(blocks(make_log(), 1)[0])
    torn = folder.segments[0].path.read_bytes()
    folder.close()
    (directory / "00000001.records").write_bytes(torn)
    (directory / "00000002.records").write_bytes(content)
    (directory / "notes.txt").write_text("mine")
    before = {path.name: path.read_bytes() for path in directory.iterdir() if path.name != "lock"}
    with pytest.raises(StoreError, match=why):
        ToldFolder(directory)
    assert before == {path.name: path.read_bytes() for path in directory.iterdir() if path.name != "lock"}
    # And it is not locked any more.
    (directory / "00000002.records").unlink()
    ToldFolder(directory).close()
    assert (directory / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("begun", [b"", b"insp", b'inspector-records 1 {"host"', file_head("h1", "h")])
def test_a_file_that_was_only_begun_is_removed(directory: Path, begun: bytes) -> None:
    (directory / "00000007.records").write_bytes(begun)
    folder = ToldFolder(directory)
    folder.name("h1", "h")
    folder.append(blocks(make_log(), 1)[0])
    # Its number is not used again.
    assert [path.name for path in directory.glob("*.records")] == ["00000008.records"]
    folder.close()


def test_a_directory_stays_within_its_size_and_the_oldest_go(directory: Path) -> None:
    log = make_log(record_size=2**26)
    folder = ToldFolder(directory)
    folder.name("h1", "h")
    for block in blocks(log, 90, records=400):
        folder.append(block)
        assert sum(path.stat().st_size for path in directory.glob("*.records")) <= SIZE
    kept = spans_of(folder)
    assert kept[0][1] > 1
    assert kept[-1][2] == log.next_seq
    assert all(one[2] == other[1] for one, other in pairwise(kept))
    assert len(kept) > 10
    assert {each.path.name for each in folder.segments} == {path.name for path in directory.glob("*.records")}
    assert folder.total == sum(path.stat().st_size for path in directory.glob("*.records"))
    folder.close()
    # A smaller one makes room at once.
    assert folder.total > SIZE // 2


def test_records_beyond_an_age_go(directory: Path) -> None:
    clock = Clock(START)
    log = make_log(clock=clock)
    folder = ToldFolder(directory, age=32 * HOUR, clock=clock)
    folder.name("h1", "h")
    for hour in range(40):
        clock.now = START + hour * HOUR
        folder.append(blocks(log, 1, records=1)[0])
    # A file is closed after a thirty-second of the age, so that none stays much longer than all of its records may.
    assert spans_of(folder)[0][1] == 3 * 6 + 1
    clock.now += 100 * HOUR
    folder.seal()
    folder.sweep()
    assert spans_of(folder) == []
    assert [path.name for path in directory.iterdir()] == ["lock"]
    folder.close()


def test_hosts_that_start_again_and_again_do_not_fill_a_directory_with_files(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspector.store.folder.MAX_SEGMENTS", 20)
    log = make_log()
    (block,) = blocks(log, 1, records=1)
    folder = ToldFolder(directory, size=2**30)
    folder.name("h1", "h")
    for _ in range(25):
        folder.append(block)
        folder.seal()
    assert [each.number for each in folder.segments] == list(range(5, 26))
    folder.close()


def test_a_file_that_cannot_be_removed_stays_known(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(START)
    folder = ToldFolder(directory, age=HOUR, clock=clock)
    folder.name("h1", "h")
    folder.append(blocks(make_log(), 1)[0])
    folder.seal()
    clock.now += 2 * HOUR
    with monkeypatch.context() as patched:

        def unlink(self: Path, missing_ok: bool = False) -> None:
            raise PermissionError(13, "Permission denied")

        patched.setattr(Path, "unlink", unlink)
        folder.sweep()
    assert len(folder.segments) == 1
    folder.sweep()
    assert len(folder.segments) == 0
    folder.close()


def test_a_write_that_fails_leaves_nothing_behind(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = ToldFolder(directory)
    folder.name("h1", "h")
    first, second, third = blocks(make_log(), 3)
    pwrite, room = os.pwrite, [len(file_head("h1", "h")) + len(first) + 10]

    def full(descriptor: int, data: bytes, at: int) -> int:
        # A disk with so much room: a write is cut short, the next one fails.
        left = room[0] - at
        if left <= 0:
            raise OSError(28, "No space left on device")
        return pwrite(descriptor, bytes(data)[:left], at)

    monkeypatch.setattr(os, "pwrite", full)
    folder.append(first)
    with pytest.raises(OSError, match="No space"):
        folder.append(second)
    (segment,) = folder.segments
    assert segment.path.stat().st_size == segment.size
    # No footer either; what is there can be read all the same.
    folder.seal()
    assert segment.path.stat().st_size == segment.size
    assert [head.next_seq for head in segment.read_heads()] == [31]
    room[0] = 10
    with pytest.raises(OSError, match="No space"):
        folder.append(second)
    assert spans_of(folder) == [("h1", 1, 31)]
    room[0] = len(file_head("h1", "h"))
    with pytest.raises(OSError, match="No space"):
        folder.append(second)
    # Begun, and nothing in it.
    assert spans_of(folder)[1][1:] == (0, 0)
    folder.seal()
    assert spans_of(folder) == [("h1", 1, 31)]
    room[0] = 10**9
    folder.append(second)
    folder.append(third)
    folder.close()
    again = ToldFolder(directory)
    assert spans_of(again) == [("h1", 1, 31), ("h1", 31, 91)]
    again.close()
