"""The file sink: it follows its file, begins new ones, and leaves whole lines only."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import orjson
import pytest

from inspector.tracing import FileSink, Log, SinkError, open_sink
from inspector.tracing.sinks.rotation import Rotation, put_aside, rotated_files
from tests.inspector.tracing.records import START, Clock, make_log

SECOND = 10**9
HOUR = 3600 * SECOND


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make an empty one."""
    folder = tmp_path / "log"
    folder.mkdir()
    return folder


def add_file(log: Log, path: Path, options: str = "") -> FileSink:
    sink = open_sink(f"file:{path}{options}", filter="t=info")
    assert isinstance(sink, FileSink)
    log.add_sink(sink)
    return sink


def numbers(path: Path) -> list[int]:
    lines = path.read_bytes().splitlines(keepends=True)
    assert all(line.endswith(b"\n") for line in lines)
    return [orjson.loads(line)["fields"]["n"] for line in lines]


def all_numbers(path: Path) -> list[int]:
    return [number for each in [*rotated_files(str(path)), str(path)] for number in numbers(Path(each))]


class Numbering:
    """Logs numbers."""

    def __init__(self, log: Log) -> None:
        self.log = log.logger("t")
        self.count = 0

    def write(self, number: int = 1, **fields: Any) -> None:
        """Log so many records."""
        for _ in range(number):
            self.log.info("x", n=self.count, **fields)
            self.count += 1


def test_it_appends(folder: Path) -> None:
    path = folder / "x.jsonl"
    for expected in ([0, 1, 2], [0, 1, 2, 0, 1, 2]):
        log = make_log()
        sink = add_file(log, path)
        assert sink.path == str(path)
        Numbering(log).write(3)
        assert sink.flush(60)
        assert numbers(path) == expected
        assert log.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(folder.iterdir()) == [path]


def test_it_stays_where_it_was_when_the_program_goes_elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    log = make_log()
    sink = open_sink("file:x", filter="info")
    monkeypatch.chdir("/")
    log.add_sink(sink)
    (folder / "x").unlink()
    Numbering(log).write()
    assert log.close()
    assert numbers(folder / "x") == [0]


def test_new_files_by_size(folder: Path) -> None:
    path = folder / "x.jsonl"
    log = make_log()
    sink = add_file(log, path, ",max_size=2kB,keep=1000")
    numbering = Numbering(log)
    for _ in range(10):
        numbering.write(20)
        assert sink.flush(60)
    assert all_numbers(path) == [*range(200)]
    files = rotated_files(str(path))
    assert len(files) >= 10
    assert all(os.path.getsize(each) <= 2000 for each in [*files, str(path)])
    # The clock stands still: they have the same time, and a number behind it.
    assert [os.path.basename(each) for each in files[:2]] == [
        "x.jsonl.20251123T204733.139606Z",
        "x.jsonl.20251123T204733.139606Z-1",
    ]
    assert log.close()


def test_a_record_that_is_longer_than_a_file(folder: Path) -> None:
    path = folder / "x.jsonl"
    log = make_log()
    add_file(log, path, ",max_size=500,keep=10")
    numbering = Numbering(log)
    numbering.write()
    numbering.write(2, pad="y" * 600)
    numbering.write()
    assert log.close()
    assert [numbers(Path(each)) for each in [*rotated_files(str(path)), str(path)]] == [[0], [1], [2], [3]]


def test_so_many_are_kept(folder: Path) -> None:
    path = folder / "x.jsonl"
    others = ["x.jsonl.old", "x.jsonl.20251123T204733.139606Z.gz", "y.jsonl.20251123T204733.139606Z", "x.jsonl.1"]
    for name in others:
        (folder / name).write_text("")
    log = make_log()
    add_file(log, path, ",max_size=500,keep=2")
    Numbering(log).write(30)
    assert log.close()
    assert len(rotated_files(str(path))) == 2
    kept = all_numbers(path)
    assert kept == [*range(kept[0], 30)]
    assert kept[0] > 0
    assert {each.name for each in folder.iterdir()} >= set(others)
    # Fewer are kept from the next start on.
    log = make_log()
    add_file(log, path, ",max_size=1MB,keep=0")
    Numbering(log).write()
    assert log.close()
    assert rotated_files(str(path)) == []
    assert numbers(path)[-1] == 0


def test_new_files_by_age(folder: Path) -> None:
    path = folder / "x.jsonl"
    clock = Clock(START)
    log = make_log(clock=clock)
    sink = add_file(log, path, ",max_age=1h")
    numbering = Numbering(log)
    # 20:47, 20:59 and 21:00.
    for now in (START, START + 12 * 60 * SECOND, START + 13 * 60 * SECOND):
        clock.now = now
        numbering.write(2)
        assert sink.flush(60)
    assert [numbers(Path(each)) for each in [*rotated_files(str(path)), str(path)]] == [[0, 1, 2, 3], [4, 5]]
    # Where nothing is written there is no file, and a clock that steps back makes none.
    for now in (START + 5 * HOUR, START, START + 5 * HOUR, START + 6 * HOUR):
        clock.now = now
        numbering.write()
        assert sink.flush(60)
    assert [numbers(Path(each)) for each in [*rotated_files(str(path))[1:], str(path)]] == [[4, 5], [6, 7, 8], [9]]
    assert log.close()


@pytest.mark.parametrize(("hours", "files"), [(0, 1), (1, 2), (-5, 1)])
def test_the_age_of_a_file_that_is_there(folder: Path, hours: int, files: int) -> None:
    path = folder / "x.jsonl"
    path.write_text("before\n")
    os.utime(path, ns=(START, START))
    log = make_log(clock=Clock(START + hours * HOUR))
    add_file(log, path, ",max_age=1h")
    Numbering(log).write()
    assert log.close()
    assert len(rotated_files(str(path))) + 1 == files


@pytest.mark.parametrize("how", ["moved", "removed", "replaced"])
def test_it_follows_its_name(folder: Path, how: str) -> None:
    path = folder / "x.jsonl"
    log = make_log()
    sink = add_file(log, path)
    numbering = Numbering(log)
    numbering.write(2)
    assert sink.flush(60)
    path.chmod(0o640)
    if how == "removed":
        path.unlink()
    else:
        path.rename(folder / "x.jsonl.1")
    if how == "replaced":
        path.touch(0o644)
    numbering.write(2)
    assert log.close()
    assert numbers(path) == [2, 3]
    # One that logrotate has made has the mode that it gave it.
    assert stat.S_IMODE(path.stat().st_mode) == (0o644 if how == "replaced" else 0o640)
    if how != "removed":
        assert numbers(folder / "x.jsonl.1") == [0, 1]


def test_a_file_that_is_copied_and_cut(folder: Path) -> None:
    path = folder / "x.jsonl"
    log = make_log()
    sink = add_file(log, path, ",max_size=1MB")
    numbering = Numbering(log)
    numbering.write(2)
    assert sink.flush(60)
    os.truncate(path, 0)
    numbering.write(2)
    assert log.close()
    assert numbers(path) == [2, 3]


def test_the_next_file_has_the_mode_of_the_one_before(folder: Path) -> None:
    path = folder / "x.jsonl"
    path.touch()
    path.chmod(0o664)
    log = make_log()
    add_file(log, path, ",max_size=500")
    Numbering(log).write(10)
    assert log.close()
    assert {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == {0o664}


@pytest.mark.parametrize(("text", "expected"), [("half", b"half\n"), ("whole\n", b"whole\n"), ("", b"")])
def test_a_line_that_was_begun_stays_by_itself(folder: Path, text: str, expected: bytes) -> None:
    path = folder / "x.jsonl"
    path.write_text(text)
    log = make_log()
    add_file(log, path)
    Numbering(log).write()
    assert log.close()
    begin, line = path.read_bytes()[: len(expected)], path.read_bytes()[len(expected) :]
    assert begin == expected
    assert orjson.loads(line)["fields"]["n"] == 0


def test_a_line_that_somebody_has_written_behind_is_not_cut_off(folder: Path) -> None:
    path = folder / "x"
    sink = open_sink(f"file:{path}", filter="info")
    assert isinstance(sink, FileSink)
    descriptor = sink._descriptor
    assert descriptor is not None
    # As a full disk leaves it, and another host that was quicker to see that there is room again.
    os.write(descriptor, b"whole\nha")
    with path.open("ab") as other:
        other.write(b"other\n")
    sink._cut(descriptor, 2)
    batch = [b"half\n"]
    assert sink.write(batch)
    assert path.read_bytes() == b"whole\nhaother\n\nhalf\n"
    # Nobody is behind this one.
    os.write(descriptor, b"ha")
    sink._cut(descriptor, 2)
    assert sink.write([b"half\n"])
    assert path.read_bytes() == b"whole\nhaother\n\nhalf\nhalf\n"
    sink.giving_up.set()
    assert not sink.write([b"never\n"])
    assert sink.close(0)


def test_a_folder_that_new_files_can_not_be_made_in() -> None:
    # A file that may be written to, in a folder in which even root can make none.
    with pytest.raises(SinkError, match="no new file can be made in /proc/"):
        open_sink("file:/proc/self/comm,max_size=1MB")


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_what_is_no_file_is_refused(folder: Path, kind: str) -> None:
    path = folder / "x"
    if kind == "pipe":
        os.mkfifo(path)
        with open(os.open(path, os.O_RDWR), "rb"), pytest.raises(SinkError, match="is no regular file"):
            open_sink(f"file:{path}")
    elif kind == "folder":
        with pytest.raises(SinkError, match="Is a directory"):
            open_sink(f"file:{folder}")
    else:
        with pytest.raises(SinkError, match="/dev/null is no regular file"):
            open_sink("file:/dev/null")


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"max_size": 0}, "max_size"), ({"max_age": 0.5}, "max_age"), ({"keep": -1}, "keep")],
)
def test_rotations_that_can_not_be(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Rotation(**settings)


def test_many_put_the_same_file_aside(folder: Path) -> None:
    path = folder / "x"
    put: list[str] = []
    gone: list[OSError] = []

    def work() -> None:
        for number in range(200):
            (folder / f"{threading.get_ident()}-{number}").write_text("x")
            os.rename(folder / f"{threading.get_ident()}-{number}", path)
            try:
                put.append(put_aside(str(path), "2025-11-23T20:47:33.139606Z"))
            except FileNotFoundError as error:
                gone.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(put) + len(gone) == 800
    assert len(set(put)) == len(put)
    assert sorted(put) == sorted(rotated_files(str(path)))


def test_two_hosts_write_one_file(folder: Path) -> None:
    path = folder / "x.jsonl"
    logs = [make_log(host_id=str(number)) for number in range(2)]
    sinks = [add_file(log, path, ",max_size=3kB,keep=1000") for log in logs]
    numberings = [Numbering(log) for log in logs]
    for _ in range(50):
        for sink, numbering in zip(sinks, numberings, strict=True):
            numbering.write(5, pad="y" * 100)
            assert sink.flush(60)
    assert all([log.close() for log in logs])
    # Nothing is lost, nothing twice, each line whole.
    assert sorted(all_numbers(path)) == sorted([*range(250)] * 2)
    assert all(os.path.getsize(each) <= 3000 for each in folder.iterdir())


PROGRAM = """
import sys
from inspector.tracing import Log, open_sink
log = Log()
log.add_sink(open_sink(sys.argv[1], filter="info"))
log.open()
number = 0
while True:
    log.logger("t").info("x", n=number, pad="y" * (number % 1000))
    number += 1
    if number == 3000:
        print("going", flush=True)
"""


def test_a_host_that_is_killed_leaves_whole_lines(folder: Path) -> None:
    path = folder / "x.jsonl"
    spelling = f"file:{path},max_size=1MB,keep=3"
    with subprocess.Popen([sys.executable, "-c", PROGRAM, spelling], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        while not rotated_files(str(path)):
            assert child.poll() is None
        child.send_signal(signal.SIGKILL)
    files = [*rotated_files(str(path)), str(path)]
    data = b"".join(Path(each).read_bytes() for each in files if os.path.exists(each))
    *lines, rest = data.split(b"\n")
    found = [orjson.loads(line) for line in lines]
    assert all("trace_id" in record for record in found)
    assert not rest or data.endswith(rest)
    # In order, whatever the ring had dropped before the sink came to it.
    assert (written := [record["seq"] for record in found]) == sorted(written)
