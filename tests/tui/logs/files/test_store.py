"""A file as rows: from an anchor in both directions, whatever becomes of the file."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.logs.files.test_inputs import BEGIN, SECOND, line
from tui.logs.files import reading, store
from tui.logs.files.reading import PlainFile
from tui.logs.files.spool import Spool
from tui.logs.files.store import FileStore
from tui.logs.row import parse_row
from tui.logs.search import Found, parse_query, search
from tui.logs.store import Records
from tui.logs.window import Window


@contextmanager
def opened(path: Path, anchor: int | None = None) -> Iterator[FileStore]:
    with closing(FileStore(PlainFile(path), anchor)) as store:
        yield store


def index(store: FileStore) -> FileStore:
    while store.step():
        pass
    return store


def all_rows(store: FileStore) -> list[bytes]:
    return store.rows(store.first_row, store.end_row)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (reading, store):
        monkeypatch.setattr(module, "BLOCK", 64)


@pytest.fixture
def path(tmp_path: Path, small: None) -> Path:
    (tmp_path / "log").write_bytes(b"".join(b"line %d\n" % number for number in range(1000)))
    return tmp_path / "log"


LINES = [b"line %d" % number for number in range(1000)]


@pytest.mark.parametrize("anchor", [None, 0, 4000, 4005, 99_999])
def test_all_lines_are_rows_wherever_it_begins(path: Path, anchor: int | None) -> None:
    with opened(path, anchor) as found:
        records: Records = found
        assert len(records) == 0
        index(found)
        assert found.complete
        assert found.indexed == 1.0
        assert all_rows(found) == LINES
        assert [records.row(row) for row in range(records.first_row, records.end_row)] == LINES
        blocks = []
        row = records.first_row
        while (block := records.block_at(row)) is not None:
            assert len(block.data.split(b"\n")) == block.count
            assert records.block_at(block.end_row - 1) == block
            blocks.append(block.data)
            row = block.end_row
        assert b"\n".join(blocks).split(b"\n") == LINES
        assert records.block_at(found.first_row - 1) is None
        with pytest.raises(IndexError, match="is not kept"):
            records.row(found.end_row)


def test_the_end_is_there_after_one_step_and_rows_keep_their_numbers(path: Path) -> None:
    with opened(path) as found:
        assert found.step()
        assert not found.complete
        assert found.row(0) == b"line 999"
        shown = found.rows(-5, 1)
        assert shown == LINES[-6:]
        assert 0 < found.indexed < 0.05
        index(found)
        assert found.rows(-5, 1) == shown
        assert found.first_row == -999


def test_a_window_and_a_search_work_on_it(path: Path) -> None:
    with opened(path) as found:
        index(found)
        window = Window(height=3, first=found.first_row, end=found.end_row)
        assert [found.row(place.row) for place in window.lines()] == LINES[-3:]
        window.home()
        assert [found.row(place.row) for place in window.lines()] == LINES[:3]
        for start, forward, expected in ((-999, True, 500), (0, False, 500), (-300, True, 500)):
            hits = [step for step in search(found, parse_query("line 500"), start, forward=forward)]
            assert isinstance(hits[-1], Found)
            assert found.row(hits[-1].row) == LINES[expected]


@given(st.lists(st.binary(max_size=90).map(lambda each: each.replace(b"\n", b"")), max_size=30), st.integers(0, 900))
def test_any_lines_from_any_anchor(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], anchor: int) -> None:
    path = tmp_path_factory.mktemp("any") / "log"
    for end in (b"", b"half a line"):
        path.write_bytes(b"".join(each + b"\n" for each in lines) + end)
        for place in (anchor, None):
            with opened(path, place) as found:
                index(found).finish()
                assert all_rows(found) == [*lines, *([end] if end else [])]


def test_lines_longer_than_a_block_are_rows_too(tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [b"a", b"x" * 300, b"b", b"y" * 70, b"c"]
    path = tmp_path / "log"
    path.write_bytes(b"".join(each + b"\n" for each in lines))
    for anchor in (None, 0):
        with opened(path, anchor) as found:
            assert all_rows(index(found)) == lines
    for module in (reading, store):
        monkeypatch.setattr(module, "MAX_LINE", 100)
    with opened(path) as found:
        assert all_rows(index(found)) == [b"a", b"x" * 100, b"b", b"y" * 70, b"c"]


def test_what_comes_later_and_a_last_line_without_newline_are_rows(path: Path) -> None:
    with opened(path) as found:
        index(found)
        with path.open("ab") as file:
            file.write(b"more\nhalf")
        index(found)
        assert found.rows(0, 9) == [b"line 999", b"more"]
        found.finish()
        found.finish()
        assert found.rows(1, 9) == [b"more", b"half"]


def test_an_empty_file_has_no_rows_until_something_comes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"")
    with opened(path) as found:
        assert (found.step(), len(found), found.indexed, found.row_at(5)) == (False, 0, 1.0, 0)
        path.write_bytes(b"one\n")
        assert all_rows(index(found)) == [b"one"]


def told(row: bytes) -> str:
    return parse_row(row).message


def test_a_truncated_file_loses_its_rows_and_is_read_anew(path: Path) -> None:
    with opened(path) as found:
        index(found)
        os.truncate(path, 0)
        # What was on the screen is asked for before anybody has noticed.
        assert {told(each) for each in found.rows(-600, -590)} == {"this line is no longer in its file"}
        assert found.step()
        assert told(found.row(found.first_row)).startswith("log was truncated")
        assert found.first_row == 1
        path.write_bytes(b"new\n")
        assert all_rows(index(found))[1:] == [b"new"]


def test_a_replaced_file_keeps_the_rows_of_the_old_one(path: Path) -> None:
    with opened(path) as found:
        index(found)
        path.rename(path.with_suffix(".1"))
        assert told(index(found).row(found.end_row - 1)) == "log is gone: waiting for it to come back"
        with path.with_suffix(".1").open("ab") as file:
            file.write(b"late\nhalf")
        path.write_bytes(b"new\n")
        rows = all_rows(index(found))
        assert rows[:1000] == LINES
        assert rows[1001:1003] == [b"late", b"half"]
        assert told(rows[1003]).startswith("log was replaced")
        assert rows[1004:] == [b"new"]


def test_a_time_is_found_by_its_block(tmp_path: Path, small: None) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"".join(line(number) + b"\n  more\n" for number in range(100)))
    for anchor in (None, 0, 3000):
        with opened(path, anchor) as found:
            index(found)
            for second in (0, 1, 37, 99, 500):
                row = found.row_at(BEGIN + second * SECOND)
                before = (row - found.first_row) // 2
                assert before <= second
                assert before >= min(second, 99) - 2


@pytest.mark.parametrize("packed", [True, False])
def test_a_stream_is_rows_while_it_is_spooled(small: None, packed: bool) -> None:
    data = b"".join(each + b"\n" for each in LINES)
    stream = io.BytesIO(gzip.compress(data) if packed else data)
    with closing(Spool(Path("log.gz"), lambda: stream.read(700))) as spool:
        with closing(FileStore(spool.file(), 0, watched=False)) as found:
            assert spool.step()
            index(found)
            begun = len(found)
            assert 0 < begun < 1000
            shown = all_rows(found)
            while spool.step():
                pass
            assert all_rows(index(found)) == LINES
            assert found.rows(0, begun) == shown == LINES[:begun]
        assert (spool.trouble, spool.step()) == ("", False)


def test_a_stream_that_is_damaged_has_what_came_before() -> None:
    stream = io.BytesIO(gzip.compress(b"one\ntwo\n")[:-4])
    with closing(Spool(Path("log.gz"), stream.read)) as spool:
        while spool.step():
            pass
        assert spool.trouble == "the packed data ends too early"
        with closing(FileStore(spool.file(), 0, watched=False)) as found:
            assert all_rows(index(found)) == [b"one", b"two"]
